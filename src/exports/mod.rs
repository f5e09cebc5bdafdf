//! Exports: footage that is written into a file, for somebody to take away.
//!
//! ```text
//! asked for ─► waiting ─► running ─► done ─► its time is up: file and row go
//!                 │           ├────► failed, with a sentence
//!                 └───────────┴────► cancelled
//! ```
//!
//! [`Exports`] is the door: who may ask for what, and what has become of it. Its task writes two at a time at most, one MP4 of a stream
//! or an archive of several with a signed [`manifest`], and takes away what is over.
//!
//! Leaves to others: what a file holds byte by byte (`playback`'s clips), who may have it (`entitlement`), rows (`db`).
//!
//! **Invariants.**
//! - Exported is what the one who asked may have when it is written, not when it was asked for: plans, holds, erasures and their own
//!   rights are looked at then, and once more before the file is given out.
//! - A file is there under its id when its row says so, and not before. What is half-written has another name and is swept away.
//! - Nothing is begun that would take the disk below what recording needs, or all files together above what the operator allows.
//!
//! **When things fail.** What ran when the service ended begins anew with the next start. A job that cannot be done says why, and is not
//! tried again by itself.

mod archive;
mod desk;
mod manifest;
mod pace;
mod run;
mod sweep;

pub use desk::{ExportSettings, Exports, NewJob};

use crate::db::DbError;
use crate::entitlement::EntitlementError;
use crate::playback::PlaybackError;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("there is no export `{0}`")]
    Unknown(String),
    #[error("{0}")]
    Value(String),
    #[error("this export has no file; it is {0}")]
    NoFile(&'static str),
    #[error("footage in this export was erased meanwhile; export what is left")]
    Erased,
    #[error("the export takes {needed} bytes, and {allowed} are left for exports; remove some, or choose less")]
    NoRoom { needed: u64, allowed: u64 },
    #[error(transparent)]
    Entitlement(#[from] EntitlementError),
    #[error(transparent)]
    Playback(#[from] PlaybackError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("{step}")]
    Io {
        step: &'static str,
        #[source]
        source: std::io::Error,
    },
}

pub type ExportResult<T> = Result<T, ExportError>;

fn io(step: &'static str) -> impl FnOnce(std::io::Error) -> ExportError {
    move |source| ExportError::Io { step, source }
}
