//! Addresses below a base address, made of parts that come from outside.

use url::Url;

use crate::{Fault, FaultCode, Outcome};

/// Makes an address below another one. Parts are encoded, so that none becomes two.
///
/// # Errors
/// Refused for a part that would lead upwards: parts are names out of events, and `..` for a repository would have the
/// request, with its credentials, go to another end point than the one meant.
pub(crate) fn below<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Result<Url, Outcome> {
    let mut url = base.clone();
    let refused = |text: String| Outcome::Refused(Fault::permanent(FaultCode::Content, text));
    {
        let Ok(mut segments) = url.path_segments_mut() else {
            return Err(refused("`base_url` can't have a path".to_owned()));
        };
        segments.pop_if_empty();
        for part in parts {
            if matches!(part, "" | "." | "..") {
                return Err(refused(format!("`{part}` can't be part of an address")));
            }
            segments.push(part);
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gs_api_01_parts_of_addresses_stay_parts() {
        let base = "https://forge.example.org/api/v3/".parse().unwrap();
        let url = below(&base, ["repos", "a b", "c/d", "ü?x#y"]).unwrap();
        assert_eq!(url.as_str(), "https://forge.example.org/api/v3/repos/a%20b/c%2Fd/%C3%BC%3Fx%23y");
        for upwards in ["..", ".", ""] {
            assert!(below(&base, ["repos", upwards]).is_err(), "{upwards}");
        }
    }
}
