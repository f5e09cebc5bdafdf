//! Any second back: playlists, clips and frames, as players ask for them.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Answer, Service, camera, clock_of_jpeg, clocks_of, ffmpeg_plays, ffprobe_json};

/// 2026-05-03 14:00:00 UTC, where the test camera begins.
const T: i64 = 1_777_816_800;

/// A service with footage at known times: 20 s, a gap of 10 s, 10 s of another picture size.
async fn archive() -> Service {
    let service = Service::builder().set("media.block_max", "10s").start().await;
    service.client().await.add_stream("cam", "push:").await;
    let (first, second) = (camera().seconds(20).b_frames(2), camera().seconds(10).size(640, 360).start(at(30)));
    for (file, start) in [(first.file(), "2026-05-03T14:00:00Z"), (second.file(), "2026-05-03T14:00:30Z")] {
        service.run(&["import", "cam", file.to_str().unwrap(), "--start", start]);
    }
    service.client().await.wait_for_segments("cam", 28).await;
    service
}

fn at(second: i64) -> retroview::media::Timestamp {
    retroview::media::Timestamp::from_secs(T + second)
}

fn auth(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn a_playlist_over_gap_and_picture_change_plays_every_frame() {
    let service = archive().await;
    let client = service.client().await;
    let path = format!("/v1/streams/cam/media.m3u8?start={T}&end={}", T + 40);
    let text = client.get(&path).await.expect(200).text();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    assert_eq!(text.matches("#EXT-X-MAP:").count(), 2, "{text}");
    assert!(text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-05-03T14:00:00.000Z"), "{text}");
    assert!(text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-05-03T14:00:30.000Z"), "{text}");
    assert!(text.trim_end().ends_with("#EXT-X-ENDLIST"), "{text}");
    for url in [path.clone(), path.replace("media.m3u8", "playlist.m3u8")] {
        let played = ffmpeg_plays(service.url(&url), &["-headers", &auth(client.token())]);
        assert!(played.video_frames.abs_diff(750) <= 1, "{url}: {played:?}");
    }
    // The clock in the pictures runs on without a frame missing, up to the gap.
    let url = service.url(&format!("/v1/streams/cam/media.m3u8?start={T}&end={}", T + 20));
    let clocks = clocks_of(&url, &["-headers", &auth(client.token())]);
    let expected: Vec<Option<i64>> = (0..500).map(|n| Some(T * 1000 + n * 40)).collect();
    assert_eq!(clocks, expected);
}

#[tokio::test]
async fn every_frame_is_the_one_asked_for() {
    let service = archive().await;
    let client = service.client().await;
    for (asked, shown_ms) in [("0", 0), ("0.039", 0), ("0.040", 40), ("3.5", 3480), ("7.999", 7960), ("19.96", 19_960), ("30.1", 30_080)] {
        let (whole, fraction) = asked.split_once('.').unwrap_or((asked, "0"));
        let path = format!("/v1/streams/cam/frame.jpg?at={}.{fraction}", T + whole.parse::<i64>().unwrap());
        let answer = client.get(&path).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("image/jpeg"));
        let clock = clock_of_jpeg(&answer.body).expect("the picture has a clock");
        assert!((clock - T * 1000 - shown_ms).abs() <= 40, "at {asked}: the picture says {} ms", clock - T * 1000);
    }
    let small = client.get(&format!("/v1/streams/cam/frame.jpg?at={}&width=160", T + 5)).await.expect(200);
    let file = service.scratch().join("small.jpg");
    std::fs::write(&file, &small.body).unwrap();
    assert_eq!(ffprobe_json(&file, &[])["streams"][0]["width"], json!(160));
    let keyframe = client.get(&format!("/v1/streams/cam/frame.mp4?at={}.5", T + 5)).await.expect(200);
    let file = service.scratch().join("keyframe.mp4");
    std::fs::write(&file, &keyframe.body).unwrap();
    assert_eq!(clocks_of(&file, &[]), [Some((T + 5) * 1000)]);
    assert_eq!(keyframe.header("retroview-at-us"), Some(format!("{}", (T + 5) * 1_000_000).as_str()));
}

#[tokio::test]
async fn where_there_is_no_footage_the_answer_names_the_neighbours() {
    let service = archive().await;
    let client = service.client().await;
    let paths = [
        "frame.jpg?at=1777816825",
        "frame.mp4?at=1777816825",
        "media.m3u8?start=1777816822&end=1777816828",
        "clip.mp4?start=1777816822&end=1777816828",
    ];
    for path in paths {
        let problem = client.get(&format!("/v1/streams/cam/{path}")).await.expect(404).json();
        assert_eq!(problem["code"], json!("no_footage"), "{path}: {problem}");
        assert_eq!(problem["previous_end_us"], json!((T + 20) * 1_000_000), "{path}: {problem}");
        assert_eq!(problem["next_start_us"], json!((T + 30) * 1_000_000), "{path}: {problem}");
    }
    for (path, status) in [
        ("media.m3u8?start=1777816840&end=1777816830", 400),
        ("media.m3u8?start=yesterday&end=now", 400),
        ("media.m3u8?start=4102444800&end=4102444900", 404),
        ("clip.mp4?start=1777816800", 400),
        ("segments/123.m4s", 404),
        ("segments/x.m4s", 404),
        ("init/01ARZ3NDEKTSV4RRFFQ69G5FAV.mp4", 404),
        ("blocks/01ARZ3NDEKTSV4RRFFQ69G5FAV.mp4", 404),
    ] {
        let answer = client.get(&format!("/v1/streams/cam/{path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().is_some_and(|d| !d.is_empty()), "{path}: {}", answer.text());
    }
    client.get("/v1/streams/nobody/media.m3u8?start=0&end=now").await.expect(404);
}

#[tokio::test]
async fn a_clip_has_its_length_before_its_first_byte_and_the_same_bytes_each_time() {
    let service = archive().await;
    let client = service.client().await;
    let path = format!("/v1/streams/cam/clip.mp4?start={}.5&end={}", T + 4, T + 35);
    let head = client.head(&path).await.expect(200);
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    let etag = head.header("etag").unwrap().to_owned();
    assert!(!etag.starts_with("W/"));
    let whole = client.get(&path).await.expect(200);
    assert_eq!((whole.body.len(), whole.header("etag")), (length, Some(etag.as_str())));
    assert_eq!(client.get(&path).await.expect(200).body, whole.body);

    for (range, from, to) in [("bytes=0-0", 0, 1), ("bytes=100-70000", 100, 70_001), ("bytes=-1000", length - 1000, length)] {
        let part = client.get_range(&path, range).await.expect(206);
        assert_eq!(part.body, whole.body.slice(from..to), "{range}");
        assert_eq!(part.header("content-range").unwrap(), format!("bytes {from}-{}/{length}", to - 1));
    }
    let middle = format!("bytes={}-", length / 2);
    assert_eq!(client.get_range(&path, &middle).await.expect(206).body, whole.body.slice(length / 2..));
    let refused = client.get_range(&path, &format!("bytes={length}-")).await.expect(416);
    assert_eq!(refused.header("content-range").unwrap(), format!("bytes */{length}"));
    let several: Answer = client.get_range(&path, "bytes=0-9,100-109").await.expect(206);
    assert!(several.header("content-type").unwrap().starts_with("multipart/byteranges"));
    for (tag, status) in [(etag.as_str(), 206), ("\"other\"", 200)] {
        let request = client.request(reqwest::Method::GET, &path).header("Range", "bytes=0-9").header("If-Range", tag);
        client.send(request).await.expect(status);
    }
    let unchanged = client.request(reqwest::Method::GET, &path).header("If-None-Match", &etag);
    client.send(unchanged).await.expect(304);

    let file = service.scratch().join("clip.mp4");
    std::fs::write(&file, &whole.body).unwrap();
    let clocks = clocks_of(&file, &[]);
    assert_eq!(clocks.first(), Some(&Some((T + 4) * 1000)), "a start between keyframes rounds back");
    assert_eq!(clocks.len(), 16 * 25 + 5 * 25, "16 s before the gap and 5 s after it");
    let probed = ffprobe_json(&file, &[]);
    let duration: f64 = probed["format"]["duration"].as_str().unwrap().parse().unwrap();
    let start: f64 = probed["format"]["start_time"].as_str().unwrap().parse().unwrap();
    assert!((duration - 21.0).abs() < 0.1, "{probed}");
    assert!(start.abs() < 0.05, "{probed}");
    assert_eq!(ffmpeg_plays(&file, &[]).complaints, "");
}

#[tokio::test]
async fn mpv_plays_clip_and_playlist_to_the_end() {
    let service = archive().await;
    let clip = signed_url(&service, T, T + 40, "clip_url").await;
    // mpv's clockless null audio waits for ever where a playlist's time jumps: the playlist plays in its own time.
    let playlist = signed_url(&service, T + 15, T + 35, "playlist_url").await;
    for (target, options) in [(clip, &["--untimed", "--ao-null-untimed"][..]), (playlist, &[])] {
        let log = service.scratch().join("mpv.log");
        let mpv = Command::new("timeout")
            .args(["60", "mpv", "--no-config", "--vo=null", "--ao=null", "--no-terminal"])
            .arg(format!("--log-file={}", log.display()))
            .args(options)
            .arg(&target)
            .stdin(Stdio::null())
            .status()
            .expect("mpv is installed");
        let log = std::fs::read_to_string(log).unwrap();
        assert!(mpv.success(), "mpv {target}: {log}");
        for said in ["Exiting... (End of file)", "320x180 yuv420p", "640x360 yuv420p"] {
            assert!(log.contains(said), "{said}: {target}: {log}");
        }
    }
}

#[tokio::test]
async fn gstreamer_plays_every_frame_across_the_gap() {
    let service = archive().await;
    let playlist = signed_url(&service, T, T + 40, "playlist_url").await;
    let gst = |arguments: &[&str]| {
        let out = Command::new("timeout").args(["60", "gst-launch-1.0"]).args(arguments).stdin(Stdio::null()).output();
        let out = out.expect("GStreamer is installed");
        assert!(out.status.success(), "GStreamer: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let location = format!("location={playlist}");
    let parts = ["!", "hlsdemux", "!", "qtdemux", "name=d", "d.video_0", "!", "queue", "!", "h264parse", "!"];
    let told = gst(&[&["-v", "souphttpsrc", &location], &parts[..], &["fakesink", "sync=false", "silent=false"]].concat());
    assert_eq!(told.matches("chain ").count(), 750);
}

/// An address for players that cannot send headers.
async fn signed_url(service: &Service, start: i64, end: i64, which: &str) -> String {
    let body = json!({ "start": start.to_string(), "end": end.to_string(), "expires_in_s": 600 });
    let signed = service.client().await.post("/v1/streams/cam/urls", body).await.expect(201).json();
    let url = signed[which].as_str().unwrap();
    if url.starts_with('/') { service.url(url) } else { url.to_owned() }
}

#[tokio::test]
async fn a_signed_address_covers_one_stream_one_range_and_ends() {
    let service = archive().await;
    let client = service.client().await;
    client.add_stream("other", "push:").await;
    let body = json!({ "start": T.to_string(), "end": (T + 10).to_string(), "expires_in_s": 600 });
    let token = client.post("/v1/streams/cam/urls", body).await.expect(201).json()["token"].as_str().unwrap().to_owned();
    let get = async |path: &str| reqwest::get(service.url(path)).await.unwrap();

    let playlist = get(&format!("/v1/streams/cam/media.m3u8?start={T}&end={}&token={token}", T + 10)).await;
    assert_eq!(playlist.status().as_u16(), 200);
    let text = playlist.text().await.unwrap();
    let segments: Vec<&str> = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
    assert_eq!(segments.len(), 10, "{text}");
    for uri in &segments {
        assert_eq!(get(&format!("/v1/streams/cam/{uri}")).await.status().as_u16(), 200, "{uri}");
    }
    let us = (T + 15) * 1_000_000;
    let mut tampered = token.clone();
    let last = tampered.pop().unwrap();
    tampered.push(if last == 'A' { 'B' } else { 'A' });
    for (path, status) in [
        (format!("segments/{us}.m4s?token={token}"), 403),
        (format!("media.m3u8?start={T}&end={}&token={tampered}", T + 10), 401),
        (format!("media.m3u8?start={}&end={}&token={token}", T + 30, T + 40), 403),
        (format!("clip.mp4?start={}&end={}&token={token}", T + 12, T + 15), 403),
        (format!("frame.jpg?at={}&token={token}", T + 15), 403),
    ] {
        assert_eq!(get(&format!("/v1/streams/cam/{path}")).await.status().as_u16(), status, "{path}");
    }
    let elsewhere = get(&format!("/v1/streams/other/media.m3u8?start={T}&end={}&token={token}", T + 10)).await;
    assert!([401, 403, 404].contains(&elsewhere.status().as_u16()));
    for path in ["/metrics", "/v1/tokens"] {
        assert!([401, 403].contains(&get(&format!("{path}?token={token}")).await.status().as_u16()), "{path}");
    }
}

#[tokio::test]
async fn a_block_opens_in_ffprobe_sealed_and_while_it_is_written() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("cam", "push:").await;
    let url = service.url("/v1/streams/cam/ingest");
    let sender = crate::servers::push(&camera().file(), &url, client.token());
    client.wait_for_segments("cam", 4).await;
    let block = crate::harness::eventually("the block file", async || first_block(&service.media())).await;
    assert!(ffmpeg_plays(&block, &[]).video_frames >= 50, "while it is written");
    drop(sender);
    crate::harness::eventually("it is sealed", async || {
        let bytes = std::fs::read(&block).unwrap();
        (ffmpeg_plays(&block, &[]).complaints.is_empty() && bytes.len() > 16).then_some(())
    })
    .await;
    let probed = ffprobe_json(&block, &[]);
    assert_eq!(probed["streams"].as_array().unwrap().len(), 2, "{probed}");
}

fn first_block(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    entries.sort();
    entries.into_iter().find_map(|p| if p.is_dir() { first_block(&p) } else { (p.extension()? == "mp4").then_some(p) })
}

#[tokio::test]
async fn the_index_rebuilt_from_files_gives_byte_identical_playlists() {
    let mut service = archive().await;
    let paths = [
        format!("/v1/streams/cam/media.m3u8?start={T}&end={}", T + 40),
        format!("/v1/streams/cam/playlist.m3u8?start={T}&end={}", T + 40),
        format!("/v1/streams/cam/iframes.m3u8?start={T}&end={}", T + 40),
        format!("/v1/streams/cam/media.m3u8?start={T}&end={}&gaps=1", T + 40),
        format!("/v1/streams/cam/coverage?start={T}&end={}", T + 40),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(without_now(&service.client().await.get(path).await.expect(200)));
    }
    service.stop();
    for file in ["retroview.db", "retroview.db-wal", "retroview.db-shm"] {
        let removed = std::fs::remove_file(service.data().join(file));
        assert!(removed.is_ok() || file != "retroview.db", "{removed:?}");
    }
    service.forget_client();
    service.run(&["index", "rebuild"]);
    service.restart().await;
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(without_now(&service.client().await.get(path).await.expect(200)), before, "{path}");
    }
}

/// The answer's text without the one thing that may differ: the time it was made.
fn without_now(answer: &Answer) -> String {
    match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(mut json) => {
            json.as_object_mut().expect("an object").remove("now_us");
            json.to_string()
        }
        Err(_) => answer.text(),
    }
}

#[tokio::test]
async fn players_that_know_other_recorders_find_their_addresses() {
    let service = archive().await;
    let client = service.client().await;
    let signed = client
        .post("/v1/streams/cam/urls", json!({ "start": (T - 100).to_string(), "end": (T + 100).to_string(), "expires_in_s": 600 }))
        .await
        .expect(201)
        .json();
    let token = signed["token"].as_str().unwrap();
    for path in [
        format!("/cam/archive-{T}-20.m3u8?token={token}"),
        format!("/cam/timeshift_abs-{T}.m3u8?token={token}"),
        format!("/cam/index.m3u8?utc={T}&lutc={}&token={token}", T + 20),
        format!("/get?path=cam&start=2026-05-03T14:00:00Z&duration=20&format=mp4&token={token}"),
        format!("/cam/archive-{T}-20.mp4?token={token}"),
    ] {
        if path.contains("timeshift") || path.contains("lutc") {
            // Endless by nature: what it names must be there.
            let answer = reqwest::get(service.url(&path)).await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            continue;
        }
        let played = ffmpeg_plays(service.url(&path), &[]);
        assert!(played.video_frames.abs_diff(500) <= 1, "{path}: {played:?}");
    }
    let list = client.get("/list?path=cam").await.expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    let m3u = client.get("/playlist.m3u").await.expect(200).text();
    assert!(m3u.starts_with("#EXTM3U") && m3u.contains("catchup=") && m3u.contains("cam"), "{m3u}");
}
