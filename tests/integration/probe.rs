//! A source is tried before it is recorded: what it sends, what it shows, and why there is nothing.

use std::io::{Read, Write};
use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use retroview::ffmpeg::camera::{CameraFormat, CameraVideo};
use serde_json::{Value, json};

use crate::harness::{Answer, Camera, Service, camera, clock_of_jpeg};
use crate::servers::{self, free_port};

fn looped() -> Camera {
    camera().seconds(20)
}

async fn try_source(service: &Service, source: &str) -> Answer {
    service.client().await.post("/v1/streams/probe", json!({ "source": source })).await
}

async fn refusal(service: &Service, source: &str) -> (String, String) {
    let answer = try_source(service, source).await.expect(422).json();
    (answer["code"].as_str().unwrap().into(), answer["detail"].as_str().unwrap().into())
}

/// The clock in the picture that the answer shows.
fn clock_of(answer: &Value) -> Option<i64> {
    let picture = answer["picture"].as_str()?.strip_prefix("data:image/jpeg;base64,")?;
    clock_of_jpeg(&STANDARD.decode(picture).unwrap())
}

#[tokio::test]
async fn a_camera_that_answers_shows_what_it_sends_and_its_first_picture() {
    let port = free_port();
    let _camera = servers::rtsp(&looped().format(CameraFormat::Matroska).file(), port, Some("viewer:s3cret-word"));
    let service = Service::start().await;
    let seen = try_source(&service, &format!("rtsp://viewer:s3cret-word@127.0.0.1:{port}/cam")).await.expect(200).json();
    assert_eq!((&seen["reached"], &seen["warnings"]), (&json!(true), &json!([])), "{seen}");
    assert!(seen["codecs"].as_str().unwrap().starts_with("avc1."), "{seen}");
    let video = &seen["tracks"][0];
    assert_eq!((&video["kind"], &video["codec"], &video["width"]), (&json!("video"), &json!("h264"), &json!(320)), "{seen}");
    assert_eq!((&seen["tracks"][1]["kind"], &seen["tracks"][1]["codec"]), (&json!("audio"), &json!("aac")));
    assert!(clock_of(&seen).is_some(), "the picture is the camera's");
    let (code, detail) = refusal(&service, &format!("rtsp://viewer:wrong-word@127.0.0.1:{port}/cam")).await;
    assert_eq!(code, "unauthorized_source", "{detail}");
    assert!(!detail.contains("word@"), "{detail}");
    assert!(!service.log_text().contains("-word"), "credentials are not logged");
    let nothing = service.client().await.get("/v1/streams").await.json();
    assert_eq!(nothing["streams"], json!([]), "nothing was recorded");
}

#[tokio::test]
async fn a_large_picture_is_made_small_and_hevc_comes_with_a_warning() {
    let file = camera().seconds(3).size(1280, 720).video(CameraVideo::H265).file();
    let service = Service::builder().set("ingest.file_roots", file.parent().unwrap().to_str().unwrap()).start().await;
    let seen = try_source(&service, &format!("file://{}", file.display())).await.expect(200).json();
    assert_eq!((&seen["tracks"][0]["codec"], &seen["warnings"][0]["code"]), (&json!("h265"), &json!("hevc")), "{seen}");
    let jpeg = STANDARD.decode(seen["picture"].as_str().unwrap().split_once(',').unwrap().1).unwrap();
    let shown = image_size(&jpeg);
    assert_eq!(shown, Some((640, 360)));
    // What the policy forbids is not looked at.
    for source in ["file:///etc/passwd", "gopher://x", "push:"] {
        assert_eq!(refusal(&service, source).await.0, "invalid_source", "{source}");
    }
}

/// From the frame header of a baseline JPEG.
fn image_size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let at = jpeg.windows(2).position(|w| w == [0xff, 0xc0])?;
    let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    Some((number(at + 7), number(at + 5)))
}

/// Says this to whoever connects.
fn answers(with: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(with);
        }
    });
    port
}

#[tokio::test]
async fn what_is_wrong_with_a_source_is_told_apart() {
    let service = Service::builder().set("ingest.forbidden_networks", "127.0.0.2/32").start().await;
    let closed = free_port();
    let page = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n<html>no film here</html>\n");
    let login = answers(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
    let missing = answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let away = answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:9/x.ts\r\nContent-Length: 0\r\n\r\n");
    for (source, code) in [
        (format!("rtsp://127.0.0.1:{closed}/cam"), "refused"),
        (format!("http://127.0.0.1:{page}/x.ts"), "no_media"),
        (format!("http://127.0.0.1:{login}/x.ts"), "unauthorized_source"),
        (format!("http://127.0.0.1:{missing}/x.ts"), "refused"),
        ("http://nowhere.invalid/x.ts".into(), "unreachable"),
        ("http://127.0.0.2:9/x.ts".into(), "invalid_source"),
        (format!("http://127.0.0.1:{away}/x.ts"), "invalid_source"),
    ] {
        let (found, detail) = refusal(&service, &source).await;
        assert_eq!(found, code, "{source}: {detail}");
        assert!(detail.ends_with('.') && !detail.starts_with(|c: char| c.is_lowercase()), "{detail}");
    }
}

#[tokio::test]
async fn a_few_sources_are_tried_at_a_time() {
    let service = Service::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("http://127.0.0.1:{}/x.ts", silent.local_addr().unwrap().port());
    let client = service.client().await;
    let tried = (0..5).map(|_| client.post("/v1/streams/probe", json!({ "source": source })));
    let answers = futures_util::future::join_all(tried).await;
    let codes: Vec<String> = answers.iter().map(|a| a.json()["code"].as_str().unwrap().into()).collect();
    assert_eq!(codes.iter().filter(|c| *c == "unavailable").count(), 2, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| *c == "unreachable").count(), 3, "{codes:?}");
}
