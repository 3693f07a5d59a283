//! Signatures of the Standard Webhooks specification, by which receivers can tell the sender and the time of a push.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::HeaderName;
use sha2::Sha256;

use campanile_config::{Reader, Secret};
use campanile_model::Timestamp;
use campanile_outbound::{OutboundError, Request};

/// Keys that pushes are signed with; several while one takes the place of another.
#[derive(Clone)]
pub(super) struct Signers(Vec<Hmac<Sha256>>);

impl Signers {
    /// Reads `signing_secrets`: `whsec_` and base64, as those are handed out, or any other text as it is.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let secrets = reader.secrets("signing_secrets");
        let mut signers = Vec::with_capacity(secrets.len());
        for secret in secrets {
            match key(&secret).as_deref().map(Hmac::new_from_slice) {
                Some(Ok(signer)) => signers.push(signer),
                _ => reader
                    .error("signing_secrets", "a secret behind `whsec_` must be base64, and not be empty"),
            }
        }
        Self(signers)
    }

    /// Signs a request with this body. `id` is the same when the same is sent again.
    pub(super) fn sign(
        &self,
        request: Request,
        id: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Request, OutboundError> {
        if self.0.is_empty() {
            return Ok(request);
        }
        let seconds = now.as_seconds().to_string();
        request
            .header(HeaderName::from_static("webhook-id"), id)?
            .header(HeaderName::from_static("webhook-timestamp"), &seconds)?
            .header(HeaderName::from_static("webhook-signature"), &self.signature(id, &seconds, body))
    }

    fn signature(&self, id: &str, seconds: &str, body: &[u8]) -> String {
        let of = |signer: &Hmac<Sha256>| {
            let mut signer = signer.clone();
            for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
                signer.update(part);
            }
            format!("v1,{}", STANDARD.encode(signer.finalize().into_bytes()))
        };
        self.0.iter().map(of).collect::<Vec<_>>().join(" ")
    }
}

/// Gives the key of a secret; none if it is empty or no base64.
fn key(secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.expose();
    let key = match text.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => text.as_bytes().to_vec(),
    };
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signers(secrets: &[&str]) -> Signers {
        let signer =
            |secret: &&str| Hmac::new_from_slice(&key(&Secret::new((*secret).to_owned())).unwrap()).unwrap();
        Signers(secrets.iter().map(signer).collect())
    }

    /// The example of the specification's reference libraries.
    #[test]
    fn the_published_example_and_several_secrets() {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature =
            |secrets: &[&str]| signers(secrets).signature(id, "1614265330", b"{\"test\": 2432232314}");
        let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&[secret]), known);
        let two = signature(&[secret, "another one"]);
        assert!(two.starts_with(&format!("{known} v1,")) && two.len() == 2 * known.len() + 1, "{two}");
        assert!(key(&Secret::new("whsec_***".to_owned())).is_none());
        assert!(key(&Secret::new(String::new())).is_none());
    }
}
