//! Options that several dialects have: secrets, patterns to skip by, and the parts of a push that count.

use regex::Regex;

use campanile_config::{Reader, Secret};

/// Effect of a pushed tag (H-XGH-09).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tags {
    #[default]
    Changes,
    Nothing,
}

/// Treatment of commits that another branch had already (H-GH-09).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NonDistinct {
    Keep,
    /// They are dropped beside new ones; a push that has no others, as one that moves a branch forward, keeps them.
    #[default]
    DropBesideNew,
    Drop,
}

/// Source of the project when the query names none (H-GH-04).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ProjectSource {
    Payload,
    #[default]
    Blank,
}

/// Treatment of events of builds that come in at a change hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Builds {
    Forwarded,
    #[default]
    Ignored,
}

impl Builds {
    /// Reads `builds`.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        if table.boolean("builds") == Some(true) { Self::Forwarded } else { Self::Ignored }
    }

    /// The source's name, if they are forwarded.
    pub(super) fn of(self, source: &'static str) -> Option<&'static str> {
        (self == Self::Forwarded).then_some(source)
    }
}

impl Tags {
    /// Reads `tags`.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        if table.boolean("tags") == Some(false) { Self::Nothing } else { Self::Changes }
    }
}

impl NonDistinct {
    /// Reads `keep_non_distinct`.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        match table.boolean("keep_non_distinct") {
            Some(true) => Self::Keep,
            Some(false) => Self::Drop,
            None => Self::DropBesideNew,
        }
    }
}

impl ProjectSource {
    /// Reads `project_from_payload`.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        if table.boolean("project_from_payload") == Some(true) { Self::Payload } else { Self::Blank }
    }

    /// The project of a payload that says this.
    pub(super) fn of(self, said: &str) -> String {
        match self {
            Self::Payload => said.to_owned(),
            Self::Blank => String::new(),
        }
    }
}

/// Reads `secret`, one or a list of them of which any will do (H-XALL-02). A blank one is refused.
pub(super) fn secrets(table: &Reader<'_>) -> Vec<Secret> {
    let secrets = table.secrets("secret");
    let none = table.item("secret").is_some_and(|item| item.list().is_some_and(|list| list.is_empty()));
    if none {
        table.error("secret", "`secret` is blank: write at least one, or take the key out");
    }
    secrets
}

/// Most patterns of a list of `skips`: each may take a megabyte.
const MAX_SKIPS: usize = 20;

/// Messages that make no changes (H-XGH-10).
#[derive(Clone, Debug, Default)]
pub(super) struct Skips(Vec<Regex>);

impl Skips {
    /// The patterns that GitHub's own users write.
    pub(super) fn github_defaults() -> Self {
        let patterns = [r"\[ *skip *ci *\]", r"\[ *ci *skip *\]"];
        Self(patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect())
    }

    /// Reads `skips`, regular expressions; none if the key is not there.
    pub(super) fn read(table: &Reader<'_>) -> Option<Self> {
        let patterns = table.texts("skips")?;
        if patterns.len() > MAX_SKIPS {
            table.error("skips", format!("`skips` may have {MAX_SKIPS} patterns at most"));
            return None;
        }
        Some(Self(patterns.iter().filter_map(|pattern| table.pattern("skips", pattern)).collect()))
    }

    /// The reason for which a message asks to be skipped, if it does.
    pub(super) fn reason(&self, text: &str) -> Option<String> {
        let pattern = self.0.iter().find(|pattern| pattern.is_match(text))?;
        Some(format!("skipped: the message matches `{pattern}'"))
    }
}
