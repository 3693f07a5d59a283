//! Text made safe for html and for mail headers.

use std::borrow::Cow;

/// `text` with the five characters that mean something in html replaced, safe in elements and quoted attributes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16 + 8);
    push_html(&mut out, text);
    out
}

/// Appends `text` to `out` as [`html`] does, without a copy in between.
pub fn push_html(out: &mut String, text: &str) {
    out.reserve(text.len());
    // SAFETY: whole bytes are copied in order and only ASCII bytes are replaced, by ASCII text: valid UTF-8 stays so.
    let out = unsafe { out.as_mut_vec() };
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    for word in words {
        if may_need_escape(u64::from_le_bytes(*word)) {
            word.iter().for_each(|&byte| push_byte(out, byte));
        } else {
            // Eight at once: a store, where a run of odd length is a call.
            out.extend_from_slice(word);
        }
    }
    rest.iter().for_each(|&byte| push_byte(out, byte));
}

/// `text` fit for a mail header: each run of line breaks becomes one space, other control characters go.
pub fn header(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut in_break = false;
    for c in text.chars() {
        let is_break = matches!(c, '\r' | '\n');
        if is_break && !in_break || c == '\t' {
            out.push(' ');
        } else if !c.is_control() {
            out.push(c);
        }
        in_break = is_break;
    }
    Cow::Owned(out)
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'&' => out.extend_from_slice(b"&amp;"),
        b'<' => out.extend_from_slice(b"&lt;"),
        b'>' => out.extend_from_slice(b"&gt;"),
        b'"' => out.extend_from_slice(b"&quot;"),
        b'\'' => out.extend_from_slice(b"&#39;"),
        _ => out.push(byte),
    }
}

/// Whether one of eight bytes needs replacing. It may say yes too often, never no too often.
fn may_need_escape(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let has_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGH;
    // `<` and `>` differ in bit 1, `&` and `'` in bit 0: one comparison serves both of a pair.
    let angle = (word | ONES << 1) ^ (ONES * 0x3e);
    let amp = (word | ONES) ^ (ONES * 0x27);
    let quote = word ^ (ONES * 0x22);
    (has_zero(angle) | has_zero(amp) | has_zero(quote)) != 0
}

#[cfg(test)]
mod tests {
    use super::{header, html};

    #[test]
    fn html_replaces_each_special_character_at_each_place() {
        for (special, replaced) in
            [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")]
        {
            for at in 0..20 {
                let mut text = "é0123456789abcdefghi".to_owned();
                let at = text.char_indices().nth(at).map_or(0, |(i, _)| i);
                text.insert(at, special);
                assert_eq!(html(&text), text.replace(special, replaced));
            }
        }
    }

    #[test]
    fn html_keeps_every_other_character() {
        let text: String =
            (0..0x3000).filter_map(char::from_u32).filter(|c| !"&<>\"'".contains(*c)).collect();
        assert_eq!(html(&text), text);
        assert_eq!(html(""), "");
    }

    #[test]
    fn header_folds_line_breaks_and_drops_controls() {
        assert_eq!(header("plain é"), "plain é");
        assert_eq!(header("a\r\n\r\nBcc: x\tb\u{0}c"), "a Bcc: x bc");
    }
}
