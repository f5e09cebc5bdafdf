//! Shares: what a link opens, for how long, and that it opens nothing else.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::db::AuditQuery;
use crate::entitlement::{NewUser, Principal, Role, Scope};
use crate::http::auth::shown_as_long;
use crate::http::testing::{Answer, NOW, PASSWORD, TestApp, request};
use crate::media::AccountId;

/// Two hours of the past, good for a day.
fn asked(streams: &[&str]) -> Value {
    json!({ "streams": streams, "start": "-7200", "end": "now", "expires_at": "2026-05-04T14:00:00Z", "note": "For the insurance" })
}

async fn make(app: &TestApp, token: &str, asked: &Value) -> Value {
    let made = app.json_with(token, Method::POST, "/v1/shares", asked).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    made.json()
}

async fn open(app: &TestApp, secret: &str) -> Answer {
    let body = Body::from(json!({ "secret": secret }).to_string());
    app.send(request(Method::POST, "/v1/shares/open", &[("content-type", "application/json")], body)).await
}

/// The cookie that opening gives.
async fn opened(app: &TestApp, share: &Value) -> String {
    let answer = open(app, share["secret"].as_str().unwrap()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// Status, and the code where it is a problem.
async fn ask(app: &TestApp, cookie: &str, uri: &str) -> (u16, String) {
    let answer = app.ask(Method::GET, uri, &[("cookie", cookie)]).await;
    (answer.status, answer.code())
}

const COVERAGE: &str = "/v1/streams/cam1/coverage?start=-600&end=-60";

async fn acts(app: &TestApp, act: &str) -> Vec<crate::audit::Event> {
    let query = AuditQuery { act: Some(act.into()), ..AuditQuery::default() };
    app.state.db.audit_records(&query, 0, 99).await.unwrap().into_iter().map(|r| r.event).collect()
}

#[tokio::test]
async fn a_link_opens_its_streams_over_its_range_and_nothing_else() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    app.add_stream("cam3", "push:").await;
    let admin = app.admin().await;
    let share = make(&app, &admin, &asked(&["cam1", "cam2"])).await;
    let (id, secret) = (share["id"].as_str().unwrap(), share["secret"].as_str().unwrap());
    assert_eq!(share["url"], format!("http://retroview.test/#/share/{secret}"));

    let answer = open(&app, secret).await;
    let set = answer.header("set-cookie").to_owned();
    assert!(
        set.starts_with(&format!("retroview_share_{id}=")) && set.ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"),
        "{set}"
    );
    assert!(!set.contains(secret), "the link cannot be made again from the cookie");
    let at = |s: i64| NOW.as_micros() + s * 1_000_000;
    let expected = json!({
        "id": id, "token": format!("share.{id}"), "start_us": at(-7200), "end_us": at(0), "expires_at_us": at(86_400), "download": false,
        "streams": [{ "id": "cam1", "title": "CAM1" }, { "id": "cam2", "title": "CAM2" }], "note": "For the insurance", "now_us": at(0),
    });
    assert_eq!(answer.json(), expected);

    let cookie = set.split(';').next().unwrap();
    assert_eq!(ask(&app, cookie, COVERAGE).await.0, 200);
    assert_eq!(ask(&app, cookie, "/v1/streams/cam2/coverage?start=-600").await.0, 200);
    assert_eq!(ask(&app, cookie, "/v1/streams/cam3/coverage?start=-600").await.1, "stream_not_covered");
    assert_eq!(ask(&app, cookie, "/v1/streams/cam1/coverage?start=-9000&end=-8000").await.1, "time_not_covered");
    assert_eq!(ask(&app, cookie, "/v1/streams/cam1/clip.mp4?start=-600&end=-60").await.1, "verb_not_covered");
    let mut files = asked(&["cam1"]);
    files["download"] = json!(true);
    let files = opened(&app, &make(&app, &admin, &files).await).await;
    assert_eq!(ask(&app, &files, "/v1/streams/cam1/clip.mp4?start=-600&end=-60").await.1, "no_footage");
    // Reading only, whatever a browser sends along.
    let write = app.ask(Method::POST, "/v1/streams/cam1/pause", &[("cookie", cookie), ("x-retroview", "1")]).await;
    assert_eq!(write.code(), "unauthorized");
}

#[tokio::test]
async fn which_share_is_meant_is_said_with_the_request_when_there_are_several_or_somebody_is_signed_in() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let admin = app.admin().await;
    let (one, two) = (make(&app, &admin, &asked(&["cam1"])).await, make(&app, &admin, &asked(&["cam2"])).await);
    let cookies = format!("{}; {}", opened(&app, &one).await, opened(&app, &two).await);
    let one = one["id"].as_str().unwrap();
    assert_eq!(ask(&app, &cookies, &format!("{COVERAGE}&token=share.{one}")).await.0, 200);
    assert_eq!(ask(&app, &cookies, COVERAGE).await.1, "stream_not_covered", "the one opened last");
    let both = format!("{}; {cookies}", app.cookie().await);
    assert_eq!(ask(&app, &both, COVERAGE).await.0, 200, "whoever is signed in sees what they may");
    assert_eq!(ask(&app, &both, "/v1/accounts").await.0, 200);
    assert_eq!(ask(&app, &both, &format!("/v1/accounts?token=share.{one}")).await.1, "missing_scope");
    assert_eq!(ask(&app, &both, &format!("{COVERAGE}&token=share.h000000000000")).await.1, "unauthorized", "never passed over for others");
}

#[tokio::test]
async fn a_share_ends_at_once_when_it_is_revoked_and_tells_why() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let share = make(&app, &admin, &asked(&["cam1"])).await;
    let (cookie, secret, id) = (opened(&app, &share).await, share["secret"].as_str().unwrap(), share["id"].as_str().unwrap());
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 200);
    let path = format!("/v1/shares/{id}");
    assert_eq!(app.json_with(&admin, Method::DELETE, &path, &json!(null)).await.status, 204);
    assert_eq!(ask(&app, &cookie, COVERAGE).await, (401, "unauthorized".into()));
    let again = open(&app, secret).await;
    assert_eq!((again.status, again.code().as_str()), (410, "share_revoked"));
    assert_eq!(app.json_with(&admin, Method::DELETE, &path, &json!(null)).await.code(), "share_revoked");
    let listed = app.get_with(&admin, "/v1/accounts/main/shares").await.json();
    let listed = &listed["shares"][0];
    assert_eq!((&listed["state"], &listed["opens"]), (&json!("revoked"), &json!(1)), "{listed}");
    assert!(listed["revoked_by"].as_str().unwrap().starts_with("token t"));
    assert_eq!(acts(&app, "share.revoked").await[0].details["share"], id);
}

#[tokio::test]
async fn another_process_s_revocation_is_noticed_within_two_seconds() {
    let app = TestApp::new().await;
    let share = make(&app, &app.admin().await, &asked(&["cam1"])).await;
    let cookie = opened(&app, &share).await;
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 200);
    let directory = crate::entitlement::Directory::new(app.state.db.clone());
    directory.revoke_share(&Principal::command_line(AccountId::main()), NOW, share["id"].as_str().unwrap()).await.unwrap();
    app.clock.advance(Duration::from_millis(1900));
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 200, "not looked up yet");
    app.clock.advance(Duration::from_millis(100));
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 401);
}

#[tokio::test]
async fn a_body_that_is_being_sent_breaks_off_when_its_share_is_revoked() {
    let app = TestApp::new().await;
    let share = make(&app, &app.admin().await, &asked(&["cam1"])).await;
    let cookie = opened(&app, &share).await.split_once('=').unwrap().1.to_owned();
    let steps = stream::iter((0..4).map(|_| Ok::<_, std::io::Error>("footage")));
    let response = shown_as_long(app.state.clone(), cookie, Response::new(Body::from_stream(steps)));
    let mut body = response.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok());
    let who = Principal::command_line(AccountId::main());
    app.state.access.directory().revoke_share(&who, NOW, share["id"].as_str().unwrap()).await.unwrap();
    assert!(body.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_share_ends_with_its_time() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let share = make(&app, &admin, &asked(&["cam1"])).await;
    let cookie = opened(&app, &share).await;
    let at = "/v1/streams/cam1/coverage?start=2026-05-03T13:00:00Z&end=2026-05-03T13:30:00Z";
    app.clock.advance(Duration::from_secs(86_399));
    assert_eq!(ask(&app, &cookie, at).await.0, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&app, &cookie, at).await.0, 401);
    let late = open(&app, share["secret"].as_str().unwrap()).await;
    assert_eq!((late.status, late.code().as_str()), (410, "share_expired"));
    assert_eq!(app.get_with(&admin, "/v1/accounts/main/shares").await.json()["shares"][0]["state"], "expired");
}

#[tokio::test]
async fn a_share_shows_no_more_than_its_maker_may_see() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let admin = app.admin().await;
    let add = async |name: &str| {
        let new = NewUser { account: AccountId::main(), name: name.into(), role: Role::Viewer, streams: None, language: None };
        app.state.access.directory().add_user(&Principal::command_line(AccountId::main()), NOW, new, PASSWORD).await.unwrap();
    };
    add("ann").await;
    let caller = crate::entitlement::Caller { address: "", agent: "" };
    let session = app.state.access.sign_in("ann", PASSWORD.into(), caller).await.unwrap();
    let ann = format!("{}={}", crate::http::auth::SESSION_COOKIE, session.cookie);
    let headers = [("cookie", &*ann), ("x-retroview", "1"), ("content-type", "application/json")];
    let made = app.send(request(Method::POST, "/v1/shares", &headers, Body::from(asked(&["cam1", "cam2"]).to_string()))).await.json();
    let (cookie, id) = (opened(&app, &made).await, made["id"].as_str().unwrap());
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 200);

    let change = async |body: Value| {
        assert_eq!(app.json_with(&admin, Method::PATCH, "/v1/accounts/main/users/ann", &body).await.status, 200);
        ask(&app, &cookie, COVERAGE).await.1
    };
    assert_eq!(change(json!({ "streams": ["cam2"] })).await, "stream_not_covered");
    assert_eq!(open(&app, made["secret"].as_str().unwrap()).await.json()["streams"], json!([{ "id": "cam2", "title": "CAM2" }]));
    assert_eq!(change(json!({ "streams": [] })).await, "");
    assert_eq!(change(json!({ "disabled": true })).await, "unauthorized");
    let ended = open(&app, made["secret"].as_str().unwrap()).await;
    assert_eq!((ended.status, ended.code().as_str()), (410, "share_ended"));
    assert_eq!(change(json!({ "disabled": false })).await, "");
    assert_eq!(change(json!({ "role": "auditor" })).await, "unauthorized", "auditors watch nothing");
    // Somebody else of the same name is somebody else.
    assert_eq!(app.json_with(&admin, Method::DELETE, "/v1/accounts/main/users/ann", &json!(null)).await.status, 204);
    app.clock.advance(Duration::from_secs(1));
    let new = NewUser { account: AccountId::main(), name: "ann".into(), role: Role::Viewer, streams: None, language: None };
    let now = NOW + Duration::from_secs(1);
    app.state.access.directory().add_user(&Principal::command_line(AccountId::main()), now, new, PASSWORD).await.unwrap();
    assert_eq!(ask(&app, &cookie, COVERAGE).await.1, "unauthorized");
    assert_eq!(
        app.json_with(&admin, Method::DELETE, &format!("/v1/shares/{id}"), &json!(null)).await.status,
        204,
        "who sees to the account"
    );
}

#[tokio::test]
async fn a_token_s_share_ends_with_the_token_and_does_not_outlive_it() {
    let app = TestApp::new().await;
    let new = crate::entitlement::NewToken {
        account: AccountId::main(),
        name: "t".into(),
        rights: crate::entitlement::Rights::Role(Role::Viewer),
        streams: vec!["cam1".parse().unwrap()],
        expires_at: Some(NOW + Duration::from_secs(3600)),
    };
    let (id, token) = app.make_token(new).await;
    let mut short = asked(&["cam1"]);
    assert_eq!(app.json_with(&token, Method::POST, "/v1/shares", &short).await.code(), "invalid_value");
    short["expires_at"] = json!("2026-05-03T15:00:00Z");
    let cookie = opened(&app, &make(&app, &token, &short).await).await;
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 200);
    app.state.access.directory().revoke_token(&Principal::command_line(AccountId::main()), NOW, &id).await.unwrap();
    assert_eq!(ask(&app, &cookie, COVERAGE).await.0, 401);
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let viewer = app.token(&[Scope::View], &["cam1"]).await;
    let refused = async |field: &str, value: Value| {
        let mut body = asked(&["cam1"]);
        body[field] = value;
        app.json_with(&viewer, Method::POST, "/v1/shares", &body).await.code()
    };
    assert_eq!(refused("streams", json!([])).await, "invalid_value");
    assert_eq!(refused("streams", json!(["cam2"])).await, "stream_not_covered");
    assert_eq!(refused("streams", json!(vec!["cam1"; 101])).await, "invalid_value");
    assert_eq!(refused("streams", json!(["cam1", "cam1"])).await, "invalid_value");
    assert_eq!(refused("start", json!("noon")).await, "invalid_query");
    assert_eq!(refused("start", json!("now")).await, "invalid_range");
    assert_eq!(refused("expires_at", json!("now")).await, "invalid_value");
    assert_eq!(refused("expires_at", json!("2027-05-05T14:00:00Z")).await, "invalid_value", "366 days at most");
    assert_eq!(refused("note", json!("x".repeat(2001))).await, "invalid_value");
    assert_eq!(refused("forever", json!(true)).await, "invalid_body");
    let pusher = app.token(&[Scope::Ingest], &[]).await;
    assert_eq!(app.json_with(&pusher, Method::POST, "/v1/shares", &asked(&["cam1"])).await.code(), "missing_scope");
    assert!(acts(&app, "range.shared").await.is_empty());
}

#[tokio::test]
async fn a_viewer_sees_and_revokes_their_own_shares_only() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.token(&[Scope::View], &[]).await, app.token(&[Scope::View], &[]).await);
    let (anns, bobs) = (make(&app, &ann, &asked(&["cam1"])).await, make(&app, &bob, &asked(&["cam1"])).await);
    let ids = |answer: Answer| answer.json()["shares"].as_array().unwrap().iter().map(|s| s["id"].clone()).collect::<Vec<_>>();
    let list = async |token: &str, query: &str| ids(app.get_with(token, &format!("/v1/accounts/main/shares{query}")).await);
    assert_eq!(list(&ann, "").await, [anns["id"].clone()]);
    let auditor = app.token(&[Scope::Audit], &[]).await;
    assert_eq!(list(&auditor, "").await, [bobs["id"].clone(), anns["id"].clone()]);
    assert_eq!(list(&auditor, &format!("?before={}", bobs["id"].as_str().unwrap())).await, [anns["id"].clone()]);
    for token in [&ann, &auditor] {
        let text = app.get_with(token, "/v1/accounts/main/shares").await;
        assert!(!String::from_utf8_lossy(&text.body).contains(anns["secret"].as_str().unwrap()), "the secret is shown once");
    }
    let revoke = async |token: &str, share: &Value| {
        app.json_with(token, Method::DELETE, &format!("/v1/shares/{}", share["id"].as_str().unwrap()), &json!(null)).await.code()
    };
    assert_eq!(revoke(&ann, &bobs).await, "unknown_share");
    assert_eq!(revoke(&ann, &json!({ "id": "h000000000000" })).await, "unknown_share");
    assert_eq!(revoke(&auditor, &bobs).await, "missing_scope");
    assert_eq!(revoke(&ann, &anns).await, "");
}

#[tokio::test]
async fn nobody_guesses_a_link_or_a_cookie() {
    let app = TestApp::new().await;
    let share = make(&app, &app.admin().await, &asked(&["cam1"])).await;
    let (secret, cookie) = (share["secret"].as_str().unwrap(), opened(&app, &share).await);
    // Each letter of the cookie counts, and the link's secret is not one.
    let (name, value) = cookie.split_once('=').unwrap();
    for at in [0, 20, value.len() - 2] {
        let mut other = value.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(ask(&app, &format!("{name}={other}"), COVERAGE).await.0, 401);
    }
    for wrong in ["", secret, "x"] {
        assert_eq!(ask(&app, &format!("{name}={wrong}"), COVERAGE).await.0, 401);
    }
    assert_eq!(ask(&app, &format!("retroview_session={value}"), COVERAGE).await.0, 401);
    for n in 0..10 {
        assert_eq!(open(&app, &format!("{secret}{n}")).await.code(), "unknown_share");
    }
    assert_eq!(open(&app, "one more").await.code(), "too_many_attempts");
    assert_eq!(open(&app, secret).await.code(), "too_many_attempts", "from the address that guessed");
    app.clock.advance(Duration::from_secs(300));
    assert_eq!(open(&app, secret).await.status, 200);
}

#[tokio::test]
async fn openings_and_what_was_seen_are_written_down_with_the_share() {
    let app = TestApp::new().await;
    app.add_stream("cam2", "push:").await;
    let share = make(&app, &app.admin().await, &asked(&["cam1", "cam2"])).await;
    let id = share["id"].as_str().unwrap();
    let shared = acts(&app, "range.shared").await;
    assert_eq!(shared.iter().map(|e| e.stream.as_ref().unwrap().to_string()).collect::<Vec<_>>(), ["cam1", "cam2"]);
    assert!(shared.iter().all(|e| e.details["share"] == id && e.range.is_some()));
    for _ in 0..5 {
        opened(&app, &share).await;
    }
    let openings = acts(&app, "share.opened").await;
    assert_eq!((openings.len(), openings[0].actor.clone()), (1, format!("share {id}")), "once an hour");
    app.clock.advance(Duration::from_secs(3600));
    let cookie = opened(&app, &share).await;
    assert_eq!(acts(&app, "share.opened").await.len(), 2);

    let who = app.state.access.by_share(cookie.split_once('=').unwrap().1).await.unwrap();
    let range = crate::media::TimeRange::new(NOW, NOW + Duration::from_secs(4)).unwrap();
    app.state.saw(&who, (&AccountId::main(), &"cam1".parse().unwrap()), crate::audit::Verb::Watched, range);
    app.state.views.record(&app.state.db, NOW, true).await;
    let watched = acts(&app, "footage.watched").await;
    assert_eq!((watched.len(), watched[0].actor.clone(), watched[0].range), (1, format!("share {id}"), Some(range)));
    let log: String =
        app.state.db.audit_records(&AuditQuery::default(), 0, 99).await.unwrap().iter().map(|r| format!("{:?}", r.event)).collect();
    assert!(!log.contains(share["secret"].as_str().unwrap()) && !log.contains(cookie.split_once('=').unwrap().1));
}
