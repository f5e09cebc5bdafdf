//! Where people are signed in, and how that ends.

use super::{Directory, event};
use crate::audit::acts;
use crate::db::SessionRow;
use crate::entitlement::{EntitlementError, Principal};
use crate::media::{AccountId, Timestamp};

impl Directory {
    /// Where a user is signed in, the newest first.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`]; a user above `who`.
    pub async fn sessions(
        &self,
        who: &Principal,
        now: Timestamp,
        account: &AccountId,
        name: &str,
    ) -> Result<Vec<SessionRow>, EntitlementError> {
        self.user_below(who, account, name).await?;
        Ok(self.db.sessions(name, now).await?)
    }

    /// Ends one session of a user.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`], [`EntitlementError::UnknownSession`]; a user above `who`.
    pub async fn revoke_session(
        &self,
        who: &Principal,
        now: Timestamp,
        account: &AccountId,
        name: &str,
        id: &str,
    ) -> Result<(), EntitlementError> {
        self.user_below(who, account, name).await?;
        self.end_one(who, now, account, name, id).await
    }

    /// Ends all sessions of a user. How many there were.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`]; a user above `who`.
    pub async fn revoke_sessions(&self, who: &Principal, now: Timestamp, account: &AccountId, name: &str) -> Result<u64, EntitlementError> {
        self.user_below(who, account, name).await?;
        self.end_all(who, now, account, name, None).await
    }

    /// Where the one who asks is signed in, the newest first.
    ///
    /// # Errors
    /// [`EntitlementError::NotASession`].
    pub async fn own_sessions(&self, who: &Principal, now: Timestamp) -> Result<Vec<SessionRow>, EntitlementError> {
        let (user, _) = who.signed_in().ok_or(EntitlementError::NotASession)?;
        Ok(self.db.sessions(user, now).await?)
    }

    /// Ends one session of the one who asks; the one that they ask with, too, if they say so.
    ///
    /// # Errors
    /// [`EntitlementError::NotASession`], [`EntitlementError::UnknownSession`].
    pub async fn revoke_own_session(&self, who: &Principal, now: Timestamp, id: &str) -> Result<(), EntitlementError> {
        let (user, _) = who.signed_in().ok_or(EntitlementError::NotASession)?;
        self.end_one(who, now, who.account(), user, id).await
    }

    /// Ends all sessions of the one who asks but the one that they ask with. How many there were.
    ///
    /// # Errors
    /// [`EntitlementError::NotASession`].
    pub async fn revoke_other_sessions(&self, who: &Principal, now: Timestamp) -> Result<u64, EntitlementError> {
        let (user, id) = who.signed_in().ok_or(EntitlementError::NotASession)?;
        let this = self.db.sessions(user, now).await?.into_iter().find(|s| s.id == id).map(|s| s.id_hash);
        // Ended a moment ago: then it is not the one that keeps another from ending.
        let keep = this.ok_or(EntitlementError::BadCredentials)?;
        self.end_all(who, now, who.account(), user, Some(keep)).await
    }

    async fn end_one(&self, who: &Principal, now: Timestamp, account: &AccountId, user: &str, id: &str) -> Result<(), EntitlementError> {
        let unknown = || EntitlementError::UnknownSession(id.chars().take(32).collect());
        let found = self.db.sessions(user, now).await?.into_iter().find(|s| s.id == id).ok_or_else(unknown)?;
        let ended = event(who, now, account, acts::SESSION_REVOKED).with("user", user).with("session", id);
        let there = self.db.recording(ended).remove_session(&found.id_hash).await?;
        self.changed();
        if there { Ok(()) } else { Err(unknown()) }
    }

    async fn end_all(
        &self,
        who: &Principal,
        now: Timestamp,
        account: &AccountId,
        user: &str,
        keep: Option<[u8; 32]>,
    ) -> Result<u64, EntitlementError> {
        let which = if keep.is_some() { "others" } else { "all" };
        let ended = event(who, now, account, acts::SESSION_REVOKED).with("user", user).with("session", which);
        let count = self.db.recording(ended).remove_sessions(user, keep).await?;
        self.changed();
        Ok(count)
    }
}
