//! Downgrading of mails for relays that know ASCII only. Addresses of other scripts are all that is ever written as it
//! is (M-62); they become groups without members, which say in encoded words what was there (RFC 6857).

use super::headers;

/// Rewrites the mail in ASCII. Each address in a header stands at the end of a line, before a comma at most.
pub(super) fn downgrade(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 256);
    let mut rest = raw;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        match std::str::from_utf8(line) {
            // The end of the headers; below, everything is ASCII already.
            Ok("\r\n") => {
                out.extend_from_slice(line);
                break;
            }
            Ok(text) if !text.is_ascii() => out.extend_from_slice(to_group(text).as_bytes()),
            _ => out.extend_from_slice(line),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// A header line whose address has become a group.
fn to_group(line: &str) -> String {
    let line = line.trim_end();
    let (line, comma) = line.strip_suffix(',').map_or((line, ""), |line| (line, ","));
    let (before, address) = line.rsplit_once(' ').unwrap_or(("", line));
    let words = headers::encoded_words(address.trim_matches(['<', '>'])).join("\r\n ");
    format!("{before} {words} :;{comma}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_67_an_address_that_a_relay_cannot_write_becomes_a_group() {
        let raw = "From: CI <ci@x.org>\r\nTo: a@x.org,\r\n jörg@x.org,\r\n =?utf-8?b?SsO2cmc=?= <jörg@y.org>\r\n\
                   Cc: ü@x.org\r\n\r\ntext\r\n";
        let ascii = String::from_utf8(downgrade(raw.as_bytes())).unwrap();
        assert!(ascii.is_ascii());
        assert_eq!(
            ascii,
            "From: CI <ci@x.org>\r\nTo: a@x.org,\r\n =?utf-8?b?asO2cmdAeC5vcmc=?= :;,\r\n =?utf-8?b?SsO2cmc=?= \
             =?utf-8?b?asO2cmdAeS5vcmc=?= :;\r\nCc: =?utf-8?b?w7xAeC5vcmc=?= :;\r\n\r\ntext\r\n"
        );
    }
}
