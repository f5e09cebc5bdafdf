//! Bookmarks, and what of a stream was given up, by way of the API.

use axum::http::Method;
use serde_json::{Value, json};

use crate::db::AuditQuery;
use crate::entitlement::Scope;
use crate::http::testing::{NOW, TestApp};

const DOOR: &str = "/v1/streams/cam1/bookmarks";

#[tokio::test]
async fn a_bookmark_is_made_found_changed_and_removed_and_all_of_it_is_written_down() {
    let app = TestApp::new().await;
    let viewer = app.token(&[Scope::View], &[]).await;
    let draft = json!({ "at": "-60", "end": "-30", "title": " A parcel ", "note": "by the door" });
    let made = app.json_with(&viewer, Method::POST, DOOR, &draft).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let at = |s: i64| NOW.as_micros() + s * 1_000_000;
    let author = made.json()["author"].clone();
    let expected = json!({
        "id": 1, "stream": "cam1", "at_us": at(-60), "end_us": at(-30), "title": "A parcel", "note": "by the door",
        "author": author, "created_at_us": at(0), "mine": true,
    });
    assert_eq!(made.json(), expected);
    assert!(author.as_str().unwrap().starts_with("token t"));
    let found = async |uri: &str| app.get_with(&viewer, uri).await.json()["bookmarks"].as_array().unwrap().len();
    assert_eq!((found(DOOR).await, found(&format!("{DOOR}?start=-40")).await, found(&format!("{DOOR}?start=-30")).await), (1, 1, 0));
    let all = "/v1/accounts/main/bookmarks";
    assert_eq!((found(&format!("{all}?q=PARCEL%20door")).await, found(&format!("{all}?q=cat")).await), (1, 0));
    assert_eq!((found(&format!("{all}?before=2")).await, found(&format!("{all}?before=1")).await), (1, 0));

    let change = async |body: Value| app.json_with(&viewer, Method::PATCH, "/v1/streams/cam1/bookmarks/1", &body).await;
    assert_eq!(change(json!({ "title": "Post" })).await.json()["end_us"], at(-30));
    assert_eq!(change(json!({ "end": null, "at": "-10" })).await.json()["end_us"], json!(null));
    assert_eq!(app.json_with(&viewer, Method::DELETE, "/v1/streams/cam1/bookmarks/1", &json!(null)).await.status, 204);
    assert_eq!(app.json_with(&viewer, Method::DELETE, "/v1/streams/cam1/bookmarks/1", &json!(null)).await.code(), "unknown_bookmark");
    let query = AuditQuery { act: Some("bookmark".into()), ..AuditQuery::default() };
    let acts: Vec<_> = app.state.db.audit_records(&query, 0, 9).await.unwrap().into_iter().map(|r| r.event.act).collect();
    assert_eq!(acts, ["bookmark.added", "bookmark.changed", "bookmark.changed", "bookmark.removed"]);
}

#[tokio::test]
async fn who_watches_sees_all_bookmarks_of_their_streams_and_changes_their_own_only() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let [ann, bob] = [app.token(&[Scope::View], &["cam1"]).await, app.token(&[Scope::View], &[]).await];
    let draft = json!({ "at": "-60", "title": "t" });
    for uri in [DOOR, "/v1/streams/cam2/bookmarks"] {
        assert_eq!(app.json_with(&bob, Method::POST, uri, &draft).await.status, 201);
    }
    let seen = app.get_with(&ann, DOOR).await.json();
    assert_eq!((&seen["bookmarks"][0]["id"], &seen["bookmarks"][0]["mine"]), (&json!(1), &json!(false)));
    let seen = app.get_with(&ann, "/v1/accounts/main/bookmarks").await.json();
    assert_eq!(seen["bookmarks"].as_array().unwrap().len(), 1, "cam2 is not hers to watch");
    assert_eq!(app.get_with(&ann, "/v1/streams/cam2/bookmarks").await.code(), "stream_not_covered");
    for (method, body) in [(Method::PATCH, json!({ "title": "mine" })), (Method::DELETE, json!(null))] {
        assert_eq!(app.json_with(&ann, method.clone(), "/v1/streams/cam1/bookmarks/1", &body).await.code(), "missing_scope");
        // A number of another stream is nobody's here.
        assert_eq!(app.json_with(&bob, method, "/v1/streams/cam1/bookmarks/2", &body).await.code(), "unknown_bookmark");
    }
    let admin = app.admin().await;
    assert_eq!(app.json_with(&admin, Method::DELETE, "/v1/streams/cam1/bookmarks/1", &json!(null)).await.status, 204);
}

#[tokio::test]
async fn what_cannot_be_a_bookmark_is_refused() {
    let app = TestApp::new().await;
    let viewer = app.token(&[Scope::View], &[]).await;
    let long = "x".repeat(201);
    for (draft, code) in [
        (json!({ "at": "-60", "title": " " }), "invalid_value"),
        (json!({ "at": "-60", "title": "a\nb" }), "invalid_value"),
        (json!({ "at": "-60", "title": long }), "invalid_value"),
        (json!({ "at": "-60", "title": "t", "note": "x".repeat(4001) }), "invalid_value"),
        (json!({ "at": "-60", "end": "-60", "title": "t" }), "invalid_value"),
        (json!({ "at": "2099-01-01T00:00:00Z", "title": "t" }), "invalid_value"),
        (json!({ "at": "noon", "title": "t" }), "invalid_query"),
        (json!({ "at": "-60", "title": "t", "colour": "red" }), "invalid_body"),
    ] {
        assert_eq!(app.json_with(&viewer, Method::POST, DOOR, &draft).await.code(), code, "{draft}");
    }
}

#[tokio::test]
async fn a_signed_address_shows_no_bookmarks() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let made = app.json_with(&admin, Method::POST, "/v1/streams/cam1/urls", &json!({ "start": "-60" })).await.json();
    let token = made["token"].as_str().unwrap_or_else(|| panic!("{made}"));
    for uri in [DOOR, "/v1/accounts/main/bookmarks"] {
        assert_eq!(app.ask(Method::GET, &format!("{uri}?token={token}"), &[]).await.code(), "missing_scope");
    }
}
