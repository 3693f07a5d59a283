//! Several html texts as one page (M-77): mail programs show of two documents in a row the first, both, or neither.

use std::ops::Range;

/// Joins html texts in their order. Of whole documents there is one left, with the head of the first and the contents of
/// all: those of one mail come from one template or formatter, and have the same head.
pub(super) fn join(pages: &[String]) -> String {
    let bodies: Vec<_> = pages.iter().map(|page| (page.as_str(), body(page))).collect();
    let contents: Vec<&str> = bodies
        .iter()
        .map(|(page, body)| body.clone().and_then(|body| page.get(body)).unwrap_or(page).trim())
        .collect();
    let contents = contents.join("\n\n");
    let frame = bodies.iter().find_map(|(page, body)| {
        let body = body.clone()?;
        Some((page.get(..body.start)?, page.get(body.end..)?))
    });
    match frame {
        Some((before, behind)) => format!("{before}\n{contents}\n{behind}"),
        None => contents,
    }
}

/// The place of a document's contents: between the tags of its body. None if it has no such tag; one that is not ended
/// goes on to the end.
fn body(page: &str) -> Option<Range<usize>> {
    // As long as the text itself, so that places are the same in both.
    let lower = page.to_ascii_lowercase();
    let tag = lower.match_indices("<body").map(|(at, tag)| at + tag.len()).find(|end| {
        lower.get(*end..).is_some_and(|rest| rest.starts_with(|c: char| c == '>' || c.is_ascii_whitespace()))
    })?;
    let start = tag + end_of_tag(lower.get(tag..)?)?;
    let end = lower.get(start..)?.rfind("</body").map_or(page.len(), |end| start + end);
    Some(start..end)
}

/// The place behind the `>` that ends a tag: one within quotes doesn't.
fn end_of_tag(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in attributes.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(at + 1),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pages: &[&str]) -> String {
        join(&pages.iter().map(|page| (*page).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn m_77_several_documents_become_one() {
        let page = |text: &str| {
            format!(
                "<!DOCTYPE html>\n<html><head><title>{text}</title></head>\n<BODY class=\"a>b\">\n<p>{text}</p>\n</BODY>\n</html>\n"
            )
        };
        assert_eq!(
            joined(&[&page("one"), &page("two"), "<pre>three</pre>"]),
            "<!DOCTYPE html>\n<html><head><title>one</title></head>\n<BODY class=\"a>b\">\n<p>one</p>\n\n<p>two</p>\n\n\
             <pre>three</pre>\n</BODY>\n</html>\n"
        );
        assert_eq!(joined(&["<pre>x</pre>", &page("two")]).matches("<html>").count(), 1);
        assert_eq!(joined(&["<p>a</p>", "<p>b</p>"]), "<p>a</p>\n\n<p>b</p>");
        assert_eq!(
            joined(&["<body><p>a", "<bodyguard>b", "<body"]),
            "<body>\n<p>a\n\n<bodyguard>b\n\n<body\n"
        );
    }

    proptest::proptest! {
        #[test]
        fn m_77_any_texts_are_joined(pages in proptest::collection::vec("(<body|</body|>|\"|ü|K|x| ){0,12}", 0..4)) {
            let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
            let text = joined(&pages);
            proptest::prop_assert!(text.matches('x').count() <= pages.concat().matches('x').count());
        }
    }
}
