//! Why an import does not happen. Each names the file, and what to do.

use std::path::PathBuf;

use crate::db::DbError;
use crate::media::{RunId, StreamId, TimeRange};

/// See the module's documentation.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("there is no stream `{0}`")]
    UnknownStream(StreamId),
    #[error("{path} cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} holds no media files ({known})")]
    NoFiles { path: PathBuf, known: &'static str },
    #[error("the name of {path} is not Unicode; rename it")]
    Name { path: PathBuf },
    #[error("when {path} was recorded is not known: {why}")]
    Start { path: PathBuf, why: String },
    #[error("{path} would end at {end}, in the future; check its start and the time zone of file names")]
    Future { path: PathBuf, end: String },
    #[error("{path} ({range}) overlaps {other} ({other_range}); give the right start for each", range = spoken(*range), other_range = spoken(*other_range))]
    FilesOverlap { path: PathBuf, range: TimeRange, other: PathBuf, other_range: TimeRange },
    #[error("{path} ({range}) overlaps what is recorded, {existing} (run {run}{import})", range = spoken(*range), existing = spoken(*existing))]
    Overlap { path: PathBuf, range: TimeRange, existing: TimeRange, run: RunId, import: String },
    #[error("{path} would overlap footage recorded meanwhile ({existing}); import it again", existing = spoken(*existing))]
    OvertakenBy { path: PathBuf, existing: TimeRange },
    #[error("{path} cannot be imported: {why}")]
    Failed { path: PathBuf, why: String },
    #[error("start a process to read {path}")]
    Child {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the process reading {path} {words}; the file is damaged in a way that should be reported")]
    ChildDied { path: PathBuf, words: String },
    #[error("lock {path}, so that only one import runs")]
    Lock {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// `2026-05-03T14:00:00Z to 2026-05-03T15:00:00Z`
pub(super) fn spoken(range: TimeRange) -> String {
    format!("{} to {}", range.start().to_rfc3339(3), range.end().to_rfc3339(3))
}
