//! The path every user walks first: push, look, play.

use serde_json::json;

use crate::harness::{Service, camera, ffmpeg_plays};

#[tokio::test]
async fn what_is_pushed_is_listed_covered_and_played() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("door", "push:").await;

    let answer = client.push("door", "video/mp2t", camera().bytes()).await.expect(200).json();
    assert_eq!(answer["segments"], json!(10), "{answer}");

    let stream = client.stream("door").await;
    assert_eq!((stream["width"].clone(), stream["height"].clone()), (json!(320), json!(180)), "{stream}");
    assert_eq!(stream["has_audio"], json!(true));
    let coverage = client.coverage("door").await;
    assert_eq!(coverage["runs"].as_array().unwrap().len(), 1, "{coverage}");

    let (start, end) = (stream["first_start_us"].as_i64().unwrap(), stream["last_end_us"].as_i64().unwrap());
    let range = format!("start={}&end={}", start as f64 / 1e6, end as f64 / 1e6);
    client.wait_for_end_of(&format!("/v1/streams/door/media.m3u8?{range}")).await;
    let auth = format!("Authorization: Bearer {}\r\n", client.token());
    let played = ffmpeg_plays(service.url(&format!("/v1/streams/door/playlist.m3u8?{range}")), &["-headers", &auth]);
    assert_eq!(played.complaints, "");
    assert_eq!(played.video_frames, 250, "{played:?}");
}

#[tokio::test]
async fn nothing_but_health_answers_without_credentials() {
    let service = Service::start().await;
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401), ("/v1/streams", 401), ("/v1/openapi.json", 401)] {
        let answer = reqwest::get(service.url(path)).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_stop_takes_less_than_two_seconds_and_a_restart_goes_on_with_the_same_footage() {
    let mut service = Service::start().await;
    service.client().await.add_stream("door", "push:").await;
    service.client().await.push("door", "video/mp2t", camera().bytes()).await.expect(200);
    let before = service.client().await.stream("door").await;
    let took = service.stop();
    assert!(took.as_secs_f64() < 2.0, "{took:?}");
    service.restart().await;
    let after = service.client().await.stream("door").await;
    for key in ["segments", "first_start_us", "last_end_us"] {
        assert_eq!(before[key], after[key], "{key}");
    }
}
