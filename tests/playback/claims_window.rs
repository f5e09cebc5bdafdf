//! What has left the retention window is not served, from that moment on, to the segment, while its block still lies there.

use std::time::Duration;

use axum::http::Method;
use retroview::accounts::By;
use retroview::clock::Clock;
use retroview::db::NewHold;
use retroview::entitlement::Scope;
use retroview::media::{AccountId, TimeRange};

use crate::archive::{Archive, at, small};

const HOUR: Duration = Duration::from_secs(3600);
const T: i64 = 1_777_816_800;

fn operator(archive: &Archive) -> By {
    By { actor: "test".into(), now: archive.clock.now() }
}

/// Twenty seconds of footage in segments of two, under a cap of 24 hours; the clock stands at `inside_s` seconds of it left.
async fn capped(inside_s: u64) -> Archive {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 20)).await;
    archive.retention.set_cap(&operator(&archive), &"cam1".parse().unwrap(), Some(24)).await.unwrap();
    // The archive's clock stands a day after the first frame.
    archive.clock.advance(Duration::from_secs(20 - inside_s));
    archive
}

fn starts(playlist: &str) -> Vec<i64> {
    let uris = playlist.lines().filter_map(|l| l.strip_prefix("segments/")?.split_once(".m4s"));
    uris.map(|(start, _)| start.parse::<i64>().unwrap() / 1_000_000 - T).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_is_served_until_its_end_has_left_the_window() {
    let archive = capped(9).await;
    let playlist = archive.get(&format!("/v1/streams/cam1/media.m3u8?start={T}&end={}", T + 20)).await;
    assert_eq!((playlist.status, starts(&playlist.text())), (200, vec![10, 12, 14, 16, 18]));
    let segment = async |s: i64| archive.get(&format!("/v1/streams/cam1/segments/{}.m4s", (T + s) * 1_000_000)).await;
    assert_eq!(segment(10).await.status, 200, "its first second has left, its last has not");
    let gone = segment(8).await;
    assert_eq!((gone.status, gone.json()["code"].as_str()), (410, Some("pruned")));
    assert_eq!((&gone.json()["reason"], &gone.json()["hours"]), (&"cap".into(), &24.into()));
    assert_eq!(gone.json()["window_start_us"], (T + 11) * 1_000_000);
    assert!(gone.json()["detail"].as_str().unwrap().contains("24 hours"), "{}", gone.json());

    archive.clock.advance(Duration::from_millis(999));
    assert_eq!(segment(10).await.status, 200);
    archive.clock.advance(Duration::from_millis(1));
    assert_eq!(segment(10).await.status, 410, "to the moment");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_footage_ends_at_the_window() {
    let archive = capped(9).await;
    let v1 = |path: &str| format!("/v1/streams/cam1/{path}");
    let clip = archive.get(&v1(&format!("clip.mp4?start={T}&end={}", T + 20))).await;
    assert_eq!((clip.status, clip.header("retroview-start-us")), (200, format!("{}", (T + 10) * 1_000_000).as_str()));
    let blocks = archive.db.blocks_after(None, 10).await.unwrap();
    let straddling = blocks.iter().find(|b| b.start < at(10.0) && b.end() > at(10.0)).unwrap();
    for (path, status) in [
        (format!("clip.mp4?start={T}&end={}", T + 8), 410),
        (format!("media.m3u8?start={T}&end={}", T + 8), 410),
        (format!("media.m3u8?start={}&end={}", T + 10, T + 11), 200),
        (format!("playlist.m3u8?start={T}&end={}", T + 8), 410),
        (format!("iframes.m3u8?start={T}&end={}", T + 8), 410),
        (format!("frame.mp4?at={}", T + 5), 410),
        (format!("frame.jpg?at={}", T + 5), 410),
        (format!("frame.mp4?at={}", T + 10), 200),
        (format!("blocks/{}.mp4", straddling.id), 410),
        (format!("media.m3u8?start={}&end={}", T - 3600, T - 3000), 404),
    ] {
        assert_eq!(archive.get(&v1(&path)).await.status, status, "{path}");
    }
    let coverage = archive.get(&v1(&format!("coverage?start={T}&end={}", T + 20))).await.json();
    assert_eq!(coverage["runs"][0]["start_us"], (T + 11) * 1_000_000);
    assert_eq!(coverage["window_start_us"], (T + 11) * 1_000_000);
    let before = archive.get(&v1(&format!("coverage?start={T}&end={}", T + 5))).await;
    assert_eq!((before.status, before.json()["runs"].as_array().unwrap().len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn held_footage_outside_the_window_is_for_those_who_may_see_holds() {
    let archive = capped(4).await;
    let range = TimeRange::new(at(3.0), at(5.0)).unwrap();
    let new = NewHold {
        account: AccountId::main(),
        streams: vec!["cam1".parse().unwrap()],
        range,
        margin_before_us: 0,
        margin_after_us: 0,
        case: "4711".into(),
        reason: "burglary".into(),
        author: "test".into(),
        expires_at: None,
    };
    let hold = archive.retention.place_hold(&operator(&archive), new).await.unwrap().row.id;
    let viewer = archive.token(&[Scope::View]).await;
    let manager = archive.token(&[Scope::View, Scope::Audit]).await;
    let ask = async |token: &str, path: &str| {
        archive.ask(Method::GET, &format!("/v1/streams/cam1/{path}"), &[("authorization", &format!("Bearer {token}"))]).await
    };
    let whole = format!("media.m3u8?start={T}&end={}", T + 20);
    let playlist = ask(&manager, &whole).await.text();
    assert_eq!(starts(&playlist), [2, 4, 16, 18]);
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
    assert_eq!(starts(&ask(&viewer, &whole).await.text()), [16, 18]);
    let held = format!("segments/{}.m4s", (T + 4) * 1_000_000);
    assert_eq!([ask(&manager, &held).await.status, ask(&viewer, &held).await.status], [200, 410]);
    let holds = |answer: serde_json::Value| answer["holds"].as_array().unwrap().len();
    let coverage = format!("coverage?start={T}&end={}", T + 20);
    assert_eq!([holds(ask(&manager, &coverage).await.json()), holds(ask(&viewer, &coverage).await.json())], [1, 0]);
    assert_eq!(ask(&manager, &coverage).await.json()["runs"].as_array().unwrap().len(), 2);

    archive.retention.release_hold(&operator(&archive), &AccountId::main(), hold).await.unwrap();
    assert_eq!(ask(&manager, &held).await.status, 410, "released, it is gone for everyone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_swept_is_told_from_what_never_was() {
    let archive = capped(0).await;
    archive.clock.advance(HOUR);
    let run = async || archive.retention.run(archive.clock.now(), false).await.unwrap();
    // Nobody forecast that all of an account would go.
    let stopped = run().await;
    assert!(stopped.stopped.is_some(), "{stopped:?}");
    archive.retention.confirm(&operator(&archive)).await.unwrap();
    assert_eq!(run().await.marked.len(), 1);
    let segment = format!("/v1/streams/cam1/segments/{}.m4s", (T + 4) * 1_000_000);
    assert_eq!(archive.get(&segment).await.status, 410, "marked");
    for _ in 0..8 {
        archive.clock.advance(HOUR * 24);
        run().await;
    }
    assert_eq!(archive.db.blocks_after(None, 10).await.unwrap().len(), 0, "swept");
    assert_eq!(archive.get(&segment).await.status, 410);
    let clip = async |start: i64| archive.get(&format!("/v1/streams/cam1/clip.mp4?start={start}&end={}", start + 20)).await;
    assert_eq!((clip(T).await.status, clip(T).await.json()["reason"].as_str().map(str::to_owned)), (410, Some("cap".into())));
    assert_eq!(clip(T - 600).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_has_begun_ends_though_its_footage_is_swept_meanwhile() {
    let archive = capped(20).await;
    let uri = format!("/v1/streams/cam1/clip.mp4?start={T}&end={}", T + 20);
    let whole = archive.get(&uri).await.body;
    let begun = archive.begin(&uri).await;
    archive.clock.advance(HOUR);
    archive.retention.run(archive.clock.now(), false).await.unwrap();
    archive.retention.confirm(&operator(&archive)).await.unwrap();
    let days = async |count: usize| {
        for _ in 0..count {
            archive.retention.run(archive.clock.now(), false).await.unwrap();
            archive.clock.advance(HOUR * 24);
        }
    };
    days(9).await;
    assert_eq!(archive.get(&uri).await.status, 410, "for whoever comes now");
    assert_eq!(begun.rest().await, whole);
    days(1).await;
    assert_eq!(archive.db.blocks_after(None, 10).await.unwrap().len(), 0, "as soon as it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_file_is_not_sent_while_something_of_it_is_being_erased() {
    let mut archive = Archive::new().await;
    archive.record("cam1", small(at(0.0), 12)).await;
    let block = archive.db.blocks_after(None, 1).await.unwrap()[0].id;
    let path = format!("/v1/streams/cam1/blocks/{block}.mp4");
    assert_eq!(archive.get(&path).await.status, 200);
    let body = format!(r#"{{"stream":"cam1","start":"{}","end":"{}","reason":"r","asked_by":"a"}}"#, T + 4, T + 6);
    assert_eq!(archive.post("/v1/erasures", &body).await.status, 202);
    // Asked, then hidden: the rows pass over what is to go, and its bytes are there.
    for _ in 0..2 {
        let refused = archive.get(&path).await;
        assert_eq!((refused.status, refused.json()["code"].as_str()), (410, Some("erased")));
        archive.retention.eraser().advance(archive.clock.now()).await.unwrap();
        archive.retention.changed();
    }
}
