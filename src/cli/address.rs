//! Addresses as people write them on the command line: the engine's, and those of pages that messages link to.

use reqwest::Url;

/// Reads the address of a server: `http://127.0.0.1:8010`, or `127.0.0.1:8010` for that.
pub(super) fn server(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    on_a_host(&whole).ok_or_else(|| "write the server's address, such as `http://127.0.0.1:8010`".to_owned())
}

/// Checks the address of a page that people are to be led to; blank stands for none.
///
/// Others than http and https are none: a message would link to a script, or to nowhere.
pub(super) fn page(text: &str) -> Result<String, String> {
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if text.is_empty() || (is_plain && on_a_host(text).is_some()) {
        return Ok(text.to_owned());
    }
    Err("write the whole address of a page, such as `https://ci.example.org/builds/7`".to_owned())
}

fn on_a_host(text: &str) -> Option<Url> {
    // More slashes than two are taken for two, and what was a path for a host.
    let (_, rest) = text.split_once("://")?;
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host() && !rest.starts_with(['/', '\\']))
        .then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_may_be_without_a_scheme() {
        for (text, url) in [
            ("http://127.0.0.1:8010", "http://127.0.0.1:8010/"),
            ("127.0.0.1:8010", "http://127.0.0.1:8010/"),
            ("engine:8010/ci", "http://engine:8010/ci"),
            ("[::1]:8010", "http://[::1]:8010/"),
            ("https://ci.example.org", "https://ci.example.org/"),
        ] {
            assert_eq!(server(text).map(String::from).as_deref(), Ok(url), "{text}");
        }
        for text in [
            "",
            " ",
            "ftp://engine",
            "javascript:alert(1)",
            "http://",
            "/tmp/socket",
            "http:///etc",
            "file:///etc",
        ] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pages_are_whole_and_of_the_web() {
        for text in ["", "https://ci.example.org/7", "http://ci:8080/#/7", "HTTPS://ci.example.org"] {
            assert_eq!(page(text).as_deref(), Ok(text));
        }
        for text in [
            "javascript:alert(1)",
            "JaVaScRiPt://ci.example.org/%0aalert(1)",
            "data:text/html,x",
            "/builds/7",
            "ci.example.org/7",
            "ci.example.org:8080/7",
            "//ci.example.org/7",
            "https://",
            "https://ci.example.org/a b",
            "https://ci.example.org/\n7",
            " ",
        ] {
            assert!(page(text).is_err(), "{text}");
        }
    }
}
