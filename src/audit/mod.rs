//! Who did what, in rows that cannot be changed unnoticed.
//!
//! [`Event`] is what happened; [`Record`] is an event with its place in the chain. The chain is what makes the log worth
//! anything: each record holds the hash of the one before, so a record that is changed, taken out or moved breaks every hash
//! behind it, and a signed [`checkpoint`] kept elsewhere shows when the end is cut off.
//!
//! **Canonical form.** What is hashed is one JSON object in UTF-8, without white space, keys in byte order, numbers only as
//! integers:
//!
//! ```json
//! {"account":"main","act":"stream.paused","actor":"user admin","at_us":1777816800000000,"details":{},"end_us":null,"n":17,"prev":"9f…","start_us":null,"stream":"door"}
//! ```
//!
//! `hash = SHA-256(canonical form)`; `prev` is the hash of record `n - 1` in lower-case hexadecimal, 64 zeros for the first
//! record, whose `n` is 1. An export is one record a line, its canonical form with `"hash"` added: it can be verified with
//! `sha256sum` and patience.
//!
//! Leaves to others: writing records in the transaction of their effect (`db`), and when to sign (`app`).
//!
//! **Invariants.** Pure: no I/O, no clock. Times are microseconds since the epoch, UTC.

pub mod acts;
mod canonical;
mod chain;
mod checkpoint;
mod document;
mod event;
mod views;

pub(crate) use chain::hex;
pub use chain::{Broken, Chain, Hash, NOTHING_BEFORE, Record};
pub use checkpoint::{BadCheckpoint, Checkpoint, CheckpointKey, KEY_BYTES, KEY_NAME, Verifier};
pub use document::{BadDocument, Document};
pub use event::{Act, Event};
pub use views::{Verb, Viewer, Views};
