//! A change as text and as a dictionary, in the forms that Buildbot's users know.

use crate::{Change, json, time};
use std::fmt::Write as _;

/// The change as the old `asText` wrote it: files, place, time, author, comments, properties.
pub fn as_text(change: &Change) -> String {
    let mut out = String::from("Files:\n");
    for file in sorted_files(change) {
        line(&mut out, " ", file);
    }
    for (label, value) in [("On: ", &change.repository), ("For: ", &change.project)] {
        if !value.is_empty() {
            line(&mut out, label, value);
        }
    }
    line(&mut out, "At: ", &time::text(change.when));
    line(&mut out, "Changed By: ", &change.who);
    // No newline is added after the comments: that is how the form has always been.
    out.push_str("Comments: ");
    out.push_str(&change.comments);
    out.push_str("Properties: \n");
    for property in &change.properties {
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "  {}: {}", property.name, json::property_text(property));
    }
    out.push_str("\n\n");
    out
}

/// The change as the old `asDict` gave it, as a JSON object.
///
/// The contract carries no change number, so `number` is null.
pub fn as_dict(change: &Change) -> String {
    let mut out = String::from("{\"number\":null");
    let revlink = change.revlink.as_deref().unwrap_or("");
    let rev = change.revision.as_deref();
    for (key, value) in [
        ("branch", change.branch.as_deref()),
        ("category", change.category.as_deref()),
        ("who", Some(&*change.who)),
        ("comments", Some(&*change.comments)),
        ("revision", rev),
        ("rev", rev),
    ] {
        field(&mut out, key, value);
    }
    let when = if change.when.is_finite() { change.when.to_string() } else { "null".to_owned() };
    // Writing to a `String` cannot fail.
    let _ = write!(out, ",\"when\":{when}");
    field(&mut out, "at", Some(&time::text(change.when)));
    out.push_str(",\"files\":[");
    for (i, file) in sorted_files(change).into_iter().enumerate() {
        out.push_str(if i == 0 { "{\"name\":" } else { ",{\"name\":" });
        json::push_string(&mut out, file);
        out.push('}');
    }
    out.push(']');
    field(&mut out, "revlink", Some(revlink));
    out.push_str(",\"properties\":[");
    let mut properties: Vec<_> = change.properties.iter().collect();
    properties.sort_by(|a, b| (&a.name, &a.value, &a.source).cmp(&(&b.name, &b.value, &b.source)));
    for (i, property) in properties.into_iter().enumerate() {
        out.push_str(if i == 0 { "[" } else { ",[" });
        json::push_string(&mut out, &property.name);
        out.push(',');
        out.push_str(&property.value);
        out.push(',');
        json::push_string(&mut out, &property.source);
        out.push(']');
    }
    out.push(']');
    for (key, value) in
        [("repository", &change.repository), ("codebase", &change.codebase), ("project", &change.project)]
    {
        field(&mut out, key, Some(value));
    }
    out.push('}');
    out
}

/// The change's files in order of name.
pub fn sorted_files(change: &Change) -> Vec<&str> {
    let mut files: Vec<&str> = change.files.iter().map(String::as_str).collect();
    files.sort_unstable();
    files
}

fn line(out: &mut String, label: &str, value: &str) {
    out.push_str(label);
    out.push_str(value);
    out.push('\n');
}

fn field(out: &mut String, key: &str, value: Option<&str>) {
    out.push(',');
    json::push_string(out, key);
    out.push(':');
    match value {
        Some(text) => json::push_string(out, text),
        None => out.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::{as_dict, as_text};
    use crate::testing;

    #[test]
    fn text_form() {
        let mut change = testing::change();
        assert_eq!(
            as_text(&change),
            "Files:\n a.c\n b.c\nOn: git://x/y\nFor: quad\nAt: Sat 19 Apr 2014 23:03:46\n\
             Changed By: Alice <alice@example.org>\nComments: fix <b> & cProperties: \n  tries: 3\n  why: a \"b\"\n\n\n"
        );
        change.files.clear();
        change.repository.clear();
        change.project.clear();
        change.properties.clear();
        change.when = f64::NAN;
        assert_eq!(
            as_text(&change),
            "Files:\nAt: ?\nChanged By: Alice <alice@example.org>\nComments: fix <b> & cProperties: \n\n\n"
        );
    }

    #[test]
    fn dictionary_form() {
        assert_eq!(
            as_dict(&testing::change()),
            "{\"number\":null,\"branch\":\"main\",\"category\":null,\"who\":\"Alice <alice@example.org>\",\
             \"comments\":\"fix <b> & c\",\"revision\":\"abc123\",\"rev\":\"abc123\",\"when\":1397948626,\
             \"at\":\"Sat 19 Apr 2014 23:03:46\",\"files\":[{\"name\":\"a.c\"},{\"name\":\"b.c\"}],\"revlink\":\"\",\
             \"properties\":[[\"tries\",3,\"Change\"],[\"why\",\"a \\\"b\\\"\",\"Change\"]],\
             \"repository\":\"git://x/y\",\"codebase\":\"\",\"project\":\"quad\"}"
        );
    }
}
