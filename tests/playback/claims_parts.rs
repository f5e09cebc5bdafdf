//! Who may have what: every request is checked, also those a playlist leads to.

use axum::http::Method;
use retroview::ffmpeg::camera::{self, CameraOptions};

use crate::archive::{Archive, at, decode, small};

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_address_covers_one_stream_over_one_time_and_nothing_else() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    let signed = archive.post("/v1/streams/cam1/urls", r#"{"start":"1777816805","end":"1777816809","expires_in_s":600}"#).await;
    let token = signed.json()["token"].as_str().unwrap().to_owned();
    let ask = async |path: &str| archive.ask(Method::GET, path, &[]).await;
    let with = |path: &str| format!("/v1/streams/cam1/{path}{}token={token}", if path.contains('?') { '&' } else { '?' });

    let playlist = ask(&with("media.m3u8?start=1777816800&end=1777816820")).await;
    assert_eq!(playlist.status, 200);
    let text = playlist.text();
    let media: Vec<&str> = text.lines().filter(|l| l.starts_with("segments/")).collect();
    assert_eq!(media.len(), 3, "cut to what is covered, begun at the keyframe before\n{text}");
    let init = text.lines().find_map(|l| l.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"')).unwrap();
    for uri in media.iter().chain([&init]) {
        assert_eq!(ask(&format!("/v1/streams/cam1/{uri}")).await.status, 200, "{uri}");
    }
    for (path, status) in [
        ("segments/1777816802000000.m4s", 403),
        ("segments/1777816810000000.m4s", 403),
        ("segments/1777816804000000.m4s", 200),
        ("media.m3u8?start=1777816810&end=1777816820", 403),
        ("clip.mp4?start=1777816800&end=1777816820", 200),
        ("frame.mp4?at=1777816806", 200),
        ("frame.mp4?at=1777816812", 403),
    ] {
        assert_eq!(ask(&with(path)).await.status, status, "{path}");
    }
    let other = with("media.m3u8").replace("cam1", "cam2");
    assert_eq!(ask(&other).await.status, 403, "another stream, whether there is one or not");
    let block = archive.db.blocks_after(None, 1).await.unwrap()[0].id;
    assert_eq!(ask(&with(&format!("blocks/{block}.mp4"))).await.status, 403, "not all of the block is covered");
    archive.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(ask(&with("media.m3u8")).await.status, 401, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_address_is_for_what_it_was_made_for() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    let block = archive.db.blocks_after(None, 1).await.unwrap()[0].id;
    let paths = [
        ("view", "media.m3u8?start=1777816800&end=1777816820".to_owned()),
        ("view", "segments/1777816800000000.m4s".to_owned()),
        ("view", "coverage".to_owned()),
        ("thumbnail", "frame.mp4?at=1777816806".to_owned()),
        ("export", "clip.mp4?start=1777816800&end=1777816820".to_owned()),
        ("export", format!("blocks/{block}.mp4")),
    ];
    for verb in ["view", "thumbnail", "export"] {
        let body = format!(r#"{{"start":"1777816800","end":"1777816820","verbs":["{verb}"]}}"#);
        let signed = archive.post("/v1/streams/cam1/urls", &body).await.json();
        assert_eq!(signed["clip_url"].is_null(), verb != "export");
        let token = signed["token"].as_str().unwrap();
        for (needed, path) in &paths {
            let uri = format!("/v1/streams/cam1/{path}{}token={token}", if path.contains('?') { '&' } else { '?' });
            let answer = archive.ask(Method::GET, &uri, &[]).await;
            assert_eq!(answer.status, if *needed == verb { 200 } else { 403 }, "{verb}: {path}");
        }
    }
    for bad in [r#"[]"#, r#"["watch"]"#] {
        let body = format!(r#"{{"start":"1777816800","verbs":{bad}}}"#);
        assert_eq!(archive.post("/v1/streams/cam1/urls", &body).await.status, 422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_can_be_played_answers_without_credentials() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    let block = archive.db.blocks_after(None, 1).await.unwrap()[0].clone();
    for path in [
        "/v1/streams/cam1/playlist.m3u8".to_owned(),
        "/v1/streams/cam1/media.m3u8".into(),
        "/v1/streams/cam1/iframes.m3u8".into(),
        "/v1/streams/cam1/segments/1777816800000000.m4s".into(),
        format!("/v1/streams/cam1/init/{}.mp4", block.run),
        format!("/v1/streams/cam1/blocks/{}.mp4", block.id),
        "/v1/streams/cam1/clip.mp4?start=1777816800&end=1777816806".into(),
        "/v1/streams/cam1/frame.mp4?at=1777816800".into(),
        "/v1/streams/cam1/coverage".into(),
        "/cam1/index.m3u8".into(),
        "/cam1/archive-1777816800-5.mp4".into(),
        "/playlist.m3u".into(),
        "/list?path=cam1".into(),
        "/get?path=cam1&start=1777816800&duration=5".into(),
    ] {
        assert_eq!(archive.ask(Method::GET, &path, &[]).await.status, 401, "{path}");
        assert_eq!(archive.ask(Method::GET, &path, &[("authorization", "Bearer rv_wrong")]).await.status, 401, "{path}");
        assert_eq!(archive.get(&path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_have_one_name_each() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    for name in [
        "1777816800000000.m4s",
        "1777816800000001.m4s",
        "01777816800000000.m4s",
        "+1777816800000000.m4s",
        "x.m4s",
        "1777816800000000",
        "-1.m4s",
    ] {
        let expected = if name == "1777816800000000.m4s" { 200 } else { 404 };
        assert_eq!(archive.get(&format!("/v1/streams/cam1/segments/{name}")).await.status, expected, "{name}");
    }
    let of = async |query: &str| archive.get(&format!("/v1/streams/cam1/segments/1777816800000000.m4s{query}")).await.body;
    let (whole, video, audio) = (of("").await, of("?track=video").await, of("?track=audio").await);
    assert_eq!(whole, [video, audio].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_alone_is_a_film_of_one_picture() {
    let mut archive = Archive::new().await;
    archive.record("cam1", CameraOptions { b_frames: 2, ..small(at(0.0), 6) }).await;
    let answer = archive.get("/v1/streams/cam1/frame.mp4?at=1777816803.7").await;
    assert_eq!((answer.status, answer.header("retroview-at-us")), (200, "1777816802000000"));
    let path = archive.dir.path().join("frame.mp4");
    std::fs::write(&path, &answer.body).unwrap();
    assert_eq!(decode(&path), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_the_one_whose_clock_says_that_time() {
    for b_frames in [0, 2] {
        let mut archive = Archive::new().await;
        let options = CameraOptions { width: 320, height: 180, fps: 25, gop: 50, b_frames, ..small(at(0.0), 8) };
        archive.record("cam1", options).await;
        for (asked, shown_ms) in
            [("1777816800", 0), ("1777816800.039", 0), ("1777816800.04", 40), ("1777816803.5", 3480), ("1777816805.999", 5960)]
        {
            let answer = archive.get(&format!("/v1/streams/cam1/frame.jpg?at={asked}")).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "image/jpeg"), "{}", String::from_utf8_lossy(&answer.body));
            let clock = camera::read_clock(&answer.body).expect("a picture").expect("its clock can be read");
            assert_eq!(clock - at(0.0).as_micros() / 1000, shown_ms, "{asked} with {b_frames} B-frames");
            let again =
                archive.get_with(&format!("/v1/streams/cam1/frame.jpg?at={asked}"), &[("if-none-match", answer.header("etag"))]).await;
            assert_eq!(again.status, 304);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_made_no_larger_than_asked_for() {
    let mut archive = Archive::new().await;
    archive.record("cam1", CameraOptions { width: 320, height: 180, ..small(at(0.0), 4) }).await;
    let small = archive.get("/v1/streams/cam1/frame.jpg?at=1777816801&width=160").await;
    let path = archive.dir.path().join("small.jpg");
    std::fs::write(&path, &small.body).unwrap();
    assert!(crate::archive::ffprobe(&path, "stream=width,height").contains("width=160"));
    for width in ["0", "15", "100000", "-5", "x"] {
        assert_eq!(archive.get(&format!("/v1/streams/cam1/frame.jpg?at=1777816801&width={width}")).await.status, 400, "{width}");
    }
    archive.clock.set(at(10.0));
    assert_eq!(archive.get("/v1/streams/cam1/frame.jpg").await.status, 200, "without a time, the newest");
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_shows_footage_and_gaps() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    archive.record("cam1", small(at(30.0), 6)).await;
    let json = archive.get("/v1/streams/cam1/coverage?start=1777816790&end=1777816836").await.json();
    let spans = |name: &str| {
        let list = json[name].as_array().unwrap();
        let s = |v: &serde_json::Value| (v.as_i64().unwrap() - at(0.0).as_micros()) / 1_000_000;
        list.iter().map(|e| (s(&e["start_us"]), s(&e["end_us"]))).collect::<Vec<_>>()
    };
    assert_eq!((spans("runs"), spans("gaps")), (vec![(0, 6), (30, 36)], vec![(6, 30)]), "{json}");
    assert_eq!(json["gaps"][0]["cause"], "source_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn flussonics_addresses_play() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    let archive_list = archive.get("/cam1/archive-1777816804-6.m3u8").await.text();
    assert!(archive_list.contains("\n/v1/streams/cam1/media.m3u8?start=1777816804&end=1777816810\n"), "{archive_list}");
    let clip = archive.get("/cam1/archive-1777816804-6.mp4").await;
    assert_eq!(clip.body, archive.get("/v1/streams/cam1/clip.mp4?start=1777816804&end=1777816810").await.body);
    archive.clock.set(at(20.0));
    let rel = archive.get("/cam1/timeshift_rel-12.m3u8").await.text();
    assert!(rel.contains("media.m3u8?start=1777816808\n"), "{rel}");
    for file in ["index.m3u8", "archive-1777816804-now.m3u8", "timeshift_abs-1777816804.m3u8"] {
        assert_eq!(archive.get(&format!("/cam1/{file}")).await.status, 200, "{file}");
    }
    assert_eq!(archive.get("/cam1/nothing.txt").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn kodi_finds_the_streams_and_goes_back() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    archive.clock.set(at(20.0));
    let list = archive.get("/playlist.m3u").await.text();
    assert!(
        list.starts_with("#EXTM3U\n#EXTINF:-1 tvg-id=\"cam1\" tvg-name=\"CAM1\" catchup=\"shift\" catchup-days=\"1\",CAM1\n"),
        "{list}"
    );
    let live = list.lines().last().unwrap().strip_prefix("http://rv.test").unwrap();
    assert_eq!(archive.ask(Method::GET, live, &[]).await.status, 200, "the address needs nothing else");
    let back = archive.ask(Method::GET, &format!("{live}&utc=1777816806&lutc=1777816820"), &[]).await.text();
    let media = back.lines().find(|l| l.starts_with("/v1/streams/cam1/media.m3u8?start=1777816806&token=")).unwrap();
    assert!(archive.ask(Method::GET, media, &[]).await.text().contains("#EXT-X-START:TIME-OFFSET=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mediamtx_lists_and_gets() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 6)).await;
    archive.record("cam1", small(at(30.0), 6)).await;
    let list = archive.get("/list?path=cam1").await.json();
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    assert_eq!((list[0]["start"].as_str().unwrap(), list[0]["duration"].as_f64().unwrap()), ("2026-05-03T14:00:00.000000Z", 6.0));
    let url = list[1]["url"].as_str().unwrap().strip_prefix("http://rv.test").unwrap();
    let got = archive.get(&format!("{url}&format=mp4")).await;
    assert_eq!(got.body, archive.get("/v1/streams/cam1/clip.mp4?start=1777816830&end=1777816836").await.body);
    assert_eq!(archive.get("/list?path=nothing").await.status, 404);
}
