//! The small pictures that are kept of a block.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::list::ThumbnailImage;
use super::shown;
use crate::entitlement::PermittedRange;
use crate::media::{BlockId, BlockInfo, BlockState, TimeRange, Timestamp};
use crate::playback::footage::Slice;
use crate::playback::{Playback, PlaybackError};
use crate::store::thumbnails::{COLUMNS, PictureHead, Pictures, Thumbnail as Picture, Tiles, open_thumbnails};

/// Read at once of a block's pictures: what lists those of ten minutes, and of an hour in one more.
const HEAD_BYTES: u64 = 4 << 10;

/// What is in the boxes of sealed blocks, by block and checksum: an erasure changes both.
#[derive(Debug)]
pub(in crate::playback) struct HeadCache(Cache<(BlockId, Option<u64>), Option<Arc<PictureHead>>>);

/// A month of a stream; 1 KB each.
const HEADS_MAX: usize = 4096;

impl HeadCache {
    pub(in crate::playback) fn new() -> Self {
        HeadCache(Cache::new(HEADS_MAX))
    }
}

/// A small picture that is kept and may be seen.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub at: Timestamp,
    pub image: ThumbnailImage,
    pub place: [u32; 4],
}

/// Which pictures of a block may be seen.
pub(super) struct Shown {
    ranges: Vec<TimeRange>,
}

impl Shown {
    pub fn of(block: &Arc<BlockInfo>, permitted: &PermittedRange) -> Self {
        let range = |slice: &Slice| TimeRange::new(slice.start, slice.end()).ok();
        Shown { ranges: shown(block, permitted).iter().filter_map(range).collect() }
    }
    pub fn has(&self, at: Timestamp) -> bool {
        self.ranges.iter().any(|range| range.contains(at))
    }
}

/// Names what may be seen of a sheet; `None`: all of it.
pub(super) fn version(seen: &[bool]) -> Option<u32> {
    let bytes: Vec<u8> = seen.iter().map(|seen| u8::from(*seen)).collect();
    // Any number will do that is another one for other pictures.
    (!seen.iter().all(|seen| *seen)).then(|| xxhash_rust::xxh3::xxh3_64(&bytes) as u32)
}

impl Playback {
    /// The small pictures of the block that may be seen, in time order.
    pub(super) async fn kept_pictures(&self, block: &Arc<BlockInfo>, permitted: &PermittedRange) -> Result<Vec<Kept>, PlaybackError> {
        let seen = Shown::of(block, permitted);
        if block.state == BlockState::Open {
            return Ok(of_open(block, &self.open_pictures(block).await, &seen));
        }
        Ok(self.picture_head(block).await?.map_or_else(Vec::new, |head| of_sealed(block, &head, &seen)))
    }

    /// Those of a block that is being written, as far as it is committed.
    pub(super) async fn open_pictures(&self, block: &BlockInfo) -> Vec<Picture> {
        let (root, id, end) = (self.reader().root().clone(), block.id, block.end());
        let read = tokio::task::spawn_blocking(move || open_thumbnails(&root, id)).await;
        let mut pictures = read.unwrap_or_default();
        pictures.retain(|picture| picture.at < end);
        pictures
    }

    async fn picture_head(&self, block: &BlockInfo) -> Result<Option<Arc<PictureHead>>, PlaybackError> {
        let key = (block.id, block.checksum);
        if let Some(known) = self.picture_heads().0.get(&key) {
            return Ok(known);
        }
        let head = self.read_head(block).await?;
        self.picture_heads().0.insert(key, head.clone());
        Ok(head)
    }

    /// `None` also where it is damaged: the footage is there all the same, and `check` finds it.
    async fn read_head(&self, block: &BlockInfo) -> Result<Option<Arc<PictureHead>>, PlaybackError> {
        let mut want = HEAD_BYTES;
        loop {
            let from = block.media_end_offset();
            let to = (from + want).min(block.size_bytes);
            if from >= to {
                return Ok(None);
            }
            let bytes = self.reader().bytes(block, from..to).await?;
            match PictureHead::decode(&bytes) {
                Ok(Some(Ok(head))) => return Ok(Some(Arc::new(head))),
                Ok(Some(Err(more))) if more as u64 > want && to < block.size_bytes => want = more as u64,
                _ => return Ok(None),
            }
        }
    }

    /// All pictures of a sealed block.
    pub(super) async fn sealed_pictures(&self, block: &BlockInfo) -> Result<Pictures, PlaybackError> {
        let range = block.media_end_offset()..block.size_bytes;
        if range.is_empty() {
            return Err(PlaybackError::NoThumbnails);
        }
        let bytes = self.reader().bytes(block, range).await?;
        let read = Pictures::decode(&bytes).map_err(|what| PlaybackError::Damaged { what: what.to_owned() })?;
        read.filter(|pictures| !pictures.head.pictures.is_empty()).ok_or(PlaybackError::NoThumbnails)
    }
}

/// One sheet.
fn of_sealed(block: &BlockInfo, head: &PictureHead, shown: &Shown) -> Vec<Kept> {
    let seen: Vec<bool> = head.pictures.iter().map(|p| !p.erased && shown.has(p.at)).collect();
    let image = ThumbnailImage::Sheet { block: block.id, part: None, version: version(&seen) };
    let columns = usize::from(head.columns);
    let kept = head.pictures.iter().enumerate().filter(|(i, _)| seen[*i]);
    kept.map(|(i, p)| Kept { at: p.at, image, place: PictureHead::place(head.size, columns, i) }).collect()
}

/// A sheet for each ten: the last of them grows, the others are fetched once.
fn of_open(block: &BlockInfo, pictures: &[Picture], shown: &Shown) -> Vec<Kept> {
    let Some((tiles, which)) = Tiles::of_pictures(pictures.iter().map(|p| &p.jpeg[..])) else { return Vec::new() };
    let mut kept = Vec::with_capacity(which.len());
    for (group, from) in which.chunks(COLUMNS).zip((0..).step_by(COLUMNS)) {
        let seen: Vec<bool> = group.iter().map(|i| shown.has(pictures[*i].at)).collect();
        let image = ThumbnailImage::Sheet { block: block.id, part: Some((from, group.len() as u32)), version: version(&seen) };
        for (cell, i) in group.iter().enumerate().filter(|(cell, _)| seen[*cell]) {
            kept.push(Kept { at: pictures[*i].at, image, place: PictureHead::place(tiles.size(), group.len(), cell) });
        }
    }
    kept
}
