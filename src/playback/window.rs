//! Which footage a playlist shows, and whether it will change.

use std::time::Duration;

use super::footage::Footage;
use super::playlist::{Kind, MediaPlaylist, iframe_playlist, target_duration_s};
use super::{Playback, PlaybackError, multivariant_playlist};
use crate::entitlement::{PermittedRange, Principal, Verb};
use crate::media::{StreamId, TimeRange, Timestamp};

/// What a live playlist without a start shows: enough to pause for a moment, short enough to be fetched every few seconds
/// for next to nothing.
const LIVE_WINDOW_US: i64 = 120_000_000;

/// A range whose end has passed is complete once its last segment has been written. The longest segment (`media.segment_max`)
/// with its sync takes well under this; a stream that does not record would otherwise never be complete.
const SETTLED_AFTER_US: i64 = 30_000_000;

/// More segments are not put into one playlist: nine days of 4 s, 9 MB of text.
pub const SEGMENTS_MAX: usize = 200_000;

/// RFC 8216bis §6.2.5.2: a blocking reload is answered after three target durations at the latest; and before anything
/// between us and the player gives the request up.
const BLOCK_TARGETS: u32 = 3;
const BLOCK_S_MAX: u32 = 20;

/// What a player asks for.
#[derive(Clone, Debug)]
pub struct PlaylistRequest {
    pub stream: StreamId,
    /// `None` with no end: live.
    pub start: Option<Timestamp>,
    /// `None` or in the future: still growing.
    pub end: Option<Timestamp>,
    /// Spell out gaps.
    pub gaps: bool,
    /// `?token=…`, or empty: repeated behind every URI.
    pub query: String,
    /// `_HLS_msn`: wait until the playlist has the segment of this number.
    pub wait_for: Option<u64>,
    /// `_HLS_skip`.
    pub delta: bool,
}

/// A playlist and whether it may be kept.
#[derive(Clone, Debug)]
pub struct Playlist {
    pub text: String,
    /// Complete: the same for ever after.
    pub complete: bool,
}

/// The part of a stream that a playlist shows.
struct Window {
    footage: Footage,
    kind: Kind,
    permitted: PermittedRange,
}

impl Playback {
    /// # Errors
    /// Nothing may be seen of the range, or there is nothing in it.
    pub async fn media_playlist(&self, who: &Principal, asked: &PlaylistRequest) -> Result<Playlist, PlaybackError> {
        let mut window = self.window(who, asked).await?;
        let mut target = self.steady_target(&asked.stream, &window);
        if let Some(number) = asked.wait_for.filter(|_| window.kind != Kind::Vod) {
            window = self.wait_for_segment(who, asked, window, number, target).await?;
            target = self.steady_target(&asked.stream, &window);
        }
        let gaps = if asked.gaps && window.kind != Kind::Sliding { self.closed_gaps(&window).await? } else { Vec::new() };
        let playlist = MediaPlaylist {
            footage: &window.footage,
            kind: window.kind,
            target_duration_s: target,
            start_at: asked.start.map(|_| window.permitted.start()),
            gaps: &gaps,
            query: &asked.query,
            delta: asked.delta,
        };
        Ok(Playlist { text: playlist.write(), complete: window.kind == Kind::Vod })
    }

    /// # Errors
    /// As [`Playback::media_playlist`]; [`PlaybackError::NoPicture`] for sound alone.
    pub async fn iframe_playlist(&self, who: &Principal, asked: &PlaylistRequest) -> Result<Playlist, PlaybackError> {
        let window = self.window(who, asked).await?;
        if window.footage.runs().all(|r| r.video.is_none()) {
            return Err(PlaybackError::NoPicture);
        }
        let target = self.steady_target(&asked.stream, &window);
        let complete = window.kind == Kind::Vod;
        Ok(Playlist { text: iframe_playlist(&window.footage, complete, target, &asked.query), complete })
    }

    /// `prefix` leads to the media playlists, `query` is what they are asked with.
    ///
    /// # Errors
    /// As [`Playback::media_playlist`].
    pub async fn multivariant_playlist(
        &self,
        who: &Principal,
        asked: &PlaylistRequest,
        prefix: &str,
        query: &str,
    ) -> Result<Playlist, PlaybackError> {
        let window = self.window(who, asked).await?;
        Ok(Playlist { text: multivariant_playlist(&window.footage, prefix, query), complete: window.kind == Kind::Vod })
    }

    async fn window(&self, who: &Principal, asked: &PlaylistRequest) -> Result<Window, PlaybackError> {
        let now = self.clock().now();
        let edge = self.live_edge(&asked.stream).await?.borrow().end;
        let (wanted, sliding) = match (asked.start, asked.end) {
            (None, None) => {
                // From the edge, not from now: a stream that stands still keeps its last minutes in view.
                let from = edge.unwrap_or(now).saturating_add_micros(-LIVE_WINDOW_US);
                (TimeRange::new(from, Timestamp::MAX)?, true)
            }
            (start, end) => (TimeRange::new(start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX))?, false),
        };
        let permitted = self.permit(who, Verb::View, &asked.stream, wanted).await?;
        let end = permitted.range().end();
        let settled = end <= now && (edge.is_some_and(|edge| end <= edge) || now.micros_since(end) >= SETTLED_AFTER_US);
        let kind = match (settled, sliding) {
            (true, _) => Kind::Vod,
            (false, true) => Kind::Sliding,
            (false, false) => Kind::Growing,
        };
        let mut footage = self.footage(&permitted, SEGMENTS_MAX).await?;
        if kind == Kind::Sliding {
            footage.keep_sliding_tail();
        }
        Ok(Window { footage, kind, permitted })
    }

    /// Target durations must not change while a list is being reloaded (RFC 8216bis §6.2.1), so the longest ever shown
    /// of a live stream stays.
    fn steady_target(&self, stream: &StreamId, window: &Window) -> u32 {
        if window.kind == Kind::Vod {
            return target_duration_s(&window.footage, 0);
        }
        let mut floors = self.target_floors();
        let floor = floors.entry(stream.clone()).or_insert(0);
        *floor = target_duration_s(&window.footage, *floor);
        *floor
    }

    /// Waits until the window has the segment of this number, at most three target durations: then the list is sent as it
    /// is, because a camera that stands still is no error of the player's.
    async fn wait_for_segment(
        &self,
        who: &Principal,
        asked: &PlaylistRequest,
        mut window: Window,
        number: u64,
        target_s: u32,
    ) -> Result<Window, PlaybackError> {
        let last = |w: &Window| w.footage.first_sequence() + w.footage.len() as u64 - 1;
        if number > last(&window) + 2 {
            return Err(PlaybackError::TooFarAhead);
        }
        let mut edge = self.live_edge(&asked.stream).await?;
        let deadline = tokio::time::sleep(Duration::from_secs(u64::from((BLOCK_TARGETS * target_s).min(BLOCK_S_MAX))));
        tokio::pin!(deadline);
        while last(&window) < number && window.kind != Kind::Vod {
            tokio::select! {
                changed = edge.changed() => if changed.is_err() { break },
                () = &mut deadline => break,
            }
            window = self.window(who, asked).await?;
        }
        Ok(window)
    }

    /// Time without footage inside the window. What still lasts is not in yet, because it would change.
    async fn closed_gaps(&self, window: &Window) -> Result<Vec<TimeRange>, PlaybackError> {
        let (asked, footage) = (window.permitted.range(), &window.footage);
        let mut gaps = Vec::new();
        // Time before the first footage of all is no gap.
        let (before, _) = self.index().neighbours(window.permitted.stream(), asked.start()).await?;
        if before.is_some() {
            gaps.extend(TimeRange::new(window.permitted.start(), footage.start()));
        }
        gaps.extend(footage.stretches.windows(2).filter_map(|w| TimeRange::new(w[0].end(), w[1].start()).ok()));
        if window.kind == Kind::Vod {
            let (_, after) = self.index().neighbours(window.permitted.stream(), footage.end()).await?;
            gaps.extend(after.and_then(|_| TimeRange::new(footage.end(), asked.end()).ok()));
        }
        Ok(gaps)
    }
}
