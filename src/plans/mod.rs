//! What is sold: plans, the grants they consist of, and the catalogue that knows every version ever sold.
//!
//! A [`Plan`] is data. It has a name, a version, names for people in English and French, a fee, and grants by key:
//!
//! | kind of [`Grant`] | says | example |
//! |---|---|---|
//! | boolean | may, or may not | `support.chat` |
//! | static | a value that never runs out | `retroview.window`: `{"months": 3}` or `"unlimited"` |
//! | metered | so many in a period, or as many as wanted | `support.requests`: 4 a month |
//!
//! Keys are free; the ones in [`key`] mean something to this program. The window of footage is the static grant
//! [`key::WINDOW`], which every plan must have: nothing else sets how long footage is kept.
//!
//! Leaves to others: who has which plan since when (`accounts`), what footage a window still holds (`retention`).
//!
//! **Invariants.** A version of a plan never changes once it is in a catalogue; what is sold differently is another version.
//! The plans this program brings along cannot be replaced. Pure: no I/O, no clock.
//!
//! **Prices.** The built-in plans cost nothing: what they cost is the operator's to say, in a version of their own.

mod built_in;
mod catalogue;
mod grant;

pub use catalogue::{Catalogue, Plan, PlanError, Text};
pub use grant::{Grant, Period, key};
