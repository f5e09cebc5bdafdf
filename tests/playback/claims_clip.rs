//! One file over any span.

use axum::http::Method;
use retroview::ffmpeg::camera::{CameraOptions, CameraVideo};

use crate::archive::{Archive, at, decode, ffprobe, small};

async fn save(archive: &Archive, query: &str, name: &str) -> std::path::PathBuf {
    let answer = archive.get(&format!("/v1/streams/cam1/clip.mp4?{query}")).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "length known before the first byte");
    let path = archive.dir.path().join(name);
    std::fs::write(&path, &answer.body).unwrap();
    path
}

fn value(text: &str, key: &str) -> f64 {
    text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap_or_else(|| panic!("{key} in {text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_over_blocks_and_a_gap_starts_at_zero_and_lasts_as_long_as_its_footage() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    archive.record("cam1", small(at(100.0), 10)).await;
    let path = save(&archive, "start=1777816805&end=1777816905", "clip.mp4").await;
    let format = ffprobe(&path, "format=start_time,duration");
    assert!(value(&format, "start_time").abs() < 0.05, "{format}");
    // 4 to 20 s and 100 to 106 s.
    assert!((value(&format, "duration") - 22.0).abs() < 0.1, "{format}");
    assert_eq!(decode(&path), 110);
}

#[tokio::test(flavor = "multi_thread")]
async fn picture_and_sound_stay_together_and_run_on_over_the_seam() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 10)).await;
    archive.record("cam1", small(at(50.0), 10)).await;
    let path = save(&archive, "start=1777816806&end=1777816856", "clip.mp4").await;
    let packets = ffprobe(&path, "packet=codec_type,pts_time");
    let mut last = [(-1.0f64), -1.0];
    let mut worst_step = [0.0f64; 2];
    let mut track = 0;
    for line in packets.lines() {
        match line.split_once('=').unwrap() {
            ("codec_type", "video") => track = 0,
            ("codec_type", _) => track = 1,
            (_, t) => {
                let t: f64 = t.parse().unwrap();
                assert!(t > last[track] - 0.03, "time runs forward: {t} after {}", last[track]);
                if last[track] >= 0.0 {
                    worst_step[track] = worst_step[track].max(t - last[track]);
                }
                last[track] = t;
            }
        }
    }
    assert!(worst_step[0] < 0.25 && worst_step[1] < 0.1, "{worst_step:?}");
    assert!((last[0] - last[1]).abs() < 0.3, "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_over_a_change_of_picture_size_plays_through() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    archive.record("cam1", CameraOptions { width: 192, height: 112, ..small(at(6.0), 6) }).await;
    let path = save(&archive, "start=1777816800&end=1777816812", "clip.mp4").await;
    assert_eq!(decode(&path), 60);
    let streams = ffprobe(&path, "stream=codec_type");
    assert_eq!(streams.lines().count(), 2, "one track each\n{streams}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_over_a_change_of_codec_has_a_track_for_each() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    archive.record("cam1", CameraOptions { video: Some(CameraVideo::H265), ..small(at(6.0), 6) }).await;
    let path = save(&archive, "start=1777816800&end=1777816812", "clip.mp4").await;
    let streams = ffprobe(&path, "stream=codec_name");
    assert!(streams.contains("h264") && streams.contains("hevc") && streams.contains("aac"), "{streams}");
    assert!((value(&ffprobe(&path, "format=duration"), "duration") - 12.0).abs() < 0.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_seeks_in_a_clip_without_reading_it_all() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 40)).await;
    let path = save(&archive, "start=1777816800&end=1777816840", "clip.mp4").await;
    let output = std::process::Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-read_intervals",
            "31%+#1",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=pts_time,flags",
            "-of",
            "csv=p=0",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let first: f64 = said.split(',').next().unwrap().trim().parse().unwrap();
    assert!((30.0..=31.0).contains(&first), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_part_of_a_clip_is_the_same_part_of_the_whole() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 14)).await;
    archive.record("cam1", small(at(20.0), 6)).await;
    let uri = "/v1/streams/cam1/clip.mp4?start=1777816803&end=1777816825";
    let whole = archive.get(uri).await;
    assert_eq!(archive.get(uri).await.body, whole.body, "the same bytes each time");
    let len = whole.body.len();
    // Around the edges of the head and of fragments, and evenly in between.
    let mut places: Vec<usize> = (0..len).step_by(len / 40).collect();
    for (i, window) in whole.body.windows(4).enumerate() {
        if matches!(window, b"moof" | b"sidx" | b"mdat") {
            places.extend([i.saturating_sub(5), i.saturating_sub(4), i + 79, i + 80, i + 81]);
        }
    }
    for from in places {
        for length in [1, 100, 5000] {
            let to = (from + length).min(len);
            let range = format!("bytes={from}-{}", to - 1);
            let part = archive.get_with(uri, &[("range", &range)]).await;
            assert_eq!((part.status, &part.body[..]), (206, &whole.body[from..to]), "{range}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_conditions_and_several_ranges() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    let uri = "/v1/streams/cam1/clip.mp4?start=1777816801&end=1777816803&download=1";
    let bearer = format!("Bearer {}", archive.admin);
    let head = archive.ask(Method::HEAD, uri, &[("authorization", &bearer)]).await;
    let whole = archive.get(uri).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-length", "etag", "accept-ranges", "content-type", "retroview-start-us", "retroview-end-us", "content-disposition"]
    {
        assert_eq!(head.header(name), whole.header(name), "{name}");
        assert!(!head.header(name).is_empty(), "{name}");
    }
    assert_eq!(whole.header("content-disposition"), "attachment; filename=\"cam1-20260503T140000Z.mp4\"");
    assert_eq!((whole.header("retroview-start-us"), whole.header("retroview-end-us")), ("1777816800000000", "1777816804000000"));
    let etag = whole.header("etag");
    assert_eq!(archive.get_with(uri, &[("if-none-match", etag)]).await.status, 304);
    assert_eq!(archive.get_with(uri, &[("range", "bytes=0-9"), ("if-range", etag)]).await.status, 206);
    assert_eq!(archive.get_with(uri, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await.status, 200);
    let several = archive.get_with(uri, &[("range", "bytes=0-9,-10")]).await;
    assert_eq!((several.status, several.header("content-length")), (206, several.body.len().to_string().as_str()));
    assert!(several.header("content-type").starts_with("multipart/byteranges"));
    let longer = archive.get("/v1/streams/cam1/clip.mp4?start=1777816801&end=1777816805").await;
    assert_ne!(longer.header("etag"), etag, "another clip has another tag");
}
