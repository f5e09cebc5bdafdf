//! Bytes come in: sources, the workers that read them, the supervisor that owns the workers.
//!
//! ```text
//! serving process                         worker process (one per core)
//! supervisor ── commands, stdin ────────► main thread
//!     │                                   a thread per stream: ffmpeg → segment → (lane) → store
//!     ├── index ◄── committer ◄── reports, stdout ──┘
//!     └── publish: unix socket ──────────► the thread of a push stream
//! ```
//!
//! What it leaves to others: parsing (`ffmpeg`), cutting (`segment`), bytes on disk (`store`), rows (`index`).
//!
//! **Invariants.** A worker has no database and reports only what is durable. Credentials are split off a source
//! on reading and go nowhere but into the call that opens it. Recorded time never overlaps and never goes back.
//!
//! When things fail: every stop of footage is a gap with a cause and a sentence; see [`worker`] for sources and
//! disks, [`supervisor`] for workers and the database.

pub mod backoff;
pub mod frame;
mod gap_list;
pub mod import;
mod look;
pub mod protocol;
mod socket;
pub mod source;
pub mod supervisor;
pub mod worker;

pub use look::{LookError, Looker};
pub use source::{SourceError, SourceKind, SourcePolicy, SourceSpec};
pub use supervisor::{
    IngestSettings, NotRecording, Publication, PublishError, PublishReport, StreamStatus, SupervisorError, SupervisorHandle, WorkerCount,
    WorkerProgram,
};
