//! Who may ask for exports, and see what has become of them. What is in the files is shown by `tests/integration/exports.rs`.

use axum::http::Method;
use serde_json::{Value, json};

use crate::audit::{Event, acts};
use crate::db::{ExportEnd, ExportFile, ExportFormat, NewExport};
use crate::entitlement::{NewToken, Rights, Role, Scope};
use crate::http::testing::{Answer, NOW, TestApp};
use crate::media::{AccountId, TimeRange, Timestamp};

fn viewer() -> NewToken {
    NewToken { account: AccountId::main(), name: "v".into(), rights: Rights::Role(Role::Viewer), streams: Vec::new(), expires_at: None }
}

/// An export that this token asked for.
async fn add(app: &TestApp, id: &str, token_id: &str, streams: &[&str]) {
    let export = NewExport {
        id: id.into(),
        account: AccountId::main(),
        streams: streams.iter().map(|s| s.parse().unwrap()).collect(),
        range: TimeRange::new(Timestamp::from_secs(100), Timestamp::from_secs(200)).unwrap(),
        format: ExportFormat::Mp4,
        note: "why".into(),
        made_by: format!("token {token_id}"),
        created_at: NOW,
        total_bytes: 1000,
    };
    app.state.db.add_export(&export, 99, Event::system(NOW, acts::EXPORT_ASKED)).await.unwrap();
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.json()["exports"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_viewer_sees_and_cancels_their_own_exports_only() {
    let app = TestApp::new().await;
    let ((ann_id, ann), (bob_id, bob)) = (app.make_token(viewer()).await, app.make_token(viewer()).await);
    add(&app, "e000000000001", &ann_id, &["cam1"]).await;
    add(&app, "e000000000002", &bob_id, &["cam1"]).await;
    let admin = app.admin().await;
    assert_eq!(ids(&app.get_with(&ann, "/v1/exports").await), ["e000000000001"]);
    assert_eq!(ids(&app.get_with(&admin, "/v1/exports?account=main").await), ["e000000000002", "e000000000001"]);
    assert_eq!(ids(&app.get_with(&admin, "/v1/exports?before=e000000000002").await), ["e000000000001"]);
    let shown = app.get_with(&ann, "/v1/exports/e000000000001").await.json();
    let expected = json!({
        "id": "e000000000001", "account": "main", "streams": ["cam1"], "start_us": 100_000_000, "end_us": 200_000_000, "format": "mp4",
        "note": "why", "by": format!("token {ann_id}"), "created_at_us": NOW.as_micros(), "state": "waiting", "done_bytes": 0,
        "total_bytes": 1000, "eta_s": null, "error": null, "file_name": null, "size_bytes": null, "sha256": null, "expires_at_us": null,
    });
    assert_eq!(shown, expected);
    for (method, uri) in [(Method::GET, ""), (Method::DELETE, ""), (Method::GET, "/file")] {
        let uri = format!("/v1/exports/e000000000001{uri}");
        assert_eq!(app.json_with(&bob, method, &uri, &json!(null)).await.code(), "unknown_export", "{uri}");
    }
    assert_eq!(app.get_with(&ann, "/v1/exports/e000000000001/file").await.code(), "no_file");

    let remove = async || app.json_with(&ann, Method::DELETE, "/v1/exports/e000000000001", &json!(null)).await;
    assert_eq!(remove().await.status, 204);
    assert_eq!(app.get_with(&ann, "/v1/exports/e000000000001").await.json()["state"], "cancelled");
    assert_eq!(remove().await.status, 204);
    assert_eq!(remove().await.code(), "unknown_export");
    let query = crate::db::AuditQuery { act: Some("export".into()), ..Default::default() };
    let acts: Vec<_> = app.state.db.audit_records(&query, 2, 9).await.unwrap().into_iter().map(|r| r.event.act).collect();
    assert!(acts.ends_with(&["export.cancelled".into(), "export.removed".into()]), "{acts:?}");
}

#[tokio::test]
async fn a_file_is_given_to_those_who_may_watch_all_of_its_streams() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let only_one = NewToken { streams: vec!["cam1".parse().unwrap()], ..viewer() };
    let (id, token) = app.make_token(only_one).await;
    add(&app, "e000000000003", &id, &["cam1", "cam2"]).await;
    let file = ExportFile { name: "both.zip".into(), size_bytes: 3, sha256: "ab".into() };
    app.state.db.end_export("e000000000003", &ExportEnd::Done(file), NOW, Vec::new()).await.unwrap();
    assert_eq!(app.get_with(&token, "/v1/exports/e000000000003/file").await.code(), "stream_not_covered");
    // Whose file is not there any more: that is ours to look at.
    assert_eq!(app.get_with(&app.admin().await, "/v1/exports/e000000000003/file").await.code(), "internal");
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let token = app.token(&[Scope::View], &["cam1"]).await;
    let refused = async |field: &str, value: Value| {
        let mut body = json!({ "streams": ["cam1"], "start": "-60", "end": "-30", "format": "mp4" });
        body[field] = value;
        app.json_with(&token, Method::POST, "/v1/exports", &body).await.code()
    };
    assert_eq!(refused("note", json!("nothing there")).await, "no_footage");
    assert_eq!(refused("streams", json!([])).await, "invalid_value");
    assert_eq!(refused("streams", json!(["cam2"])).await, "stream_not_covered");
    assert_eq!(refused("streams", json!(["cam1", "cam1"])).await, "invalid_value");
    assert_eq!(refused("end", json!("2026-05-03T14:00:01Z")).await, "invalid_value", "the future");
    assert_eq!(refused("end", json!("-60")).await, "invalid_range");
    assert_eq!(refused("format", json!("avi")).await, "invalid_body");
    assert_eq!(refused("note", json!("x".repeat(2001))).await, "invalid_value");
    let auditor = app.token(&[Scope::Audit], &[]).await;
    let body = json!({ "streams": ["cam1"], "start": "-60", "end": "-30", "format": "mp4" });
    assert_eq!(app.json_with(&auditor, Method::POST, "/v1/exports", &body).await.code(), "missing_scope");
}
