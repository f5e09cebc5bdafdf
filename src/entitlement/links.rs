//! The other end of a one-time link: somebody opens it and chooses a password.
//!
//! Whoever has the link is who it is for; nothing else is asked. So guesses count against the address they come from, with the
//! failed sign-ins, and of any number who use a link at once one gets through.

use super::access::Caller;
use super::{Access, EntitlementError, secret};
use crate::audit::{Event, acts};
use crate::db::{LinkRow, LinkUse, UserRow};

/// A link that can be used: whose it is.
#[derive(Clone, Debug)]
pub struct OpenLink {
    pub user: UserRow,
    pub row: LinkRow,
}

impl Access {
    /// What a link is good for. Nothing changes.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownLink`], [`EntitlementError::LinkUsed`], [`EntitlementError::LinkExpired`],
    /// [`EntitlementError::TooManyAttempts`].
    pub async fn link(&self, link: &str, caller: Caller<'_>) -> Result<OpenLink, EntitlementError> {
        let keys = [caller.key()];
        self.wait_for(&keys)?;
        match self.find_link(link).await {
            Err(error @ (EntitlementError::UnknownLink | EntitlementError::LinkUsed | EntitlementError::LinkExpired)) => {
                self.failed(&keys, None).await?;
                Err(error)
            }
            other => other,
        }
    }

    async fn find_link(&self, link: &str) -> Result<OpenLink, EntitlementError> {
        let s = self.inner();
        let hash = secret::hash(link).ok_or(EntitlementError::UnknownLink)?;
        let row = s.db.link(&hash).await?.ok_or(EntitlementError::UnknownLink)?;
        if row.used_at.is_some() {
            return Err(EntitlementError::LinkUsed);
        }
        if row.expires_at <= s.clock.now() {
            return Err(EntitlementError::LinkExpired);
        }
        let user = s.db.user(&row.user).await?.ok_or(EntitlementError::UnknownLink)?;
        Ok(OpenLink { user, row })
    }

    /// Sets the password that was chosen and ends the user's sessions. The link opens nothing afterwards; a password that is
    /// refused leaves it as it was.
    ///
    /// # Errors
    /// As [`Access::link`]; [`EntitlementError::WeakPassword`], [`EntitlementError::Busy`].
    pub async fn use_link(&self, link: &str, password: &str, caller: Caller<'_>) -> Result<UserRow, EntitlementError> {
        let s = self.inner();
        let OpenLink { user, row } = self.link(link, caller).await?;
        let password_hash = s.passwords.hash(password).await?;
        let now = s.clock.now();
        let used = Event::system(now, acts::LINK_USED)
            .by(format!("user {}", user.name))
            .of_account(&user.account)
            .with("user", user.name.as_str())
            .with("kind", row.kind.as_str())
            .with("made_by", row.made_by.as_str())
            .with("address", caller.address);
        let first = s.db.recording(used).use_link(LinkUse { hash: row.hash, now, password_hash: &password_hash }).await?;
        s.recent.forget_all();
        if first { Ok(user) } else { Err(EntitlementError::LinkUsed) }
    }
}
