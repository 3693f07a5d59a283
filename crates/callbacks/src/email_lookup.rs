//! The MailNotifier lookup (M-30): a version-control user name to a mail address.

use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::error::CallbackError;
use super::kind::Kind;

impl Callback {
    /// Asks for the address of a user; none: the user gets no mail.
    ///
    /// # Errors
    /// When the component has no lookup, refuses, traps, or meets a limit.
    pub async fn look_up(
        &self,
        caller: &Caller,
        user: &str,
    ) -> Result<(Option<String>, CallCost), CallbackError> {
        let user = user.to_owned();
        let (answer, cost) =
            sandboxed_call!(self, caller, email_lookup, Kind::EmailLookup, |store, instance| {
                instance.campanile_notifier_email_lookup().call_get_address(&mut store, &user)
            });
        let address = answer.map_err(CallbackError::answered)?;
        self.within_output(address.as_ref().map_or(0, String::len))?;
        Ok((address, cost))
    }
}
