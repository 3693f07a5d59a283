//! How keys may be spelled, and which one a mistyped key most likely means.

/// `send_to_interested_users` as the manual writes it, `sendToInterestedUsers`.
pub(super) fn camel_case(key: &str) -> String {
    let mut upper = false;
    let mut camel = String::with_capacity(key.len());
    for character in key.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                camel.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => camel.push(character),
        }
    }
    camel
}

/// The known name that a mistyped one most likely means, if one is near.
pub(crate) fn nearest<'n>(typed: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|name| {
            (edit_distance(&typed.to_lowercase().replace(['_', '-'], ""), &name.replace('_', "")), name)
        })
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3).min(3))
        .map(|(_, name)| name)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Names for a sentence: `` `a`, `b` ``.
pub(super) fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
