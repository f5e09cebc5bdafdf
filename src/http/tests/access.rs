//! Who gets in, and how far.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use axum::routing::get;
use serde_json::json;
use tower::ServiceExt;

use crate::entitlement::Scope;
use crate::http::testing::{PASSWORD, TestApp, request};
use crate::http::{HttpSettings, layered, routes};
use crate::ingest::NotRecording;

#[tokio::test]
async fn a_route_that_forgets_about_credentials_is_closed_all_the_same() {
    let app = TestApp::new().await;
    let (routes, document) = routes::all().split_for_parts();
    let router = layered(routes.route("/forgotten", get(|| async { "secret" })), &document, app.state.clone());
    let response = router.clone().oneshot(request(Method::GET, "/forgotten", &[], Body::empty())).await.unwrap();
    assert_eq!(response.status(), 401);
    let token = app.token(&[Scope::View], &[]).await;
    let headers = [("authorization", &*format!("Bearer {token}"))];
    let response = router.oneshot(request(Method::GET, "/forgotten", &headers, Body::empty())).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn nothing_is_told_to_strangers_about_what_there_is() {
    let app = TestApp::new().await;
    for uri in ["/v1/streams/cam1", "/v1/streams/nonesuch", "/nothing/here", "/v1", "/admin.php", "/v1/../etc/passwd"] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            assert_eq!(app.ask(method.clone(), uri, &[]).await.code(), "unauthorized", "{method} {uri}");
        }
    }
}

#[tokio::test]
async fn health_and_the_page_are_open() {
    let app = TestApp::new().await;
    for uri in ["/healthz", "/readyz"] {
        assert_eq!(app.ask(Method::GET, uri, &[]).await.body, "ok\n", "{uri}");
        assert_eq!(app.ask(Method::HEAD, uri, &[]).await.status, 200, "{uri}");
    }
    let page = app.ask(Method::GET, "/", &[]).await;
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
}

#[tokio::test]
async fn a_service_that_cannot_record_is_not_ready_and_says_so() {
    let app = TestApp::new().await;
    for (why, words) in [(NotRecording::NoWorkers, "cannot be started"), (NotRecording::Stopping, "shutting down")] {
        app.recorder.cannot_record(why);
        let answer = app.ask(Method::GET, "/readyz", &[]).await;
        assert_eq!(answer.status, 503);
        assert!(answer.json()["detail"].as_str().unwrap().contains(words), "{:?}", answer.body);
        assert_eq!(app.ask(Method::GET, "/healthz", &[]).await.status, 200);
    }
}

#[tokio::test]
async fn a_browser_signs_in_is_known_and_signs_out() {
    let app = TestApp::new().await;
    let sign_in = |password: &str| {
        let body = json!({ "user": "admin", "password": password }).to_string();
        app.send(request(Method::POST, "/v1/session", &[("content-type", "application/json")], Body::from(body)))
    };
    let refused = sign_in("wrong").await;
    assert_eq!((refused.status, &*refused.code()), (401, "bad_credentials"));

    let answer = sign_in(PASSWORD).await;
    assert_eq!(answer.json(), json!({ "user": "admin", "account": "main", "language": null, "role": "operator", "zone": "UTC" }));
    let set = answer.header("set-cookie").to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Lax") && set.contains("; Path=/;") && !set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().unwrap();

    let me = app.ask(Method::GET, "/v1/session", &[("cookie", cookie)]).await;
    assert_eq!(me.json()["user"], "admin");
    let gone = app.ask(Method::DELETE, "/v1/session", &[("cookie", cookie), ("x-retroview", "1")]).await;
    assert_eq!(gone.status, 204);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(app.ask(Method::GET, "/v1/session", &[("cookie", cookie)]).await.status, 401);
}

#[tokio::test]
async fn cookies_go_over_https_only_where_the_operator_says_so() {
    let app = TestApp::with_settings(HttpSettings { secure_cookies: true, ..HttpSettings::default() }).await;
    let body = json!({ "user": "admin", "password": PASSWORD }).to_string();
    let answer = app.send(request(Method::POST, "/v1/session", &[("content-type", "application/json")], Body::from(body))).await;
    assert!(answer.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_up() {
    let app = TestApp::new().await;
    let cookie = app.cookie().await;
    app.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(app.ask(Method::GET, "/v1/session", &[("cookie", &cookie)]).await.status, 401);
}

#[tokio::test]
async fn with_a_cookie_only_our_own_page_may_change_something() {
    let app = TestApp::new().await;
    let cookie = app.cookie().await;
    let table: &[(&[(&str, &str)], bool)] = &[
        (&[], false),
        (&[("x-retroview", "0")], false),
        (&[("x-retroview", "1")], true),
        (&[("x-retroview", "1"), ("origin", "http://retroview.test")], true),
        (&[("x-retroview", "1"), ("origin", "https://retroview.test")], true),
        (&[("x-retroview", "1"), ("origin", "http://retroview.test:81")], false),
        (&[("x-retroview", "1"), ("origin", "https://evil.example")], false),
        (&[("x-retroview", "1"), ("origin", "null")], false),
        (&[("origin", "http://retroview.test")], false),
    ];
    for (headers, allowed) in table {
        let headers: Vec<_> = [&[("cookie", &*cookie), ("content-type", "application/json")], *headers].concat();
        let body = Body::from(json!({ "name": "n", "scopes": ["view"] }).to_string());
        let answer = app.send(request(Method::POST, "/v1/tokens", &headers, body)).await;
        let expected = if *allowed { (201, "") } else { (403, "cross_site") };
        assert_eq!((answer.status, &*answer.code()), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn behind_a_proxy_the_page_comes_from_the_public_address() {
    let settings = HttpSettings { public_url: Some("https://video.example/rv".into()), ..HttpSettings::default() };
    let app = TestApp::with_settings(settings).await;
    let cookie = app.cookie().await;
    for (origin, status) in [("https://video.example.evil", 403), ("https://video", 403), ("https://video.example", 204)] {
        let headers = [("cookie", &*cookie), ("x-retroview", "1"), ("origin", origin)];
        assert_eq!(app.ask(Method::DELETE, "/v1/session", &headers).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn another_site_cannot_sign_its_own_user_in() {
    let app = TestApp::new().await;
    let body = json!({ "user": "admin", "password": PASSWORD }).to_string();
    for (headers, code) in [
        (&[("content-type", "application/json"), ("origin", "https://evil.example")][..], "cross_site"),
        (&[("content-type", "text/plain")][..], "unsupported_media_type"),
    ] {
        assert_eq!(app.send(request(Method::POST, "/v1/session", headers, Body::from(body.clone()))).await.code(), code);
    }
}

#[tokio::test]
async fn tokens_are_made_listed_without_their_secret_and_revoked() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let asked = json!({ "name": "wall", "scopes": ["view"], "streams": ["cam1"], "expires_in_s": 60 });
    let made = app.json_with(&admin, Method::POST, "/v1/tokens", &asked).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let (secret, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(secret.starts_with("rv_"));

    let list = app.get_with(&admin, "/v1/tokens").await;
    assert!(!String::from_utf8_lossy(&list.body).contains("rv_"));
    assert_eq!(list.json()["tokens"].as_array().unwrap().iter().filter(|t| t["id"] == id).count(), 1);

    // It is somebody's, but nobody's session and no administrator's.
    assert_eq!(app.get_with(secret, "/v1/session").await.status, 401);
    assert_eq!(app.get_with(secret, "/v1/tokens").await.code(), "missing_scope");
    assert_eq!(app.get_with(secret, "/nothing").await.status, 404);

    assert_eq!(app.json_with(&admin, Method::DELETE, &format!("/v1/tokens/{id}"), &json!(null)).await.status, 204);
    assert_eq!(app.get_with(secret, "/nothing").await.status, 401);
    assert_eq!(app.json_with(&admin, Method::DELETE, &format!("/v1/tokens/{id}"), &json!(null)).await.code(), "unknown_token");
}

#[tokio::test]
async fn a_token_for_some_streams_does_not_reach_what_is_above_them() {
    let app = TestApp::new().await;
    let some = app.token(&[Scope::Admin], &["cam1"]).await;
    assert_eq!(app.get_with(&some, "/v1/tokens").await.code(), "stream_not_covered");
    let asked = json!({ "name": "all", "scopes": ["admin"] });
    assert_eq!(app.json_with(&some, Method::POST, "/v1/tokens", &asked).await.status, 403);
}

#[tokio::test]
async fn a_signed_address_reads_and_never_changes_anything() {
    let app = TestApp::new().await;
    let viewer = app.token(&[Scope::View], &[]).await;
    let asked = json!({ "start": "-3600", "end": "now", "expires_in_s": 600 });
    let made = app.json_with(&viewer, Method::POST, "/v1/streams/cam1/urls", &asked).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let made = made.json();
    assert_eq!(made["start_us"].as_i64(), Some(1_777_813_200_000_000));
    assert_eq!(made["expires_at_us"].as_i64(), Some(1_777_817_400_000_000));
    let token = made["token"].as_str().unwrap();
    let url = made["playlist_url"].as_str().unwrap();
    assert_eq!(
        url,
        format!(
            "http://retroview.test/v1/streams/cam1/playlist.m3u8?start=2026-05-03T13:00:00.000000Z&end=2026-05-03T14:00:00.000000Z&token={token}"
        )
    );
    // Known, so told that there is nothing; were it not known, it would be 401.
    assert_eq!(app.ask(Method::GET, &format!("/nothing?token={token}"), &[]).await.status, 404);
    assert_eq!(app.ask(Method::GET, &format!("/v1/tokens?token={token}"), &[]).await.status, 403);
    // Not even a longer life for itself.
    let again = format!("/v1/streams/cam1/urls?token={token}");
    let body = Body::from(asked.to_string());
    assert_eq!(app.send(request(Method::POST, &again, &[("content-type", "application/json")], body)).await.status, 401);
    let list = app.ask(Method::GET, &format!("/playlist.m3u?token={token}"), &[]).await;
    let list = String::from_utf8(list.body.to_vec()).unwrap();
    assert_eq!(list.matches("token=").count(), list.matches(token).count(), "{list}");
    app.clock.advance(Duration::from_secs(601));
    assert_eq!(app.ask(Method::GET, &format!("/nothing?token={token}"), &[]).await.status, 401);
}

#[tokio::test]
async fn addresses_are_signed_only_for_what_the_signer_may_see() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let asked = json!({ "start": "-3600" });
    let one = app.token(&[Scope::View], &["cam1"]).await;
    assert_eq!(app.json_with(&one, Method::POST, "/v1/streams/cam2/urls", &asked).await.code(), "stream_not_covered");
    assert_eq!(app.json_with(&one, Method::POST, "/v1/streams/nonesuch/urls", &asked).await.code(), "stream_not_covered");
    let pusher = app.token(&[Scope::Ingest], &[]).await;
    assert_eq!(app.json_with(&pusher, Method::POST, "/v1/streams/cam1/urls", &asked).await.code(), "missing_scope");
    let all = app.token(&[Scope::View], &[]).await;
    assert_eq!(app.json_with(&all, Method::POST, "/v1/streams/nonesuch/urls", &asked).await.code(), "unknown_stream");
    let backwards = json!({ "start": "now", "end": "-5" });
    assert_eq!(app.json_with(&all, Method::POST, "/v1/streams/cam1/urls", &backwards).await.code(), "invalid_range");
    let over = json!({ "start": "-60", "expires_in_s": 0 });
    assert_eq!(app.json_with(&all, Method::POST, "/v1/streams/cam1/urls", &over).await.code(), "invalid_value");
}
