//! The text in a piece of HTML, as feeds write it: tags go, breaks and paragraphs become lines.

/// Bytes of the longest name of a character reference, its `;` counted: `&nbsp;`, or a number with some zeros before it.
const MAX_REFERENCE: usize = 16;
/// Elements that end a line.
const BREAKS: [&str; 4] = ["br", "/p", "/div", "/li"];

/// The text, trimmed, without white space at the ends of lines.
pub(super) fn text(html: &str) -> String {
    let mut whole = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        whole.push_str(before);
        let Some((tag, after)) = tag.split_once('>') else {
            rest = "";
            break;
        };
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
        let name = name.strip_suffix('/').unwrap_or(name).to_ascii_lowercase();
        // A line break in the source after one that is meant is not meant.
        let after = if BREAKS.contains(&name.as_str()) {
            whole.push('\n');
            after.strip_prefix('\n').unwrap_or(after)
        } else {
            after
        };
        rest = after;
    }
    whole.push_str(rest);
    let lines: Vec<&str> = whole.lines().map(str::trim_end).collect();
    let decoded = decode(lines.join("\n").trim());
    decoded.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        match reference(after) {
            Some((character, after)) => {
                decoded.push(character);
                rest = after;
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// The character that a text begins with by its name, and the rest. Of the text only so much is looked at as a name can
/// have: with a look for `;` to the end, a text of nothing but `&` would be read once for each of them.
fn reference(text: &str) -> Option<(char, &str)> {
    let start = &text[..text.floor_char_boundary(MAX_REFERENCE)];
    #[cfg(test)]
    tests::LOOKED_AT.with(|bytes| bytes.set(bytes.get() + start.len()));
    let (name, _) = start.split_once(';')?;
    Some((entity(name)?, &text[name.len() + 1..]))
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|character| !character.is_control() || *character == '\n')?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_entities_become_characters() {
        assert_eq!(text("<pre class=\"x\">a &lt;b&gt; &amp;amp; &#39;c&#x27;</pre>"), "a <b> &amp; 'c'");
        assert_eq!(text("<p>one</p>\n<p>two<br/>three<BR>\nfour</p>"), "one\ntwo\nthree\nfour");
        assert_eq!(text("a &unknown; & b &#0; &#7; <open"), "a &unknown; & b &#0; &#7;");
    }

    thread_local! {
        /// Bytes in which the end of a reference was looked for.
        pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    #[test]
    fn hostile_text_is_read_once() {
        let size = 100_000;
        for (piece, ending) in
            [("&", ""), ("&", ";"), ("&#", ";"), ("&#0", ";"), ("&amp", ";"), ("<", ">"), ("&<", "")]
        {
            let html = format!("{}{ending}", piece.repeat(size));
            LOOKED_AT.set(0);
            text(&html);
            let looked = LOOKED_AT.get();
            assert!(looked <= size * MAX_REFERENCE, "{piece:?}: {looked} bytes for {}", html.len());
        }
        let zeros = "0".repeat(1_000);
        assert_eq!(text(&format!("&#{zeros}38; &#0038;")), format!("&#{zeros}38; &"));
        assert_eq!(text("&ééééééééé;"), "&ééééééééé;");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(html in "\\PC{0,60}") {
            text(&html);
        }
    }
}
