//! How long footage stays: what is kept, what goes, when and why.
//!
//! ```text
//! judge ─► mark ─► grace ─► sweep: bytes, then rows
//!            ▲                │
//!            └── rescue ◄─ upgrade or hold, until the sweep has begun
//! ```
//!
//! [`Judge`] decides, purely. The [`Enforcer`] acts on it in batches, the [`Eraser`] on what people ask for, [`explain()`] says what applies to a moment, and
//! [`forecast()`] what would go if something changed.
//!
//! Leaves to others: which plan an account has ([`Plans`]), rows (`db`), bytes (`store`).
//!
//! **Invariants.**
//! - Footage is judged by its end. What ends after the window's start is kept, what ends at it or before goes; by whole
//!   blocks, when all of the block has expired.
//! - The window's start never moves back while plan and cap stay the same: what has left does not come back, and so nothing
//!   that is still promised can have been deleted.
//! - A cap only shortens, a hold only lengthens, and what nothing is known of is unlimited.
//! - Nothing that a hold touches is marked, and what is marked is judged again before it is swept.
//! - Bytes go before rows, and files are unlinked, never cut: a request that has begun reads on to its end. An erasure is the exception:
//!   see [`erase`].
//!
//! **When things fail.** Every step can be repeated: a mark is set once, a sweep that was cut short is taken up by the next
//! run, a file that is gone already is no error. What looks wrong ([`Stop`]) stops everything until an operator says go on.

mod enforcer;
pub mod erase;
mod explain;
mod forecast;
mod guard;
pub mod judge;
mod rules;
#[cfg(test)]
mod tests;
mod visibility;
mod window_start;

pub use enforcer::{Enforcer, RunReport, Settings};
pub use erase::{Advance, EraseSettings, Eraser, Going};
pub use explain::{Explanation, explain};
pub use forecast::{Amount, WhatIf, forecast};
pub use guard::Stop;
pub use judge::{AccountRules, Cap, Held, HeldRange, Judge, Keep, Prune, Verdict};
pub use rules::{AccountPlans, NoPlans, Plans};
pub use visibility::Visibility;
pub use window_start::window_start;

/// What can go wrong with retention. Nothing is lost by it: the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error(transparent)]
    Db(#[from] crate::db::DbError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("footage of the future cannot be erased: {end} has not passed; end the range at {now} or before")]
    ErasureAhead { end: crate::media::Timestamp, now: crate::media::Timestamp },
    #[error("an erasure is written down with its reason and who asked for it: give both")]
    ErasureWords,
    #[error("deleting files was cut short: {0}")]
    Interrupted(String),
}

pub type RetentionResult<T> = Result<T, RetentionError>;
