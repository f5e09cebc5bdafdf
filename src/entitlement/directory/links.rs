//! One-time links, with which people choose a password that nobody else ever saw.

use std::time::Duration;

use super::{Directory, event};
use crate::audit::acts;
use crate::db::LinkRow;
use crate::entitlement::{EntitlementError, Principal, secret};
use crate::media::{AccountId, Timestamp};

/// How long an invitation is good: there is a weekend between a mail and its reader. Half loses who is away for some days; double
/// lets a mailbox that is broken into later open more.
const INVITATION_GOOD_FOR: Duration = Duration::from_secs(7 * 86_400);
/// How long a reset is good: whoever asked for it waits for it. Half is short for a slow mail; a day leaves a way into a
/// working account lying in a mailbox for nothing.
const RESET_GOOD_FOR: Duration = Duration::from_secs(3600);

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// Somebody new chooses their first password.
    Invitation,
    /// Somebody lost theirs.
    Reset,
}

impl LinkKind {
    pub fn as_str(self) -> &'static str {
        match self {
            LinkKind::Invitation => "invitation",
            LinkKind::Reset => "reset",
        }
    }

    fn good_for(self) -> Duration {
        match self {
            LinkKind::Invitation => INVITATION_GOOD_FOR,
            LinkKind::Reset => RESET_GOOD_FOR,
        }
    }
}

/// A link that was just made. `secret` is shown once and not kept.
#[derive(Clone)]
pub struct FreshLink {
    pub secret: String,
    pub user: String,
    pub kind: LinkKind,
    pub expires_at: Timestamp,
}

impl FreshLink {
    /// The link itself. Behind `#`, so that it is sent to no server and stands in no log.
    pub fn url(&self, base: &str) -> String {
        format!("{base}/#/link/{}", self.secret)
    }
}

/// Without the secret: links may not get into logs.
impl std::fmt::Debug for FreshLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshLink").field("user", &self.user).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Directory {
    /// Makes a link for a user: an invitation for who has no password yet, a reset for who has one. One made before is worth
    /// nothing from now on; a password stays good until the link is used.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`], [`EntitlementError::UserDisabled`]; a user above `who`.
    pub async fn make_link(&self, who: &Principal, now: Timestamp, account: &AccountId, name: &str) -> Result<FreshLink, EntitlementError> {
        let user = self.user_below(who, account, name).await?;
        if user.disabled_at.is_some() {
            return Err(EntitlementError::UserDisabled(user.name));
        }
        let kind = if user.password_hash.is_empty() { LinkKind::Invitation } else { LinkKind::Reset };
        let secret = secret::fresh()?;
        let row = LinkRow {
            user: user.name,
            hash: secret::hash(&secret).ok_or(EntitlementError::UnknownLink)?,
            kind: kind.as_str().into(),
            made_by: who.label(),
            created_at: now,
            expires_at: now + kind.good_for(),
            used_at: None,
        };
        let act = if kind == LinkKind::Invitation { acts::USER_INVITED } else { acts::USER_RESET_OFFERED };
        let made = event(who, now, account, act).with("user", row.user.as_str()).with("expires_at_us", row.expires_at.as_micros());
        self.db.recording(made).put_link(&row).await?;
        Ok(FreshLink { secret, user: row.user, kind, expires_at: row.expires_at })
    }
}
