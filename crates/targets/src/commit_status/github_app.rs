//! Tokens of an app at GitHub: they last an hour, and are given for a proof that is signed with the app's key.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, AUTHORIZATION};
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey;
use serde::Deserialize;
use serde_json::json;

use super::settings::Shared;
use crate::http::{CachedToken, JSON, below, deferred, require_success};
use crate::{Fault, FaultCode, Outcome};
use campanile_config::{Reader, Secret};
use campanile_model::Timestamp;
use campanile_outbound::Request;

/// The life of a proof: GitHub takes none that says more than ten minutes.
const PROOF: Duration = Duration::from_secs(540);
/// Seconds by which a proof begins before it is made: GitHub's clock may be behind.
const BEFORE: i64 = 60;
/// The life of a token if GitHub does not say it in a way that is understood.
const DEFAULT_LIFE: Duration = Duration::from_secs(3_600);

/// An app, at one place where it is installed.
pub(super) struct App {
    id: String,
    installation: String,
    key: Arc<dyn SigningKey>,
    token: CachedToken,
}

/// GitHub's reply.
#[derive(Deserialize)]
struct TokenResponse {
    token: String,
    expires_at: Option<String>,
}

impl App {
    /// True if any of its keys is there.
    pub(super) fn is_given(reader: &Reader<'_>) -> bool {
        ["app_id", "installation_id", "private_key"].iter().any(|key| reader.item(key).is_some())
    }

    /// Reads `app_id`, `installation_id` and `private_key`.
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let (id, installation) = (number(reader, "app_id"), number(reader, "installation_id"));
        if reader.item("private_key").is_none() {
            reader
                .error("private_key", "`private_key` is missing: the PEM file that GitHub gave for the app");
        }
        let pem = reader.secret("private_key")?;
        let key = match signing_key(&pem) {
            Ok(key) => key,
            Err(why) => {
                reader.error("private_key", format!("`private_key` {why}"));
                return None;
            }
        };
        Some(Self { id: id?, installation: installation?, key, token: CachedToken::default() })
    }

    /// Gives a token that is good for some minutes at least.
    pub(super) async fn token(&self, shared: &Shared, now: Timestamp) -> Result<Secret, Outcome> {
        self.token.get(now, self.fetch(shared, now)).await
    }

    /// Throws the token away; false if there was none.
    pub(super) async fn invalidate_token(&self) -> bool {
        self.token.invalidate().await
    }

    async fn fetch(&self, shared: &Shared, now: Timestamp) -> Result<(Secret, Timestamp), Outcome> {
        let refused = |text: String| Outcome::Refused(Fault::permanent(FaultCode::Authentication, text));
        let path = ["app", "installations", &self.installation, "access_tokens"];
        let proof = self.proof(now).map_err(refused)?;
        let request = Request::post(below(&shared.base_url, path)?, JSON, "{}")
            .header(ACCEPT, "application/vnd.github+json")
            .and_then(|request| request.secret_header(AUTHORIZATION, "Bearer ", &proof))
            .map_err(deferred)?;
        let response = shared.client.send(request).await.map_err(deferred)?;
        require_success(&response, now, &format!("there is no token for the app {}", self.id))?;
        let Ok(granted) = serde_json::from_slice::<TokenResponse>(&response.body) else {
            // The body is not shown: it may hold a token.
            let text = format!("{} gave no token that is understood", response.origin);
            return Err(Outcome::from(Fault::transient(FaultCode::Authentication, text)));
        };
        let end = granted.expires_at.and_then(|end| Timestamp::parse_date(&end).ok());
        Ok((Secret::new(granted.token), end.unwrap_or_else(|| now.after(DEFAULT_LIFE))))
    }

    /// Makes a JSON web token (RFC 7519) that says who asks.
    fn proof(&self, now: Timestamp) -> Result<Secret, String> {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "iat": now.as_seconds() - BEFORE,
            "exp": now.after(PROOF).as_seconds(),
            "iss": self.id,
        });
        let part = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let signed =
            format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let signer = signer.ok_or("`private_key` is no RSA key")?;
        let signature = signer.sign(signed.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Secret::new(format!("{signed}.{}", part(&signature))))
    }
}

/// Reads a number, also as text: an app may be named by its client id, too.
fn number(reader: &Reader<'_>, key: &str) -> Option<String> {
    let Some(item) = reader.item(key) else {
        reader.error(key, format!("`{key}` is missing beside `private_key`"));
        return None;
    };
    match item.as_text() {
        Some(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Some(_) => item.wrong_type(key, "a number"),
        None => reader.integer(key, 1..=i64::MAX).map(|number| number.to_string()),
    }
}

/// Reads the key in a PEM text, or says what is wrong with it.
fn signing_key(pem: &Secret) -> Result<Arc<dyn SigningKey>, &'static str> {
    let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
        .map_err(|_| "holds no PEM text: it begins with `-----BEGIN RSA PRIVATE KEY-----`")?;
    let key = rustls::crypto::ring::sign::any_supported_type(&der).map_err(|_| "is no usable key")?;
    let is_rsa = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).is_some();
    if is_rsa { Ok(key) } else { Err("is no RSA key, which GitHub's apps have") }
}
