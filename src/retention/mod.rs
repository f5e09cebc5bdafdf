//! How long footage stays: what is kept, what goes, when and why.
//!
//! ```text
//! judge ─► mark ─► grace ─► sweep: bytes, then rows
//!            ▲                │
//!            └── rescue ◄─ upgrade or hold, until the sweep has come to it
//! ```
//!
//! [`Retention`] is the door for everyone else. [`Judge`] decides, purely. The [`Enforcer`] acts on it in batches, the
//! [`Eraser`] on what people ask for; [`explain()`] says what applies to a moment, and
//! [`forecast()`] what would go if something changed.
//!
//! [`Visibility`] says what of a stream is served now: what has left the window is not, from that moment on.
//!
//! Leaves to others: which plan an account has ([`Plans`]), rows (`db`), bytes (`store`).
//!
//! **Invariants.**
//! - Footage is judged by its end. What ends after the window's start is kept, what ends at it or before goes; by whole
//!   blocks, when all of the block has expired.
//! - The window's start never moves back while plan and cap stay the same: what has left does not come back, and so nothing
//!   that is still promised can have been deleted.
//! - A cap only shortens, a hold only lengthens, and what nothing is known of is unlimited.
//! - Nothing that a hold touches is marked, and what is marked is judged again before its bytes are touched.
//! - Bytes go before rows, and files are unlinked, never cut: a request that has begun reads on to its end. An erasure is the exception:
//!   see [`erase`].
//!
//! **When things fail.** Every step can be repeated: a mark is set once, a sweep that was cut short is taken up by the next
//! run, a file that is gone already is no error. What looks wrong ([`Stop`]) stops everything until an operator says go on.

pub mod attest;
pub mod check;
mod desk;
mod enforcer;
pub mod erase;
mod explain;
mod forecast;
mod guard;
mod holding;
pub mod judge;
mod marked;
mod outlook;
mod overview;
pub mod page;
pub mod receipts;
mod rules;
pub mod storage;
#[cfg(test)]
mod tests;
mod visibility;
mod window_start;

pub use desk::{ASKED_STEP, Retention, Status, Stopped};
pub use enforcer::{Enforcer, RunReport, Settings};
pub use erase::{Advance, EraseSettings, Eraser, Going};
pub use explain::{Explanation, Gone, explain};
pub use forecast::{Amount, WhatIf, forecast};
pub use guard::{Stop, Unforeseen};
pub use holding::{HoldState, HoldView};
pub use judge::{AccountRules, Cap, Held, HeldRange, Judge, Keep, Prune, Verdict};
pub use marked::MarkedSpan;
pub use outlook::{AccountAhead, Ahead, Expiry, Kept, KeptQuery, StreamExpiry, StreamKept};
pub use overview::{AccountOverview, Change, Forecast, StreamForecast, StreamOverview};
pub use rules::{AccountPlans, NoPlans, Plans};
pub use storage::{DAYS_MAX, DayAhead, DayOfStorage, Storage, StreamStorage};
pub use visibility::Visibility;
pub use window_start::window_start;

use std::path::PathBuf;

use crate::media::{StreamId, Timestamp};

/// What can go wrong with retention. Nothing is lost by it: the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error(transparent)]
    Db(#[from] crate::db::DbError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Accounts(#[from] crate::accounts::AccountsError),
    #[error("footage of the future cannot be erased: {end} has not passed; end the range at {now} or before")]
    ErasureAhead { end: Timestamp, now: Timestamp },
    #[error("an erasure is written down with its reason and who asked for it: give both")]
    ErasureWords,
    #[error("deleting files was cut short: {0}")]
    Interrupted(String),
    #[error("there is no stream `{0}`")]
    UnknownStream(StreamId),
    #[error("there is no hold {0}")]
    UnknownHold(i64),
    #[error("{0}")]
    Hold(String),
    #[error("a cap is a whole number of hours, from 1 to a century's")]
    CapHours,
    #[error("a run of retention is under way; wait until it is over")]
    Running,
    #[error("use {path}", path = path.display())]
    Lock { path: PathBuf, source: std::io::Error },
    #[error("retention does not stand still; there is nothing to confirm")]
    NotStopped,
    #[error("this cannot be confirmed, it has to be put right: {detail}")]
    Unconfirmable { detail: String },
}

pub type RetentionResult<T> = Result<T, RetentionError>;
