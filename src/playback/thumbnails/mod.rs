//! Small pictures for scrubbing: which there are over a range, and where they lie.
//!
//! A list names images by addresses relative to itself. Footage without small pictures of its own names the full picture of each
//! moment (`frame.jpg`), so a player need not know the difference.

mod list;

pub use list::{Thumbnail, ThumbnailImage, Thumbnails};

use std::collections::HashMap;
use std::sync::Arc;

use super::footage::Slice;
use super::service::Batches;
use super::{Playback, PlaybackError};
use crate::entitlement::{EntitlementError, PermittedRange, Principal, Verb};
use crate::media::{BlockInfo, RunId, RunInfo, StreamId, THUMBNAIL_WIDTH, ThumbnailPace, TimeRange, Timestamp, thumbnail_size};

/// The longest range of one list: 2,160 pictures, of which a time bar shows some dozens.
pub const THUMBNAILS_US_MAX: i64 = 6 * 3_600_000_000;

impl Playback {
    /// What there is to be seen small of `asked`; empty where nothing is, or nothing any more.
    ///
    /// # Errors
    /// No right to it.
    pub async fn thumbnails(&self, who: &Principal, stream: &StreamId, asked: TimeRange) -> Result<Thumbnails, PlaybackError> {
        let visible = self.visible(who, stream).await?;
        let mut list = Thumbnails { range: asked, thumbnails: Vec::new() };
        let permitted = match who.permit(Verb::Thumbnail, asked, &visible) {
            // Somebody scrolled to where nothing is any more: that is an answer, not an error.
            Err(EntitlementError::OutsideWindow) => return Ok(list),
            permitted => permitted?,
        };
        let mut runs = Runs::default();
        let mut batches = Batches::of(&permitted);
        while let Some(blocks) = batches.next(self.index()).await? {
            for block in blocks.iter().filter(|b| b.account == *permitted.account()) {
                let run = runs.of(self, block).await?;
                if run.video.is_some() {
                    list.thumbnails.extend(of_block(block, &run, &permitted));
                }
            }
        }
        list.close_gaps();
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

fn of_block(block: &Arc<BlockInfo>, run: &RunInfo, permitted: &PermittedRange) -> Vec<Thumbnail> {
    let slices = Slice::of(block, permitted.range());
    let shown = slices.iter().flat_map(|slice| slice.shown(permitted));
    shown.flat_map(|slice| full_pictures(&slice, run, permitted.range())).collect()
}

/// The moments of a stretch of footage, each as the full picture.
fn full_pictures(slice: &Slice, run: &RunInfo, range: TimeRange) -> Vec<Thumbnail> {
    let (width, height) = run.video.as_ref().map_or((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH), thumbnail_size);
    let mut pace = ThumbnailPace::default();
    let moments = slice.segments().flat_map(|segment| pace.moments(&segment));
    // The first segment may begin before what may be asked for.
    let moments: Vec<Timestamp> = moments.map(|at| at.max(range.start())).filter(|at| *at < range.end()).collect();
    let ends = moments.iter().copied().skip(1).chain([slice.end().min(range.end())]);
    let pairs = moments.iter().copied().zip(ends).filter(|(at, until)| at < until);
    pairs.map(|(at, until)| Thumbnail { at, until, image: ThumbnailImage::Frame(at), place: [0, 0, width, height] }).collect()
}
