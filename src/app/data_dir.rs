//! The data directory, and the lock that says who uses it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StartError;
use crate::config::Config;

/// Makes the data directory and what is in it. Only its owner may look inside: the database holds credentials
/// of sources.
pub fn prepare(config: &Config) -> Result<(), StartError> {
    for path in [config.data_dir.clone(), config.run_dir()] {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| StartError::DataDir { path: path.clone(), source })?;
    }
    Ok(())
}

/// The right to be the one service of a data directory. Given back when dropped, or when the process dies in
/// whatever way: the kernel keeps it, not the file.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// # Errors
    /// [`StartError::InUse`] when another process has it, [`StartError::DataDir`] when the file cannot be written.
    pub fn take(path: &Path) -> Result<DataDirLock, StartError> {
        let io = |source| StartError::DataDir { path: path.into(), source };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Only for the message; the holder may be about to write it.
                let _ = file.read_to_string(&mut text);
                let folder = path.parent().unwrap_or(path).into();
                return Err(StartError::InUse { path: folder, pid: text.trim().parse().ok() });
            }
            Err(e) => return Err(io(e.into())),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(DataDirLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_the_lock_and_the_other_is_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = DataDirLock::take(&path).unwrap();
        match DataDirLock::take(&path) {
            Err(StartError::InUse { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        DataDirLock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_that_cannot_be_written_names_the_folder() {
        let error = DataDirLock::take(Path::new("/proc/retroview/lock")).unwrap_err();
        assert!(error.to_string().contains("/proc/retroview/lock"), "{error}");
        assert!(error.hint().contains("--data-dir"));
    }
}
