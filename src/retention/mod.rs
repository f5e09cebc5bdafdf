//! How long footage stays: what is kept, what goes, when and why.
//!
//! [`judge`] decides, purely; a mark records the decision; after the grace the sweep deletes bytes, then rows.
//!
//! Leaves to others: which plan an account has (its [`PlanHistory`] is handed in), rows (`db`), bytes (`store`).
//!
//! **Invariants.**
//! - Footage is judged by its end. What ends after the window's start is kept, what ends at it or before goes.
//! - The window's start never moves back while plan and cap stay the same: what has left does not come back, and so nothing
//!   that is still promised can have been deleted.
//! - A cap only shortens, a hold only lengthens, and what nothing is known of is unlimited.
//!
//! [`PlanHistory`]: crate::media::PlanHistory

pub mod judge;
mod window_start;

pub use judge::{AccountRules, Cap, Held, HeldRange, Judge, Keep, Prune, Verdict};
pub use window_start::window_start;
