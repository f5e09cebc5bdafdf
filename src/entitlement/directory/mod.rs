//! Who and what may come in: users, their links and sessions, and tokens.
//!
//! Two rules hold for all of it. What is given away must be had: nobody makes, changes, resets or removes somebody who may do
//! more than they may themselves. And whoever does not see to an account hears of its users, sessions and tokens what they
//! would hear if those did not exist.
//!
//! Each change commits with its audit record, and holds from then on: whoever was recognised a moment ago is looked up anew.
//! Another process (the command line beside the service) is noticed after [`super::recent`]'s two seconds at the latest.

mod links;
mod sessions;
mod shares;
mod tokens;
mod users;

pub use links::{FreshLink, LinkKind};
pub use shares::{FreshShare, NewShare};
pub use tokens::NewToken;
pub use users::{NewUser, UserChange};

use super::recent::Recent;
use super::{EntitlementError, Principal, Role, Scope, Scopes};
use crate::audit::{Act, Event};
use crate::db::{Db, UserRow};
use crate::media::{AccountId, StreamId, Timestamp};

/// Everything there is to do with users, links, sessions and tokens.
#[derive(Clone)]
pub struct Directory {
    db: Db,
    /// Who has been recognised, where anybody is.
    recent: Option<Recent>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

impl Directory {
    /// For commands that work on the database itself.
    pub fn new(db: Db) -> Self {
        Directory { db, recent: None }
    }

    pub(super) fn of_service(db: Db, recent: Recent) -> Self {
        Directory { db, recent: Some(recent) }
    }

    /// From here on nobody is let in for what they could do before.
    fn changed(&self) {
        if let Some(recent) = &self.recent {
            recent.forget_all();
        }
    }

    /// A stream that is not there is a mistake now, and a right that nobody meant to give once there is one of that name.
    async fn require_streams(&self, account: &AccountId, streams: &[StreamId]) -> Result<(), EntitlementError> {
        for stream in streams {
            let row = self.db.stream(stream).await?.filter(|row| row.account == *account);
            row.ok_or_else(|| EntitlementError::NoSuchStream(stream.clone()))?;
        }
        Ok(())
    }

    /// The user, if `who` sees to their account.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownUser`], whether there is none or they are somebody else's.
    async fn user_for(&self, who: &Principal, account: &AccountId, name: &str) -> Result<UserRow, EntitlementError> {
        who.require_everywhere(Scope::Admin)?;
        let row = self.db.user(name).await?.filter(|row| row.account == *account && who.covers_account(account));
        row.ok_or_else(|| EntitlementError::UnknownUser(name.chars().take(users::NAME_CHARS_MAX).collect()))
    }

    /// The same, for those who may do all that the user may.
    async fn user_below(&self, who: &Principal, account: &AccountId, name: &str) -> Result<UserRow, EntitlementError> {
        let row = self.user_for(who, account, name).await?;
        who.require_all(scopes_of(&row.role))?;
        Ok(row)
    }
}

/// What a stored role opens; one written by a later version may be anything.
fn scopes_of(role: &str) -> Scopes {
    role.parse::<Role>().map_or_else(|_| Scope::ALL.into_iter().collect(), Role::scopes)
}

fn event(who: &Principal, now: Timestamp, account: &AccountId, act: Act) -> Event {
    Event::system(now, act).by(who.label()).of_account(account)
}
