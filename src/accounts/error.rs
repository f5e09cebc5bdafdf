//! What can be wrong with a change to an account.

use crate::db::DbError;
use crate::media::{AccountId, Timestamp};
use crate::plans::PlanError;

#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error("there is no account `{0}`")]
    Unknown(AccountId),
    #[error("there is an account `{0}` already; choose another name")]
    Exists(AccountId),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("`{0}` is not a time zone: give an IANA name, such as Europe/Paris")]
    Zone(String),
    #[error("`{0}` is not a language of this program: en and fr are")]
    Language(String),
    #[error("the name of an account has 1 to 200 characters")]
    Name,
    #[error("a term has 1 to 120 months, not {0}")]
    TermMonths(u32),
    #[error("say in writing what is asked for, in 1 to 10000 characters: the words are kept")]
    Words,
    #[error("the account has this plan already")]
    SamePlan,
    #[error("going from {from} to {to} is no upgrade; schedule it for the end of the term")]
    NotUpgrade { from: String, to: String },
    #[error("going from {from} to {to} is no downgrade; upgrade instead, at any time")]
    NotDowngrade { from: String, to: String },
    #[error("a downgrade to {plan} is scheduled for {at} already; cancel it first")]
    AlreadyScheduled { plan: String, at: Timestamp },
    #[error("no downgrade is scheduled")]
    NothingScheduled,
    #[error("the subscription ended on {0}; renew it first")]
    Lapsed(Timestamp),
    #[error("{from} is paid in {old}, {to} in {new}: amounts of two currencies do not mix")]
    Currency { from: String, to: String, old: String, new: String },
    #[error("the subscription has changed in the meantime; look at it again, then decide")]
    Changed,
    #[error("the quote is not good any more; ask for another")]
    QuoteOutdated,
    #[error("the clock is before {0}, when the account's last plan began; nothing can be dated before it")]
    PastDated(Timestamp),
    #[error("the zone decides when the term ends, and a downgrade is scheduled for that moment; cancel it first")]
    ZoneWhileScheduled,
    #[error("`{0}` is not something of which there are so many in a month")]
    NotMetered(String),
    #[error("all {limit} of `{grant}` are used; there are more on {resets_at}")]
    UsedUp { grant: String, limit: u64, resets_at: Timestamp },
    #[error("the plan does not include `{0}`")]
    NotIncluded(String),
    #[error("read or write the account")]
    Db(#[source] DbError),
}

impl From<DbError> for AccountsError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Missing { what: "account", id } => match id.parse() {
                Ok(account) => AccountsError::Unknown(account),
                Err(_) => AccountsError::Db(DbError::Missing { what: "account", id }),
            },
            DbError::Exists { what: "account", id } => match id.parse() {
                Ok(account) => AccountsError::Exists(account),
                Err(_) => AccountsError::Db(DbError::Exists { what: "account", id }),
            },
            DbError::Changed { .. } => AccountsError::Changed,
            other => AccountsError::Db(other),
        }
    }
}
