//! The MailNotifier previousBuildGetter (M-19): its call.

use std::sync::Arc;

use super::callback::{Callback, CallbackFault};
use super::convert;
use super::status::Status;
use crate::model::{Build, BuildId};

impl Callback {
    /// Runs the previousBuildGetter (M-19). What it names may not exist: that is the caller's to look up.
    ///
    /// # Errors
    /// When the component has none, refuses, traps, or meets a limit.
    pub async fn previous_build(
        &self,
        status: Arc<dyn Status>,
        build: &Build,
    ) -> Result<Option<BuildId>, CallbackFault> {
        let loaded = self.loaded();
        let Some(getter) = &loaded.previous_build_getter else {
            return Err(CallbackFault::NotExported("previous-build-getter"));
        };
        let record = convert::build(build, &*status);
        let call = async |mut store| {
            let answer = async {
                let instance = getter.instantiate_async(&mut store).await?;
                let exports = instance.campanile_notifier_previous_build_getter();
                exports.call_get_previous_build(&mut store, &record).await
            };
            let answer = answer.await;
            (store, answer)
        };
        let (answer, _) = self.run(status, call).await?;
        Ok(answer.map(convert::build_id_from))
    }
}
