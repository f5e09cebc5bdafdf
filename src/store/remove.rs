//! Deleting block files, and the folders they leave empty.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::MediaRoot;
use super::error::{StoreResult, at};
use super::root::sync_dir;

/// Unlinks a block's file: who has it open or mapped reads on to the end. With `and_folders` the day, month and year
/// that this leaves empty go too; not for days in which blocks may still begin. No error when it is not there.
///
/// # Errors
/// [`super::StoreError::Io`]; repeat it then.
pub fn remove_block(root: &MediaRoot, relative: &str, and_folders: bool) -> StoreResult<()> {
    remove_blocks(root, [(relative, and_folders)])
}

/// [`remove_block`] for many: each folder is made durable once, which is most of what removing a small file costs.
///
/// # Errors
/// As [`remove_block`]; some of them may be gone then.
pub fn remove_blocks<'a>(root: &MediaRoot, files: impl IntoIterator<Item = (&'a str, bool)>) -> StoreResult<()> {
    let mut days: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for (relative, and_folders) in files {
        let path = root.file(relative);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            other => other.map_err(at("remove", &path))?,
        }
        let Some(day) = path.parent() else { continue };
        days.entry(day.to_path_buf()).and_modify(|all| *all &= and_folders).or_insert(and_folders);
    }
    days.iter().try_for_each(|(day, and_folders)| leave(day, *and_folders))
}

/// Makes durable that files of this day are gone, and it itself where nothing is left.
fn leave(day: &Path, and_folders: bool) -> StoreResult<()> {
    let left = if and_folders { remove_empty_folders(day)? } else { day };
    // Durable before the row goes: else a power cut brings back a file that no row knows.
    match sync_dir(left) {
        Err(e) if e.is_missing() => Ok(()),
        other => other,
    }
}

/// Day, month, year; the first that stays is returned.
fn remove_empty_folders(day: &Path) -> StoreResult<&Path> {
    let mut folder = day;
    for _ in 0..3 {
        match fs::remove_dir(folder) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) if matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::PermissionDenied) => break,
            other => other.map_err(at("remove", folder))?,
        }
        folder = folder.parent().unwrap_or(folder);
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::root;

    #[test]
    fn a_removed_block_takes_its_empty_folders_along() {
        let (_dir, root) = root();
        let touch = |path: &str| {
            fs::create_dir_all(root.file(path).parent().unwrap()).unwrap();
            fs::write(root.file(path), b"bytes").unwrap();
        };
        let [a, b, c] = ["main/cam/2026/05/03/a.mp4", "main/cam/2026/05/03/b.mp4", "main/cam/2026/06/01/c.mp4"];
        [a, b, c].iter().for_each(|p| touch(p));
        remove_block(&root, a, true).unwrap();
        assert!(!root.file(a).exists() && root.file(b).exists());
        remove_block(&root, b, true).unwrap();
        assert!(!root.file("main/cam/2026/05").exists() && root.file(c).exists());
        remove_block(&root, b, true).unwrap();
        remove_block(&root, c, false).unwrap();
        assert!(root.file("main/cam/2026/06/01").exists());
        remove_block(&root, c, true).unwrap();
        assert!(!root.file("main/cam/2026").exists() && root.file("main/cam").exists());
    }
}
