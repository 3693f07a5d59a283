//! Credentials that several forges share: a password or a token, and tokens that run out.

use std::future::Future;
use std::time::Duration;

use http::header::AUTHORIZATION;
use tokio::sync::Mutex;

use crate::Outcome;
use campanile_config::{Reader, Secret};
use campanile_model::Timestamp;
use campanile_outbound::{OutboundError, Request};

/// A token is not used for the last so long of its life: the far side's clock may be ahead.
const MARGIN: Duration = Duration::from_secs(300);

/// A user with a password, or a token that needs no user.
pub(super) enum Login {
    Basic(String, Secret),
    Bearer(Secret),
}

impl Login {
    /// Reads `username` with `password`, or `token`; none if there is neither, which is for the forge to judge.
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
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

    /// Whether any of its keys is there.
    pub(super) fn is_given(reader: &Reader<'_>) -> bool {
        ["username", "password", "token"].iter().any(|key| reader.item(key).is_some())
    }

    /// The request with these credentials.
    pub(super) fn sign(&self, request: Request) -> Result<Request, OutboundError> {
        match self {
            Self::Basic(user, password) => Ok(request.basic_auth(user, password)),
            Self::Bearer(token) => request.secret_header(AUTHORIZATION, "Bearer ", token),
        }
    }
}

/// A token that runs out and can be had anew. Only one is asked for at a time.
#[derive(Default)]
pub(super) struct PassingToken(Mutex<Option<(Secret, Timestamp)>>);

impl PassingToken {
    /// The token that is kept, or else the one that `fetch` brings, with when it runs out.
    pub(super) async fn get(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<(Secret, Timestamp), Outcome>> + Send,
    ) -> Result<Secret, Outcome> {
        let mut kept = self.0.lock().await;
        if let Some((token, end)) = &*kept
            && now.after(MARGIN) < *end
        {
            return Ok(token.clone());
        }
        let (token, end) = fetch.await?;
        *kept = Some((token.clone(), end));
        Ok(token)
    }

    /// Throws it away; false if there was none.
    pub(super) async fn forget(&self) -> bool {
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
        let token = PassingToken::default();
        assert!(!token.forget().await);
        assert_eq!(token.get(at(0), fetched("a", 3_600)).await.unwrap().expose(), "a");
        assert_eq!(token.get(at(3_299), fetched("b", 7_200)).await.unwrap().expose(), "a");
        assert_eq!(token.get(at(3_300), fetched("c", 7_200)).await.unwrap().expose(), "c");
        assert!(token.forget().await);
        assert_eq!(token.get(at(3_301), fetched("d", 7_200)).await.unwrap().expose(), "d");
    }
}
