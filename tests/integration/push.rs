//! Bodies pushed over HTTP: both containers, every codec, and senders that misbehave.

use futures_util::future::join_all;
use retroview::ffmpeg::camera::{CameraAudio, CameraFormat, CameraVideo};
use serde_json::json;

use crate::harness::{Camera, Service, camera, eventually, ffmpeg_plays, ffprobe_json};
use crate::servers;

/// Pushes a recording, plays it back, and gives what a player says of the tracks.
async fn round_trip(service: &Service, id: &str, camera: &Camera, content_type: &str) -> Vec<String> {
    let client = service.client().await;
    client.add_stream(id, "push:").await;
    client.push(id, content_type, camera.bytes()).await.expect(200);
    let stream = client.stream(id).await;
    let at = |key: &str| stream[key].as_i64().unwrap() as f64 / 1e6;
    let path = format!("/v1/streams/{id}/media.m3u8?start={}&end={}", at("first_start_us"), at("last_end_us"));
    client.wait_for_end_of(&path).await;
    let url = service.url(&path);
    let auth = format!("Authorization: Bearer {}\r\n", client.token());
    let played = ffmpeg_plays(&url, &["-headers", &auth]);
    assert!((played.seconds - 5.0).abs() < 0.2, "{id}: {played:?}");
    assert_eq!(played.complaints, "", "{id}");
    let probed = ffprobe_json(&url, &["-headers", &auth]);
    let mut codecs: Vec<String> =
        probed["streams"].as_array().unwrap().iter().map(|s| s["codec_name"].as_str().unwrap_or("").to_owned()).collect();
    codecs.sort();
    codecs
}

#[tokio::test]
async fn every_codec_survives_the_way_in_and_out() {
    use CameraAudio::{Aac, Mp3, Opus};
    use CameraFormat::{FragmentedMp4, MpegTs};
    use CameraVideo::{Av1, H265};
    let service = Service::start().await;
    let (service, ts, mp4) = (&service, "video/mp2t", "video/mp4");
    let five = || camera().seconds(5);
    let ways = [
        ("h264-aac", five(), ts, &["aac", "h264"][..]),
        ("h264-b-frames", five().b_frames(2), ts, &["aac", "h264"]),
        ("h265-mp3", five().video(H265).audio(Mp3).b_frames(2), ts, &["hevc", "mp3"]),
        ("h264-opus", five().audio(Opus), ts, &["h264", "opus"]),
        ("av1-opus", five().video(Av1).audio(Opus).format(FragmentedMp4), mp4, &["av1", "opus"]),
        ("h264-fmp4", five().b_frames(2).format(FragmentedMp4), mp4, &["aac", "h264"]),
        ("h265-fmp4", five().video(H265).format(FragmentedMp4), mp4, &["aac", "hevc"]),
        ("video-only", five().audio(None), ts, &["h264"]),
        ("audio-only", five().video(None).audio(Aac).format(MpegTs), ts, &["aac"]),
    ];
    join_all(ways.iter().map(async |(id, camera, content_type, codecs)| {
        assert_eq!(round_trip(service, id, camera, content_type).await, *codecs, "{id}");
    }))
    .await;
}

#[tokio::test]
async fn audio_that_browsers_do_not_play_is_recoded_to_aac() {
    use CameraAudio::{Alaw, Mulaw, Pcm};
    let service = Service::start().await;
    let client = service.client().await;
    // MPEG-TS does not carry them; files do.
    for (id, audio) in [("alaw", Alaw), ("mulaw", Mulaw), ("pcm", Pcm)] {
        let file = camera().seconds(5).audio(audio).format(CameraFormat::Matroska).file();
        client.add_stream(id, "push:").await;
        service.run(&["import", id, file.to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
        let stream = client.stream(id).await;
        assert_eq!(stream["codecs"].as_str().unwrap().split(',').next_back(), Some("mp4a.40.2"), "{stream}");
        let path = format!("/v1/streams/{id}/clip.mp4?start=2026-05-03T14:00:00Z&end=2026-05-03T14:00:05Z");
        let played = ffmpeg_plays(service.url(&path), &["-headers", &format!("Authorization: Bearer {}\r\n", client.token())]);
        assert!((played.seconds - 5.0).abs() < 0.2, "{id}: {played:?}");
        assert_eq!(played.complaints, "", "{id}");
    }
}

#[tokio::test]
async fn ffmpeg_pushes_an_endless_body_and_what_it_sent_is_kept_when_it_goes() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("studio", "push:").await;
    let url = service.url("/v1/streams/studio/ingest");
    let sender = servers::push(&camera().file(), &url, client.token());
    client.wait_for_segments("studio", 3).await;
    assert_eq!(client.stream("studio").await["state"], json!("recording"));

    let second = client.push("studio", "video/mp2t", camera().bytes()[..1880].to_vec()).await.expect(409);
    assert_eq!(second.json()["code"], json!("publisher_present"));

    drop(sender);
    let gap = eventually("the gap is there", async || {
        let coverage = client.coverage("studio").await;
        coverage["gaps"].as_array().unwrap().last().cloned()
    })
    .await;
    assert!(["no_publisher", "source_ended"].contains(&gap["cause"].as_str().unwrap()), "{gap}");

    let _again = servers::push(&camera().file(), &url, client.token());
    eventually("a second run begins", async || (client.coverage("studio").await["runs"].as_array().unwrap().len() == 2).then_some(()))
        .await;
}

#[tokio::test]
async fn a_body_that_is_no_media_is_refused_in_words() {
    let service = Service::builder().announce("noise").start().await;
    let client = service.client().await;
    client.add_stream("noise", "push:").await;
    let answer = client.push("noise", "video/mp2t", b"this is not a transport stream ".repeat(40)).await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    assert!(!answer.json()["detail"].as_str().unwrap_or("").is_empty());
    client.push("noise", "text/plain", b"hello".to_vec()).await.expect(415);
    client.push("nobody", "video/mp2t", Vec::new()).await.expect(404);
    for file in ["playlist.m3u8", "media.m3u8", "clip.mp4?start=1&end=2", "frame.jpg", "frame.mp4"] {
        let answer = client.get(&format!("/v1/streams/nobody/{file}")).await.expect(404);
        assert_eq!(answer.json()["code"], json!("unknown_stream"), "{file}");
    }
    client.push("noise", "video/mp2t", camera().bytes()).await.expect(200);
}

#[tokio::test]
async fn a_sender_may_come_the_moment_its_stream_is_there() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = camera().seconds(2).bytes();
    let by_hand = async || {
        service.run(&["streams", "add", "by-hand", "push:"]);
        client.push("by-hand", "video/mp2t", body.clone()).await.expect(200);
        service.run(&["streams", "pause", "by-hand"]);
        service.run(&["streams", "resume", "by-hand"]);
        client.push("by-hand", "video/mp2t", body.clone()).await.expect(200);
    };
    let over_http = async |id: &str| {
        client.add_stream(id, "push:").await;
        let answer = client.push(id, "video/mp2t", body.clone()).await.expect(200).json();
        assert_eq!(client.stream(id).await["segments"], answer["segments"], "what the sender is told of is there");
    };
    let ids: Vec<String> = (0..8).map(|n| format!("at-once-{n}")).collect();
    tokio::join!(by_hand(), join_all(ids.iter().map(|id| over_http(id))));
}

#[tokio::test]
async fn a_change_of_picture_size_starts_a_new_run() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("studio", "push:").await;
    let mut body = camera().seconds(5).bytes();
    body.extend(camera().seconds(5).size(640, 360).bytes());
    client.push("studio", "video/mp2t", body).await.expect(200);
    let coverage = client.coverage("studio").await;
    let runs = coverage["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{coverage}");
    assert_eq!(runs[0]["end_us"], runs[1]["start_us"], "nothing is lost between them: {coverage}");
    let at = |value: &serde_json::Value| value.as_i64().unwrap() as f64 / 1e6;
    // Not the end of the second run: what came faster than it plays lies ahead of now, and coverage was asked up to now.
    let end = client.stream("studio").await["last_end_us"].clone();
    let path = format!("/v1/streams/studio/media.m3u8?start={}&end={}", at(&runs[0]["start_us"]), at(&end));
    client.wait_for_end_of(&path).await;
    let played = ffmpeg_plays(service.url(&path), &["-headers", &format!("Authorization: Bearer {}\r\n", client.token())]);
    assert_eq!(played.video_frames, 250, "both sides are played: {played:?}");
}
