//! Source stamps: revision, branch and patch that a build was asked to build (M-SS-01 to M-SS-06).

use serde::{Deserialize, Serialize};

use super::Change;

/// One codebase's part of what is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourceStamp {
    /// Identity at the sender, if it has one.
    pub ssid: Option<u64>,
    /// Codebase; blank in single-codebase set-ups, unique within a build (M-SS-02).
    pub codebase: String,
    /// Branch; absent means the default one.
    #[serde(deserialize_with = "super::lenient_json::unless_blank")]
    pub branch: Option<String>,
    /// Revision; absent means the tip at checkout time.
    #[serde(deserialize_with = "super::lenient_json::unless_blank")]
    pub revision: Option<String>,
    /// Repository; may be blank.
    pub repository: String,
    /// Project; may be blank.
    pub project: String,
    /// A patch on top of the revision, as `try` builds have.
    pub patch: Option<Patch>,
    /// Changes that led here, oldest first.
    pub changes: Vec<Change>,
}

/// A patch that comes on top of a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Patch {
    /// Number of leading path components to strip.
    pub level: u32,
    /// The diff itself.
    pub body: String,
    /// Folder to apply it in.
    pub subdir: Option<String>,
    /// Author of the patch.
    pub author: String,
    /// Purpose of the patch.
    pub comment: String,
}
