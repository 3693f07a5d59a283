//! The order of mails: per builder, or none (M-72).

use campanile_config::Reader;
use campanile_model::Build;

/// `order_by`: mails that go out one at a time and in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OrderBy {
    /// Those of a builder: after an outage a failure never comes behind the success that followed it.
    #[default]
    Builder,
    /// Those about one build.
    Nothing,
}

impl OrderBy {
    /// Reads `order_by`.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        match reader.text("order_by").as_deref() {
            None | Some("builder") => Self::Builder,
            Some("none") => Self::Nothing,
            Some(other) => {
                let text = format!("`order_by` must be \"builder\" or \"none\", not `{other}`");
                reader.error("order_by", text);
                Self::default()
            }
        }
    }

    /// Gives the ordering key of mails about a build.
    pub(super) fn key_of_build(self, build: &Build) -> String {
        match self {
            Self::Builder => format!("builder {}", build.builder),
            Self::Nothing => format!("{}/{}", build.builder, build.number),
        }
    }

    /// Gives the ordering key of summaries. A buildset is of no one builder: all summaries are in one order.
    pub(super) fn key_of_buildset(self, bsid: u64) -> String {
        match self {
            Self::Builder => "buildsets".to_owned(),
            Self::Nothing => format!("buildset {bsid}"),
        }
    }
}
