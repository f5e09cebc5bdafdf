//! The journal of open blocks: one small file for each block that is not yet sealed *and* committed.
//!
//! A block file is created before its row is committed, so a kill in between would leave a file that no row
//! names; finding it by listing folders would take longer with every day of archive. Instead its path is noted
//! in `<media root>/.open/<block id>` first. Recovery reads this folder, which holds about one entry per
//! recording stream whatever the archive's size, and the entry goes when the sealed row is committed.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use super::error::{StoreError, StoreResult, at};
use super::root::{JOURNAL_FOLDER, MediaRoot, create_dirs, sync_dir};
use crate::media::BlockId;

/// A block that may have bytes without a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenNote {
    pub id: BlockId,
    /// Below the media root.
    pub path: String,
}

fn note_path(root: &MediaRoot, id: BlockId) -> PathBuf {
    root.path().join(JOURNAL_FOLDER).join(id.to_string())
}

pub(super) fn note_open(root: &MediaRoot, id: BlockId, relative: &str) -> StoreResult<()> {
    let folder = root.path().join(JOURNAL_FOLDER);
    create_dirs(root.path(), &folder)?;
    let path = note_path(root, id);
    let mut file = fs::File::create(&path).map_err(at("create", &path))?;
    let written = file.write_all(relative.as_bytes()).and_then(|()| file.sync_all());
    if let Err(e) = written {
        // An empty note is only clutter: the error is what counts.
        let _ = fs::remove_file(&path);
        return Err(StoreError::io("write", &path, e));
    }
    sync_dir(&folder)
}

/// The block's sealed row is committed: nothing is left to recover, and its pictures are in the file.
///
/// # Errors
/// [`StoreError::Io`]; no error when there was no note.
pub fn forget_open(root: &MediaRoot, id: BlockId) -> StoreResult<()> {
    // First: without the note nobody would look for them again.
    super::thumbnails::forget_thumbnails(root, id)?;
    let path = note_path(root, id);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::io("remove", &path, e)),
    }
}

/// All blocks noted as open. What is no note of ours is skipped.
///
/// # Errors
/// [`StoreError::Io`] when the journal cannot be read.
pub fn open_notes(root: &MediaRoot) -> StoreResult<Vec<OpenNote>> {
    let folder = root.path().join(JOURNAL_FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("list", &folder, e)),
    };
    let mut notes = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at("list", &folder))?;
        let Ok(id) = entry.file_name().to_string_lossy().parse::<BlockId>() else { continue };
        let path = fs::read_to_string(entry.path()).map_err(at("read", &entry.path()))?;
        notes.push(OpenNote { id, path });
    }
    notes.sort_by_key(|n| n.id);
    Ok(notes)
}
