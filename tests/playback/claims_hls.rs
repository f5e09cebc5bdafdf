//! HLS, as players use it.

use std::time::Duration;

use retroview::ffmpeg::camera::{CameraOptions, CameraVideo};

use crate::archive::{Archive, at, decode, ffprobe, small};

fn count(text: &str, tag: &str) -> usize {
    text.lines().filter(|l| l.starts_with(tag)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_plays_a_past_range_over_blocks_to_its_end() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    let playlist = archive.download("/v1/streams/cam1/media.m3u8?start=1777816803&end=1777816815", "range").await;
    let text = std::fs::read_to_string(&playlist).unwrap();
    assert_eq!(count(&text, "#EXTINF"), 7, "2 to 16 s in segments of 2 s\n{text}");
    assert!(text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-05-03T14:00:02.000Z"), "{text}");
    assert!(text.contains("#EXT-X-START:TIME-OFFSET=1,PRECISE=YES"), "{text}");
    assert!(text.ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(decode(&playlist), 70, "14 s of five pictures a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_plays_over_a_gap_and_a_change_of_picture_size() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    archive.record("cam1", small(at(30.0), 4)).await;
    archive.record("cam1", CameraOptions { width: 192, height: 112, ..small(at(34.0), 6) }).await;
    let playlist = archive.download("/v1/streams/cam1/media.m3u8?start=1777816800&end=1777816840", "range").await;
    let text = std::fs::read_to_string(&playlist).unwrap();
    assert_eq!((count(&text, "#EXT-X-DISCONTINUITY"), count(&text, "#EXT-X-MAP"), count(&text, "#EXT-X-PROGRAM-DATE-TIME")), (2, 3, 3));
    assert_eq!(decode(&playlist), 80);
    let spelled = archive.get("/v1/streams/cam1/media.m3u8?start=1777816800&end=1777816840&gaps=1").await.text();
    assert_eq!(count(&spelled, "#EXT-X-GAP"), 12, "24 s in steps of a target duration\n{spelled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_plays_that_browsers_play() {
    for (n, video) in [CameraVideo::H264, CameraVideo::H265].into_iter().enumerate() {
        let mut archive = Archive::new().await;
        archive.record("cam1", CameraOptions { video: Some(video), b_frames: 2, ..small(at(0.0), 6) }).await;
        let playlist = archive.download("/v1/streams/cam1/media.m3u8?start=1777816800&end=1777816806", &format!("range{n}")).await;
        assert_eq!(decode(&playlist), 30, "{video:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_multivariant_playlist_leads_to_the_others_with_the_same_time() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    let text = archive.get("/v1/streams/cam1/playlist.m3u8?start=2026-05-03T14:00:00Z&end=2026-05-03T14:00:05.5Z").await.text();
    assert!(text.contains("RESOLUTION=128x96,FRAME-RATE=5.000\nmedia.m3u8?start=1777816800&end=1777816805.5\n"), "{text}");
    assert!(text.contains("CODECS=\"avc1.") && text.contains(",mp4a.40.2\""), "{text}");
    let pictures = archive.get("/v1/streams/cam1/iframes.m3u8?start=1777816800&end=1777816805.5").await.text();
    assert_eq!((count(&pictures, "#EXT-X-I-FRAMES-ONLY"), count(&pictures, "#EXT-X-BYTERANGE")), (1, 3), "{pictures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_i_frame_entry_decodes_to_one_picture() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    let pictures = archive.get("/v1/streams/cam1/iframes.m3u8?start=1777816800&end=1777816806").await.text();
    let length: usize = pictures.lines().find_map(|l| l.strip_prefix("#EXT-X-BYTERANGE:")?.strip_suffix("@0")).unwrap().parse().unwrap();
    let init = pictures.lines().find_map(|l| l.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"')).unwrap();
    let mut file = archive.get(&format!("/v1/streams/cam1/{init}")).await.body.to_vec();
    let segment = pictures.lines().find(|l| l.starts_with("segments/")).unwrap();
    let range = format!("bytes=0-{}", length - 1);
    let part = archive.get_with(&format!("/v1/streams/cam1/{segment}"), &[("range", &range)]).await;
    assert_eq!((part.status, part.body.len()), (206, length));
    file.extend_from_slice(&part.body);
    let path = archive.dir.path().join("picture.mp4");
    std::fs::write(&path, file).unwrap();
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "fatal", "-i"])
        .arg(&path)
        .args(["-frames:v", "1", "-f", "framecrc", "-"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).lines().any(|l| l.starts_with("0,")), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_still_growing_grows_and_then_ends() {
    let mut archive = Archive::new().await;
    archive.clock.set(at(8.0));
    archive.record("cam1", small(at(0.0), 8)).await;
    let uri = "/v1/streams/cam1/media.m3u8?start=1777816800&end=1777816812";
    let first = archive.get(uri).await.text();
    assert!(first.contains("#EXT-X-PLAYLIST-TYPE:EVENT") && !first.contains("#EXT-X-ENDLIST"), "{first}");
    archive.record("cam1", small(at(8.0), 8)).await;
    archive.clock.set(at(16.0));
    let second = archive.get(uri).await.text();
    assert!(second.ends_with("#EXT-X-ENDLIST\n"), "{second}");
    assert_eq!((count(&first, "#EXTINF"), count(&second, "#EXTINF")), (4, 6));
    let media = |text: &str| text.lines().filter(|l| l.starts_with("segments/")).map(str::to_owned).collect::<Vec<_>>();
    assert!(media(&second).starts_with(&media(&first)), "nothing shown is taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_ended_while_nothing_was_recorded_is_complete_after_half_a_minute() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    let uri = "/v1/streams/cam1/media.m3u8?start=1777816800&end=1777816820";
    archive.clock.set(at(21.0));
    assert!(!archive.get(uri).await.text().contains("#EXT-X-ENDLIST"));
    archive.clock.advance(Duration::from_secs(30));
    assert!(archive.get(uri).await.text().contains("#EXT-X-ENDLIST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn live_slides_and_keeps_its_numbers() {
    let mut archive = Archive::new().await;
    archive.clock.set(at(150.0));
    archive.record("cam1", small(at(0.0), 150)).await;
    let number = |text: &str, tag: &str| text.lines().find_map(|l| l.strip_prefix(tag)).unwrap().parse::<u64>().unwrap();
    let live = archive.get("/v1/streams/cam1/media.m3u8").await.text();
    assert!(!live.contains("PLAYLIST-TYPE") && !live.contains("ENDLIST"), "{live}");
    assert_eq!((count(&live, "#EXTINF"), number(&live, "#EXT-X-MEDIA-SEQUENCE:")), (60, 15));
    archive.record("cam1", small(at(150.0), 4)).await;
    let later = archive.get("/v1/streams/cam1/media.m3u8").await.text();
    assert_eq!(number(&later, "#EXT-X-MEDIA-SEQUENCE:"), 17);
    assert_eq!(number(&later, "#EXT-X-DISCONTINUITY-SEQUENCE:"), 0);
    assert_eq!(number(&live, "#EXT-X-TARGETDURATION:"), number(&later, "#EXT-X-TARGETDURATION:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_reload_waits_for_its_segment() {
    let mut archive = Archive::new().await;
    archive.clock.set(at(10.0));
    archive.record("cam1", small(at(0.0), 10)).await;
    let router = archive.router.clone();
    let bearer = format!("Bearer {}", archive.admin);
    let waiting = tokio::spawn(async move {
        use http_body_util::BodyExt;
        use tower::ServiceExt;
        let request = axum::http::Request::get("/v1/streams/cam1/media.m3u8?_HLS_msn=5").header("authorization", bearer);
        let response = router.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    });
    archive.record("cam1", small(at(10.0), 4)).await;
    let text = waiting.await.unwrap();
    assert!(count(&text, "#EXTINF") >= 6, "{text}");
    let too_far = archive.get("/v1/streams/cam1/media.m3u8?_HLS_msn=99").await;
    assert_eq!(too_far.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relative_start_of_a_growing_playlist_is_nailed_down() {
    let mut archive = Archive::new().await;
    archive.clock.set(at(10.0));
    archive.record("cam1", small(at(0.0), 10)).await;
    let answer = archive.get("/v1/streams/cam1/media.m3u8?start=-6").await;
    assert_eq!((answer.status, answer.header("location")), (302, "media.m3u8?start=1777816804"));
    let through = archive.get("/v1/streams/cam1/playlist.m3u8?start=-6").await.text();
    assert!(through.contains("media.m3u8?start=1777816804\n"), "{through}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_footage_the_answer_names_the_neighbours() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    archive.record("cam1", small(at(30.0), 6)).await;
    for path in ["media.m3u8?start=1777816810&end=1777816820", "clip.mp4?start=1777816810&end=1777816820", "frame.mp4?at=1777816815"] {
        let answer = archive.get(&format!("/v1/streams/cam1/{path}")).await;
        let json = answer.json();
        assert_eq!((answer.status, json["code"].as_str().unwrap()), (404, "no_footage"), "{path}");
        assert_eq!(json["previous_end_us"], at(6.0).as_micros(), "{path}");
        assert_eq!(json["next_start_us"], at(30.0).as_micros(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_times_are_refused_with_a_reason() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    for (query, code) in [
        ("start=2026-05-03T15:00:00Z&end=2026-05-03T14:00:00Z", "invalid_range"),
        ("start=5&end=5", "invalid_range"),
        ("start=yesterday", "invalid_query"),
        ("start=1777816800&end=99999999999999", "invalid_query"),
        ("start=%00", "invalid_query"),
    ] {
        let answer = archive.get(&format!("/v1/streams/cam1/media.m3u8?{query}")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (400, code), "{query}");
    }
    for path in ["nothing/media.m3u8", "nothing/clip.mp4?start=1&end=2", "No%20Such/media.m3u8"] {
        assert_eq!(archive.get(&format!("/v1/streams/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_are_compressed_and_media_is_not() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 60)).await;
    let gzip = [("accept-encoding", "gzip")];
    let playlist = archive.get_with("/v1/streams/cam1/media.m3u8?start=1777816800&end=1777816860", &gzip).await;
    assert_eq!((playlist.header("content-encoding"), playlist.header("vary")), ("gzip", "Accept-Encoding"));
    let segment = archive.get_with("/v1/streams/cam1/segments/1777816800000000.m4s", &gzip).await;
    assert_eq!((segment.status, segment.header("content-encoding")), (200, ""));
    assert!(segment.header("cache-control").contains("immutable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_and_one_still_being_written_open_in_ffprobe() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    let blocks = archive.db.blocks_after(None, 10).await.unwrap();
    let path = archive.dir.path().join("block.mp4");
    let answer = archive.get(&format!("/v1/streams/cam1/blocks/{}.mp4", blocks[0].id)).await;
    assert_eq!(answer.status, 200);
    std::fs::write(&path, &answer.body).unwrap();
    let said = ffprobe(&path, "stream=codec_name");
    assert!(said.contains("codec_name=h264") && said.contains("codec_name=aac"), "{said}");
    assert_eq!(decode(&path), 30);
}
