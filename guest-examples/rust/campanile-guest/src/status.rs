//! Questions to the engine about the tenant's own installation and builds.

use crate::bindings::{status, types};
use types::{Build, BuildId};

pub use status::LogError;

/// What a callback may ask. In a component it is [`Engine`]; in a native test it is whatever the test made up.
pub trait Status {
    /// Title of the installation.
    fn title(&self) -> String;
    /// Address of the installation's pages.
    fn url(&self) -> Option<String>;
    /// Address of a build's page.
    fn url_for(&self, build: &BuildId) -> Option<String>;
    /// A finished or running build.
    fn get_build(&self, id: &BuildId) -> Option<Build>;
    /// The newest build of the same builder with a lower number.
    fn previous_build(&self, id: &BuildId) -> Option<Build>;
    /// Finished builds of the same builder with a lower number, newest first; at most 100.
    fn recent_builds(&self, before: &BuildId, limit: u32) -> Vec<Build>;
    /// The last `lines` lines of a log, newest last.
    fn log_tail(&self, build: &BuildId, step: &str, log: &str, lines: u32) -> Result<String, LogError>;
    /// At most `limit` bytes of a log from byte `offset` on.
    fn log_read(
        &self,
        build: &BuildId,
        step: &str,
        log: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<u8>, LogError>;
}

/// The engine that called this component. Outside a component every question to it panics.
#[derive(Clone, Copy, Debug)]
pub struct Engine;

impl Status for Engine {
    fn title(&self) -> String {
        status::title()
    }

    fn url(&self) -> Option<String> {
        status::url()
    }

    fn url_for(&self, build: &BuildId) -> Option<String> {
        status::url_for(build)
    }

    fn get_build(&self, id: &BuildId) -> Option<Build> {
        status::get_build(id)
    }

    fn previous_build(&self, id: &BuildId) -> Option<Build> {
        status::previous_build(id)
    }

    fn recent_builds(&self, before: &BuildId, limit: u32) -> Vec<Build> {
        status::recent_builds(before, limit)
    }

    fn log_tail(&self, build: &BuildId, step: &str, log: &str, lines: u32) -> Result<String, LogError> {
        status::log_tail(build, step, log, lines)
    }

    fn log_read(
        &self,
        build: &BuildId,
        step: &str,
        log: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<u8>, LogError> {
        status::log_read(build, step, log, offset, limit)
    }
}
