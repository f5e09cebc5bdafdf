//! Which pictures are kept small for scrubbing: one for every ten seconds of the clock.

use super::{Segment, Timestamp, VideoTrack};

/// One picture for each step of wall time. Half would double what they cost in bytes and decoding; at double, a hand on the time bar
/// sees a slide show.
pub const THUMBNAIL_STEP_US: i64 = 10_000_000;
/// Pixels. Wide enough to tell who is at the door; the height follows.
pub const THUMBNAIL_WIDTH: u32 = 160;
/// A portrait picture is no higher than this.
const HEIGHT_MAX: u32 = 640;

/// Picks the moments, in time order: the first segment of each step, by its first picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThumbnailPace {
    last: Option<Timestamp>,
}

impl ThumbnailPace {
    /// Whether the picture at `at` is the first of its step; it is counted as taken then.
    pub fn takes(&mut self, at: Timestamp) -> bool {
        let step = |t: Timestamp| t.as_micros().div_euclid(THUMBNAIL_STEP_US);
        let due = self.last.is_none_or(|last| step(last) < step(at));
        if due {
            self.last = Some(at);
        }
        due
    }

    /// The moments of a segment: its start, and where no segment begins for long, the steps inside it.
    pub fn moments(&mut self, segment: &Segment) -> Vec<Timestamp> {
        let mut moments = Vec::new();
        if self.takes(segment.start) {
            moments.push(segment.start);
        }
        let (start, end) = (segment.start.as_micros(), segment.end().as_micros());
        if end - start > THUMBNAIL_STEP_US {
            let next = (start.div_euclid(THUMBNAIL_STEP_US) + 1) * THUMBNAIL_STEP_US;
            let steps = (next..end).step_by(THUMBNAIL_STEP_US as usize).map(Timestamp::from_micros);
            moments.extend(steps.filter(|at| self.takes(*at)));
        }
        moments
    }
}

/// Width and height of the small picture of a track with square pixels.
pub fn thumbnail_size(video: &VideoTrack) -> (u32, u32) {
    let width = THUMBNAIL_WIDTH.min(video.width.max(2));
    let height = (u64::from(video.height) * u64::from(width)).checked_div(u64::from(video.width)).unwrap_or(0);
    let even = |v: u32| (v.max(2) + 1) & !1;
    (even(width), even(u32::try_from(height).unwrap_or(HEIGHT_MAX).min(HEIGHT_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::SegmentEntry;

    fn segment(start_s: i64, seconds: u32) -> Segment {
        let entry = SegmentEntry {
            wall_us: seconds * 1_000_000,
            media_us: seconds * 1_000_000,
            video_bytes: 1000,
            audio_bytes: 0,
            keyframe_bytes: 100,
            independent: true,
            erased: false,
        };
        Segment { start: Timestamp::from_secs(start_s), entry, offset: 0, position: 0 }
    }

    fn picked(segments: &[(i64, u32)]) -> Vec<i64> {
        let mut pace = ThumbnailPace::default();
        let moments = segments.iter().flat_map(|(start, seconds)| pace.moments(&segment(*start, *seconds)));
        moments.map(|t| t.as_micros() / 1_000_000).collect()
    }

    #[test]
    fn one_picture_stands_for_ten_seconds_of_the_clock() {
        assert_eq!(picked(&[(102, 4), (106, 4), (110, 4), (114, 4), (118, 4), (122, 4)]), [102, 110, 122]);
        assert_eq!(picked(&[(102, 20), (122, 4), (129, 4), (133, 25)]), [102, 110, 120, 133, 140, 150]);
        assert_eq!(picked(&[(0, 10), (10, 10), (20, 10)]), [0, 10, 20]);
    }

    #[test]
    fn small_pictures_keep_their_shape() {
        let size = |width, height| thumbnail_size(&VideoTrack { codec: String::new(), width, height, fps_num: 25, fps_den: 1 });
        assert_eq!(size(1920, 1080), (160, 90));
        assert_eq!(size(640, 480), (160, 120));
        assert_eq!(size(1080, 1920), (160, 284));
        assert_eq!(size(120, 90), (120, 90));
        assert_eq!(size(0, 0), (2, 2));
        assert_eq!(size(16, 60_000), (16, 640));
    }
}
