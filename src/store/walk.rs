//! What lies in a media folder, stream by stream and day by day, in time order.
//!
//! Only names are read. A day of one stream is listed at a time, so the walk needs no memory for the rest of
//! the archive. Names that begin with a dot (our identity and journal, network file systems' leftovers,
//! trash folders), `lost+found` and [`LOST_FOLDER`] are not looked at.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::error::{StoreResult, at};
use super::root::{LOST_FOLDER, MediaRoot, STREAM_CARD};
use crate::media::{AccountId, BlockId, StreamId, Timestamp, block_path};

/// The folder of one stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamFolder {
    pub account: AccountId,
    pub stream: StreamId,
}

/// The name of a block file, which says where its block begins. Orders by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockName {
    pub start: Timestamp,
    pub id: BlockId,
}

/// One thing found in a stream's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Named and placed like a block file of this stream.
    Block(BlockName),
    /// Anything else, by its path below the media root; a folder stands for all that is in it.
    Stray(String),
}

/// The folders of all streams, by account and stream, and the strays beside them.
///
/// # Errors
/// [`super::StoreError::Io`] when a folder cannot be listed.
pub fn stream_folders(root: &MediaRoot) -> StoreResult<(Vec<StreamFolder>, Vec<String>)> {
    let (mut folders, mut strays) = (Vec::new(), Vec::new());
    for entry in list(root, "")? {
        if entry.name == "lost+found" || entry.name == LOST_FOLDER {
            continue;
        }
        let Some(account) = entry.folder_named::<AccountId>() else {
            strays.push(entry.path);
            continue;
        };
        for entry in list(root, &entry.path)? {
            match entry.folder_named::<StreamId>() {
                Some(stream) => folders.push(StreamFolder { account: account.clone(), stream }),
                None => strays.push(entry.path),
            }
        }
    }
    Ok((folders, strays))
}

/// Walks one stream's folder. Folders and files that come while it walks may or may not be met.
#[derive(Debug)]
pub struct StreamWalk {
    root: MediaRoot,
    folder: StreamFolder,
    /// Folders still to be listed, the next one last, and how deep they lie: 1 year, 2 month, 3 day.
    pending: Vec<(String, usize)>,
}

impl StreamWalk {
    pub fn new(root: &MediaRoot, folder: &StreamFolder) -> StreamWalk {
        let path = format!("{}/{}", folder.account, folder.stream);
        StreamWalk { root: root.clone(), folder: folder.clone(), pending: vec![(path, 0)] }
    }

    /// The next folder's entries: strays, and a day's block files in time order. `None`: that was all.
    ///
    /// # Errors
    /// [`super::StoreError::Io`] when a folder cannot be listed; the walk can go on behind it.
    pub fn next_folder(&mut self) -> StoreResult<Option<Vec<Entry>>> {
        let Some((path, depth)) = self.pending.pop() else { return Ok(None) };
        let (mut found, mut deeper) = (Vec::new(), Vec::new());
        for entry in list(&self.root, &path)? {
            match depth {
                0 if entry.name.starts_with(STREAM_CARD) => {}
                0..3 if entry.is_folder && is_number(&entry.name, if depth == 0 { 4 } else { 2 }) => deeper.push((entry.path, depth + 1)),
                3 => match (entry.is_folder, BlockName::parse(&self.folder, &entry.path)) {
                    (false, Some(name)) => found.push(Entry::Block(name)),
                    _ => found.push(Entry::Stray(entry.path)),
                },
                _ => found.push(Entry::Stray(entry.path)),
            }
        }
        self.pending.extend(deeper.into_iter().rev());
        Ok(Some(found))
    }
}

impl BlockName {
    /// Reads a path below the media root. There is one spelling for each block.
    pub fn parse(folder: &StreamFolder, path: &str) -> Option<BlockName> {
        let name = path.rsplit('/').next()?.strip_suffix(".mp4")?;
        let (time, id) = name.split_once('-')?;
        let part = |from: usize, to: usize| time.get(from..to);
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, time.len())?);
        let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}");
        let start = Timestamp::parse(&text, Timestamp::MIN).ok()?;
        let name = BlockName { start, id: id.parse().ok()? };
        (name.path(folder) == path).then_some(name)
    }
    /// Below the media root.
    pub fn path(&self, folder: &StreamFolder) -> String {
        block_path(&folder.account, &folder.stream, self.start, self.id)
    }
}

struct Listed {
    name: String,
    /// Below the media root.
    path: String,
    is_folder: bool,
}

impl Listed {
    fn folder_named<T: std::str::FromStr>(&self) -> Option<T> {
        self.name.parse().ok().filter(|_| self.is_folder)
    }
}

/// One folder by name order. A folder that is not there is empty.
fn list(root: &MediaRoot, relative: &str) -> StoreResult<Vec<Listed>> {
    let folder = if relative.is_empty() { root.path().to_path_buf() } else { root.file(relative) };
    let entries = match fs::read_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound && !relative.is_empty() => return Ok(Vec::new()),
        other => other.map_err(at("list", &folder))?,
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at("list", &folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
        // Through links: an operator may keep a stream on another disk.
        let is_folder = is_folder(&entry.path());
        listed.push(Listed { name, path, is_folder });
    }
    listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_dir())
}

fn is_number(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{T0, root};

    #[test]
    fn a_walk_meets_blocks_in_time_order_and_names_what_is_no_block() {
        let (_dir, root) = root();
        let cam = StreamFolder { account: AccountId::main(), stream: "cam".parse().unwrap() };
        let at = |s: i64| BlockName { start: T0.saturating_add_micros(s * 1_000_000), id: BlockId::new(T0, 7 + s as u128) };
        let day = 86_400;
        let names = [at(40 * day), at(0), at(day), at(1), at(700 * day)];
        let touch = |path: &str| {
            fs::create_dir_all(root.file(path).parent().unwrap()).unwrap();
            fs::write(root.file(path), b"").unwrap();
        };
        names.iter().for_each(|n| touch(&n.path(&cam)));
        let misplaced = names[0].path(&cam).replace("/06/", "/07/");
        let strays = ["main/cam/2026/05/03/notes.txt", "main/cam/2026/x/y", "main/cam/old/z", &misplaced];
        strays.iter().for_each(|p| touch(p));
        for ignored in ["main/cam/stream.json", "main/cam/stream.json.tmp", "main/cam/2026/05/.nfs01", "lost+found/x", ".Trash/x"] {
            touch(ignored);
        }
        touch(&format!("{LOST_FOLDER}/main/cam/x"));
        touch("holiday.jpg");
        touch("main/A B/x");

        let (folders, beside) = stream_folders(&root).unwrap();
        assert_eq!(folders, std::slice::from_ref(&cam));
        assert_eq!(beside, ["holiday.jpg", "main/A B"]);
        let mut walk = StreamWalk::new(&root, &cam);
        let (mut blocks, mut found) = (Vec::new(), Vec::new());
        while let Some(entries) = walk.next_folder().unwrap() {
            for entry in entries {
                match entry {
                    Entry::Block(name) => blocks.push(name),
                    Entry::Stray(path) => found.push(path),
                }
            }
        }
        assert_eq!(blocks, [at(0), at(1), at(day), at(40 * day), at(700 * day)]);
        found.sort();
        let mut want = vec!["main/cam/2026/05/03/notes.txt", "main/cam/2026/x", "main/cam/old", &misplaced];
        want.sort_unstable();
        assert_eq!(found, want);
    }
}
