//! Media playlists and I-frame playlists (RFC 8216bis).
//!
//! Written straight into one string from the packed tables: a day is 21,600 segments and 1 MB of text. URIs are
//! relative and short, the same whatever the window, so that caches share segments between viewers.

use super::footage::{Footage, Stretch};
use super::text::{push_program_date_time, push_seconds, push_u64};
use crate::media::{Segment, SegmentEntry, TimeRange, Timestamp};

/// What the list promises about later versions of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Complete, never changes.
    Vod,
    /// Grows at its end; nothing is taken away.
    Growing,
    /// The newest segments; old ones fall off.
    Sliding,
}

/// When the times derived from `EXTINF` have drifted this far from the wall clock, the playlist says the time again. The
/// camera's clock may be 500 ppm off, 43 s in a day. One frame at 25/s: less than anyone could see, and at 100 ppm a line every
/// 400 s.
const DATE_TIME_DRIFT_US: i64 = 40_000;

/// An `EXT-X-GAP` segment is as long as a target duration, and there are at most so many in a playlist; longer gaps take
/// longer segments.
const GAP_SEGMENTS_MAX: i64 = 5_000;

/// `CAN-SKIP-UNTIL` in target durations; RFC 8216bis §4.4.3.8 asks for at least six.
const SKIP_BOUNDARY_TARGETS: u32 = 6;

/// A media playlist in all it depends on.
#[derive(Debug)]
pub struct MediaPlaylist<'a> {
    pub footage: &'a Footage,
    pub kind: Kind,
    /// At least as long as every segment, in seconds; see [`target_duration_s`].
    pub target_duration_s: u32,
    /// Where the viewer wants to start, when that is inside: rounded back to the keyframe the list begins with.
    pub start_at: Option<Timestamp>,
    /// Time without footage to be spelled out with `EXT-X-GAP`. In time order, empty unless asked for.
    pub gaps: &'a [TimeRange],
    /// `?token=…` or nothing: goes behind every URI.
    pub query: &'a str,
    /// The client has the older part (`_HLS_skip=YES`).
    pub delta: bool,
}

/// The target duration for `footage`: its longest segment rounded to whole seconds (RFC 8216bis §4.4.3.1), and no less
/// than `floor_s`, which keeps the value steady while a live list grows.
pub fn target_duration_s(footage: &Footage, floor_s: u32) -> u32 {
    let longest = footage.entries().map(|e| e.media_us).max().unwrap_or(0);
    floor_s.max(rounded_s(u64::from(longest))).max(1)
}

impl MediaPlaylist<'_> {
    /// The playlist's text.
    pub fn write(&self) -> String {
        let gap_us = self.gap_segment_us();
        let skip = self.skipped_segments();
        let per_line = 56 + self.query.len();
        let mut out = String::with_capacity(1024 + self.footage.len() * per_line + self.gaps.len() * 256);
        self.write_head(&mut out, gap_us, skip);
        let mut gaps = self.gaps.iter().copied().peekable();
        let mut before: Option<&Stretch> = None;
        let mut index = 0;
        for stretch in &self.footage.stretches {
            while let Some(gap) = gaps.next_if(|gap| gap.start() < stretch.start()) {
                self.write_gap(&mut out, gap, gap_us);
            }
            if index + stretch.len() <= skip {
                index += stretch.len();
                before = Some(stretch);
                continue;
            }
            self.write_boundary(&mut out, before, stretch);
            self.write_stretch(&mut out, stretch, skip.saturating_sub(index));
            index += stretch.len();
            before = Some(stretch);
        }
        gaps.for_each(|gap| self.write_gap(&mut out, gap, gap_us));
        if self.kind == Kind::Vod {
            out.push_str("#EXT-X-ENDLIST\n");
        }
        out
    }

    fn write_head(&self, out: &mut String, gap_us: i64, skip: usize) {
        let version = if self.delta {
            9
        } else if self.gaps.is_empty() {
            7
        } else {
            8
        };
        out.push_str("#EXTM3U\n#EXT-X-VERSION:");
        push_u64(out, version);
        out.push_str("\n#EXT-X-TARGETDURATION:");
        let gap_s = u32::try_from(gap_us / 1_000_000).unwrap_or(u32::MAX);
        push_u64(out, u64::from(self.target_duration_s.max(if self.gaps.is_empty() { 0 } else { gap_s })));
        out.push_str("\n#EXT-X-MEDIA-SEQUENCE:");
        push_u64(out, self.footage.first_sequence());
        match self.kind {
            Kind::Vod => out.push_str("\n#EXT-X-PLAYLIST-TYPE:VOD\n"),
            Kind::Growing => out.push_str("\n#EXT-X-PLAYLIST-TYPE:EVENT\n"),
            Kind::Sliding => {
                out.push_str("\n#EXT-X-DISCONTINUITY-SEQUENCE:");
                push_u64(out, self.footage.stretches[0].run.ordinal);
                out.push('\n');
            }
        }
        if self.footage.entries().all(|e| e.independent) {
            out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        if self.reloads_block() {
            out.push_str("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=");
            push_u64(out, u64::from(SKIP_BOUNDARY_TARGETS * self.target_duration_s));
            out.push('\n');
        }
        if let Some(start_at) = self.start_at {
            let offset = start_at.micros_since(self.footage.start()).max(0).unsigned_abs();
            out.push_str("#EXT-X-START:TIME-OFFSET=");
            push_seconds(out, offset);
            out.push_str(",PRECISE=YES\n");
        }
        if skip > 0 {
            out.push_str("#EXT-X-SKIP:SKIPPED-SEGMENTS=");
            push_u64(out, skip as u64);
            out.push('\n');
        }
    }

    /// Blocking reloads and delta updates count segments by number, which gap segments do not have.
    fn reloads_block(&self) -> bool {
        self.kind != Kind::Vod && self.gaps.is_empty()
    }

    /// How many segments a delta update leaves out: those further from the end than the skip boundary.
    fn skipped_segments(&self) -> usize {
        if !self.delta || !self.reloads_block() {
            return 0;
        }
        let boundary = i64::from(SKIP_BOUNDARY_TARGETS * self.target_duration_s) * 1_000_000;
        let mut beyond = self.footage.media_us() - boundary;
        let fits = |e: &&SegmentEntry| {
            beyond -= i64::from(e.media_us);
            beyond >= 0
        };
        self.footage.entries().take_while(fits).count()
    }

    fn write_boundary(&self, out: &mut String, before: Option<&Stretch>, stretch: &Stretch) {
        if let Some(before) = before {
            // A sliding list counts discontinuities by run, and a run may have ended without footage.
            let apart = stretch.run.ordinal.saturating_sub(before.run.ordinal);
            let times = if self.kind == Kind::Sliding { apart.max(1) } else { 1 };
            for _ in 0..times {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
        }
        push_map(out, stretch, self.query);
    }

    fn write_stretch(&self, out: &mut String, stretch: &Stretch, skip: usize) {
        let mut said: Option<Timestamp> = None;
        for segment in stretch.segments().skip(skip) {
            if said.is_none_or(|t| segment.start.micros_since(t).abs() > DATE_TIME_DRIFT_US) {
                push_program_date_time(out, segment.start);
                said = Some(segment.start);
            }
            push_extinf(out, u64::from(segment.entry.media_us));
            push_segment_uri(out, segment.start, self.query);
            // What a player adds up, which is not to the microsecond.
            let written_us = rounded_ms(u64::from(segment.entry.media_us)) * 1000;
            said = said.map(|t| t.saturating_add_micros(i64::try_from(written_us).unwrap_or(i64::MAX)));
        }
    }

    /// Length of one gap segment.
    fn gap_segment_us(&self) -> i64 {
        let target = i64::from(self.target_duration_s) * 1_000_000;
        let total: i64 = self.gaps.iter().map(|g| g.micros()).sum();
        // Whole seconds, because the target duration has to name it.
        target.max(total / GAP_SEGMENTS_MAX / 1_000_000 * 1_000_000 + 1_000_000)
    }

    fn write_gap(&self, out: &mut String, gap: TimeRange, gap_us: i64) {
        push_program_date_time(out, gap.start());
        let mut left = gap.micros();
        while left > 0 {
            out.push_str("#EXT-X-GAP\n");
            push_extinf(out, left.min(gap_us).unsigned_abs());
            out.push_str("gap.m4s\n");
            left -= gap_us;
        }
    }
}

fn push_map(out: &mut String, stretch: &Stretch, query: &str) {
    out.push_str("#EXT-X-MAP:URI=\"init/");
    out.push_str(&stretch.run.id.to_string());
    out.push_str(".mp4");
    out.push_str(query);
    out.push_str("\"\n");
}

/// To the millisecond: players go by the times in the media, and three more digits of a keyframe's jitter would be half of
/// what a compressed playlist of a day weighs.
fn push_extinf(out: &mut String, us: u64) {
    out.push_str("#EXTINF:");
    push_seconds(out, rounded_ms(us) * 1000);
    out.push_str(",\n");
}

fn rounded_ms(us: u64) -> u64 {
    us.saturating_add(500) / 1000
}

/// Of a duration as it is written.
fn rounded_s(us: u64) -> u32 {
    u32::try_from((rounded_ms(us) + 500) / 1000).unwrap_or(u32::MAX)
}

fn push_segment_uri(out: &mut String, start: Timestamp, query: &str) {
    out.push_str("segments/");
    push_u64(out, start.as_micros().max(0).unsigned_abs());
    out.push_str(".m4s");
    out.push_str(query);
    out.push('\n');
}

/// The keyframes of `footage`, each as the first bytes of its segment. A keyframe lasts to the next one.
pub fn iframe_playlist(footage: &Footage, ended: bool, floor_s: u32, query: &str) -> String {
    let pictures: Vec<Vec<(Segment, u64)>> = footage.stretches.iter().map(keyframes).collect();
    let longest = pictures.iter().flatten().map(|(_, us)| *us).max().unwrap_or(0);
    let mut out = String::with_capacity(512 + pictures.iter().map(Vec::len).sum::<usize>() * (96 + query.len()));
    out.push_str("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:");
    push_u64(&mut out, u64::from(floor_s.max(rounded_s(longest)).max(1)));
    out.push_str("\n#EXT-X-MEDIA-SEQUENCE:");
    push_u64(&mut out, footage.first_sequence());
    out.push_str(if ended { "\n#EXT-X-PLAYLIST-TYPE:VOD" } else { "\n#EXT-X-PLAYLIST-TYPE:EVENT" });
    out.push_str("\n#EXT-X-I-FRAMES-ONLY\n");
    let with_pictures = footage.stretches.iter().zip(&pictures).filter(|(_, pictures)| !pictures.is_empty());
    for (i, (stretch, pictures)) in with_pictures.enumerate() {
        if i > 0 {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        push_map(&mut out, stretch, query);
        push_program_date_time(&mut out, pictures[0].0.start);
        for (segment, us) in pictures {
            push_extinf(&mut out, *us);
            out.push_str("#EXT-X-BYTERANGE:");
            push_u64(&mut out, u64::from(segment.entry.keyframe_bytes));
            out.push_str("@0\n");
            push_segment_uri(&mut out, segment.start, query);
        }
    }
    if ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

/// Segments that begin with a keyframe, and how long in microseconds it is the newest.
fn keyframes(stretch: &Stretch) -> Vec<(Segment, u64)> {
    let mut found: Vec<(Segment, u64)> = Vec::new();
    for segment in stretch.segments() {
        let us = u64::from(segment.entry.media_us);
        match found.last_mut() {
            _ if segment.entry.independent && segment.entry.keyframe_bytes > 0 => found.push((segment, us)),
            Some((_, lasts)) => *lasts += us,
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::footage::testing::*;
    use super::*;

    fn playlist(footage: &Footage) -> MediaPlaylist<'_> {
        MediaPlaylist {
            footage,
            kind: Kind::Vod,
            target_duration_s: target_duration_s(footage, 0),
            start_at: None,
            gaps: &[],
            query: "",
            delta: false,
        }
    }
    fn lines_with(text: &str, tag: &str) -> usize {
        text.lines().filter(|l| l.starts_with(tag)).count()
    }
    fn at(s: i64) -> Timestamp {
        Timestamp::from_secs(START_S + s)
    }

    #[test]
    fn a_past_range_over_two_runs_and_a_gap() {
        let footage = draw("AA..B");
        let text = MediaPlaylist { start_at: Some(at(1)), ..playlist(&footage) }.write();
        let (a, b) = (footage.stretches[0].run.id, footage.stretches[1].run.id);
        let expected = format!(
            "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-START:TIME-OFFSET=1,PRECISE=YES
#EXT-X-MAP:URI=\"init/{a}.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-05-03T14:00:00.000Z
#EXTINF:4,
segments/1777816800000000.m4s
#EXTINF:4,
segments/1777816804000000.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init/{b}.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-05-03T14:00:16.000Z
#EXTINF:4,
segments/1777816816000000.m4s
#EXT-X-ENDLIST
"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn every_uri_repeats_the_token() {
        let footage = draw("AAB");
        let text = MediaPlaylist { query: "?token=v1.x.y", ..playlist(&footage) }.write();
        assert_eq!(text.matches("?token=v1.x.y").count(), 5, "three segments and two maps\n{text}");
        assert_eq!(iframe_playlist(&footage, true, 0, "?token=v1.x.y").matches("?token=v1.x.y").count(), 5);
    }

    #[test]
    fn gaps_are_spelled_out_when_asked_for() {
        let footage = draw("A..B");
        let gap = TimeRange::new(at(4), at(12)).unwrap();
        let text = MediaPlaylist { gaps: &[gap], ..playlist(&footage) }.write();
        assert_eq!(lines_with(&text, "#EXT-X-GAP"), 2, "{text}");
        assert_eq!(lines_with(&text, "#EXT-X-VERSION:8"), 1);
        let total: f64 =
            text.lines().filter_map(|l| l.strip_prefix("#EXTINF:")).map(|l| l.trim_end_matches(',').parse::<f64>().unwrap()).sum();
        assert!((total - 16.0).abs() < 1e-9);
    }

    #[test]
    fn a_gap_of_years_is_a_bounded_number_of_lines_within_the_target_duration() {
        let footage = draw("A.B");
        let gap = TimeRange::new(at(4), at(400_000_000)).unwrap();
        let text = MediaPlaylist { gaps: &[gap], ..playlist(&footage) }.write();
        assert!((4_000..=5_000).contains(&lines_with(&text, "#EXT-X-GAP")));
        let target: f64 = text.lines().find_map(|l| l.strip_prefix("#EXT-X-TARGETDURATION:")).unwrap().parse().unwrap();
        for l in text.lines().filter_map(|l| l.strip_prefix("#EXTINF:")) {
            assert!(l.trim_end_matches(',').parse::<f64>().unwrap() <= target);
        }
    }

    #[test]
    fn a_segment_without_a_keyframe_withdraws_the_promise_of_independence() {
        let footage = draw_with("AAA", 150, |i| SegmentEntry { independent: i != 1, ..four_seconds() });
        let text = playlist(&footage).write();
        assert_eq!(lines_with(&text, "#EXT-X-INDEPENDENT-SEGMENTS"), 0);
        let pictures = iframe_playlist(&footage, true, 0, "");
        assert!(pictures.contains("#EXTINF:8,\n#EXT-X-BYTERANGE:60000@0\nsegments/1777816800000000.m4s\n"), "{pictures}");
    }

    #[test]
    fn the_time_is_said_again_when_the_cameras_clock_has_drifted_a_frame() {
        // 100 ppm: 400 µs a segment, 40 ms after 100 segments.
        let footage = draw_with(&"A".repeat(301), 150, |_| SegmentEntry { wall_us: 4_000_400, ..four_seconds() });
        assert_eq!(lines_with(&playlist(&footage).write(), "#EXT-X-PROGRAM-DATE-TIME"), 3);
    }

    #[test]
    fn a_live_list_numbers_discontinuities_by_run_so_that_they_survive_sliding() {
        let mut footage = draw("AABBCC");
        let full = MediaPlaylist { kind: Kind::Sliding, ..playlist(&footage) }.write();
        assert!(full.contains("#EXT-X-MEDIA-SEQUENCE:100\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n"), "{full}");
        footage.stretches.remove(0);
        let later = MediaPlaylist { kind: Kind::Sliding, ..playlist(&footage) }.write();
        assert!(later.contains("#EXT-X-MEDIA-SEQUENCE:102\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"), "{later}");
        assert!(!later.contains("ENDLIST") && later.contains("CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24"));
    }

    #[test]
    fn a_delta_update_leaves_out_what_is_older_than_the_skip_boundary() {
        let footage = draw(&("A".repeat(60) + &"B".repeat(40)));
        let whole = MediaPlaylist { kind: Kind::Growing, ..playlist(&footage) }.write();
        let delta = MediaPlaylist { kind: Kind::Growing, delta: true, ..playlist(&footage) }.write();
        assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=94\n"), "{delta}");
        assert_eq!(lines_with(&whole, "#EXTINF"), 100);
        assert_eq!(lines_with(&delta, "#EXTINF"), 6);
        assert!(whole.ends_with(delta.split_once("#EXTINF").unwrap().1));
        let short = draw("AAAA");
        assert!(!MediaPlaylist { kind: Kind::Growing, delta: true, ..playlist(&short) }.write().contains("SKIP:"));
    }

    #[test]
    fn the_target_duration_is_the_longest_segment_rounded_and_never_below_the_floor() {
        let of = |us: u32, floor| target_duration_s(&draw_with("A", 1, |_| SegmentEntry { media_us: us, ..four_seconds() }), floor);
        assert_eq!((of(4_499_499, 0), of(4_500_000, 0), of(4_000_000, 6), of(10, 0)), (4, 5, 6, 1));
        assert_eq!(of(4_499_500, 0), 5, "written as 4.5");
    }
}
