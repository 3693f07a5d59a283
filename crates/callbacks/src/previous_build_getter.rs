//! The MailNotifier previousBuildGetter (M-19).

use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::convert;
use super::error::CallbackError;
use super::kind::Kind;
use campanile_model::{Build, BuildId};

impl Callback {
    /// Runs the previousBuildGetter (M-19). What it names may not exist: that is the caller's to look up.
    ///
    /// # Errors
    /// When the component has none, refuses, traps, or meets a limit.
    pub async fn previous_build(
        &self,
        caller: &Caller,
        build: &Build,
    ) -> Result<(Option<BuildId>, CallCost), CallbackError> {
        let record = convert::build(build, &*caller.status);
        let (answer, cost) = sandboxed_call!(
            self,
            caller,
            previous_build_getter,
            Kind::PreviousBuildGetter,
            |store, instance| {
                let exports = instance.campanile_notifier_previous_build_getter();
                exports.call_get_previous_build(&mut store, &record)
            }
        );
        let id = answer.map_err(CallbackError::answered)?;
        self.within_output(id.as_ref().map_or(0, |id| id.builder.len()))?;
        Ok((id.map(convert::build_id_from), cost))
    }
}
