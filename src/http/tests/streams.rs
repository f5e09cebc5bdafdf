//! Streams by way of the API, and what is told of them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::entitlement::Scope;
use crate::http::testing::{NOW, TestApp};
use crate::ingest::StreamStatus;
use crate::ingest::protocol::StreamState;

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
        "first_start_us": null, "last_end_us": null, "bytes": 0, "segments": 0, "blocks": 0, "reconnects": 0,
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
    assert!(again.json()["detail"].as_str().unwrap().contains("resume"));
    assert_eq!(app.json_with(&admin, Method::POST, "/v1/streams/door/resume", &json!(null)).await.status, 200);
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
