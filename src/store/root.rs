//! The media root: one folder, known by its identity file.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{StoreError, StoreResult, at, at_os};
use super::reading::{Readers, Reading};
use crate::media::{AccountId, BlockId, Gap, StreamId, Timestamp};

/// Stands in every media root; its absence means "not mounted".
pub const IDENTITY_FILE: &str = ".retroview-media.json";
/// What is in the way of repair and cannot be used, but might still hold something, is moved here. Not
/// `lost+found`: where the root is a mount point, that one belongs to the file system.
pub const LOST_FOLDER: &str = "lost-and-found";
pub(super) const JOURNAL_FOLDER: &str = ".open";
pub(super) const GONE_FOLDER: &str = ".gone";
pub(super) const STREAM_CARD: &str = "stream.json";
const ROOT_FORMAT: u32 = 1;

/// The folder under which all block files are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MediaRoot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    id: String,
    readers: Readers,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    format: u32,
    id: String,
    note: String,
}

/// What a stream's folder says about it, so that a rebuilt index has its name back. Never credentials.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamCard {
    pub stream: StreamId,
    pub account: AccountId,
    pub title: String,
    /// The source without credentials.
    pub source: String,
    #[serde(default)]
    pub paused: bool,
    #[serde(default)]
    pub removed_at: Option<Timestamp>,
    /// Gaps since the last footage, oldest first: no block file can say them, because they come after it.
    #[serde(default)]
    pub gaps_after: Vec<Gap>,
}

/// A disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    pub total_bytes: u64,
    /// For us: without what the system keeps for itself.
    pub free_bytes: u64,
}

impl MediaRoot {
    /// Says that these blocks are being read, until what is returned is dropped.
    pub fn hold(&self, blocks: Vec<BlockId>) -> Reading {
        self.0.readers.hold(blocks)
    }
    /// Whether somebody said that they are reading this block.
    pub fn is_read(&self, block: BlockId) -> bool {
        self.0.readers.any(block)
    }

    /// Opens the media root at `path`. `known_id` is the identity that the database remembers: `None` on first
    /// use, and then a missing or empty folder becomes a media root.
    ///
    /// # Errors
    /// [`StoreError::Foreign`], [`StoreError::NotMounted`], [`StoreError::WrongRoot`],
    /// [`StoreError::NotWritable`], [`StoreError::NewerFormat`]; nothing has been changed then.
    pub fn open_or_create(path: &Path, known_id: Option<&str>) -> StoreResult<MediaRoot> {
        match read_identity(path)? {
            Some(identity) => Self::checked(path, identity, known_id),
            None if known_id.is_some() => Err(StoreError::NotMounted { path: path.to_path_buf() }),
            None => Self::create(path),
        }
    }

    /// Opens what is there and creates nothing.
    ///
    /// # Errors
    /// As [`MediaRoot::open_or_create`]; [`StoreError::NotMounted`] when there is no identity file.
    pub fn open(path: &Path, known_id: Option<&str>) -> StoreResult<MediaRoot> {
        let identity = read_identity(path)?.ok_or_else(|| StoreError::NotMounted { path: path.to_path_buf() })?;
        Self::checked(path, identity, known_id)
    }

    /// The media root that should be at `path`, whether it is there or not: for whoever asks rows only, such as where retention stands
    /// while a disk is away. What touches files looks with [`MediaRoot::still_there`] first.
    pub fn expected(path: &Path, known_id: &str) -> MediaRoot {
        MediaRoot(Arc::new(Inner { path: path.to_path_buf(), id: known_id.to_owned(), readers: Readers::default() }))
    }

    fn checked(path: &Path, identity: Identity, known_id: Option<&str>) -> StoreResult<MediaRoot> {
        if identity.format > ROOT_FORMAT {
            return Err(StoreError::NewerFormat { path: path.to_path_buf(), found: identity.format, known: ROOT_FORMAT });
        }
        if let Some(wanted) = known_id.filter(|k| *k != identity.id) {
            return Err(StoreError::WrongRoot { path: path.to_path_buf(), found: identity.id, wanted: wanted.to_string() });
        }
        check_writable(path)?;
        let path = path.canonicalize().map_err(at("find the media folder", path))?;
        Ok(MediaRoot(Arc::new(Inner { path, id: identity.id, readers: Readers::default() })))
    }

    fn create(path: &Path) -> StoreResult<MediaRoot> {
        fs::create_dir_all(path).map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::NotWritable { path: path.to_path_buf(), source: e },
            _ => StoreError::io("create the media folder", path, e),
        })?;
        for entry in fs::read_dir(path).map_err(at("list the media folder", path))? {
            let name = entry.map_err(at("list the media folder", path))?.file_name();
            // A fresh ext4 has `lost+found`; an interrupted first start leaves the temporary identity.
            if name != "lost+found" && !name.to_string_lossy().starts_with(IDENTITY_FILE) {
                return Err(StoreError::Foreign { path: path.to_path_buf() });
            }
        }
        check_writable(path)?;
        let identity = Identity {
            format: ROOT_FORMAT,
            id: random_id(path)?,
            note: "Retroview media folder. Recordings are below; do not remove this file.".into(),
        };
        let text = serde_json::to_vec_pretty(&identity).expect("strings and a number are always JSON");
        write_whole(&path.join(IDENTITY_FILE), &text)?;
        Self::checked(path, identity, None)
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }
    /// Random, made at creation; the database remembers it.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// What is free for us on this disk, in bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder is gone.
    pub fn free_bytes(&self) -> StoreResult<u64> {
        Ok(self.room()?.free_bytes)
    }

    /// How large this disk is, and what is free for us.
    ///
    /// # Errors
    /// As [`MediaRoot::free_bytes`].
    pub fn room(&self) -> StoreResult<Room> {
        let s = rustix::fs::statvfs(self.path()).map_err(at_os("ask for the free room of", self.path()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(s.f_frsize);
        Ok(Room { total_bytes: bytes(s.f_blocks), free_bytes: bytes(s.f_bavail) })
    }

    /// Whether the folder is still the one that was opened: a disk that goes away leaves an empty mount point.
    ///
    /// # Errors
    /// As [`MediaRoot::open`].
    pub fn still_there(&self) -> StoreResult<()> {
        Self::open(self.path(), Some(self.id())).map(drop)
    }

    /// The file of a block row: [`crate::media::BlockInfo::path`] below the root.
    pub fn file(&self, relative: &str) -> PathBuf {
        self.path().join(relative)
    }

    pub fn stream_folder(&self, account: &AccountId, stream: &StreamId) -> PathBuf {
        self.path().join(account.as_str()).join(stream.as_str())
    }

    /// Writes what the stream's folder says about it, when that has changed.
    ///
    /// # Errors
    /// [`StoreError::Io`] or [`StoreError::Full`].
    pub fn write_stream_card(&self, card: &StreamCard) -> StoreResult<()> {
        let folder = self.stream_folder(&card.account, &card.stream);
        if self.stream_card(&card.account, &card.stream).as_ref() == Some(card) {
            return Ok(());
        }
        create_dirs(self.path(), &folder)?;
        let text = serde_json::to_vec_pretty(card).expect("strings are always JSON");
        write_whole(&folder.join(STREAM_CARD), &text)
    }

    /// `None` when the folder says nothing readable.
    pub fn stream_card(&self, account: &AccountId, stream: &StreamId) -> Option<StreamCard> {
        let text = fs::read(self.stream_folder(account, stream).join(STREAM_CARD)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

fn read_identity(path: &Path) -> StoreResult<Option<Identity>> {
    let file = path.join(IDENTITY_FILE);
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| StoreError::damaged(&file, format!("{e}; put it back from a backup, or copy it from the database's record"))),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(StoreError::io("read", &file, e)),
    }
}

/// Asks the kernel instead of writing a probe: nothing to clean up, and a read-only mount answers too.
fn check_writable(path: &Path) -> StoreResult<()> {
    use rustix::fs::Access;
    rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|e| StoreError::NotWritable { path: path.to_path_buf(), source: e.into() })
}

fn random_id(path: &Path) -> StoreResult<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::io("make an identity for", path, std::io::Error::other(e)))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Whole or not at all: temporary file, sync, rename, sync of the folder. The temporary name is fixed, so a
/// kill leaves at most one and the next write replaces it; when another process puts it in place under our hands (a
/// service and an import, with cards that say the same), ours is written again.
pub(super) fn write_whole(file: &Path, bytes: &[u8]) -> StoreResult<()> {
    const TRIES: usize = 5;
    for _ in 1..TRIES {
        match try_write_whole(file, bytes) {
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
    }
    try_write_whole(file, bytes)
}

fn try_write_whole(file: &Path, bytes: &[u8]) -> StoreResult<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = (|| {
        let mut f = File::create(&temporary).map_err(at("create", &temporary))?;
        f.write_all(bytes).map_err(at("write", &temporary))?;
        f.sync_all().map_err(at("sync", &temporary))?;
        fs::rename(&temporary, file).map_err(at("put in place", file))
    })();
    if written.is_err() {
        // The first error is the one to tell; a leftover is replaced by the next write.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    file.parent().map_or(Ok(()), sync_dir)
}

/// Creates `folder` and what is missing above it, down from `root`, each name durable in its parent.
pub(super) fn create_dirs(root: &Path, folder: &Path) -> StoreResult<()> {
    match fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_dir),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound && folder != root => {
            // Never the root itself: when its disk goes away, nothing must be written to the mount point.
            match folder.parent() {
                Some(parent) if parent != root => create_dirs(root, parent)?,
                _ => return Err(StoreError::NotMounted { path: root.to_path_buf() }),
            }
            create_dirs(root, folder)
        }
        Err(e) => Err(StoreError::io("create", folder, e)),
    }
}

pub(super) fn sync_dir(folder: &Path) -> StoreResult<()> {
    File::open(folder).and_then(|d| d.sync_all()).map_err(at("sync", folder))
}
