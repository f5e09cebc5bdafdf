//! Bearer tokens for programs.

use super::{Directory, event};
use crate::audit::acts;
use crate::db::TokenRow;
use crate::entitlement::{EntitlementError, Principal, Rights, Scope, Scopes, TOKEN_PREFIX, secret};
use crate::media::{AccountId, StreamId, Timestamp};

/// Longest name of a token that is kept.
const NAME_CHARS_MAX: usize = 100;

/// What is asked for when a bearer token is made.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub account: AccountId,
    pub name: String,
    pub rights: Rights,
    /// Empty: all streams of the account. They need not exist yet.
    pub streams: Vec<StreamId>,
    pub expires_at: Option<Timestamp>,
}

impl Directory {
    /// Makes a bearer token. The token itself is in the answer and nowhere else.
    ///
    /// It opens nothing that `who` cannot open, for no longer than `who` can when that is a token. It belongs to the account and
    /// not to its maker: an encoder goes on sending when the one who set it up leaves. So tokens are listed with who made
    /// them, and whoever removes somebody looks there.
    ///
    /// # Errors
    /// [`EntitlementError::MissingScope`], [`EntitlementError::OutlivesMaker`], [`EntitlementError::AlreadyExpired`],
    /// [`EntitlementError::NoRights`], [`EntitlementError::TokenName`].
    pub async fn make_token(&self, who: &Principal, now: Timestamp, new: NewToken) -> Result<(TokenRow, String), EntitlementError> {
        self.check(who, now, &new).await?;
        let token = format!("{TOKEN_PREFIX}{}", secret::fresh()?);
        let row = TokenRow {
            id: secret::public_id('t')?,
            account: new.account,
            name: new.name.trim().chars().take(NAME_CHARS_MAX).collect(),
            hash: secret::hash(&token).ok_or(EntitlementError::BadCredentials)?,
            role: new.rights.role().map(|role| role.as_str().to_owned()),
            scopes: if new.rights.role().is_some() { Vec::new() } else { new.rights.scopes().names() },
            streams: new.streams,
            made_by: Some(who.label()),
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let mut created = event(who, now, &row.account, acts::TOKEN_CREATED)
            .with("token", row.id.as_str())
            .with("name", row.name.as_str())
            .with("rights", new.rights.to_string())
            .with("streams", serde_json::json!(row.streams));
        if let Some(at) = row.expires_at {
            created = created.with("expires_at_us", at.as_micros());
        }
        self.db.recording(created).add_token(&row).await?;
        Ok((row, token))
    }

    async fn check(&self, who: &Principal, now: Timestamp, new: &NewToken) -> Result<(), EntitlementError> {
        who.require_everywhere(Scope::Admin)?;
        if new.name.trim().is_empty() {
            return Err(EntitlementError::TokenName);
        }
        if new.rights.scopes() == Scopes::default() {
            return Err(EntitlementError::NoRights);
        }
        who.require_all(new.rights.scopes())?;
        if !who.covers_account(&new.account) {
            return Err(EntitlementError::MissingScope(Scope::Operate));
        }
        if new.expires_at.is_some_and(|t| t <= now) {
            return Err(EntitlementError::AlreadyExpired);
        }
        self.require_streams(&new.account, &new.streams).await?;
        let maker = match who.token_id() {
            Some(id) => self.db.token(id).await?.and_then(|token| token.expires_at),
            None => None,
        };
        match maker {
            Some(until) if new.expires_at.is_none_or(|t| t > until) => Err(EntitlementError::OutlivesMaker(until)),
            _ => Ok(()),
        }
    }

    /// The tokens that `who` sees to, of one account or all; the oldest first.
    ///
    /// # Errors
    /// No right to see to tokens; the database does not answer.
    pub async fn tokens(&self, who: &Principal, account: Option<&AccountId>) -> Result<Vec<TokenRow>, EntitlementError> {
        who.require_everywhere(Scope::Admin)?;
        let mut rows = self.db.tokens().await?;
        rows.retain(|row| who.covers_account(&row.account) && account.is_none_or(|a| row.account == *a));
        Ok(rows)
    }

    /// Makes a token worthless from now on.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownToken`] also for another account's; [`EntitlementError::MissingScope`] for one that opens more
    /// than `who` can.
    pub async fn revoke_token(&self, who: &Principal, now: Timestamp, id: &str) -> Result<TokenRow, EntitlementError> {
        who.require_everywhere(Scope::Admin)?;
        let unknown = || EntitlementError::UnknownToken(id.chars().take(32).collect());
        let row = self.db.token(id).await?.filter(|row| who.covers_account(&row.account)).ok_or_else(unknown)?;
        who.require_all(Rights::of(&row).scopes())?;
        let revoked = event(who, now, &row.account, acts::TOKEN_REVOKED).with("token", id).with("name", row.name.as_str());
        let there = self.db.recording(revoked).remove_token(id).await?;
        self.changed();
        if there { Ok(row) } else { Err(unknown()) }
    }
}
