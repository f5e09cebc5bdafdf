//! Wiring: from a checked configuration to a running service, and back down again.
//!
//! Start-up order, each step before anything that could do harm without it:
//!
//! 1. [`claim`]: data directory, its lock, the port. Nothing is read or written before we know that we are the
//!    only one, and a port that is taken is told before anything takes time.
//! 2. [`open()`]: the database, then the media folder it belongs to (a wrong or unmounted disk is refused), then
//!    recovery of blocks that were open, then the first administrator.
//! 3. [`start`]: the supervisor begins to record, HTTP begins to answer.
//!
//! Shutdown within two seconds: no new connections, workers finish their segment and publishers are let go while
//! requests drain, then it is over. A second signal ends it at once; blocks are recoverable at every moment.
//!
//! Leaves to others: everything a room can know by itself.

mod announce;
mod checkpoints;
mod daily;
mod data_dir;
mod error;
mod limits;
mod open;
mod service;
mod signals;

pub use announce::{Announcement, StreamNews};
pub use checkpoints::sign as sign_checkpoint;
pub use data_dir::{DataDirLock, prepare as prepare_data_dir};
pub use error::StartError;
pub use open::{Claim, Opened, claim, open, open_index, open_rows};
pub use service::{Service, importer, looker, retention, retention_settings, start};
pub use signals::{Asked, Signals};
