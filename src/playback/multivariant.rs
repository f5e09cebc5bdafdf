//! The multivariant playlist: one variant and its keyframes.

use std::fmt::Write as _;

use super::footage::Footage;
use crate::media::{RunInfo, SegmentEntry};

/// Distinct codecs named at most; a source that changes more often than that is broken.
const CODECS_MAX: usize = 8;

/// The multivariant playlist of `footage`. `prefix` stands before both URIs, `query` behind them (`?start=…`, or nothing).
///
/// When codecs change inside the range the variant names all of them, as RFC 8216bis §4.4.6.2 demands: a player that cannot
/// decode one learns it before it stands still in the middle. Of variations of one codec only the most demanding is named.
pub fn multivariant_playlist(footage: &Footage, prefix: &str, query: &str) -> String {
    let runs: Vec<&RunInfo> = footage.runs().collect();
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:");
    let peak = peak_bit_rate(footage.entries(), SegmentEntry::media_bytes);
    let average = bit_rate(footage.bytes(), footage.media_us().unsigned_abs());
    // An average above the peak would be nonsense; it comes from segments too short to count.
    let peak = peak.max(average);
    write(&mut out, format_args!("BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}"));
    push_codecs(&mut out, runs.iter().flat_map(|r| video_codec(r).into_iter().chain(audio_codec(r))));
    let resolution = largest_picture(&runs);
    if let Some((width, height)) = resolution {
        write(&mut out, format_args!(",RESOLUTION={width}x{height}"));
    }
    if let Some(thousandths) = highest_frame_rate(&runs) {
        write(&mut out, format_args!(",FRAME-RATE={}.{:03}", thousandths / 1000, thousandths % 1000));
    }
    write(&mut out, format_args!("\n{prefix}media.m3u8{query}\n"));
    if let Some((width, height)) = resolution {
        let peak = peak_bit_rate(footage.entries().filter(|e| e.independent), |e| e.keyframe_bytes);
        write(&mut out, format_args!("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak}"));
        push_codecs(&mut out, runs.iter().filter_map(|r| video_codec(r)));
        write(&mut out, format_args!(",RESOLUTION={width}x{height},URI=\"{prefix}iframes.m3u8{query}\"\n"));
    }
    out
}

fn write(out: &mut String, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to a string cannot fail");
}

fn video_codec(run: &RunInfo) -> Option<&str> {
    run.video.as_ref().map(|v| v.codec.as_str())
}
fn audio_codec(run: &RunInfo) -> Option<&str> {
    run.audio.as_ref().map(|a| a.codec.as_str())
}

fn largest_picture(runs: &[&RunInfo]) -> Option<(u32, u32)> {
    let pictures = runs.iter().filter_map(|r| r.video.as_ref()).map(|v| (v.width, v.height));
    pictures.max_by_key(|(w, h)| u64::from(*w) * u64::from(*h))
}

/// In thousandths of a frame per second.
fn highest_frame_rate(runs: &[&RunInfo]) -> Option<u64> {
    let known = runs.iter().filter_map(|r| r.video.as_ref()).filter(|v| v.fps_num > 0 && v.fps_den > 0);
    known.map(|v| (u64::from(v.fps_num) * 1000 + u64::from(v.fps_den) / 2) / u64::from(v.fps_den)).max()
}

/// One entry per codec (the part before the dot), the greatest of its variations, in order of appearance.
fn push_codecs<'a>(out: &mut String, codecs: impl Iterator<Item = &'a str>) {
    let family = |codec: &str| codec.split('.').next().unwrap_or_default().to_owned();
    let mut chosen: Vec<&str> = Vec::new();
    for codec in codecs {
        // Quotes end the attribute; a codec string with one is not ours to repeat.
        if codec.contains(['"', '\n', '\r']) {
            continue;
        }
        match chosen.iter().position(|c| family(c) == family(codec)) {
            Some(known) => chosen[known] = chosen[known].max(codec),
            None if chosen.len() < CODECS_MAX => chosen.push(codec),
            None => {}
        }
    }
    if !chosen.is_empty() {
        write(out, format_args!(",CODECS=\"{}\"", chosen.join(",")));
    }
}

fn bit_rate(bytes: u64, us: u64) -> u64 {
    let rate = u128::from(bytes) * 8_000_000 / u128::from(us.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX).max(1)
}

/// The highest bit rate over neighbours that together last at least a second: a last segment of three frames says
/// nothing about a connection.
fn peak_bit_rate<'a>(entries: impl Iterator<Item = &'a SegmentEntry>, bytes_of: impl Fn(&SegmentEntry) -> u32) -> u64 {
    let (mut peak, mut bytes, mut us) = (1, 0u64, 0u64);
    for entry in entries {
        bytes += u64::from(bytes_of(entry));
        us += u64::from(entry.media_us);
        if us >= 1_000_000 {
            peak = peak.max(bit_rate(bytes, us));
            (bytes, us) = (0, 0);
        }
    }
    if peak == 1 && us > 0 { bit_rate(bytes, us) } else { peak }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::footage::testing::*;
    use super::*;

    fn with_codecs(changes: &[(&str, u32, u32)]) -> Footage {
        let mut footage = draw(&"ABCDEF"[..changes.len()]);
        for (stretch, (codec, width, height)) in footage.stretches.iter_mut().zip(changes) {
            let run = Arc::make_mut(&mut stretch.run);
            let video = run.video.as_mut().unwrap();
            (video.codec, video.width, video.height) = ((*codec).to_owned(), *width, *height);
        }
        footage
    }

    #[test]
    fn one_variant_with_what_the_range_needs() {
        assert_eq!(
            multivariant_playlist(&draw("AAAA"), "", "?start=1&end=2"),
            "#EXTM3U\n#EXT-X-VERSION:7\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1000000,AVERAGE-BANDWIDTH=1000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=25.000\n\
             media.m3u8?start=1&end=2\n\
             #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=120000,CODECS=\"avc1.64001f\",RESOLUTION=1280x720,URI=\"iframes.m3u8?start=1&end=2\"\n"
        );
    }

    #[test]
    fn a_codec_change_names_both_and_a_change_of_level_the_higher() {
        let footage = with_codecs(&[("avc1.64001f", 1280, 720), ("hvc1.1.6.L93.B0", 1920, 1080), ("avc1.640028", 640, 360)]);
        let text = multivariant_playlist(&footage, "", "");
        assert!(text.contains("CODECS=\"avc1.640028,mp4a.40.2,hvc1.1.6.L93.B0\",RESOLUTION=1920x1080"), "{text}");
    }

    #[test]
    fn sound_alone_has_no_pictures() {
        let mut footage = draw("AA");
        Arc::make_mut(&mut footage.stretches[0].run).video = None;
        let text = multivariant_playlist(&footage, "", "");
        assert!(text.contains("CODECS=\"mp4a.40.2\"\nmedia.m3u8\n") && !text.contains("I-FRAME"), "{text}");
    }

    #[test]
    fn a_last_segment_of_three_frames_does_not_raise_the_peak() {
        let short = SegmentEntry { wall_us: 120_000, media_us: 120_000, ..four_seconds() };
        let footage = draw_with("AAA", 150, |i| if i == 2 { short } else { four_seconds() });
        assert!(multivariant_playlist(&footage, "", "").contains("BANDWIDTH=1477832,AVERAGE-BANDWIDTH=1477832"));
    }
}
