//! Every refusal is a problem that says what to do, and every answer has the headers all have.

use axum::body::Body;
use axum::http::Method;
use axum::routing::get;
use serde_json::json;
use tower::ServiceExt;

use crate::http::testing::{TestApp, request};
use crate::http::{layered, routes};

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_reason() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let bearer = format!("Bearer {admin}");
    let table = [
        ("application/json", "{", 400, "invalid_body", "EOF"),
        ("application/json", "[]", 400, "invalid_body", ""),
        ("application/json", r#"{"name":"x","scopes":["view"],"sterams":[]}"#, 400, "invalid_body", "unknown field `sterams`"),
        ("application/json", r#"{"name":"x","scopes":["view"],"expires_in_s":-1}"#, 400, "invalid_body", "expires_in_s"),
        ("application/json", r#"{"name":"x","scopes":["view"],"streams":["Not A Stream"]}"#, 400, "invalid_body", "Not A Stream"),
        ("application/json", r#"{"name":"x","scopes":["vieww"]}"#, 422, "invalid_value", "vieww"),
        ("application/json", r#"{"name":"x","scopes":[]}"#, 422, "invalid_value", "at least one"),
        ("application/json", r#"{"name":" ","scopes":["view"]}"#, 422, "invalid_value", "name"),
        ("text/plain", r#"{"name":"x","scopes":["view"]}"#, 415, "unsupported_media_type", "application/json"),
    ];
    for (kind, body, status, code, says) in table {
        let headers = [("authorization", &*bearer), ("content-type", kind)];
        let answer = app.send(request(Method::POST, "/v1/tokens", &headers, Body::from(body))).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says) && detail.ends_with('.'), "{body}: {detail}");
    }
    let large = Body::from(format!(r#"{{"name":"{}"}}"#, "x".repeat(100_000)));
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let answer = app.send(request(Method::POST, "/v1/tokens", &headers, large)).await;
    assert_eq!((answer.status, &*answer.code()), (413, "body_too_large"));
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems_too() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    assert_eq!(app.get_with(&admin, "/v1/nothing").await.code(), "unknown_route");
    let answer = app.json_with(&admin, Method::PATCH, "/v1/tokens", &json!({})).await;
    assert_eq!((answer.status, &*answer.code()), (405, "method_not_allowed"));
    let allowed = answer.header("allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    let answer = app.json_with(&admin, Method::POST, "/v1/streams/Not%20A%20Stream/urls", &json!({ "start": "now" })).await;
    assert_eq!((answer.status, &*answer.code()), (404, "unknown_route"));
}

#[tokio::test]
async fn every_answer_carries_an_id_and_is_not_to_be_guessed_about() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let mut ids = std::collections::BTreeSet::new();
    for uri in ["/healthz", "/", "/v1/nothing", "/v1/tokens", "/v1/openapi.json"] {
        let answer = app.get_with(&admin, uri).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{uri}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{uri}");
        assert!(ids.insert(answer.header("x-request-id").to_owned()), "{uri}");
    }
    assert!(!ids.contains(""));
}

#[tokio::test]
async fn a_panic_ends_one_request_and_tells_nothing() {
    let app = TestApp::new().await;
    let (routes, document) = routes::all().split_for_parts();
    let broken = || async {
        if true {
            panic!("secret detail")
        }
    };
    let router = layered(routes.route("/broken", get(broken)), &document, app.state.clone());
    let admin = format!("Bearer {}", app.admin().await);
    let request = request(Method::GET, "/broken", &[("authorization", &admin)], Body::empty());
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.headers().contains_key("x-request-id"));
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("\"internal\"") && !body.contains("secret"), "{body}");
}

#[tokio::test]
async fn a_handler_that_does_not_answer_is_given_up() {
    let settings = crate::http::HttpSettings { request_timeout: std::time::Duration::ZERO, ..crate::http::HttpSettings::default() };
    let app = TestApp::with_settings(settings).await;
    let (routes, document) = routes::all().split_for_parts();
    let router = layered(routes.route("/slow", get(std::future::pending::<()>)), &document, app.state.clone());
    let admin = format!("Bearer {}", app.admin().await);
    let response = router.oneshot(request(Method::GET, "/slow", &[("authorization", &admin)], Body::empty())).await.unwrap();
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn text_is_compressed_for_those_who_take_it() {
    let app = TestApp::new().await;
    let bearer = format!("Bearer {}", app.admin().await);
    for (accept, coding) in [("gzip", "gzip"), ("br, gzip", "br"), ("identity", ""), ("", "")] {
        let headers = [("authorization", &*bearer), ("accept-encoding", accept)];
        let answer = app.ask(Method::GET, "/v1/openapi.json", &headers).await;
        assert_eq!(answer.header("content-encoding"), coding, "{accept}");
        assert!(answer.header("vary").to_lowercase().contains("accept-encoding"), "{accept}");
    }
}
