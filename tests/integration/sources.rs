//! Every kind of source that is pulled, from a real sender on loopback.

use std::path::Path;

use retroview::ffmpeg::camera::CameraFormat;
use serde_json::{Value, json};

use crate::harness::{Camera, Service, camera, eventually, ffmpeg_plays};
use crate::servers::{self, free_port, free_udp_port};

/// A camera file short enough to loop soon and long enough to be cut: 20 s.
fn looped() -> Camera {
    camera().seconds(20)
}

/// Records `source` until it has a few segments, and plays them.
async fn records_and_plays(service: &Service, source: &str) -> Value {
    let client = service.client().await;
    client.add_stream("cam", source).await;
    client.wait_for_segments("cam", 4).await;
    let stream = client.stream("cam").await;
    assert_eq!(stream["state"], json!("recording"), "{stream}");
    assert_eq!((stream["width"].clone(), stream["height"].clone()), (json!(320), json!(180)), "{stream}");

    let coverage = client.coverage("cam").await;
    let runs = coverage["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "one connection is one run: {coverage}");
    let (start, end) = (runs[0]["start_us"].as_i64().unwrap(), stream["last_end_us"].as_i64().unwrap());
    let path = format!("/v1/streams/cam/media.m3u8?start={}&end={}", seconds(start), seconds(end));
    client.wait_for_end_of(&path).await;
    let url = service.url(&path);
    let played = ffmpeg_plays(&url, &["-headers", &format!("Authorization: Bearer {}\r\n", client.token())]);
    assert!(played.video_frames >= 75, "{played:?}");
    assert!((played.seconds - (end - start) as f64 / 1e6).abs() < 1.0, "{played:?} of {} s", (end - start) as f64 / 1e6);
    stream
}

/// Unix seconds with all six decimals.
fn seconds(us: i64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[tokio::test]
async fn rtsp_over_tcp_is_recorded() {
    let port = free_port();
    let _camera = servers::rtsp(&looped().format(CameraFormat::Matroska).file(), port, None);
    let service = Service::start().await;
    let stream = records_and_plays(&service, &format!("rtsp://127.0.0.1:{port}/cam")).await;
    assert_eq!(stream["has_audio"], json!(true));
}

#[tokio::test]
async fn rtsp_over_udp_is_recorded() {
    let port = free_port();
    let _camera = servers::rtsp(&looped().format(CameraFormat::Matroska).file(), port, None);
    let service = Service::start().await;
    records_and_plays(&service, &format!("rtsp://127.0.0.1:{port}/cam#transport=udp")).await;
}

#[tokio::test]
async fn an_rtsp_camera_with_a_password_is_recorded_and_the_password_is_never_shown() {
    let port = free_port();
    let _camera = servers::rtsp(&looped().format(CameraFormat::Matroska).file(), port, Some("viewer:s3cret-word"));
    let service = Service::start().await;
    let stream = records_and_plays(&service, &format!("rtsp://viewer:s3cret-word@127.0.0.1:{port}/cam")).await;
    assert!(!stream.to_string().contains("s3cret-word"), "{stream}");
    for args in [&["streams", "list", "--json"][..], &["streams", "show", "cam", "--json"], &["streams", "show", "cam"]] {
        let shown = service.run(args);
        assert!(!shown.contains("s3cret-word"), "{shown}");
    }
    assert!(!service.log_text().contains("s3cret-word"));
    let database = std::fs::read(service.data().join("retroview.db")).unwrap();
    let streams_table_shows_it = String::from_utf8_lossy(&database).contains("viewer:s3cret-word@");
    assert!(!streams_table_shows_it, "credentials are kept apart from the URL");
}

#[tokio::test]
async fn a_wrong_rtsp_password_is_a_gap_that_says_refused() {
    let port = free_port();
    let _camera = servers::rtsp(&looped().format(CameraFormat::Matroska).file(), port, Some("viewer:right"));
    let service = Service::builder().announce("door").start().await;
    let client = service.client().await;
    client.add_stream("door", &format!("rtsp://viewer:wrong@127.0.0.1:{port}/cam")).await;
    let detail = eventually("the state says why", async || {
        let stream = client.stream("door").await;
        (stream["state"] == json!("backing_off")).then(|| stream["state_detail"].as_str().unwrap_or("").to_owned())
    })
    .await;
    assert!(!detail.is_empty() && !detail.contains("wrong"), "{detail}");
}

#[tokio::test]
async fn rtmp_is_recorded() {
    let (service, port) = (Service::start().await, free_port());
    let _nginx = servers::rtmp(service.scratch(), port);
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    let _sender = servers::send(&looped().file(), "flv", &url);
    // The sender may come a moment after us.
    service.announce("cam");
    let stream = records_and_plays(&service, &url).await;
    assert_eq!(stream["has_audio"], json!(true));
}

#[tokio::test]
async fn srt_is_recorded() {
    let port = free_port();
    let _camera = servers::srt_listener(&looped().file(), port);
    let service = Service::builder().announce("cam").start().await;
    records_and_plays(&service, &format!("srt://127.0.0.1:{port}")).await;
}

#[tokio::test]
async fn srt_in_listener_mode_waits_for_its_sender() {
    let port = free_udp_port();
    let service = Service::builder().announce("cam").start().await;
    let client = service.client().await;
    client.add_stream("cam", &format!("srt://127.0.0.1:{port}?mode=listener")).await;
    let _sender = servers::send_until_taken(&looped().file(), "mpegts", &format!("srt://127.0.0.1:{port}"));
    client.wait_for_segments("cam", 3).await;
}

#[tokio::test]
async fn endless_transport_stream_over_http_is_recorded() {
    let port = free_port();
    let _camera = servers::http_ts(&looped().file(), port);
    let service = Service::builder().announce("cam").start().await;
    records_and_plays(&service, &format!("http://127.0.0.1:{port}/live.ts")).await;
}

#[tokio::test]
async fn live_hls_is_recorded() {
    let (service, port) = (Service::builder().announce("cam").start().await, free_port());
    let folder = service.scratch().join("hls");
    std::fs::create_dir(&folder).unwrap();
    let _servers = servers::hls(&looped().file(), &folder, port);
    wait_for_file(&folder.join("live.m3u8")).await;
    records_and_plays(&service, &format!("http://127.0.0.1:{port}/live.m3u8")).await;
}

#[tokio::test]
async fn udp_transport_stream_is_recorded() {
    let port = free_udp_port();
    let _camera = servers::send(&looped().file(), "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316"));
    let service = Service::start().await;
    records_and_plays(&service, &format!("udp://127.0.0.1:{port}")).await;
}

#[tokio::test]
async fn a_file_is_read_once_also_by_a_service_that_starts_again() {
    let file = camera().seconds(2).file();
    let folder = file.parent().unwrap().display().to_string();
    let mut service = Service::builder().set("ingest.file_roots", &folder).start().await;
    service.client().await.add_stream("film", &format!("file://{}", file.display())).await;
    let over = async |service: &Service| {
        eventually("the file has been read", async || {
            let stream = service.client().await.stream("film").await;
            (stream["state"] == json!("disabled")).then_some(stream["segments"].clone())
        })
        .await
    };
    assert_eq!(over(&service).await, json!(2));
    service.stop();
    service.restart().await;
    assert_eq!(over(&service).await, json!(2));
    // Whoever wants it again says so.
    let client = service.client().await;
    client.post("/v1/streams/film/pause", json!({})).await.expect(200);
    client.post("/v1/streams/film/resume", json!({})).await.expect(200);
    client.wait_for_segments("film", 4).await;
}

#[tokio::test]
async fn a_file_is_read_at_its_own_pace() {
    let file = looped().file();
    let folder = file.parent().unwrap().to_str().unwrap();
    let service = Service::builder().set("ingest.file_roots", folder).start().await;
    let began = std::time::Instant::now();
    records_and_plays(&service, &format!("file://{}#loop", file.display())).await;
    assert!(began.elapsed().as_secs() >= 3, "four segments of a second cannot have been there sooner");
}

#[tokio::test]
async fn a_file_outside_the_folders_the_operator_named_is_refused() {
    let service = Service::builder().set("ingest.file_roots", "/srv").start().await;
    let client = service.client().await;
    let answer = client.post("/v1/streams", json!({ "id": "leak", "source": "file:///etc/passwd" })).await.expect(422);
    assert!(answer.json()["detail"].as_str().unwrap().contains("file_roots"), "{}", answer.text());
}

#[tokio::test]
async fn redirects_and_nested_playlists_do_not_reach_forbidden_networks() {
    let service = Service::builder().set("ingest.forbidden_networks", "127.0.0.2/32").announce("inner").announce("nested").start().await;
    let client = service.client().await;
    let (inside, outside) = (free_port(), free_port());
    let folder = service.scratch().join("web");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(looped().file(), folder.join("secret.ts")).unwrap();
    let _inside = servers::files(&folder, "127.0.0.2", inside);
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXTINF:20,\nhttp://127.0.0.2:{inside}/secret.ts\n#EXT-X-ENDLIST\n");
    std::fs::write(folder.join("nested.m3u8"), playlist).unwrap();
    let _outside = servers::files(&folder, "127.0.0.1", outside);

    let direct = json!({ "id": "direct", "source": format!("http://127.0.0.2:{inside}/secret.ts") });
    client.post("/v1/streams", direct).await.expect(422);
    client.add_stream("nested", &format!("http://127.0.0.1:{outside}/nested.m3u8")).await;
    client.add_stream("inner", &format!("http://127.0.0.1:{}/redirect.ts", redirector(inside).await)).await;
    for id in ["nested", "inner"] {
        let detail = eventually("the source is given up", async || {
            let stream = client.stream(id).await;
            (stream["state"] == json!("backing_off")).then(|| stream["state_detail"].as_str().unwrap_or("").to_owned())
        })
        .await;
        assert!(detail.contains("forbidden"), "{id}: {detail}");
        assert_eq!(client.stream(id).await["segments"], json!(0));
    }
}

/// A server on 127.0.0.1 that sends everyone to 127.0.0.2.
async fn redirector(port: u16) -> u16 {
    use axum::response::Redirect;
    let to = format!("http://127.0.0.2:{port}/secret.ts");
    let app = axum::Router::new().fallback(move || async move { Redirect::temporary(&to) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut seen, service) = (0, app.into_make_service());
        let mut make = service;
        while let Ok((stream, _)) = listener.accept().await {
            seen += 1;
            let service = tower::Service::call(&mut make, ()).await.expect("a router never fails");
            let connection = hyper::server::conn::http1::Builder::new();
            let io = hyper_util::rt::TokioIo::new(stream);
            let service = hyper_util::service::TowerToHyperService::new(service);
            tokio::spawn(async move { connection.serve_connection(io, service).await });
            if seen > 10_000 {
                break;
            }
        }
    });
    address.port()
}

async fn wait_for_file(path: &Path) {
    eventually("the file is there", async || path.exists().then_some(())).await;
}
