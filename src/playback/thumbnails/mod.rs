//! Small pictures for scrubbing: which there are over a range, and the images they are in.
//!
//! A list names images by addresses relative to itself: one sheet for a sealed block, sheets of ten for what is being written. Footage
//! without small pictures of its own names the full picture of each moment (`frame.jpg`), so a player need not know the difference.
//!
//! **Invariants.** A picture is shown while the segment is that holds its time. In a sheet of which not all may be seen, the rest is grey: a
//! picture's place in its sheet never changes. Nothing is decoded here.

mod image;
mod kept;
mod list;

pub use image::{Part, ThumbnailFile};
pub use list::{Thumbnail, ThumbnailImage, Thumbnails};

pub(super) use kept::HeadCache;
use kept::Kept;

use std::collections::HashMap;
use std::sync::Arc;

use super::footage::Slice;
use super::service::Batches;
use super::{Playback, PlaybackError};
use crate::entitlement::{EntitlementError, PermittedRange, Principal, Verb};
use crate::media::{
    BlockInfo, RunId, RunInfo, StreamId, THUMBNAIL_STEP_US, THUMBNAIL_WIDTH, ThumbnailPace, TimeRange, Timestamp, thumbnail_size,
};

/// The longest range of one list: 2,160 pictures, of which a time bar shows some dozens.
pub const THUMBNAILS_US_MAX: i64 = 6 * 3_600_000_000;
/// Without a small picture for so long, full ones stand in: two steps are what long segments leave out, and a little more.
const HOLE_US: i64 = 25_000_000;

impl Playback {
    /// What there is to be seen small of `asked`; empty where nothing is, or nothing any more.
    ///
    /// # Errors
    /// No right to it.
    pub async fn thumbnails(&self, who: &Principal, stream: &StreamId, asked: TimeRange) -> Result<Thumbnails, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        let mut list = Thumbnails { range: asked, thumbnails: Vec::new() };
        // The first moments may belong to a picture from before.
        let wider = TimeRange::new(asked.start().saturating_add_micros(-HOLE_US), asked.end())?;
        let permitted = match who.permit(Verb::Thumbnail, wider, &visible) {
            // Somebody scrolled to where nothing is any more: that is an answer, not an error.
            Err(EntitlementError::OutsideWindow) => return Ok(list),
            permitted => permitted?,
        };
        // What is grey in a sheet does not depend on what is asked for.
        let whole = who.permit(Verb::Thumbnail, TimeRange::ALL, &visible)?;
        let mut runs = Runs::default();
        let mut batches = Batches::of(&permitted);
        while let Some(blocks) = batches.next(self.index()).await? {
            for block in blocks.iter().filter(|b| b.account == *permitted.account()) {
                let run = runs.of(self, block).await?;
                if run.video.is_some() {
                    let kept = self.kept_pictures(block, &whole).await?;
                    list.thumbnails.extend(of_block(block, &run, &kept, &permitted));
                }
            }
        }
        list.thumbnails.retain(|t| t.until > asked.start());
        Ok(list)
    }
}

/// Runs of the blocks at hand: neighbours mostly share one.
#[derive(Default)]
struct Runs(HashMap<RunId, Arc<RunInfo>>);

impl Runs {
    async fn of(&mut self, playback: &Playback, block: &BlockInfo) -> Result<Arc<RunInfo>, PlaybackError> {
        if let Some(known) = self.0.get(&block.run) {
            return Ok(Arc::clone(known));
        }
        let run = playback.index().run(block.run).await?.ok_or(PlaybackError::UnknownRun(block.run))?;
        self.0.insert(block.run, Arc::clone(&run));
        Ok(run)
    }
}

/// The stretches of the block of which something may be seen.
fn shown(block: &Arc<BlockInfo>, permitted: &PermittedRange) -> Vec<Slice> {
    Slice::of(block, permitted.range()).iter().flat_map(|slice| slice.shown(permitted)).collect()
}

fn of_block(block: &Arc<BlockInfo>, run: &RunInfo, kept: &[Kept], permitted: &PermittedRange) -> Vec<Thumbnail> {
    shown(block, permitted).iter().flat_map(|slice| of_stretch(slice, run, kept, permitted.range())).collect()
}

/// The pictures that are kept of a stretch of footage, and full ones where none is for long.
fn of_stretch(slice: &Slice, run: &RunInfo, kept: &[Kept], range: TimeRange) -> Vec<Thumbnail> {
    let (start, end) = (slice.start, slice.end().min(range.end()));
    let kept: Vec<&Kept> = kept.iter().filter(|k| (start..end).contains(&k.at)).collect();
    let is_missing = |at: Timestamp| {
        let next = kept.partition_point(|k| k.at <= at);
        next.checked_sub(1).is_none_or(|before| at.micros_since(kept[before].at) > HOLE_US)
    };
    let small = kept.iter().map(|k| Thumbnail { at: k.at, until: end, image: k.image, place: k.place });
    let (width, height) = run.video.as_ref().map_or((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH), thumbnail_size);
    let full = |at| Thumbnail { at, until: end, image: ThumbnailImage::Frame(at), place: [0, 0, width, height] };
    let mut all: Vec<Thumbnail> = small.chain(moments(slice, range).filter(|at| is_missing(*at)).map(full)).collect();
    all.sort_by_key(|t| t.at);
    for i in 1..all.len() {
        all[i - 1].until = all[i].at;
    }
    all
}

/// When a picture would have been taken. Not before what may be asked for, though the first segment may begin there.
fn moments(slice: &Slice, range: TimeRange) -> impl Iterator<Item = Timestamp> {
    let mut pace = ThumbnailPace::default();
    let moments = slice.segments().flat_map(|segment| pace.moments(&segment)).map(|at| at.max(range.start()));
    let mut moments: Vec<Timestamp> = moments.filter(|at| *at < range.end()).collect();
    moments.dedup();
    moments.into_iter()
}

const _: () = assert!(HOLE_US > 2 * THUMBNAIL_STEP_US);
