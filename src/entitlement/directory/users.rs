//! Users: who they are, and what they may.

use super::{Directory, FreshLink, event};
use crate::audit::acts;
use crate::db::{DbError, UserRow};
use crate::entitlement::{EntitlementError, Principal, Role, Scope, password};
use crate::media::{AccountId, StreamId, Timestamp};

/// Longest name of a user: as long as the addresses that people have for mail.
pub(super) const NAME_CHARS_MAX: usize = 64;
/// Users in one answer: half asks twice as often, and more is nothing that a person reads.
const PAGE_MAX: u32 = 500;

/// What is asked for when a user is added.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub account: AccountId,
    pub name: String,
    pub role: Role,
    /// What a viewer may watch; `None`: all streams of the account. They need not exist yet.
    pub streams: Option<Vec<StreamId>>,
    pub language: Option<String>,
}

/// What shall be different; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    pub role: Option<Role>,
    /// `Some(None)`: all streams of the account.
    pub streams: Option<Option<Vec<StreamId>>>,
    pub language: Option<String>,
    pub disabled: Option<bool>,
}

impl Directory {
    /// The users of an account, or with [`Scope::Operate`] of all, by name from behind `after`; not all at once when there are
    /// many.
    ///
    /// # Errors
    /// No right to see to users; the database does not answer.
    pub async fn users(&self, who: &Principal, account: Option<&AccountId>, after: &str) -> Result<Vec<UserRow>, EntitlementError> {
        who.require_everywhere(Scope::Admin)?;
        match account {
            None => who.require(Scope::Operate)?,
            Some(account) if !who.covers_account(account) => return Ok(Vec::new()),
            Some(_) => {}
        }
        Ok(self.db.users(account, after, PAGE_MAX).await?)
    }

    /// One user of an account.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`].
    pub async fn user(&self, who: &Principal, account: &AccountId, name: &str) -> Result<UserRow, EntitlementError> {
        self.user_for(who, account, name).await
    }

    /// The account of a user, by name alone: for the person at the machine.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`].
    pub async fn account_of(&self, name: &str) -> Result<AccountId, EntitlementError> {
        let row = self.db.user(name).await?;
        Ok(row.ok_or_else(|| EntitlementError::UnknownUser(name.chars().take(NAME_CHARS_MAX).collect()))?.account)
    }

    /// Adds a user who chooses a password with the link.
    ///
    /// # Errors
    /// As [`Directory::add_user`].
    pub async fn invite(&self, who: &Principal, now: Timestamp, new: NewUser) -> Result<(UserRow, FreshLink), EntitlementError> {
        let row = self.store(who, now, new, String::new()).await?;
        let link = self.make_link(who, now, &row.account, &row.name).await?;
        Ok((row, link))
    }

    /// Adds a user with a password. Takes as long as hashing it.
    ///
    /// # Errors
    /// [`EntitlementError::UserExists`] whichever account the other is of: people sign in by name alone. What is wrong with
    /// name, role, streams, language or password; a role that opens more than `who` may.
    pub async fn add_user(&self, who: &Principal, now: Timestamp, new: NewUser, chosen: &str) -> Result<UserRow, EntitlementError> {
        let hash = password::hash_apart(chosen).await?;
        self.store(who, now, new, hash).await
    }

    async fn store(&self, who: &Principal, now: Timestamp, new: NewUser, password_hash: String) -> Result<UserRow, EntitlementError> {
        who.require_everywhere(Scope::Admin)?;
        who.require_all(new.role.scopes())?;
        let row = UserRow {
            name: checked_name(&new.name)?,
            account: new.account,
            password_hash,
            language: new.language,
            created_at: now,
            role: new.role.as_str().into(),
            streams: new.streams,
            disabled_at: None,
        };
        check(&row)?;
        self.require_streams(&row.account, row.streams.as_deref().unwrap_or_default()).await?;
        let mut added = event(who, now, &row.account, acts::USER_ADDED).with("user", row.name.as_str()).with("role", row.role.as_str());
        if let Some(streams) = &row.streams {
            added = added.with("streams", serde_json::json!(streams));
        }
        match self.db.recording(added).add_user(&row).await {
            Err(DbError::Exists { .. }) => Err(EntitlementError::UserExists(row.name)),
            other => other.map(|()| row).map_err(Into::into),
        }
    }

    /// Changes what a user may, from this moment on. Who becomes anything but a viewer is not held to chosen streams any more.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`], [`EntitlementError::LastOperator`]; what is wrong with a value; a user, or a role, that
    /// is above `who`.
    pub async fn change_user(
        &self,
        who: &Principal,
        now: Timestamp,
        account: &AccountId,
        name: &str,
        change: UserChange,
    ) -> Result<UserRow, EntitlementError> {
        let before = self.user_below(who, account, name).await?;
        if let Some(role) = change.role {
            who.require_all(role.scopes())?;
        }
        let after = changed(&before, change, now);
        check(&after)?;
        if after.streams != before.streams {
            self.require_streams(account, after.streams.as_deref().unwrap_or_default()).await?;
        }
        if after == before {
            return Ok(after);
        }
        let mut done = event(who, now, account, acts::USER_CHANGED).with("user", name);
        if after.role != before.role {
            done = done.with("role", after.role.as_str());
        }
        if after.streams != before.streams {
            done = done.with("streams", serde_json::json!(after.streams));
        }
        if after.language != before.language {
            done = done.with("language", serde_json::json!(after.language));
        }
        if after.disabled_at.is_some() != before.disabled_at.is_some() {
            done = done.with("disabled", after.disabled_at.is_some());
        }
        self.db.recording(done).change_user(&after).await.map_err(refused)?;
        self.changed();
        Ok(after)
    }

    /// Removes a user with sessions and link. Tokens they made stay: see [`Directory::make_token`].
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`], [`EntitlementError::LastOperator`]; a user above `who`.
    pub async fn remove_user(&self, who: &Principal, now: Timestamp, account: &AccountId, name: &str) -> Result<(), EntitlementError> {
        self.user_below(who, account, name).await?;
        let removed = event(who, now, account, acts::USER_REMOVED).with("user", name);
        let there = self.db.recording(removed).remove_user(name).await.map_err(refused)?;
        self.changed();
        if there { Ok(()) } else { Err(EntitlementError::UnknownUser(name.into())) }
    }

    /// Gives a user this password, and ends their sessions and link. Takes as long as hashing it.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`], [`EntitlementError::WeakPassword`]; a user above `who`.
    pub async fn set_password(
        &self,
        who: &Principal,
        now: Timestamp,
        account: &AccountId,
        name: &str,
        chosen: &str,
    ) -> Result<(), EntitlementError> {
        self.user_below(who, account, name).await?;
        let hash = password::hash_apart(chosen).await?;
        let set = event(who, now, account, acts::USER_PASSWORD_SET).with("user", name);
        self.db.recording(set).set_user_password(name, &hash, None).await.map_err(refused)?;
        self.changed();
        Ok(())
    }
}

fn changed(before: &UserRow, change: UserChange, now: Timestamp) -> UserRow {
    let role = change.role.map_or_else(|| before.role.clone(), |role| role.as_str().into());
    let kept = before.streams.clone().filter(|_| role == Role::Viewer.as_str());
    let disabled_at = match change.disabled {
        Some(true) => before.disabled_at.or(Some(now)),
        Some(false) => None,
        None => before.disabled_at,
    };
    UserRow {
        streams: change.streams.unwrap_or(kept),
        language: change.language.or_else(|| before.language.clone()),
        role,
        disabled_at,
        ..before.clone()
    }
}

fn check(row: &UserRow) -> Result<(), EntitlementError> {
    if row.streams.is_some() && row.role != Role::Viewer.as_str() {
        return Err(EntitlementError::OnlyViewersChoose);
    }
    match &row.language {
        Some(other) if !["en", "fr"].contains(&other.as_str()) => Err(EntitlementError::UnknownLanguage(other.chars().take(32).collect())),
        _ => Ok(()),
    }
}

/// Names stand in addresses and in the audit log: nothing that looks like something else.
fn checked_name(name: &str) -> Result<String, EntitlementError> {
    let name = name.trim();
    let good = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.len() <= NAME_CHARS_MAX && name.chars().all(good) { Ok(name.into()) } else { Err(EntitlementError::UserName) }
}

fn refused(error: DbError) -> EntitlementError {
    match error {
        DbError::Missing { what: "user", id } => EntitlementError::UnknownUser(id),
        DbError::Last { .. } => EntitlementError::LastOperator,
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_stand_in_an_address() {
        assert_eq!(checked_name(" ann.lee+nvr@example.org ").unwrap(), "ann.lee+nvr@example.org");
        for wrong in ["", " ", ".", "..", "-ann", "ann lee", "ann/../bob", "änn", "a\nnn", &"a".repeat(65)] {
            assert!(matches!(checked_name(wrong), Err(EntitlementError::UserName)), "{wrong:?}");
        }
    }
}
