//! Rows of users, sessions, tokens and links. What they open is `entitlement`'s.

use async_trait::async_trait;

use super::DbResult;
use crate::media::{AccountId, StreamId, Timestamp};

/// Sessions a user can have; the oldest end. More than anybody's browsers: it bounds what a program that signs in again and
/// again leaves behind.
pub const SESSIONS_MAX: u32 = 50;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// One of its kind in the whole installation: people sign in with it.
    pub name: String,
    pub account: AccountId,
    /// PHC string (argon2id); empty: none yet.
    pub password_hash: String,
    pub language: Option<String>,
    pub created_at: Timestamp,
    /// `viewer`, `manager`, `auditor`, `operator`.
    pub role: String,
    /// What may be watched; `None`: all streams of the account.
    pub streams: Option<Vec<StreamId>>,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
}

/// A signed-in browser. `id_hash` is SHA-256 of the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub id_hash: [u8; 32],
    /// Its public name.
    pub id: String,
    pub user: String,
    pub account: AccountId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    /// Where it began.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
}

/// A bearer token. `hash` is SHA-256 of the token; the token itself is shown once and not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Short public name, for lists and revocation.
    pub id: String,
    pub account: AccountId,
    pub name: String,
    pub hash: [u8; 32],
    /// In place of scopes.
    pub role: Option<String>,
    /// `view`, `ingest`, `admin`, `audit`, `operate`; empty where there is a role.
    pub scopes: Vec<String>,
    /// Empty: all streams of the account.
    pub streams: Vec<StreamId>,
    /// As in the audit log; `None` where nobody wrote it down.
    pub made_by: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// A one-time link. `hash` is SHA-256 of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    pub user: String,
    pub hash: [u8; 32],
    /// `invitation`, `reset`.
    pub kind: String,
    pub made_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// A password that is chosen with a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkUse<'a> {
    pub hash: [u8; 32],
    pub now: Timestamp,
    pub password_hash: &'a str,
}

/// Users, sessions, tokens, links, and secrets the service made for itself.
#[async_trait]
pub trait AccessRows: Send + Sync {
    /// # Errors
    /// [`DbError::Exists`](super::DbError::Exists), whichever account the other is of.
    async fn add_user(&self, user: &UserRow) -> DbResult<()>;
    /// Replaces role, streams, language and whether they may sign in. Another role ends the user's link, which was made by
    /// somebody who may not be above the new one; who may not sign in has neither link nor session any more.
    ///
    /// # Errors
    /// [`DbError::Missing`](super::DbError::Missing); [`DbError::Last`](super::DbError::Last) when no operator with a password
    /// would be left.
    async fn change_user(&self, user: &UserRow) -> DbResult<()>;
    /// With sessions and link. False when there was none.
    ///
    /// # Errors
    /// [`DbError::Last`](super::DbError::Last).
    async fn remove_user(&self, name: &str) -> DbResult<bool>;
    /// Ends the user's link, and all their sessions but `keep`.
    ///
    /// # Errors
    /// [`DbError::Missing`](super::DbError::Missing).
    async fn set_user_password(&self, name: &str, password_hash: &str, keep: Option<[u8; 32]>) -> DbResult<()>;
    async fn user(&self, name: &str) -> DbResult<Option<UserRow>>;
    /// Of one account or all, by name from behind `after`, at most `limit`.
    async fn users(&self, account: Option<&AccountId>, after: &str, limit: u32) -> DbResult<Vec<UserRow>>;
    async fn user_count(&self) -> DbResult<u64>;

    /// Takes the place of the user's link.
    async fn put_link(&self, link: &LinkRow) -> DbResult<()>;
    async fn link(&self, hash: &[u8; 32]) -> DbResult<Option<LinkRow>>;
    /// Sets the password, marks the link as used and ends the user's sessions; of any number who come with one link, for one of
    /// them. False, and nothing has changed, when the link is used, expired or not there.
    async fn use_link(&self, with: LinkUse<'_>) -> DbResult<bool>;

    /// Only while the user may sign in and their password is the one that was checked: false, and nothing has changed, when
    /// somebody was faster. Beyond [`SESSIONS_MAX`] the user's oldest end.
    async fn add_session(&self, session: &SessionRow, password_hash: &str) -> DbResult<bool>;
    async fn session(&self, id_hash: &[u8; 32]) -> DbResult<Option<SessionRow>>;
    /// A user's sessions that have not expired at `now`, the newest first.
    async fn sessions(&self, user: &str, now: Timestamp) -> DbResult<Vec<SessionRow>>;
    async fn touch_session(&self, id_hash: &[u8; 32], seen_at: Timestamp) -> DbResult<()>;
    /// False when there was none.
    async fn remove_session(&self, id_hash: &[u8; 32]) -> DbResult<bool>;
    /// All of a user's sessions but `keep`. How many there were.
    async fn remove_sessions(&self, user: &str, keep: Option<[u8; 32]>) -> DbResult<u64>;
    async fn remove_sessions_expired_before(&self, now: Timestamp) -> DbResult<u64>;

    async fn add_token(&self, token: &TokenRow) -> DbResult<()>;
    async fn token_by_hash(&self, hash: &[u8; 32]) -> DbResult<Option<TokenRow>>;
    async fn token(&self, id: &str) -> DbResult<Option<TokenRow>>;
    /// The oldest first.
    async fn tokens(&self) -> DbResult<Vec<TokenRow>>;
    /// False when there was none.
    async fn remove_token(&self, id: &str) -> DbResult<bool>;
    async fn touch_token(&self, id: &str, used_at: Timestamp) -> DbResult<()>;
    /// A named secret (URL signing key); made with `fresh` on first use and the same ever after.
    async fn secret(&self, name: &str, fresh: &[u8]) -> DbResult<Vec<u8>>;
}
