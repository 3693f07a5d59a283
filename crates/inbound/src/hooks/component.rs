//! A dialect of one's own: a component that exports `hook-dialect` (H-WASM-01 to H-WASM-04).
//!
//! The sender is proven here, so the component never sees a secret. The call itself is left to the caller, by
//! [`ComponentCall::run`]: `parse` does no I/O.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::Value;

use super::commit::Overrides;
use super::component_call::ComponentCall;
use super::request::{Method, RawHook, Verified};
use super::{Dialect, HookError, HookOutcome, ParsedHook};
use crate::HeaderProof;
use campanile_callbacks::{Callback, HookRequest, Kind};
use campanile_config::{Hash, Reader, Secret, is_hex_code, is_one_of, verify_hex_hmac};
use campanile_model::Timestamp;

/// Headers by which senders name a delivery, and never two of them alike. Not `X-Request-Id`, which proxies make too.
const DELIVERY_IDS: &[&str] = &[
    "idempotency-key",
    "x-github-delivery",
    "x-gitea-delivery",
    "x-forgejo-delivery",
    "x-gogs-delivery",
    "x-request-uuid",
];

/// Headers that prove identities, and are kept from guests (H-WASM-02).
const HIDDEN: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

struct ComponentDialect {
    name: String,
    callback: Callback,
    options: Value,
    proof: Option<Proof>,
}

/// Makes a dialect from its table, which names a `callback`; none if there is no such callback.
pub(super) fn from_options(
    name: &str,
    table: &Reader<'_>,
    callbacks: &BTreeMap<String, Callback>,
) -> Option<Box<dyn Dialect>> {
    let wanted = table.required_text("callback");
    let options = table.item("options").map_or(Value::Null, campanile_config::Item::to_json);
    let proof = table.table("verify").and_then(|verify| {
        let proof = Proof::read(&verify);
        verify.finish();
        proof
    });
    let wanted = wanted?;
    let callback = callbacks.get(&wanted).filter(|callback| callback.can_be(Kind::HookDialect));
    let Some(callback) = callback else {
        let text = if callbacks.contains_key(&wanted) {
            format!("callback `{wanted}` exports no {}", Kind::HookDialect.name())
        } else {
            format!("there is no callback `{wanted}`: name one of `[callbacks]`")
        };
        table.error("callback", text);
        return None;
    };
    Some(Box::new(ComponentDialect { name: name.to_owned(), callback: callback.clone(), options, proof }))
}

impl Dialect for ComponentDialect {
    fn name(&self) -> &str {
        &self.name
    }

    fn has_secret(&self) -> bool {
        self.proof.is_some()
    }

    fn judge_headers(&self, _method: Method, headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        let Some(proof) = &self.proof else { return Ok(HeaderProof::WithBody) };
        proof.judge_headers(headers).ok_or_else(|| self.refused())
    }

    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        match &self.proof {
            Some(proof) if !proof.holds(&request) => Err(self.refused()),
            _ => Ok(Verified::pass(request)),
        }
    }

    fn parse(&self, hook: &Verified, _now: Timestamp) -> Result<ParsedHook, HookError> {
        let request = hook.request();
        let secret = self.proof.as_ref().map(|proof| proof.header.as_str());
        let shown = |name: &str| !HIDDEN.contains(&name) && secret != Some(name);
        let headers = request.headers.iter().filter(|(name, _)| shown(name.as_str()));
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let call = ComponentCall {
            callback: self.callback.clone(),
            options: self.options.clone(),
            request: HookRequest {
                method: match request.method {
                    Method::Get => "GET".to_owned(),
                    Method::Post => "POST".to_owned(),
                },
                query: form_urlencoded::parse(request.query.as_bytes()).into_owned().collect(),
                headers: headers
                    .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
                    .collect(),
                body: request.body.to_vec(),
            },
            overrides: Overrides::read(request),
        };
        Ok(ParsedHook {
            event: None,
            delivery_id: request.delivery_id(DELIVERY_IDS),
            outcome: HookOutcome::Component(call),
        })
    }
}

impl ComponentDialect {
    fn refused(&self) -> HookError {
        HookError::forbidden(format!("{}: authentication failed", self.name))
    }
}

/// Proof of the sender, checked before the component is called (H-WASM-02).
struct Proof {
    /// In lower case.
    header: String,
    algorithm: Algorithm,
    secrets: Vec<Secret>,
    /// Stands before the code, such as `sha256=`.
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Hmac(Hash),
    /// The secret itself.
    Token,
}

impl Algorithm {
    const NAMED: [(&str, Self); 4] = [
        ("hmac-sha256", Self::Hmac(Hash::Sha256)),
        ("hmac-sha1", Self::Hmac(Hash::Sha1)),
        ("hmac-md5", Self::Hmac(Hash::Md5)),
        ("token", Self::Token),
    ];
}

impl Proof {
    fn read(table: &Reader<'_>) -> Option<Self> {
        let header = table.required_text("header");
        if header.as_deref().is_some_and(|name| http::HeaderName::try_from(name).is_err()) {
            table.error("header", "`header` must be the name of a header");
        }
        let named = table.required_text("algorithm");
        let algorithm = named.as_deref().and_then(|named| {
            let found = Algorithm::NAMED.iter().find(|(name, _)| *name == named);
            if found.is_none() {
                let known = Algorithm::NAMED.map(|(name, _)| name).join("`, `");
                table.error("algorithm", format!("`algorithm` must be one of `{known}`, not `{named}`"));
            }
            found.map(|(_, algorithm)| *algorithm)
        });
        let secrets = super::options::secrets(table);
        if table.item("secret").is_none() {
            table.error("secret", "`secret` is missing: without one there is nothing to verify by");
        }
        let prefix = table.text("prefix").unwrap_or_default();
        Some(Self { header: header?.to_ascii_lowercase(), algorithm: algorithm?, secrets, prefix })
    }

    fn sent<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        headers.get(&self.header)?.as_bytes().strip_prefix(self.prefix.as_bytes())
    }

    /// The proof as far as the headers give it; none if they give none, or one that can't be right.
    fn judge_headers(&self, headers: &HeaderMap) -> Option<HeaderProof> {
        let sent = self.sent(headers)?;
        let (may_be, proof) = match self.algorithm {
            Algorithm::Token => (is_one_of(sent, &self.secrets), HeaderProof::Whole),
            Algorithm::Hmac(hash) => {
                (std::str::from_utf8(sent).is_ok_and(|hex| is_hex_code(hash, hex)), HeaderProof::WithBody)
            }
        };
        may_be.then_some(proof)
    }

    fn holds(&self, request: &RawHook) -> bool {
        let Some(sent) = self.sent(&request.headers) else { return false };
        match self.algorithm {
            Algorithm::Token => is_one_of(sent, &self.secrets),
            Algorithm::Hmac(hash) => std::str::from_utf8(sent)
                .is_ok_and(|hex| verify_hex_hmac(hash, &request.body, &self.secrets, hex)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hooks::testing::{post, with_header};

    fn proof(algorithm: Algorithm, prefix: &str) -> Proof {
        let secrets = vec![Secret::new("new"), Secret::new("bell-tower")];
        Proof { header: "x-proof".to_owned(), algorithm, secrets, prefix: prefix.to_owned() }
    }

    #[test]
    fn h_wasm_02_the_engine_proves_the_sender() {
        let body = r#"{"zen":"campanile","ok":true}"#;
        let holds = |proof: &Proof, value: &str| {
            proof.holds(&with_header(post("application/json", body), "x-proof", value))
        };
        let sha1 = "05f5867cf838ed06d3dc0c77d32030a6ee5bfe36";
        let sha256 = "fcc8fa4e18aa6c8084e174339da8388e543cbc7ad034ce9fdd7702ba37c88af1";
        assert!(holds(&proof(Algorithm::Hmac(Hash::Sha1), ""), sha1));
        assert!(holds(&proof(Algorithm::Hmac(Hash::Sha256), "sha256="), &format!("sha256={sha256}")));
        assert!(holds(&proof(Algorithm::Token, "Bearer "), "Bearer bell-tower"));
        for (proof, value) in [
            (proof(Algorithm::Hmac(Hash::Sha256), "sha256="), sha256),
            (proof(Algorithm::Hmac(Hash::Sha256), ""), sha1),
            (proof(Algorithm::Hmac(Hash::Md5), ""), "00"),
            (proof(Algorithm::Hmac(Hash::Sha1), ""), ""),
            (proof(Algorithm::Token, ""), "bell-towe"),
            (proof(Algorithm::Token, ""), ""),
        ] {
            assert!(!holds(&proof, value), "{value}");
        }
        assert!(!proof(Algorithm::Token, "").holds(&post("application/json", body)));
    }
}
