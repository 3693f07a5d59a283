//! Tokens for the API: made, known again, revoked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::RwLock;

use super::Clock;
use campanile_config::{Secret, random_bytes};
use campanile_store::{Role, Store, StoreError, Token, TokenHash};

/// Beginning of every token, by which scanners for secrets recognise one where it does not belong.
const PREFIX: &str = "campanile_";
/// Longest name of a token, in bytes.
const MAX_NAME: usize = 200;

/// The tokens of all tenants, looked up in memory.
pub struct Tokens {
    store: Arc<dyn Store>,
    clock: Clock,
    /// None until they were read for the first time.
    known: RwLock<Option<HashMap<TokenHash, Token>>>,
}

/// The reason why there is no new token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its name can't be shown in a line.
    #[error("`name` must say in up to {MAX_NAME} bytes and on one line what the token is for")]
    Name,
    /// Its tenant has as many as it may have.
    #[error(
        "there are {0} tokens, which is what `tokens` of the limits allows: revoke those that nobody needs"
    )]
    TooMany(usize),
    /// The machine gives no random numbers.
    #[error("this machine gives no random numbers")]
    Random,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Tokens {
    pub(super) fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock, known: RwLock::default() }
    }

    /// Finds the token that somebody shows, if it is one and has not ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, shown: &[u8]) -> Result<Option<Token>, StoreError> {
        if !shown.starts_with(PREFIX.as_bytes()) {
            return Ok(None);
        }
        // Found by its hash: how long that takes tells nothing of the tokens there are.
        let hash = TokenHash::from(Sha256::digest(shown));
        let is_good = |token: &&Token| token.expires.is_none_or(|end| self.clock.now() < end);
        if let Some(known) = &*self.known.read().await {
            return Ok(known.get(&hash).filter(is_good).cloned());
        }
        let mut known = self.known.write().await;
        let read = self.read().await?;
        Ok(known.insert(read).get(&hash).filter(is_good).cloned())
    }

    /// Makes a token, if its tenant has fewer than `max`. Its text is given once and kept nowhere.
    ///
    /// # Errors
    /// When the name won't do, or the store fails.
    pub async fn make(
        &self,
        (tenant, max): (&str, Option<usize>),
        name: &str,
        role: Role,
        lasts: Option<Duration>,
    ) -> Result<(Token, Secret), TokenError> {
        let name = name.trim();
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(TokenError::Name);
        }
        let text = format!("{PREFIX}{}", random_text::<32>()?);
        let created = self.clock.now();
        let token = Token {
            id: random_text::<6>()?,
            tenant: tenant.to_owned(),
            name: name.to_owned(),
            role,
            created,
            expires: lasts.map(|lasts| created.after(lasts)),
        };
        let mut known = self.known.write().await;
        // Under the lock: of two that come together, the second one counts the first.
        if let Some(max) = max {
            let count = self.list(tenant).await?.len();
            if count >= max {
                return Err(TokenError::TooMany(count));
            }
        }
        self.store.add_token(&token, Sha256::digest(&text).into()).await?;
        *known = Some(self.read().await?);
        Ok((token, Secret::new(text)))
    }

    /// Ends a token. False if there is none such.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke(&self, tenant: &str, id: &str) -> Result<bool, StoreError> {
        let mut known = self.known.write().await;
        let found = self.store.revoke_token(tenant, id).await?;
        *known = Some(self.read().await?);
        Ok(found)
    }

    /// Forgets what was read: the next look-up reads all tokens anew. For those who removed some behind this one's back.
    pub(super) async fn invalidate(&self) {
        *self.known.write().await = None;
    }

    /// Lists a tenant's tokens, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, tenant: &str) -> Result<Vec<Token>, StoreError> {
        let all = self.store.tokens().await?;
        Ok(all.into_iter().map(|(token, _)| token).filter(|token| token.tenant == tenant).collect())
    }

    async fn read(&self) -> Result<HashMap<TokenHash, Token>, StoreError> {
        Ok(self.store.tokens().await?.into_iter().map(|(token, hash)| (hash, token)).collect())
    }
}

/// Random bytes, `BYTES` of them, as text that may stand in headers, addresses and file names.
fn random_text<const BYTES: usize>() -> Result<String, TokenError> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<BYTES>().ok_or(TokenError::Random)?))
}
