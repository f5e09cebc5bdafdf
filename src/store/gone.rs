//! Notes of what was deleted on purpose, kept with the footage.
//!
//! A database restored from yesterday's backup names files that were deleted since. These notes, written before the files go, tell such
//! a row from one whose file was lost: see `index::check`.
//!
//! `<media root>/.gone/<kind>-<number>-<first block>.json`, some 100 bytes a block.

use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::error::{StoreError, StoreResult, at};
use super::root::{GONE_FOLDER, MediaRoot, create_dirs, write_whole};
use crate::media::{BlockId, StreamId, TimeRange, Timestamp};

/// Why footage went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneKind {
    Sweep,
    Erasure,
}

impl GoneKind {
    pub fn as_str(self) -> &'static str {
        match self {
            GoneKind::Sweep => "sweep",
            GoneKind::Erasure => "erasure",
        }
    }
}

/// A block that went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GoneBlock {
    pub block: BlockId,
    pub stream: StreamId,
    pub range: TimeRange,
}

/// Blocks that went together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GoneNote {
    pub kind: GoneKind,
    /// Of the sweep or the erasure.
    pub number: i64,
    pub at: Timestamp,
    pub blocks: Vec<GoneBlock>,
}

/// Writes the note, durable on return. The same note again takes its own place.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Full`]; nothing may be deleted then.
pub fn note_gone(root: &MediaRoot, note: &GoneNote) -> StoreResult<()> {
    let Some(first) = note.blocks.first() else { return Ok(()) };
    let folder = root.path().join(GONE_FOLDER);
    create_dirs(root.path(), &folder)?;
    let path = folder.join(format!("{}-{}-{}.json", note.kind.as_str(), note.number, first.block));
    write_whole(&path, &serde_json::to_vec(note).expect("a note is always JSON"))
}

/// All notes. What is none of ours, or not whole, is skipped.
///
/// # Errors
/// [`StoreError::Io`] when they cannot be listed.
pub fn gone_notes(root: &MediaRoot) -> StoreResult<Vec<GoneNote>> {
    let folder = root.path().join(GONE_FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("list", &folder, e)),
    };
    let mut notes: Vec<GoneNote> = Vec::new();
    for entry in entries {
        let path = entry.map_err(at("list", &folder))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let text = fs::read(&path).map_err(at("read", &path))?;
            notes.extend(serde_json::from_slice::<GoneNote>(&text).ok());
        }
    }
    notes.sort_by_key(|n| (n.at, n.number));
    Ok(notes)
}

/// Removes notes from before `then`: no backup of the database is that old.
///
/// # Errors
/// [`StoreError::Io`]; they go the next time.
pub fn forget_gone_before(root: &MediaRoot, then: Timestamp) -> StoreResult<()> {
    for note in gone_notes(root)?.iter().filter(|n| n.at < then) {
        let Some(first) = note.blocks.first() else { continue };
        let path = root.path().join(GONE_FOLDER).join(format!("{}-{}-{}.json", note.kind.as_str(), note.number, first.block));
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(StoreError::io("remove", &path, e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{T0, root, stream};

    #[test]
    fn what_went_is_told_and_forgotten_when_no_backup_can_ask() {
        let (_dir, root) = root();
        assert_eq!(gone_notes(&root).unwrap(), []);
        let note = |number, at: i64| {
            let block = GoneBlock { block: BlockId::new(T0, number as u128), stream: stream("cam"), range: TimeRange::ALL };
            GoneNote { kind: GoneKind::Sweep, number, at: T0.saturating_add_micros(at), blocks: vec![block] }
        };
        note_gone(&root, &note(1, 0)).unwrap();
        note_gone(&root, &note(2, 9)).unwrap();
        note_gone(&root, &note(2, 9)).unwrap();
        std::fs::write(root.path().join(GONE_FOLDER).join("x.json"), "{").unwrap();
        assert_eq!(gone_notes(&root).unwrap(), [note(1, 0), note(2, 9)]);
        forget_gone_before(&root, T0.saturating_add_micros(9)).unwrap();
        assert_eq!(gone_notes(&root).unwrap(), [note(2, 9)]);
    }
}
