//! Users, their links and sessions, and tokens.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::db::AuditQuery;
use crate::entitlement::{NewToken, Rights, Role};
use crate::http::auth::SESSION_COOKIE;
use crate::http::testing::{Answer, PASSWORD, TestApp, request};
use crate::media::AccountId;

const USERS: &str = "/v1/accounts/main/users";

/// What people and programs ask for.
struct Desk {
    app: TestApp,
    operator: String,
    manager: String,
}

impl Desk {
    async fn open() -> Desk {
        let app = TestApp::new().await;
        let (operator, manager) = (token(&app, Role::Operator).await, token(&app, Role::Manager).await);
        Desk { app, operator, manager }
    }

    async fn post(&self, token: &str, uri: &str, body: Value) -> Answer {
        self.app.json_with(token, Method::POST, uri, &body).await
    }
    async fn patch(&self, token: &str, uri: &str, body: Value) -> Answer {
        self.app.json_with(token, Method::PATCH, uri, &body).await
    }
    async fn delete(&self, token: &str, uri: &str) -> Answer {
        self.app.json_with(token, Method::DELETE, uri, &json!({})).await
    }

    /// Without credentials, as the page does.
    async fn open_post(&self, uri: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json"), ("user-agent", "Mozilla/5.0 (test)")];
        self.app.send(request(Method::POST, uri, &headers, Body::from(body.to_string()))).await
    }
    async fn sign_in(&self, user: &str, password: &str) -> Answer {
        self.open_post("/v1/session", json!({ "user": user, "password": password })).await
    }
    async fn cookie(&self, user: &str, password: &str) -> String {
        let answer = self.sign_in(user, password).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }
    async fn with_cookie(&self, cookie: &str, method: Method, uri: &str, body: Value) -> Answer {
        let headers = [("cookie", cookie), ("x-retroview", "1"), ("content-type", "application/json")];
        self.app.send(request(method, uri, &headers, Body::from(body.to_string()))).await
    }
    async fn get(&self, cookie: &str, uri: &str) -> Answer {
        self.app.ask(Method::GET, uri, &[("cookie", cookie)]).await
    }

    /// Adds somebody with [`PASSWORD`].
    async fn add(&self, name: &str, role: Role) {
        let invited = self.post(&self.operator, USERS, json!({ "name": name, "role": role.as_str() })).await;
        assert_eq!(invited.status, 201, "{:?}", invited.body);
        assert_eq!(self.choose(&secret_of(&invited.json()["link"]), PASSWORD).await.status, 200);
    }
    async fn link(&self, name: &str) -> String {
        let made = self.post(&self.operator, &format!("{USERS}/{name}/link"), json!({})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        secret_of(&made.json())
    }
    async fn choose(&self, link: &str, password: &str) -> Answer {
        self.open_post("/v1/links/use", json!({ "link": link, "password": password })).await
    }
    /// The acts in the audit log, and everything that is in it.
    async fn recorded(&self) -> (Vec<String>, String) {
        let records = self.app.state.db.audit_records(&AuditQuery::default(), 0, 1000).await.unwrap();
        (records.iter().map(|r| r.event.act.clone()).collect(), format!("{records:?}"))
    }
}

async fn token(app: &TestApp, role: Role) -> String {
    let name = format!("test {role}");
    let new = NewToken { account: AccountId::main(), name, rights: Rights::Role(role), streams: Vec::new(), expires_at: None };
    app.make_token(new).await.1
}

fn secret_of(link: &Value) -> String {
    let url = link["url"].as_str().unwrap();
    url.strip_prefix("http://retroview.test/#/link/").unwrap_or_else(|| panic!("{url}")).to_owned()
}

#[tokio::test]
async fn somebody_is_invited_chooses_a_password_and_sees_what_they_may() {
    let desk = Desk::open().await;
    desk.app.add_stream("cam2", "push:").await;
    let asked = json!({ "name": "ann@example.org", "role": "viewer", "streams": ["cam1"], "language": "fr" });
    let invited = desk.post(&desk.manager, USERS, asked.clone()).await.json();
    assert_eq!((&invited["invited"], &invited["link"]["kind"]), (&json!(true), &json!("invitation")));
    let link = secret_of(&invited["link"]);
    let info = desk.open_post("/v1/links/show", json!({ "link": link })).await.json();
    assert_eq!((&info["user"], &info["kind"], &info["language"]), (&json!("ann@example.org"), &json!("invitation"), &json!("fr")));

    // Nobody gets in before, not even with no password at all; and one that is refused leaves the link as it was.
    assert_eq!(desk.sign_in("ann@example.org", "").await.code(), "bad_credentials");
    assert_eq!(desk.choose(&link, "short").await.code(), "invalid_value");
    assert_eq!(desk.choose(&link, "a good password").await.json()["user"], "ann@example.org");
    let cookie = desk.cookie("ann@example.org", "a good password").await;
    let streams = desk.get(&cookie, "/v1/streams").await.json();
    let seen: Vec<&str> = streams["streams"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(seen, ["cam1"]);
    assert_eq!(desk.get(&cookie, USERS).await.status, 403);

    let list = desk.app.get_with(&desk.manager, USERS).await.json();
    let names: Vec<&str> = list["users"].as_array().unwrap().iter().map(|u| u["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "ann@example.org"]);
    assert_eq!((&list["users"][1]["invited"], &list["users"][1]["streams"]), (&json!(false), &json!(["cam1"])));
    assert_eq!(desk.app.get_with(&desk.manager, &format!("{USERS}?after=admin")).await.json()["users"].as_array().unwrap().len(), 1);
    assert_eq!(desk.post(&desk.manager, USERS, asked).await.code(), "user_exists");
}

#[tokio::test]
async fn a_user_that_makes_no_sense_is_not_added() {
    let desk = Desk::open().await;
    for (asked, status, code) in [
        (json!({ "name": "ann lee", "role": "viewer" }), 422, "invalid_value"),
        (json!({ "name": "..", "role": "viewer" }), 422, "invalid_value"),
        (json!({ "name": "ann", "role": "root" }), 422, "invalid_value"),
        (json!({ "name": "ann", "role": "viewer", "language": "de" }), 422, "invalid_value"),
        (json!({ "name": "ann", "role": "manager", "streams": ["cam1"] }), 422, "invalid_value"),
        (json!({ "name": "ann", "role": "viewer", "streams": ["cam1", "typo"] }), 404, "unknown_stream"),
        (json!({ "name": "ann", "role": "viewer", "password": "mine" }), 400, "invalid_body"),
    ] {
        let answer = desk.post(&desk.operator, USERS, asked.clone()).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{asked}");
    }
    let elsewhere = desk.post(&desk.operator, "/v1/accounts/nobody/users", json!({ "name": "ann", "role": "viewer" })).await;
    assert_eq!(elsewhere.code(), "unknown_account");
    let token = desk.post(&desk.operator, "/v1/tokens", json!({ "name": "t", "scopes": ["view"], "streams": ["typo"] })).await;
    assert_eq!(token.code(), "unknown_stream");
    assert_eq!(desk.app.state.db.user_count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_link_opens_once_and_says_why_it_does_not_open_again() {
    let desk = Desk::open().await;
    desk.add("ann", Role::Viewer).await;
    let code = async |link: &str| {
        let shown = desk.open_post("/v1/links/show", json!({ "link": link })).await.code();
        assert_eq!(desk.choose(link, "another password").await.code(), shown);
        shown
    };
    let (old, new) = (desk.link("ann").await, desk.link("ann").await);
    assert_eq!(code(&old).await, "unknown_link", "a newer one took its place");
    // Two at the same moment.
    let both = futures_util::future::join(desk.choose(&new, "the first password"), desk.choose(&new, "the other password")).await;
    let statuses = BTreeSet::from([(both.0.status, both.0.code()), (both.1.status, both.1.code())]);
    assert_eq!(statuses, BTreeSet::from([(200, String::new()), (410, "link_used".into())]));
    assert_eq!(code(&new).await, "link_used");

    let late = desk.link("ann").await;
    desk.app.clock.advance(Duration::from_secs(3599));
    assert_eq!(desk.open_post("/v1/links/show", json!({ "link": late })).await.status, 200);
    desk.app.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&late).await, "link_expired");
    let invited = desk.post(&desk.operator, USERS, json!({ "name": "bob", "role": "viewer" })).await.json();
    desk.app.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(code(&secret_of(&invited["link"])).await, "link_expired");
    assert_eq!(code(&"x".repeat(500)).await, "unknown_link");
}

#[tokio::test]
async fn a_link_is_worth_nothing_when_its_user_may_more_or_nothing() {
    let desk = Desk::open().await;
    desk.add("ann", Role::Viewer).await;
    let ann = format!("{USERS}/ann");
    // Whoever made it for a viewer must not come in as an operator with it.
    let link = desk.link("ann").await;
    assert_eq!(desk.patch(&desk.operator, &ann, json!({ "role": "operator" })).await.status, 200);
    assert_eq!(desk.choose(&link, "another password").await.code(), "unknown_link");
    let link = desk.link("ann").await;
    assert_eq!(desk.patch(&desk.operator, &ann, json!({ "disabled": true })).await.json()["disabled"], true);
    assert_eq!(desk.choose(&link, "another password").await.code(), "unknown_link");
    assert_eq!(desk.post(&desk.operator, &format!("{ann}/link"), json!({})).await.code(), "user_disabled");
    assert_eq!(desk.patch(&desk.operator, &ann, json!({ "disabled": false })).await.status, 200);
    let link = desk.link("ann").await;
    assert_eq!(desk.delete(&desk.operator, &ann).await.status, 204);
    assert_eq!(desk.choose(&link, "another password").await.code(), "unknown_link");
}

#[tokio::test]
async fn guessing_links_closes_the_door_that_signing_in_has_and_is_noted_once() {
    let desk = Desk::open().await;
    desk.add("ann", Role::Viewer).await;
    let link = desk.link("ann").await;
    for n in 0..10 {
        assert_eq!(desk.open_post("/v1/links/show", json!({ "link": format!("guess {n}") })).await.status, 404);
    }
    let refused = desk.choose(&link, "a good password").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "300"));
    assert_eq!(desk.sign_in("ann", PASSWORD).await.status, 429);
    for n in 0..50 {
        assert_eq!(desk.sign_in(&format!("my secret {n}"), "x").await.status, 429);
    }
    desk.app.clock.advance(Duration::from_secs(300));
    assert_eq!(desk.sign_in("ann", PASSWORD).await.status, 200);
    for _ in 0..10 {
        desk.sign_in("my secret password", "x").await;
    }
    let (acts, all) = desk.recorded().await;
    assert_eq!(acts.iter().filter(|act| *act == "session.refused").count(), 2);
    assert!(!all.contains("my secret") && !all.contains("guess"), "{all}");
}

#[tokio::test]
async fn nobody_makes_changes_or_resets_somebody_who_may_more_than_they() {
    let desk = Desk::open().await;
    desk.add("ann", Role::Viewer).await;
    desk.add("olga", Role::Operator).await;
    for (uri, body) in [(USERS.to_owned(), json!({ "name": "x", "role": "operator" })), (format!("{USERS}/olga/link"), json!({}))] {
        assert_eq!(desk.post(&desk.manager, &uri, body).await.code(), "missing_scope", "{uri}");
    }
    assert_eq!(desk.patch(&desk.manager, &format!("{USERS}/ann"), json!({ "role": "operator" })).await.code(), "missing_scope");
    for change in [json!({ "role": "viewer" }), json!({ "disabled": true }), json!({ "language": "fr" })] {
        assert_eq!(desk.patch(&desk.manager, &format!("{USERS}/olga"), change).await.code(), "missing_scope");
    }
    for uri in [format!("{USERS}/olga"), format!("{USERS}/olga/sessions"), format!("{USERS}/olga/sessions/s1")] {
        assert_eq!(desk.delete(&desk.manager, &uri).await.code(), "missing_scope", "{uri}");
    }
    assert_eq!(desk.app.get_with(&desk.manager, &format!("{USERS}/olga/sessions")).await.code(), "missing_scope");
    assert_eq!(desk.patch(&desk.manager, &format!("{USERS}/ann"), json!({ "role": "manager" })).await.json()["role"], "manager");
    assert_eq!(desk.app.state.db.user("olga").await.unwrap().unwrap().role, "operator");
}

#[tokio::test]
async fn the_last_operator_is_neither_removed_nor_demoted() {
    let desk = Desk::open().await;
    let admin = format!("{USERS}/admin");
    assert_eq!(desk.delete(&desk.operator, &admin).await.code(), "last_operator");
    for change in [json!({ "role": "manager" }), json!({ "disabled": true })] {
        let refused = desk.patch(&desk.operator, &admin, change).await;
        assert_eq!((refused.status, &*refused.code()), (409, "last_operator"));
    }
    desk.sign_in("admin", PASSWORD).await;
    desk.add("olga", Role::Operator).await;
    assert_eq!(desk.delete(&desk.operator, &admin).await.status, 204);
    assert_eq!(desk.sign_in("admin", PASSWORD).await.status, 401);
    assert_eq!(desk.delete(&desk.operator, &admin).await.code(), "unknown_user");
}

#[tokio::test]
async fn what_a_user_may_changes_at_once() {
    let desk = Desk::open().await;
    desk.app.add_stream("cam2", "push:").await;
    desk.add("ann", Role::Viewer).await;
    let (ann, cookie) = (format!("{USERS}/ann"), desk.cookie("ann", PASSWORD).await);
    let change = async |body: Value| assert_eq!(desk.patch(&desk.manager, &ann, body).await.status, 200);
    let status = async |uri: &str| desk.get(&cookie, uri).await.status;
    assert_eq!([status("/v1/streams/cam2").await, status("/v1/accounts/main/ledger").await], [200, 403]);
    change(json!({ "streams": ["cam1"] })).await;
    assert_eq!(status("/v1/streams/cam2").await, 403);
    // Chosen streams are a viewer's.
    change(json!({ "role": "auditor" })).await;
    assert_eq!([status("/v1/streams/cam1").await, status("/v1/accounts/main/ledger").await], [403, 200]);
    change(json!({ "disabled": true })).await;
    assert_eq!((status("/v1/session").await, desk.sign_in("ann", PASSWORD).await.code().as_str()), (401, "bad_credentials"));
    change(json!({ "disabled": false })).await;
    assert_eq!(status("/v1/session").await, 401, "what ended stays ended");
    let cookie = desk.cookie("ann", PASSWORD).await;
    assert_eq!(desk.delete(&desk.manager, &ann).await.status, 204);
    assert_eq!(desk.get(&cookie, "/v1/session").await.status, 401);
}

#[tokio::test]
async fn sessions_are_listed_without_their_cookies_and_revoked() {
    let desk = Desk::open().await;
    desk.add("ann", Role::Viewer).await;
    let (first, second) = (desk.cookie("ann", PASSWORD).await, desk.cookie("ann", PASSWORD).await);
    let admin = desk.cookie("admin", PASSWORD).await;
    let answer = desk.get(&first, "/v1/sessions").await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    for cookie in [&first, &second] {
        assert!(!text.contains(cookie.trim_start_matches(SESSION_COOKIE).trim_start_matches('=')), "{text}");
    }
    let own = answer.json()["sessions"].as_array().unwrap().clone();
    let id = |current: bool| own.iter().find(|s| s["current"] == current).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!((own.len(), &own[0]["agent"]), (2, &json!("Mozilla/5.0 (test)")));
    let of_ann = desk.app.get_with(&desk.manager, &format!("{USERS}/ann/sessions")).await.json();
    assert!(of_ann["sessions"].as_array().unwrap().iter().all(|s| s["current"] == false));

    let theirs = desk.get(&admin, "/v1/sessions").await.json()["sessions"][0]["id"].as_str().unwrap().to_owned();
    let revoke = async |id: &str| desk.with_cookie(&first, Method::DELETE, &format!("/v1/sessions/{id}"), json!({})).await;
    assert_eq!(revoke(&theirs).await.code(), "unknown_session");
    assert_eq!([revoke(&id(false)).await.status, revoke(&id(false)).await.status], [204, 404]);
    assert_eq!(desk.get(&second, "/v1/session").await.status, 401);
    let third = desk.cookie("ann", PASSWORD).await;
    assert_eq!(desk.with_cookie(&first, Method::DELETE, "/v1/sessions", json!({})).await.status, 204);
    assert_eq!([desk.get(&first, "/v1/session").await.status, desk.get(&third, "/v1/session").await.status], [200, 401]);
    assert_eq!(desk.delete(&desk.manager, &format!("{USERS}/ann/sessions/{}", id(true))).await.status, 204);
    assert_eq!(desk.get(&first, "/v1/session").await.status, 401);
    let fourth = desk.cookie("ann", PASSWORD).await;
    assert_eq!(desk.delete(&desk.manager, &format!("{USERS}/ann/sessions")).await.status, 204);
    assert_eq!([desk.get(&fourth, "/v1/session").await.status, desk.get(&admin, "/v1/session").await.status], [401, 200]);
}

#[tokio::test]
async fn ones_own_password_takes_the_old_one_and_ends_the_other_sessions() {
    let desk = Desk::open().await;
    desk.add("ann", Role::Viewer).await;
    let (first, second) = (desk.cookie("ann", PASSWORD).await, desk.cookie("ann", PASSWORD).await);
    let change = async |current: &str, password: &str| {
        let body = json!({ "current": current, "password": password });
        desk.with_cookie(&first, Method::PUT, "/v1/session/password", body).await
    };
    assert_eq!(change("not it", "a new password").await.code(), "bad_credentials");
    assert_eq!(change(PASSWORD, "short").await.code(), "invalid_value");
    assert_eq!(change(PASSWORD, "a new password").await.status, 204);
    assert_eq!([desk.get(&first, "/v1/session").await.status, desk.get(&second, "/v1/session").await.status], [200, 401]);
    assert_eq!([desk.sign_in("ann", PASSWORD).await.status, desk.sign_in("ann", "a new password").await.status], [401, 200]);
}

#[tokio::test]
async fn a_token_has_a_role_or_scopes_and_opens_no_more_than_its_maker_can() {
    let desk = Desk::open().await;
    let make = async |by: &str, body: Value| desk.post(by, "/v1/tokens", body).await;
    let made = make(&desk.manager, json!({ "name": "audit", "role": "auditor" })).await.json();
    assert_eq!((&made["role"], &made["scopes"]), (&json!("auditor"), &json!([])));
    let auditor = made["token"].as_str().unwrap();
    assert_eq!(desk.app.get_with(auditor, "/v1/accounts/main/ledger").await.status, 200);
    assert_eq!(desk.app.get_with(auditor, "/v1/streams").await.status, 403);
    for (asked, code) in [
        (json!({ "name": "t", "role": "viewer", "scopes": ["view"] }), "invalid_value"),
        (json!({ "name": "t" }), "invalid_value"),
        (json!({ "name": "t", "role": "root" }), "invalid_value"),
        (json!({ "name": "t", "role": "operator" }), "missing_scope"),
        (json!({ "name": "t", "scopes": ["view", "operate"] }), "missing_scope"),
        (json!({ "name": "t", "role": "viewer", "account": "nobody" }), "unknown_account"),
    ] {
        assert_eq!(make(&desk.manager, asked.clone()).await.code(), code, "{asked}");
    }
    // Nor for longer, when the maker is a token that ends.
    let hour = make(&desk.manager, json!({ "name": "hour", "role": "manager", "expires_in_s": 3600 })).await.json();
    let hour = hour["token"].as_str().unwrap();
    for expires in [json!(null), json!(3601)] {
        assert_eq!(make(hour, json!({ "name": "t", "role": "viewer", "expires_in_s": expires })).await.code(), "invalid_value");
    }
    assert_eq!(make(hour, json!({ "name": "t", "role": "viewer", "expires_in_s": 3600 })).await.status, 201);
    let operators = make(&desk.operator, json!({ "name": "scrape", "scopes": ["operate"] })).await.json();
    let uri = format!("/v1/tokens/{}", operators["id"].as_str().unwrap());
    assert_eq!(desk.delete(&desk.manager, &uri).await.code(), "missing_scope");
    assert_eq!(desk.app.get_with(operators["token"].as_str().unwrap(), "/metrics").await.status, 200);
}

#[tokio::test]
async fn a_token_outlives_its_maker_and_is_listed_with_them() {
    let desk = Desk::open().await;
    desk.add("max", Role::Manager).await;
    let cookie = desk.cookie("max", PASSWORD).await;
    let body = json!({ "name": "encoder", "scopes": ["ingest"] });
    let made = desk.with_cookie(&cookie, Method::POST, "/v1/tokens", body).await.json();
    assert_eq!(desk.delete(&desk.operator, &format!("{USERS}/max")).await.status, 204);
    // Known, and told that it may not: it still pushes.
    assert_eq!(desk.app.get_with(made["token"].as_str().unwrap(), "/v1/streams").await.status, 403);
    let list = desk.app.get_with(&desk.manager, "/v1/tokens").await.json();
    let listed = list["tokens"].as_array().unwrap().iter().find(|t| t["id"] == made["id"]).unwrap().clone();
    assert_eq!((&listed["made_by"], &listed["account"]), (&json!("user max"), &json!("main")));
}

#[tokio::test]
async fn every_character_of_a_token_a_cookie_and_a_link_counts() {
    let desk = Desk::open().await;
    let (cookie, link) = (desk.cookie("admin", PASSWORD).await, desk.link("admin").await);
    let tampered = |secret: &str| {
        let swapped = |i: usize| {
            let mut bytes = secret.as_bytes().to_vec();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        };
        let mut all: Vec<String> = (0..secret.len()).map(swapped).collect();
        all.extend([secret[1..].to_owned(), secret[..secret.len() - 1].to_owned(), format!("{secret}A"), secret.to_uppercase()]);
        all
    };
    for wrong in tampered(&desk.operator) {
        assert_eq!(desk.app.get_with(&wrong, "/v1/streams").await.status, 401, "{wrong}");
    }
    for wrong in tampered(cookie.split_once('=').unwrap().1) {
        assert_eq!(desk.get(&format!("{SESSION_COOKIE}={wrong}"), "/v1/session").await.status, 401, "{wrong}");
    }
    for wrong in tampered(&link) {
        // The door would close on whoever guesses.
        desk.app.clock.advance(Duration::from_secs(60));
        assert_eq!(desk.open_post("/v1/links/show", json!({ "link": wrong })).await.code(), "unknown_link", "{wrong}");
    }
    assert_eq!((desk.app.get_with(&desk.operator, "/v1/streams").await.status, desk.get(&cookie, "/v1/session").await.status), (200, 200));
    assert_eq!(desk.open_post("/v1/links/show", json!({ "link": link })).await.status, 200);
}

#[tokio::test]
async fn who_let_whom_in_is_recorded_and_no_secret_is() {
    let desk = Desk::open().await;
    let (before, _) = desk.recorded().await;
    desk.add("ann", Role::Viewer).await;
    let link = desk.link("ann").await;
    let cookie = desk.cookie("ann", PASSWORD).await;
    desk.with_cookie(&cookie, Method::DELETE, "/v1/session", json!({})).await;
    let other = desk.cookie("ann", PASSWORD).await;
    desk.delete(&desk.manager, &format!("{USERS}/ann/sessions")).await;
    desk.patch(&desk.manager, &format!("{USERS}/ann"), json!({ "role": "manager" })).await;
    let made = desk.post(&desk.manager, "/v1/tokens", json!({ "name": "t", "role": "viewer" })).await.json();
    desk.delete(&desk.manager, &format!("/v1/tokens/{}", made["id"].as_str().unwrap())).await;
    desk.delete(&desk.manager, &format!("{USERS}/ann")).await;
    // What was refused or changed nothing did not happen.
    desk.delete(&desk.manager, &format!("{USERS}/ann")).await;
    desk.patch(&desk.operator, &format!("{USERS}/admin"), json!({ "role": "operator" })).await;
    desk.delete(&desk.operator, &format!("{USERS}/admin/sessions")).await;
    desk.sign_in("admin", "wrong").await;

    let (acts, all) = desk.recorded().await;
    let expected = [
        "user.added",
        "user.invited",
        "link.used",
        "user.reset_offered",
        "session.started",
        "session.ended",
        "session.started",
        "session.revoked",
        "user.changed",
        "token.created",
        "token.revoked",
        "user.removed",
    ];
    assert_eq!(acts[before.len()..], expected);
    for secret in [&link, made["token"].as_str().unwrap(), PASSWORD, cookie.split_once('=').unwrap().1, other.split_once('=').unwrap().1] {
        assert!(!all.contains(secret), "{secret}");
    }
}
