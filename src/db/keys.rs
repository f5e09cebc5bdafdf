//! Keys of signed addresses: what [`KeyRows`] promises.

use async_trait::async_trait;

use super::DbResult;
use crate::media::Timestamp;

/// A key that signs addresses, or has signed some.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    pub id: u16,
    pub key: Vec<u8>,
    pub created_at: Timestamp,
}

impl std::fmt::Debug for SigningKeyRow {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeyRow").field("id", &self.id).field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

#[async_trait]
pub trait KeyRows: Send + Sync {
    /// Oldest first; the last one signs. Never empty: where there is none, `fresh` becomes the first.
    async fn signing_keys(&self, fresh: &[u8], now: Timestamp) -> DbResult<Vec<SigningKeyRow>>;
    /// From now on `key` signs.
    ///
    /// # Errors
    /// [`DbError::Exists`](super::DbError::Exists) after 65,535 keys.
    async fn add_signing_key(&self, key: &[u8], now: Timestamp) -> DbResult<SigningKeyRow>;
    /// What it signed opens nothing any more.
    ///
    /// # Errors
    /// [`DbError::Missing`](super::DbError::Missing); [`DbError::Exists`](super::DbError::Exists) for the newest, which is in
    /// use: add another first.
    async fn remove_signing_key(&self, id: u16) -> DbResult<()>;
}
