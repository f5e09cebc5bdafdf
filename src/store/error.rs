//! What can go wrong with bytes at rest.

use std::io;
use std::path::{Path, PathBuf};

use crate::media::GapCause;

/// What can go wrong with bytes at rest. Texts say what to do where a person can do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{step} {path}")]
    Io {
        step: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{step} {path}: no room left on this disk (or its quota is used up); make room, recording goes on by itself")]
    Full {
        step: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} holds other files and no `.retroview-media.json`: it is not a Retroview media folder. Give an empty folder, or the right one"
    )]
    Foreign { path: PathBuf },
    #[error(
        "{path} is not the media folder this database belongs to: `.retroview-media.json` is missing. Is the disk mounted? \
         If the folder was moved, set `media.root` to its new place"
    )]
    NotMounted { path: PathBuf },
    #[error(
        "{path} is the media folder `{found}`, but this database belongs to `{wanted}`: another disk is mounted there. \
         Mount the right one, or run `retroview index rebuild` to make a new index of this one"
    )]
    WrongRoot { path: PathBuf, found: String, wanted: String },
    #[error("{path} cannot be written ({source}): give its owner to the user Retroview runs as, or mount it read-write")]
    NotWritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} was written by a newer Retroview (format {found}, this one reads up to {known}): update this one")]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
    #[error("{path} is damaged: {what}")]
    Damaged { path: PathBuf, what: String },
    #[error("{path} is shorter than the index says: {len} bytes of {wanted}")]
    Shortened { path: PathBuf, len: u64, wanted: u64 },
    #[error("{path} is being written by another process")]
    Busy { path: PathBuf },
    #[error("segment {sequence} does not follow the block's last one: {what}")]
    Misplaced { sequence: u64, what: &'static str },
    #[error("{path} takes no more segments after a failed write that could not be undone")]
    Broken { path: PathBuf },
}

pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    /// Keeps "disk full" apart from other failures: it heals by itself.
    pub fn io(step: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { step, path, source },
            _ => StoreError::Io { step, path, source },
        }
    }
    pub fn damaged(path: &Path, what: impl Into<String>) -> Self {
        StoreError::Damaged { path: path.to_path_buf(), what: what.into() }
    }
    /// The cause of the gap that this failure to write makes.
    pub fn gap_cause(&self) -> GapCause {
        if self.is_full() { GapCause::DiskFull } else { GapCause::WriteFailed }
    }
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Full { .. })
    }
    pub fn is_missing(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// `map_err` for an I/O step on a path.
pub(super) fn at<'a>(step: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::io(step, path, source)
}

/// The same for rustix.
pub(super) fn at_os<'a>(step: &'static str, path: &'a Path) -> impl FnOnce(rustix::io::Errno) -> StoreError + 'a {
    move |errno| StoreError::io(step, path, errno.into())
}
