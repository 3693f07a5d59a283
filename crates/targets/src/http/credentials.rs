//! Credentials that requests carry: a password or a token, and tokens that run out.

use std::future::Future;
use std::time::Duration;

use http::header::AUTHORIZATION;
use tokio::sync::Mutex;

use crate::Outcome;
use campanile_config::{Reader, Secret};
use campanile_model::Timestamp;
use campanile_outbound::{OutboundError, Request};

/// A token is not used in this last part of its life: the far side's clock may be ahead, and a request takes its time.
const MARGIN: Duration = Duration::from_secs(300);

/// A user with a password, or a token that needs no user.
pub(crate) enum Credentials {
    Basic(String, Secret),
    Bearer(Secret),
}

impl Credentials {
    /// Reads `username` with `password`, or `token`; none if there is neither, which is for the caller to judge.
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let given = |key| reader.item(key).is_some();
        match (given("username"), given("password"), given("token")) {
            (true, true, false) => {
                Some(Self::Basic(reader.required_text("username")?, reader.secret("password")?))
            }
            (false, false, true) => reader.secret("token").map(Self::Bearer),
            (false, false, false) => None,
            (_, _, true) => {
                reader.error("token", "keep one of them: `token`, or `username` with `password`");
                None
            }
            (user, _, false) => {
                let (key, other) = if user { ("username", "password") } else { ("password", "username") };
                reader.error(key, format!("`{key}` needs `{other}` beside it"));
                None
            }
        }
    }

    /// True if any of their keys is there.
    pub(crate) fn is_given(reader: &Reader<'_>) -> bool {
        ["username", "password", "token"].iter().any(|key| reader.item(key).is_some())
    }

    /// Adds the credentials to a request.
    pub(crate) fn sign(&self, request: Request) -> Result<Request, OutboundError> {
        match self {
            Self::Basic(user, password) => Ok(request.basic_auth(user, password)),
            Self::Bearer(token) => request.secret_header(AUTHORIZATION, "Bearer ", token),
        }
    }
}

/// A token that runs out and can be fetched anew. Only one fetch runs at a time: all others wait for its token.
#[derive(Default)]
pub(crate) struct CachedToken(Mutex<Option<(Secret, Timestamp)>>);

impl CachedToken {
    /// Gives the cached token while it is good, or else the one that `fetch` brings with the time of its end.
    ///
    /// The lock is held while `fetch` runs, so that the others share its token. Dropping the future gives the lock
    /// back and caches nothing.
    pub(crate) async fn get(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<(Secret, Timestamp), Outcome>> + Send,
    ) -> Result<Secret, Outcome> {
        let mut cached = self.0.lock().await;
        if let Some((token, end)) = &*cached
            && now.after(MARGIN) < *end
        {
            return Ok(token.clone());
        }
        let (token, end) = fetch.await?;
        *cached = Some((token.clone(), end));
        Ok(token)
    }

    /// Throws the token away; false if there was none.
    pub(crate) async fn invalidate(&self) -> bool {
        self.0.lock().await.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GS-CFG-01, K-02: a token is kept until shortly before its end, or until it is not taken any more.
    #[tokio::test]
    async fn k_02_a_token_is_kept_while_it_is_good() {
        let at = |seconds| Timestamp::from_seconds(1_700_000_000 + seconds);
        let fetched = |name: &str, end: i64| std::future::ready(Ok((Secret::new(name), at(end))));
        let token = CachedToken::default();
        assert!(!token.invalidate().await);
        assert_eq!(token.get(at(0), fetched("a", 3_600)).await.unwrap().expose(), "a");
        assert_eq!(token.get(at(3_299), fetched("b", 7_200)).await.unwrap().expose(), "a");
        assert_eq!(token.get(at(3_300), fetched("c", 7_200)).await.unwrap().expose(), "c");
        assert!(token.invalidate().await);
        assert_eq!(token.get(at(3_301), fetched("d", 7_200)).await.unwrap().expose(), "d");
    }
}
