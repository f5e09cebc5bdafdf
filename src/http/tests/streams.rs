//! Streams by way of the API, and what is told of them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::db::IndexChange;
use crate::entitlement::Scope;
use crate::http::testing::{NOW, TestApp};
use crate::ingest::protocol::{NoSight, SeenAudio, SeenPicture, SeenVideo, Sight, StreamState, WhyNoSight};
use crate::ingest::{LookError, StreamStatus};
use crate::media::{GapCause, Timestamp};

#[tokio::test]
async fn a_stream_is_added_shown_without_credentials_paused_resumed_removed_and_brought_back() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let asked = json!({ "id": "door", "title": " Front door ", "source": "rtsp://viewer:hunter2@192.0.2.9/1" });
    let made = app.json_with(&admin, Method::POST, "/v1/streams", &asked).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let expected = json!({
        "id": "door", "account": "main", "title": "Front door", "source": "rtsp://***@192.0.2.9/1", "kind": "pull",
        "paused": false, "state": "connecting", "state_detail": "", "removed_at_us": null, "state_since_us": NOW.as_micros(),
        "first_start_us": null, "last_end_us": null, "bytes": 0, "stored_bytes": 0, "bitrate_bps": null, "last_gap": null, "segments": 0, "blocks": 0, "reconnects": 0,
        "codecs": null, "width": null, "height": null, "has_video": false, "has_audio": false,
    });
    assert_eq!(made.json(), expected);
    let id = "door".parse().unwrap();
    let credentials = app.state.db.stream_credentials(&id).await.unwrap().unwrap();
    assert!(credentials.contains("hunter2"), "kept, but apart");

    let paused = app.json_with(&admin, Method::POST, "/v1/streams/door/pause", &json!(null)).await.json();
    assert_eq!((&paused["paused"], &paused["state"]), (&json!(true), &json!("disabled")));
    let resumed = app.json_with(&admin, Method::POST, "/v1/streams/door/resume", &json!(null)).await.json();
    assert_eq!(resumed["paused"], false);

    assert_eq!(app.json_with(&admin, Method::DELETE, "/v1/streams/door", &json!(null)).await.status, 204);
    let listed = |list: Value| list["streams"].as_array().unwrap().iter().map(|s| s["id"].clone()).collect::<Vec<_>>();
    assert_eq!(listed(app.get_with(&admin, "/v1/streams").await.json()), ["cam1"]);
    let twice = app.json_with(&admin, Method::DELETE, "/v1/streams/door", &json!(null)).await;
    assert_eq!(twice.code(), "unknown_stream");
    let again = app.json_with(&admin, Method::POST, "/v1/streams", &asked).await;
    assert_eq!(again.code(), "stream_exists");
    assert!(again.json()["detail"].as_str().unwrap().contains("restore"));
    assert_eq!(app.json_with(&admin, Method::POST, "/v1/streams/door/restore", &json!(null)).await.status, 200);
    assert_eq!(listed(app.get_with(&admin, "/v1/streams").await.json()), ["cam1", "door"]);
    assert_eq!(app.recorder.reloads(), 5, "recording hears of each change at once");
}

#[tokio::test]
async fn title_and_source_can_be_changed_and_what_is_not_named_stays() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let change = |body: Value| {
        let (app, admin) = (&app, &admin);
        async move { app.json_with(admin, Method::PATCH, "/v1/streams/cam1", &body).await }
    };
    assert_eq!(change(json!({ "title": "Yard" })).await.json()["source"], "rtsp://192.0.2.7/1");
    let moved = change(json!({ "source": "push:" })).await.json();
    assert_eq!((&moved["title"], &moved["source"], &moved["kind"]), (&json!("Yard"), &json!("push:"), &json!("push")));
    // What a list showed cannot be sent back: the credentials would be lost.
    assert_eq!(change(json!({ "source": "rtsp://***@192.0.2.9/1" })).await.code(), "invalid_source");
    // Paused with the rest of a form.
    let paused = change(json!({ "title": "Yard", "paused": true })).await.json();
    assert_eq!((&paused["paused"], &paused["state"]), (&json!(true), &json!("disabled")));
    assert_eq!(change(json!({ "paused": false })).await.json()["paused"], false);
    assert_eq!(change(json!({ "titel": "x" })).await.code(), "invalid_body");
    for title in ["", "  ", "a\nb", &"x".repeat(201)] {
        assert_eq!(change(json!({ "title": title })).await.code(), "invalid_value", "{title:?}");
    }
}

#[tokio::test]
async fn a_source_that_may_not_be_is_refused_and_its_credentials_are_not_repeated() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    for source in [
        "",
        "gopher://x",
        "rtsp://user:hunter2@10.1.2.3/forbidden-network",
        "file:///etc/passwd",
        "rtsp://user:hunter2@192.0.2.9:99999/x",
        "http://user:hunter2@/x",
    ] {
        let answer = app.json_with(&admin, Method::POST, "/v1/streams", &json!({ "id": "door", "source": source })).await;
        assert_eq!((answer.status, &*answer.code()), (422, "invalid_source"), "{source}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"), "{source}");
    }
    for id in ["", "Door", "../etc", "a b"] {
        let answer = app.json_with(&admin, Method::POST, "/v1/streams", &json!({ "id": id, "source": "push:" })).await;
        assert_eq!(answer.code(), "invalid_body", "{id}");
    }
}

#[tokio::test]
async fn what_recording_says_of_a_stream_is_passed_on() {
    let app = TestApp::new().await;
    let viewer = app.token(&[Scope::View], &[]).await;
    let mut status = StreamStatus::new(StreamState::BackingOff, NOW);
    status.detail = "connection refused".into();
    status.reconnects = 3;
    app.recorder.set_status("cam1", status);
    let stream = app.get_with(&viewer, "/v1/streams/cam1").await.json();
    assert_eq!((&stream["state"], &stream["state_detail"]), (&json!("backing_off"), &json!("connection refused")));
    assert_eq!(stream["reconnects"], 3);
}

#[tokio::test]
async fn streams_are_seen_and_changed_by_those_who_may() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let one = app.token(&[Scope::View], &["cam2"]).await;
    let list = app.get_with(&one, "/v1/streams").await.json();
    assert_eq!(list["streams"].as_array().unwrap().len(), 1);
    assert_eq!(app.get_with(&one, "/v1/streams/cam2").await.status, 200);
    // The same answer whether there is such a stream or not.
    assert_eq!(app.get_with(&one, "/v1/streams/cam1").await.code(), "stream_not_covered");
    assert_eq!(app.get_with(&one, "/v1/streams/nonesuch").await.code(), "stream_not_covered");
    for (method, uri) in [
        (Method::POST, "/v1/streams/cam2/pause"),
        (Method::POST, "/v1/streams/cam2/resume"),
        (Method::DELETE, "/v1/streams/cam2"),
        (Method::PATCH, "/v1/streams/cam2"),
    ] {
        assert_eq!(app.json_with(&one, method.clone(), uri, &json!({})).await.code(), "missing_scope", "{method} {uri}");
    }
    let pusher = app.token(&[Scope::Ingest], &[]).await;
    assert_eq!(app.get_with(&pusher, "/v1/streams").await.code(), "missing_scope");
    let some = app.token(&[Scope::Admin], &["cam2"]).await;
    let asked = json!({ "id": "door", "source": "push:" });
    assert_eq!(app.json_with(&some, Method::POST, "/v1/streams", &asked).await.code(), "stream_not_covered");
    assert_eq!(app.json_with(&some, Method::POST, "/v1/streams/cam2/pause", &json!({})).await.status, 200);
}

#[tokio::test]
async fn metrics_show_each_stream_as_long_as_it_is_there() {
    let app = TestApp::new().await;
    let scraper = app.token(&[Scope::Operate], &[]).await;
    let mut status = StreamStatus::new(StreamState::Recording, NOW);
    status.reconnects = 2;
    app.recorder.set_status("cam1", status);
    let scrape = || async { String::from_utf8(app.get_with(&scraper, "/metrics").await.body.to_vec()).unwrap() };
    let text = scrape().await;
    for line in [
        "retroview_stream_state{stream=\"cam1\",state=\"recording\"} 1",
        "retroview_stream_state{stream=\"cam1\",state=\"stalled\"} 0",
        "retroview_stream_reconnects_total{stream=\"cam1\"} 2",
        "retroview_stream_bytes{stream=\"cam1\"} 0",
        "# TYPE retroview_stream_segments gauge",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    app.state.db.set_stream_removed(&"cam1".parse().unwrap(), Some(NOW)).await.unwrap();
    assert!(!scrape().await.contains("cam1"));
    // They are about all accounts.
    let manager = app.token(&[Scope::Admin], &[]).await;
    assert_eq!(app.get_with(&manager, "/metrics").await.code(), "missing_scope");
}

#[tokio::test]
async fn hidden_credentials_stay_as_long_as_they_go_to_the_same_place() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let asked = json!({ "id": "door", "source": "rtsp://viewer:hunter2@192.0.2.9/1?token=abcd" });
    assert_eq!(app.json_with(&admin, Method::POST, "/v1/streams", &asked).await.status, 201);
    let change = async |source: &str| app.json_with(&admin, Method::PATCH, "/v1/streams/door", &json!({ "source": source })).await;
    let moved = change("rtsp://***@192.0.2.9/2?token=***#transport=udp").await;
    assert_eq!(moved.json()["source"], "rtsp://***@192.0.2.9/2?token=***#transport=udp", "{:?}", moved.body);
    let credentials = app.state.db.stream_credentials(&"door".parse().unwrap()).await.unwrap().unwrap();
    assert!(credentials.contains("hunter2") && credentials.contains("abcd"), "{credentials}");
    for elsewhere in ["rtsp://***@192.0.2.10/1", "rtsp://***@192.0.2.9:8554/1", "http://***@192.0.2.9/1", "rtsp://192.0.2.9/1?other=***"] {
        assert_eq!(change(elsewhere).await.code(), "invalid_source", "{elsewhere}");
        let probe = json!({ "stream": "door", "source": elsewhere });
        let tried = app.json_with(&admin, Method::POST, "/v1/streams/probe", &probe).await;
        assert_eq!((tried.status, &*tried.code()), (422, "invalid_source"), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_source_is_tried_with_the_credentials_the_stream_has() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let asked = json!({ "id": "door", "source": "rtsp://viewer:hunter2@192.0.2.9/1" });
    app.json_with(&admin, Method::POST, "/v1/streams", &asked).await;
    app.recorder.let_see(|source| {
        assert!(source.credentials_text().unwrap().contains("hunter2"));
        Ok(Sight {
            video: Some(SeenVideo { codec: "h265".into(), width: 1920, height: 1080, fps_num: 25, fps_den: 1 }),
            audio: Some(SeenAudio { codec: "aac".into(), sample_rate: 8000, channels: 1, recoded_from: Some("pcm_alaw".into()) }),
            codecs: Some("hvc1.1.6.L120.90,mp4a.40.2".into()),
            picture: Some(SeenPicture { jpeg: bytes::Bytes::from_static(b"jpeg"), width: 640, height: 360 }),
            why_no_picture: None,
        })
    });
    let probe = json!({ "stream": "door", "source": "rtsp://***@192.0.2.9/2" });
    let mut seen = app.json_with(&admin, Method::POST, "/v1/streams/probe", &probe).await.json();
    seen["took_ms"] = json!(0);
    for warning in seen["warnings"].as_array_mut().unwrap() {
        assert!(warning.as_object_mut().unwrap().remove("detail").is_some());
    }
    let expected = json!({
        "reached": true, "codecs": "hvc1.1.6.L120.90,mp4a.40.2", "picture": "data:image/jpeg;base64,anBlZw==", "took_ms": 0,
        "tracks": [
            { "kind": "video", "codec": "h265", "width": 1920, "height": 1080, "fps": 25.0 },
            { "kind": "audio", "codec": "aac", "sample_rate": 8000, "channels": 1, "recoded_from": "pcm_alaw" },
        ],
        "warnings": [{ "code": "hevc" }, { "code": "audio_recoded" }],
    });
    assert_eq!(seen, expected);
    for (why, code) in [
        (WhyNoSight::NotAllowed, "invalid_source"),
        (WhyNoSight::Unreachable, "unreachable"),
        (WhyNoSight::Refused, "refused"),
        (WhyNoSight::Unauthorized, "unauthorized_source"),
        (WhyNoSight::NoMedia, "no_media"),
    ] {
        app.recorder.let_see(move |_| Err(LookError::NoSight(NoSight { why, detail: "why not".into() })));
        let tried = app.json_with(&admin, Method::POST, "/v1/streams/probe", &json!({ "source": "rtsp://192.0.2.9/1" })).await;
        assert_eq!((tried.status, &*tried.code()), (422, code));
        assert_eq!(tried.json()["detail"], "Why not.");
    }
    app.recorder.let_see(|_| Err(LookError::Busy));
    let busy = app.json_with(&admin, Method::POST, "/v1/streams/probe", &json!({ "source": "rtsp://192.0.2.9/1" })).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "3"));
}

#[tokio::test]
async fn a_stream_tells_its_bitrate_while_it_is_recorded_and_its_newest_gap() {
    let app = TestApp::new().await;
    let viewer = app.token(&[Scope::View], &[]).await;
    let gap = |start: Timestamp| IndexChange::GapOpened {
        stream: "cam1".parse().unwrap(),
        start,
        cause: GapCause::SourceSilent,
        detail: String::new(),
    };
    app.state.db.commit(&[gap(NOW)]).await.unwrap();
    let mut status = StreamStatus::new(StreamState::Recording, NOW);
    status.recent.add(500_000, 2_000_000);
    app.recorder.set_status("cam1", status.clone());
    let list = app.get_with(&viewer, "/v1/streams").await.json();
    let stream = &list["streams"][0];
    assert_eq!(stream["bitrate_bps"], 2_000_000);
    assert_eq!(stream["last_gap"], json!({ "start_us": NOW.as_micros(), "end_us": null, "cause": "source_silent" }));
    assert_eq!(app.get_with(&viewer, "/v1/streams/cam1").await.json(), *stream, "alone as in a list");
    status.state = StreamState::BackingOff;
    app.recorder.set_status("cam1", status);
    assert_eq!(app.get_with(&viewer, "/v1/streams/cam1").await.json()["bitrate_bps"], Value::Null);
}
