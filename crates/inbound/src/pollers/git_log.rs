//! Reads commits as `git log` writes them.

use super::PollError;
use campanile_model::Timestamp;

/// Arguments with which `git log` writes the form that is read here, of the commits that it is given. Of a merge the
/// files are those that it brings to its first parent.
pub(super) const ARGUMENTS: &[&str] = &[
    "log",
    "--no-walk=unsorted",
    "--stdin",
    "-z",
    "--name-only",
    "--no-renames",
    "--root",
    "--diff-merges=first-parent",
    "--no-show-signature",
    "--no-notes",
    "--format=tformat:%x00%H%x00%ct%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x00",
];

/// A commit as it becomes a change.
#[derive(Debug, PartialEq)]
pub(super) struct Commit {
    pub(super) revision: String,
    pub(super) when: Timestamp,
    pub(super) author: String,
    pub(super) committer: String,
    pub(super) message: String,
    pub(super) files: Vec<String>,
}

/// Reads the commits of `revisions`, in that order.
///
/// Nothing but the order of known revisions tells where a list of files ends: texts and names of files hold no NUL, and
/// a file can't be called after a commit that comes after it.
pub(super) fn parse(output: &[u8], revisions: &[String]) -> Result<Vec<Commit>, PollError> {
    let output = String::from_utf8_lossy(output);
    let mut fields = output.split('\0').peekable();
    let broken = || PollError::Content("`git log` wrote something else than was asked for".to_owned());
    let mut commits = Vec::with_capacity(revisions.len());
    for (index, revision) in revisions.iter().enumerate() {
        let next = revisions.get(index + 1).map(String::as_str);
        while fields.next_if(|field| field.trim().is_empty()).is_some() {}
        if fields.next() != Some(revision.as_str()) {
            return Err(broken());
        }
        let mut field = || fields.next().ok_or_else(broken);
        let seconds = field()?.parse().map_err(|_| broken())?;
        let (author, author_mail) = (field()?, field()?);
        let (committer, committer_mail) = (field()?, field()?);
        let message = field()?.trim().to_owned();
        let mut files = Vec::new();
        while let Some(file) = fields.next_if(|field| Some(*field) != next) {
            let file = if files.is_empty() { file.strip_prefix('\n').unwrap_or(file) } else { file };
            if !file.is_empty() {
                files.push(file.to_owned());
            }
        }
        commits.push(Commit {
            revision: revision.clone(),
            when: Timestamp::from_seconds(seconds),
            author: person(author, author_mail),
            committer: person(committer, committer_mail),
            message,
            files,
        });
    }
    Ok(commits)
}

/// `NAME <EMAIL>`, or the one that there is (H-CH-04).
fn person(name: &str, mail: &str) -> String {
    match (name.trim(), mail.trim()) {
        (name, "") => name.to_owned(),
        ("", mail) => mail.to_owned(),
        (name, mail) => format!("{name} <{mail}>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_with_and_without_files_and_texts() {
        let output = "\0a1\x005\0Ada\0ada@x\0Bob\0\0first\n\nbody\n\0\0\na\0b\nx\0\0b2\x006\0\0eve@x\0\0\0\0\0\0c3\x007\0C\0c\0C\0c\0m\n\0\0\nz\0";
        let revisions = ["a1", "b2", "c3"].map(str::to_owned);
        let commits = parse(output.as_bytes(), &revisions).unwrap();
        assert_eq!(commits[0].files, ["a", "b\nx"]);
        assert_eq!((commits[0].author.as_str(), commits[0].committer.as_str()), ("Ada <ada@x>", "Bob"));
        assert_eq!(commits[0].message, "first\n\nbody");
        assert_eq!((commits[1].author.as_str(), commits[1].message.as_str()), ("eve@x", ""));
        assert!(commits[1].files.is_empty());
        assert_eq!(commits[2].files, ["z"]);
        assert!(parse(b"", &revisions).is_err());
        assert!(parse(b"\0b2\0", &revisions).is_err());
    }
}
