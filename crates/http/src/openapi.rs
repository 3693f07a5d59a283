//! The API's description (OpenAPI 3.1), put together from the routes' own by `OpenApiRouter`.

use axum::Json;
use utoipa::OpenApi as _;
use utoipa::openapi::content::Content;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Campanile", description = "What happens in a CI goes in; who is told of it, and why not, comes out."),
    security(("token" = []))
)]
struct Head;

/// Makes the description without its routes.
pub(super) fn head() -> OpenApi {
    Head::openapi()
}

/// Adds to the routes' description the parts that they have in common: the token, and the form of refusals.
pub(super) fn completed(mut api: OpenApi) -> OpenApi {
    let body = Content::new(Some(Ref::from_schema_name("ProblemBody")));
    let refused = ResponseBuilder::new().description("refused").content("application/problem+json", body);
    let refused = RefOr::T(refused.build());
    for item in api.paths.paths.values_mut() {
        for operation in
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
        {
            // Where a route says nothing of its own.
            operation.responses.responses.entry("4XX".to_owned()).or_insert_with(|| refused.clone());
        }
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("the token of `server.api_token`, or one that `campanile token make` made"));
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    api
}

/// Answers with the description; open to everybody, since it says nothing of this installation.
pub(super) async fn show(description: OpenApi) -> Json<OpenApi> {
    Json(description)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A change for the API's users is seen in review.
    #[test]
    fn the_description_is_the_committed_one() {
        let api = completed(crate::with_sources(crate::authorized_api()).into_openapi());
        insta::assert_snapshot!("openapi", api.to_pretty_json().unwrap());
    }
}
