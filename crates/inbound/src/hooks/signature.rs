//! HMAC signatures over a body, as forges send them (H-XGH-03 to H-XGH-06).

use http::HeaderMap;

use super::HookError;
use super::request::{RawHook, header_text};
use campanile_config::{Hash, Secret, is_hex_code, verify_hex_hmac};

/// Treatment of requests without a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// It does.
    Pass,
    /// It is refused.
    Refuse,
}

/// A signature as a header carries it; it may be right.
pub(super) struct SentCode {
    hash: Hash,
    hex: String,
}

/// Reads `X-Hub-Signature-256`, else `X-Hub-Signature`; none if there is none and none is wanted.
///
/// # Errors
/// 403 for one that is missing, and for one that no secret makes. It is not quoted: where a forge is set up wrongly it is
/// the secret itself.
pub(super) fn read(headers: &HeaderMap, unsigned: Unsigned) -> Result<Option<SentCode>, HookError> {
    let of = |name| header_text(headers, name);
    let (sent, only_256) = match (of("x-hub-signature-256"), of("x-hub-signature")) {
        (Some(sent), _) => (sent, true),
        (None, Some(sent)) => (sent, false),
        (None, None) if unsigned == Unsigned::Pass => return Ok(None),
        (None, None) => return Err(HookError::forbidden("Request has no required signature")),
    };
    let parts = sent.split_once('=').filter(|(_, hex)| !hex.contains('='));
    let Some((hash, hex)) = parts else {
        return Err(HookError::forbidden("Wrong signature format: it must be `sha256=` and hex digits"));
    };
    let hash = match hash {
        "sha256" => Hash::Sha256,
        "sha1" if !only_256 => Hash::Sha1,
        "md5" | "sha1" | "sha224" | "sha384" | "sha512" => {
            return Err(HookError::forbidden(format!("Unknown hash type: {hash}")));
        }
        _ => return Err(HookError::forbidden("Unknown hash type")),
    };
    if !is_hex_code(hash, hex) {
        return Err(HookError::forbidden("Hash mismatch"));
    }
    Ok(Some(SentCode { hash, hex: hex.to_owned() }))
}

/// Checks `X-Hub-Signature-256`, else `X-Hub-Signature`, over the raw body; any of the secrets will do (H-XALL-02).
pub(super) fn check(hook: &RawHook, secrets: &[Secret], unsigned: Unsigned) -> Result<(), HookError> {
    match read(&hook.headers, unsigned)? {
        Some(sent) if !verify_hex_hmac(sent.hash, &hook.body, secrets, &sent.hex) => {
            Err(HookError::forbidden("Hash mismatch"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::testing::{post, with_header};

    const BODY: &str = r#"{"zen":"campanile","ok":true}"#;
    const SHA1: &str = "sha1=05f5867cf838ed06d3dc0c77d32030a6ee5bfe36";
    const SHA256: &str = "sha256=fcc8fa4e18aa6c8084e174339da8388e543cbc7ad034ce9fdd7702ba37c88af1";

    fn judge(body: &str, secrets: &[&str], headers: &[(&str, &str)]) -> Result<(), (u16, String)> {
        let mut hook = post("application/json", body);
        for (name, value) in headers {
            hook = with_header(hook, name, value);
        }
        let secrets: Vec<Secret> = secrets.iter().copied().map(Secret::new).collect();
        check(&hook, &secrets, Unsigned::Refuse).map_err(|rejection| (rejection.status, rejection.message))
    }

    fn refused(text: &str) -> Result<(), (u16, String)> {
        Err((403, text.to_owned()))
    }

    #[test]
    fn h_xgh_06_the_published_signatures_match() {
        assert_eq!(judge(BODY, &["bell-tower"], &[("x-hub-signature", SHA1)]), Ok(()));
        assert_eq!(judge(BODY, &["bell-tower"], &[("x-hub-signature-256", SHA256)]), Ok(()));
        let github = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = ["It's a Secret to Everybody"];
        assert_eq!(judge("Hello, World!", &secret, &[("x-hub-signature-256", github)]), Ok(()));
    }

    #[test]
    fn h_xgh_03_only_the_256_one_is_checked_when_both_are_there() {
        let both = [("x-hub-signature", SHA1), ("x-hub-signature-256", "sha256=00")];
        assert_eq!(judge(BODY, &["bell-tower"], &both), refused("Hash mismatch"));
        let both = [("x-hub-signature", "sha1=00"), ("x-hub-signature-256", SHA256)];
        assert_eq!(judge(BODY, &["bell-tower"], &both), Ok(()));
    }

    #[test]
    fn h_xgh_05_each_failure_has_its_text() {
        let with = |value: &str| judge(BODY, &["bell-tower"], &[("x-hub-signature", value)]);
        assert_eq!(judge(BODY, &["bell-tower"], &[]), refused("Request has no required signature"));
        assert_eq!(with("sha1"), refused("Wrong signature format: it must be `sha256=` and hex digits"));
        assert_eq!(with("sha1=a=b"), refused("Wrong signature format: it must be `sha256=` and hex digits"));
        assert_eq!(with("md5=00"), refused("Unknown hash type: md5"));
        // The secret itself, as base64 has it.
        assert_eq!(with("YmVsbC10b3dlcg="), refused("Unknown hash type"));
        for hex in ["", "0", "xy", &"0".repeat(40), "05f5867cf838ed06d3dc0c77d32030a6ee5bfe"] {
            assert_eq!(with(&format!("sha1={hex}")), refused("Hash mismatch"), "{hex}");
        }
        assert_eq!(judge("{}", &["bell-tower"], &[("x-hub-signature", SHA1)]), refused("Hash mismatch"));
    }

    #[test]
    fn h_xall_02_either_of_two_secrets_will_do() {
        let upper = SHA1.replace("sha1=05f5867cf8", "sha1=05F5867CF8");
        assert_eq!(judge(BODY, &["new", "bell-tower"], &[("x-hub-signature", &upper)]), Ok(()));
        assert_eq!(judge(BODY, &["new", "other"], &[("x-hub-signature", SHA1)]), refused("Hash mismatch"));
    }
}
