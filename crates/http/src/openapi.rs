//! The API's description (OpenAPI 3.1), put together from the routes' own.

use axum::Json;
use utoipa::openapi::content::Content;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{Modify, OpenApi};

use super::{callbacks, deliveries, events, lists, logs, tenants, tokens};

/// All routes below `/api`. `tests/it/openapi.rs` holds the list against the router.
#[derive(OpenApi)]
#[openapi(
    info(title = "Campanile", description = "What happens in a CI goes in; who is told of it, and why not, comes out."),
    paths(
        callbacks::list,
        callbacks::log,
        callbacks::push,
        callbacks::roll_back,
        callbacks::sample,
        callbacks::show,
        deliveries::explain,
        deliveries::list,
        deliveries::retry,
        deliveries::show,
        events::accept,
        events::accept_from,
        lists::audit,
        lists::build,
        lists::builders,
        lists::builds,
        lists::changes,
        logs::read,
        logs::upload,
        tenants::list,
        tenants::put,
        tenants::remove,
        tenants::show,
        tokens::list,
        tokens::make,
        tokens::revoke,
    ),
    security(("token" = [])),
    modifiers(&Refusals, &Token)
)]
struct Api;

/// What every route answers to what it refuses, where it says nothing of its own.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let body = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        let refused = ResponseBuilder::new().description("refused").content("application/problem+json", body);
        let refused = RefOr::T(refused.build());
        for item in api.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete] {
                let Some(operation) = operation else { continue };
                operation.responses.responses.entry("4XX".to_owned()).or_insert_with(|| refused.clone());
            }
        }
    }
}

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let bearer = bearer
            .description(Some("the token of `server.api_token`, or one that `campanile token make` made"));
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// The description; open to everybody, since it says nothing of this installation.
pub(super) async fn show() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What changes for the API's users is seen in review.
    #[test]
    fn the_description_is_the_committed_one() {
        insta::assert_snapshot!("openapi", Api::openapi().to_pretty_json().unwrap());
    }
}
