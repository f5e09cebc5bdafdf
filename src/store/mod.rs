//! Bytes at rest: block files under one media root.
//!
//! Leaves to others: which block holds which time (`index`), what a segment is made of (`segment`), who may read
//! it (`entitlement`).
//!
//! ```text
//! <media root>/
//!   .retroview-media.json                    identity: which archive this is
//!   .open/<block id>                         journal of blocks not yet sealed and committed
//!   .open/<block id>.pictures                small pictures of these
//!   .gone/<kind>-<number>-<block id>.json    what was deleted on purpose
//!   <account>/<stream>/stream.json           the stream's title and source, without credentials
//!   <account>/<stream>/<YYYY>/<MM>/<DD>/<start>-<block id>.mp4
//!   lost-and-found/                          what repair moved out of the way
//! ```
//!
//! The format of a block file is in [`mod@format`].
//!
//! **Invariants.**
//! - A file grows only at its end, one whole segment at a time; the bytes of a finished segment never change,
//!   and no file is ever truncated below its last whole segment. Readers map files on the strength of this. The one exception is an
//!   erasure ([`wipe_segments`]): what it overwrites has been out of every answer for longer than an answer takes, and whoever looks
//!   all the same sees whole boxes of zeros or breaks off.
//! - What is reported as written has been synced ([`BlockWriter::sync`]).
//! - A writer holds its file's lock; who cannot get the lock leaves the file alone.
//! - Nothing is written to a folder without the identity file.
//!
//! **When things fail.** A write that fails, for want of room or otherwise, is undone to the last whole
//! segment, and its error says which kind it was. A kill leaves at most one torn segment at the end, which
//! [`recover`] cuts off. Damage elsewhere is found by checksums and never cut off: see `index::check`.

mod erase;
mod error;
pub mod format;
mod gone;
mod journal;
pub mod mapped;
mod mend;
mod reader;
mod reading;
mod remove;
mod root;
mod scan;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod thumbnails;
mod walk;
mod writer;

pub use erase::{is_wiped, wipe_block, wipe_segments};
pub use error::{StoreError, StoreResult};
pub use format::{BlockHeader, RunEnd, Sealed, SegmentHeader, Trailer};
pub use gone::{GoneBlock, GoneKind, GoneNote, forget_gone_before, gone_notes, note_gone};
pub use journal::{OpenNote, forget_open, open_notes};
pub use mend::{MendedBlock, copy_block, move_to_lost, provable_segments, remove_copy, remove_empty};
pub use reader::{BlockCache, BlockFile};
pub use reading::Reading;
pub use remove::{remove_block, remove_blocks};
pub use root::{IDENTITY_FILE, LOST_FOLDER, MediaRoot, Room, StreamCard};
pub use scan::{
    Damage, Found, Recovered, RecoveredState, Scan, SealedFile, block_pictures, is_being_written, read_header, read_sealed, recover, scan,
};
pub use walk::{BlockName, Entry, StreamFolder, StreamWalk, stream_folders};
pub use writer::{BlockWriter, NewBlock, NewSegment};
