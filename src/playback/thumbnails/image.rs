//! The images that lists name: a block's sheet, or a part of it.

use std::sync::Arc;

use bytes::Bytes;

use super::kept::{Shown, version};
use crate::entitlement::{EntitlementError, Principal, Verb};
use crate::media::{BlockId, BlockInfo, BlockState, StreamId, TimeRange, Timestamp};
use crate::playback::{Playback, PlaybackError};
use crate::store::thumbnails::{COLUMNS, Tiles};

/// So many pictures from this one on; more than any list names at once would only be work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    pub from: u32,
    pub count: u32,
}

impl Part {
    pub const COUNT_MAX: u32 = 100;
}

/// A JPEG file with small pictures in it.
#[derive(Clone, Debug)]
pub struct ThumbnailFile {
    pub block: Arc<BlockInfo>,
    pub bytes: Bytes,
    pub etag: String,
    /// It will be the same whenever it is asked for: nothing of it is hidden, and nothing will be added.
    pub is_final: bool,
    /// From the first picture that is shown to the end of what the last one stands for.
    pub range: TimeRange,
}

impl Playback {
    /// The small pictures of a block, or of a part of it. What may not be seen is grey.
    ///
    /// # Errors
    /// Not permitted, nothing of it is shown any more, or there is no such block, or it has no pictures.
    pub async fn thumbnail_file(
        &self,
        who: &Principal,
        stream: &StreamId,
        id: BlockId,
        part: Option<Part>,
    ) -> Result<ThumbnailFile, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        who.permit(Verb::Thumbnail, TimeRange::ALL, &visible)?;
        let block = self.index().block(id).await?.filter(|b| b.stream == *stream && b.account == visible.account);
        let block = block.ok_or(PlaybackError::UnknownBlock(id))?;
        let range = block.range().ok_or(PlaybackError::UnknownBlock(id))?;
        let permitted = match who.permit(Verb::Thumbnail, range, &visible) {
            Err(EntitlementError::OutsideWindow) => return Err(self.nothing_in(&visible, range).await?),
            permitted => permitted?,
        };
        let shown = Shown::of(&block, &permitted);
        let file = match block.state {
            BlockState::Open => self.of_open_block(&block, &shown, part).await?,
            BlockState::Sealed => self.of_sealed_block(&block, &shown, part).await?,
        };
        match file {
            Some(file) => Ok(file),
            None => Err(self.nothing_in(&visible, permitted.range()).await?),
        }
    }

    async fn of_sealed_block(
        &self,
        block: &Arc<BlockInfo>,
        shown: &Shown,
        part: Option<Part>,
    ) -> Result<Option<ThumbnailFile>, PlaybackError> {
        let pictures = self.sealed_pictures(block).await?;
        let seen: Vec<(Timestamp, bool)> = pictures.head.pictures.iter().map(|p| (p.at, !p.erased && shown.has(p.at))).collect();
        if part.is_none() && seen.iter().all(|(_, seen)| *seen) {
            return Ok(ThumbnailFile::of(block, &seen, 0, true, |_, _| Some(pictures.sheet.clone())));
        }
        let tiles = pictures.tiles().map_err(|what| PlaybackError::Damaged { what: what.to_owned() })?;
        let columns = usize::from(pictures.head.columns);
        cut(block, &tiles, &seen, columns, part, true)
    }

    async fn of_open_block(
        &self,
        block: &Arc<BlockInfo>,
        shown: &Shown,
        part: Option<Part>,
    ) -> Result<Option<ThumbnailFile>, PlaybackError> {
        let pictures = self.open_pictures(block).await;
        let (tiles, which) = Tiles::of_pictures(pictures.iter().map(|p| &p.jpeg[..])).ok_or(PlaybackError::NoThumbnails)?;
        let seen: Vec<(Timestamp, bool)> = which.iter().map(|i| (pictures[*i].at, shown.has(pictures[*i].at))).collect();
        cut(block, &tiles, &seen, which.len().min(COLUMNS), part, false)
    }
}

/// A sheet of what may be seen of the part.
fn cut(
    block: &Arc<BlockInfo>,
    tiles: &Tiles<'_>,
    seen: &[(Timestamp, bool)],
    columns: usize,
    part: Option<Part>,
    is_sealed: bool,
) -> Result<Option<ThumbnailFile>, PlaybackError> {
    let (from, to, columns) = match part {
        None => (0, seen.len(), columns),
        Some(Part { from, count }) => (from as usize, from as usize + count as usize, (count as usize).min(COLUMNS)),
    };
    let cells = seen.get(from..to).filter(|cells| !cells.is_empty()).ok_or(PlaybackError::NoThumbnails)?;
    let sheet = |from: usize, cells: &[(Timestamp, bool)]| {
        let cells: Vec<Option<usize>> = cells.iter().enumerate().map(|(i, (_, seen))| seen.then_some(from + i)).collect();
        tiles.sheet(&cells, columns).map(Bytes::from)
    };
    // What was named when there were only so many stays as it is.
    Ok(ThumbnailFile::of(block, cells, from, is_sealed || part.is_some(), sheet))
}

impl ThumbnailFile {
    /// `None`: nothing of it is shown.
    fn of(
        block: &Arc<BlockInfo>,
        cells: &[(Timestamp, bool)],
        from: usize,
        is_complete: bool,
        sheet: impl Fn(usize, &[(Timestamp, bool)]) -> Option<Bytes>,
    ) -> Option<ThumbnailFile> {
        let mut shown = cells.iter().filter(|(_, seen)| *seen).map(|(at, _)| *at);
        let first = shown.next()?;
        let last = shown.next_back().unwrap_or(first);
        let until = last.saturating_add_micros(crate::media::THUMBNAIL_STEP_US).min(block.end());
        let version = version(&cells.iter().map(|(_, seen)| *seen).collect::<Vec<_>>());
        let etag = format!("{}-small-{from}-{}-{:x}", block.id, cells.len(), version.unwrap_or(0));
        let is_final = is_complete && version.is_none();
        let range = TimeRange::new(first, until).ok()?;
        Some(ThumbnailFile { block: Arc::clone(block), bytes: sheet(from, cells)?, etag, is_final, range })
    }
}
