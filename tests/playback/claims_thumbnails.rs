//! Small pictures for scrubbing: they show the time they claim, and nothing that may not be seen.

use std::time::Duration;

use axum::http::Method;
use retroview::accounts::By;
use retroview::clock::Clock;
use retroview::ffmpeg::camera::{self, CameraOptions, CameraVideo};
use serde_json::Value;

use crate::archive::{Answer, Archive, at, clock_of, luma_of, small};

const T: i64 = 1_777_816_800;

/// A minute in two blocks of half a minute each: pictures at 0, 10, 20 and at 30, 40, 50.
async fn minute() -> Archive {
    let mut archive = Archive::with_thumbnails(15).await;
    archive.record("cam1", small(at(0.0), 60)).await;
    archive
}

fn list_of(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["thumbnails"].as_array().unwrap().clone()
}

async fn list(archive: &Archive, from: i64, to: i64) -> Vec<Value> {
    list_of(&archive.get(&format!("/v1/streams/cam1/thumbnails.json?start={}&end={}", T + from, T + to)).await)
}

fn second(thumbnail: &Value, field: &str) -> f64 {
    (thumbnail[field].as_i64().unwrap() - T * 1_000_000) as f64 / 1e6
}

fn seconds(list: &[Value]) -> Vec<(f64, f64)> {
    list.iter().map(|t| (second(t, "at_us"), second(t, "until_us"))).collect()
}

fn place(thumbnail: &Value) -> [usize; 4] {
    ["x", "y", "w", "h"].map(|side| usize::try_from(thumbnail[side].as_u64().unwrap()).unwrap())
}

fn image(thumbnail: &Value) -> String {
    format!("/v1/streams/cam1/{}", thumbnail["image"].as_str().unwrap())
}

fn is_grey(jpeg: &[u8], place: [usize; 4]) -> bool {
    luma_of(jpeg, place).iter().all(|luma| (120..=136).contains(luma))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_small_picture_shows_the_time_it_claims_and_a_block_has_one_image() {
    let archive = minute().await;
    let list = list(&archive, 0, 60).await;
    assert_eq!(seconds(&list), (0..6).map(|i| (f64::from(i) * 10.0, f64::from(i) * 10.0 + 10.0)).collect::<Vec<_>>());
    let mut images: Vec<String> = list.iter().map(image).collect();
    images.dedup();
    let blocks = archive.db.blocks_after(None, 10).await.unwrap();
    assert_eq!(images, blocks.iter().map(|b| format!("/v1/streams/cam1/thumbnails/{}.jpg", b.id)).collect::<Vec<_>>());
    for thumbnail in &list {
        let answer = archive.get(&image(thumbnail)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "image/jpeg"));
        assert!(answer.header("cache-control").contains("immutable"));
        assert_eq!(clock_of(&answer.body, place(thumbnail)), thumbnail["at_us"].as_i64(), "{thumbnail}");
    }
    let first = archive.get(&images[0]).await;
    let again = archive.get_with(&images[0], &[("if-none-match", first.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let vtt = archive.get(&format!("/v1/streams/cam1/thumbnails.vtt?start={}&end={}", T + 15, T + 45)).await;
    assert_eq!(vtt.header("content-type"), "text/vtt; charset=utf-8");
    let (a, b) = (blocks[0].id, blocks[1].id);
    assert_eq!(
        vtt.text(),
        format!(
            "WEBVTT\n\nNOTE 00:00:00.000 is 2026-05-03T14:00:15.000000Z\n\n\
             00:00:00.000 --> 00:00:05.000\nthumbnails/{a}.jpg#xywh=128,0,128,96\n\n\
             00:00:05.000 --> 00:00:15.000\nthumbnails/{a}.jpg#xywh=256,0,128,96\n\n\
             00:00:15.000 --> 00:00:25.000\nthumbnails/{b}.jpg#xywh=0,0,128,96\n\n\
             00:00:25.000 --> 00:00:30.000\nthumbnails/{b}.jpg#xywh=128,0,128,96\n"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_larger_than_small_is_made_small_in_every_codec() {
    for (video, width, height) in [(CameraVideo::H264, 640, 360), (CameraVideo::H265, 480, 720), (CameraVideo::Av1, 320, 240)] {
        let mut archive = Archive::with_thumbnails(15).await;
        let format = if video == CameraVideo::Av1 { camera::CameraFormat::FragmentedMp4 } else { camera::CameraFormat::MpegTs };
        archive.record("cam1", CameraOptions { width, height, video: Some(video), format, ..small(at(0.0), 22) }).await;
        let list = list(&archive, 0, 22).await;
        let sheet = archive.get(&image(&list[0])).await.body;
        assert_eq!(list.len(), 3, "{video:?}");
        for thumbnail in &list {
            let place = place(thumbnail);
            assert_eq!((place[2], place[3]), (160, (height * 160 / width) as usize), "{video:?}");
            assert_eq!(clock_of(&sheet, place), thumbnail["at_us"].as_i64(), "{video:?}: {thumbnail}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn footage_without_small_pictures_names_full_ones() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(3.0), 21)).await;
    archive.record("cam1", small(at(30.0), 6)).await;
    let list = list(&archive, 0, 60).await;
    // One block holds three segments of two seconds; the pace is that of stretches.
    assert!(list.iter().all(|t| t["image"].as_str().unwrap().starts_with("frame.jpg?at=")), "{list:?}");
    assert!(seconds(&list).windows(2).all(|pair| pair[0].1 <= pair[1].0), "{list:?}");
    assert_eq!((second(&list[0], "at_us"), second(list.last().unwrap(), "until_us")), (3.0, 36.0));
    for thumbnail in list.iter().step_by(2) {
        let picture = archive.get(&image(thumbnail)).await;
        assert_eq!(picture.status, 200);
        assert_eq!(camera::read_clock(&picture.body).unwrap().map(|ms| ms * 1000), thumbnail["at_us"].as_i64());
    }
    let block = archive.db.blocks_after(None, 1).await.unwrap()[0].id;
    let none = archive.get(&format!("/v1/streams/cam1/thumbnails/{block}.jpg")).await;
    assert_eq!((none.status, none.json()["code"].as_str()), (404, Some("no_picture")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_has_its_pictures_at_once_and_their_addresses_stay_good() {
    let mut archive = Archive::with_thumbnails(100).await;
    archive.stay_open = true;
    archive.record("cam1", small(at(0.0), 126)).await;
    let list = list(&archive, 0, 126).await;
    assert_eq!(list.len(), 13);
    let images: Vec<String> = list.iter().map(image).collect();
    assert!(images[0].ends_with("?from=0&count=10") && images[12].ends_with("?from=10&count=3"), "{images:?}");
    for thumbnail in &list {
        let answer = archive.get(&image(thumbnail)).await;
        assert!(answer.status == 200 && answer.header("cache-control").contains("immutable"));
        assert_eq!(clock_of(&answer.body, place(thumbnail)), thumbnail["at_us"].as_i64(), "{thumbnail}");
    }
    let path = images[0].split('?').next().unwrap().to_owned();
    let all = archive.get(&path).await;
    assert_eq!((all.status, all.header("cache-control")), (200, "private, no-cache"), "it grows");
    for (query, status) in [("?from=12&count=1", 200), ("?from=12&count=2", 404), ("?from=1", 400), ("?count=0", 400), ("?count=101", 400)]
    {
        assert_eq!(archive.get(&format!("{path}{query}")).await.status, status, "{query}");
    }
    // A segment that is not committed has no picture either: the last block's row ends where it ends.
    assert!(seconds(&list).last().unwrap().1 <= 126.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_address_shows_the_pictures_of_its_time_and_the_others_are_grey() {
    let archive = minute().await;
    let body = format!(r#"{{"start":"{}","end":"{}","verbs":["thumbnail"]}}"#, T + 5, T + 18);
    let token = archive.post("/v1/streams/cam1/urls", &body).await.json()["token"].as_str().unwrap().to_owned();
    let ask = async |path: &str| archive.ask(Method::GET, path, &[]).await;
    let list = list_of(&ask(&format!("/v1/streams/cam1/thumbnails.json?start={T}&end={}&token={token}", T + 60)).await);
    assert_eq!(seconds(&list), [(5.0, 10.0), (10.0, 18.0)], "{list:?}");
    assert!(list[0]["image"].as_str().unwrap().starts_with("frame.jpg?at=1777816805&"), "the picture at 0 is none of its");
    assert_eq!(ask(&image(&list[0])).await.status, 200);
    let sheet = ask(&image(&list[1])).await;
    assert_eq!((sheet.status, sheet.header("cache-control")), (200, "private, no-cache"));
    assert!(list[1]["image"].as_str().unwrap().contains("v="), "no cache takes it for the whole sheet");
    let [x, y, w, h] = place(&list[1]);
    assert_eq!(clock_of(&sheet.body, [x, y, w, h]), Some((T + 10) * 1_000_000));
    assert!(is_grey(&sheet.body, [x - 128, y, w, h]) && is_grey(&sheet.body, [x + 128, y, w, h]));
    let other = archive.db.blocks_after(None, 10).await.unwrap()[1].id;
    assert_eq!(ask(&format!("/v1/streams/cam1/thumbnails/{other}.jpg?token={token}")).await.status, 403);
    let view = archive.post("/v1/streams/cam1/urls", &body.replace("thumbnail", "view")).await.json();
    let (view, path) = (view["token"].as_str().unwrap(), image(&list[1]));
    let path = path.split('?').next().unwrap();
    assert_eq!(ask(&format!("{path}?token={view}")).await.status, 403, "it is for watching");
    assert_eq!(ask(path).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_left_the_window_is_in_no_picture_from_that_moment_on() {
    let archive = minute().await;
    let by = By { actor: "test".into(), now: archive.clock.now() };
    archive.retention.set_cap(&by, &"cam1".parse().unwrap(), Some(24)).await.unwrap();
    let before = image(&list(&archive, 0, 60).await[0]);
    let whole = archive.get(&before).await;
    archive.clock.advance(Duration::from_secs(15));
    let list_now = list(&archive, 0, 60).await;
    // The segment from 14 to 16 is still shown; its picture was taken at 10, by one that is not.
    assert_eq!(seconds(&list_now)[..2], [(15.0, 20.0), (20.0, 30.0)], "{list_now:?}");
    let sheet = archive.get(&before).await;
    assert_ne!(sheet.header("etag"), whole.header("etag"));
    let [_, y, w, h] = place(&list_now[1]);
    assert!(is_grey(&sheet.body, [0, y, w, h]) && is_grey(&sheet.body, [128, y, w, h]));
    assert_eq!(clock_of(&sheet.body, place(&list_now[1])), Some((T + 20) * 1_000_000));
    archive.clock.advance(Duration::from_secs(15));
    let gone = archive.get(&before).await;
    assert_eq!((gone.status, gone.json()["code"].as_str()), (410, Some("pruned")));
    assert!(list(&archive, 0, 30).await.is_empty(), "an empty list, as coverage has it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wants_erased_is_grey_at_once() {
    let archive = minute().await;
    let path = image(&list(&archive, 0, 60).await[0]);
    let body = format!(r#"{{"stream":"cam1","start":"{}","end":"{}","reason":"r","asked_by":"a"}}"#, T + 9, T + 13);
    assert_eq!(archive.post("/v1/erasures", &body).await.status, 202);
    let list = list(&archive, 0, 30).await;
    assert_eq!(seconds(&list), [(0.0, 8.0), (14.0, 20.0), (20.0, 30.0)], "{list:?}");
    assert!(list[1]["image"].as_str().unwrap().starts_with("frame.jpg"));
    let sheet = archive.get(&path).await;
    let [_, y, w, h] = place(&list[0]);
    assert!(is_grey(&sheet.body, [128, y, w, h]));
    assert_eq!(clock_of(&sheet.body, place(&list[2])), Some((T + 20) * 1_000_000));
    assert_eq!(image(&list[0]), image(&list[2]));
    assert!(image(&list[0]).contains("?v="), "what a browser kept of the whole sheet is not taken for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_alone_has_no_pictures_and_a_list_has_a_limit() {
    let mut archive = Archive::with_thumbnails(15).await;
    archive.record("cam1", CameraOptions { video: None, ..small(at(0.0), 12) }).await;
    assert!(list(&archive, 0, 12).await.is_empty());
    let block = archive.db.blocks_after(None, 1).await.unwrap()[0].id;
    assert_eq!(archive.get(&format!("/v1/streams/cam1/thumbnails/{block}.jpg")).await.status, 404);
    assert_eq!(archive.get(&format!("/v1/streams/cam1/thumbnails.json?start={T}&end={}", T + 6 * 3600)).await.status, 200);
    let long = archive.get(&format!("/v1/streams/cam1/thumbnails.vtt?start={T}&end={}", T + 6 * 3600 + 1)).await;
    assert_eq!((long.status, long.json()["code"].as_str()), (400, Some("invalid_query")));
    assert_eq!(archive.get("/v1/streams/cam1/thumbnails.json?start=-60&end=-70").await.status, 400);
    for nothing in ["nobody.jpg", "01ARZ3NDEKTSV4RRFFQ69G5FAV.jpg", "01ARZ3NDEKTSV4RRFFQ69G5FAV.png"] {
        assert_eq!(archive.get(&format!("/v1/streams/cam1/thumbnails/{nothing}")).await.status, 404, "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_is_served_with_its_time_undecoded_and_need_not_be_sent_twice() {
    let archive = minute().await;
    let path = format!("/v1/streams/cam1/frame.mp4?at={}", T + 11);
    let frame = archive.get(&path).await;
    assert_eq!((frame.status, frame.header("retroview-at-us")), (200, format!("{}", (T + 10) * 1_000_000).as_str()));
    let again = archive.get_with(&path, &[("if-none-match", frame.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let same = archive.get(&format!("/v1/streams/cam1/frame.mp4?at={}", T + 10)).await;
    assert_eq!(same.header("etag"), frame.header("etag"), "another moment of the same keyframe is the same file");
    assert!(frame.header("cache-control").contains("immutable"));
    let newest = archive.get("/v1/streams/cam1/frame.mp4").await;
    assert_eq!((newest.status, newest.header("cache-control")), (200, "private, no-cache"), "another one with the next segment");
}
