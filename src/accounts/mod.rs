//! Customers: who they are, what they bought, and what that gives them at any moment.
//!
//! A subscription has a plan and terms of so many calendar months, counted from its start in the account's zone. What can
//! happen to it:
//!
//! | step | when | costs |
//! |---|---|---|
//! | upgrade | at once | (new fee − old fee) × remaining time ÷ term, as quoted |
//! | downgrade | at the end of the term; at most one is scheduled, an upgrade cancels it | nothing |
//! | roll-over | at the end of a term that renews | the fee of the next term |
//! | lapse | at the end of a term that does not renew | nothing; see below |
//!
//! Money is integers in minor units of a currency. The one rounding rule: to the nearest unit, halves away from zero. There
//! is no payment here, only the ledger. A fee is for a term: the plan's monthly fee × months.
//!
//! An upgrade is quoted first ([`Accounts::quote`]), and the one who takes it names the quote: the version of the subscription
//! and the moment. The charge is exactly the quoted one; a quote is good for [`QUOTE_GOOD_FOR`], within its term, and as long as
//! nothing else changed. Whoever asks for a change of plan does so in writing, and the words are kept.
//!
//! The **window** of footage follows from the history of plans ([`Accounts::plan_history`]) and nothing else. When a
//! subscription lapses, everything else it granted ends, but footage stays: nothing is deleted because somebody did not
//! renew. Who wants it gone renews, and schedules a smaller plan.
//!
//! Leaves to others: plans themselves (`plans`), who may ask for what (`http`, `entitlement`), what a window removes
//! (`retention`).
//!
//! **Invariants.** Every change commits with its audit record. Two who change a subscription at once do not both succeed.
//! History only goes on: nothing is dated before what is there. What is decided here is pure ([`quote`], [`settle`],
//! [`entitlements()`]); only [`Accounts`] reads and writes rows.

mod change;
mod entitlements;
mod error;
mod service;
mod term;
#[cfg(test)]
mod tests;

pub use change::{QUOTE_GOOD_FOR, Quote, Settled, quote, settle};
pub use entitlements::{Entitlement, entitlements};
pub use error::AccountsError;
pub use service::{Accounts, Agreement, By, NewAccount, SubscriptionView};
pub use term::{Term, Zone};
