//! Which files a diff of git touches.

/// The names after a diff's heads, in its order, each once; a renamed file counts under both names.
pub(crate) fn files(diff: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    // Lines of content begin with a blank, a sign or a backslash, so these can only be git's own.
    for line in diff.lines() {
        let name = match line.strip_prefix("diff --git ") {
            Some(names) => same_name(names),
            None => line.strip_prefix("rename from ").or_else(|| line.strip_prefix("rename to ")),
        };
        if let Some(name) = name
            && files.iter().all(|file| file != name)
        {
            files.push(name.to_owned());
        }
    }
    files
}

/// The name in `a/NAME b/NAME`; none where both differ, which is told again in lines of its own.
fn same_name(names: &str) -> Option<&str> {
    let middle = names.len() / 2;
    let (before, after) = (names.get(..middle)?, names.get(middle + 1..)?);
    let name = before.strip_prefix("a/")?;
    (names.as_bytes()[middle] == b' ' && after.strip_prefix("b/") == Some(name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::files;

    #[test]
    fn heads_are_told_from_content() {
        let diff = "diff --git a/src/a b.c b/src/a b.c\nindex 1..2 100644\n--- a/src/a b.c\n+++ b/src/a b.c\n\
                    @@ -1,2 +1,2 @@\n-diff --git a/no b/no\n+++ b/no\n rename to no\n\
                    diff --git a/old b/new\nsimilarity index 100%\nrename from old\nrename to new\n\
                    diff --git a/x.png b/x.png\nBinary files a/x.png and b/x.png differ\n";
        assert_eq!(files(diff), ["src/a b.c", "old", "new", "x.png"]);
        assert!(files("").is_empty());
        assert!(files("diff --git \ndiff --git é\ndiff --git a/\n").is_empty());
    }
}
