//! Rows of shares. What they open is `entitlement`'s.

use async_trait::async_trait;

use super::DbResult;
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// A range that is shown by a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRow {
    /// Its public name.
    pub id: String,
    pub account: AccountId,
    /// SHA-256 of the secret in the link; the secret itself is shown once and not kept.
    pub hash: [u8; 32],
    /// SHA-256 of the cookie that opening it gives.
    pub cookie_hash: [u8; 32],
    pub streams: Vec<StreamId>,
    pub range: TimeRange,
    /// Files may be taken away, too.
    pub download: bool,
    pub note: String,
    /// As in the audit log.
    pub made_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// By whom, and when.
    pub revoked: Option<(String, Timestamp)>,
    /// How often the link was opened.
    pub opens: u64,
    pub last_used_at: Option<Timestamp>,
}

/// Shares.
#[async_trait]
pub trait ShareRows: Send + Sync {
    /// Keeps a share, with its records: one a stream.
    ///
    /// # Errors
    /// [`super::DbError::TooMany`] when `account_max` of the account are good at this moment.
    async fn add_share(&self, share: &ShareRow, account_max: u32, events: Vec<Event>) -> DbResult<()>;
    async fn share(&self, id: &str) -> DbResult<Option<ShareRow>>;
    async fn share_by_hash(&self, hash: &[u8; 32]) -> DbResult<Option<ShareRow>>;
    async fn share_by_cookie(&self, cookie_hash: &[u8; 32]) -> DbResult<Option<ShareRow>>;
    /// Of an account, perhaps only those of one maker, the newest first from behind the share `before`, at most `limit`.
    async fn shares(&self, account: &AccountId, made_by: Option<&str>, before: Option<&str>, limit: u32) -> DbResult<Vec<ShareRow>>;
    /// False, and nothing is recorded, when it was revoked before or is not there.
    async fn revoke_share(&self, id: &str, by: &str, now: Timestamp, event: Event) -> DbResult<bool>;
    /// The link was opened.
    async fn count_share_opening(&self, id: &str, now: Timestamp) -> DbResult<()>;
    async fn touch_share(&self, id: &str, used_at: Timestamp) -> DbResult<()>;
}
