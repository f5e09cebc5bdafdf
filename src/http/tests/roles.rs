//! Every route of the document with every role, with another account's ids, and with ids that nothing has.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::document::{document, is_open, operations};
use crate::accounts::{By, NewAccount};
use crate::db::NewStream;
use crate::entitlement::{NewToken, Role};
use crate::http::testing::{NOW, TestApp};
use crate::media::AccountId;

/// A route as it is asked for, and whom it is for: `v`iewer, `m`anager, `a`uditor, `o`perator, `*` anyone with credentials. A
/// viewer here watches `cam1` only.
const TABLE: &[(&str, &str)] = &[
    ("GET /v1/openapi.json", "*"),
    ("GET /metrics", "mo"),
    ("GET /v1/session", ""), // programs have none; see `access`
    ("DELETE /v1/session", "*"),
    ("GET /v1/streams", "vmo"),
    ("POST /v1/streams", "mo"),
    ("GET /v1/streams/{stream}", "vmo"),
    ("PATCH /v1/streams/{stream}", "mo"),
    ("POST /v1/streams/{stream}/pause", "mo"),
    ("POST /v1/streams/{stream}/resume", "mo"),
    ("POST /v1/streams/{stream}/ingest", "mo"),
    ("PUT /v1/streams/{stream}/ingest", "mo"),
    ("POST /v1/streams/{stream}/urls", "vmo"),
    ("GET /v1/streams/{stream}/playlist.m3u8", "vmo"),
    ("GET /v1/streams/{stream}/media.m3u8?start=1777816000", "vmo"),
    ("GET /v1/streams/{stream}/iframes.m3u8?start=-60", "vmo"),
    ("GET /v1/streams/{stream}/init/{run}.mp4", "vmo"),
    ("GET /v1/streams/{stream}/segments/{start_us}.m4s", "vmo"),
    ("GET /v1/streams/{stream}/blocks/{block}.mp4", "vmo"),
    ("GET /v1/streams/{stream}/clip.mp4?start=-60&end=-30", "vmo"),
    ("GET /v1/streams/{stream}/frame.jpg?at=-60", "vmo"),
    ("GET /v1/streams/{stream}/frame.mp4?at=-60", "vmo"),
    ("GET /v1/streams/{stream}/coverage?start=-60&end=-30", "vmo"),
    ("GET /get?path={stream}&start=-60&duration=30", "vmo"),
    ("GET /list?path={stream}", "vmo"),
    ("GET /playlist.m3u", "vmo"),
    ("GET /{stream}/{file}", "vmo"),
    ("DELETE /v1/streams/{stream}", "mo"),
    ("GET /v1/tokens", "mo"),
    ("POST /v1/tokens", "mo"),
    ("DELETE /v1/tokens/{id}", "mo"),
    ("GET /v1/accounts", "mao"),
    ("POST /v1/accounts", "o"),
    ("GET /v1/accounts/{account}", "mao"),
    ("PATCH /v1/accounts/{account}", "mo"),
    ("GET /v1/accounts/{account}/entitlements", "mao"),
    ("GET /v1/accounts/{account}/subscription", "mao"),
    ("PATCH /v1/accounts/{account}/subscription", "mo"),
    ("POST /v1/accounts/{account}/subscription/quote", "mo"),
    ("POST /v1/accounts/{account}/subscription/upgrade", "mo"),
    ("POST /v1/accounts/{account}/subscription/downgrade", "mo"),
    ("POST /v1/accounts/{account}/subscription/downgrade/cancel", "mo"),
    ("GET /v1/accounts/{account}/ledger", "mao"),
    ("GET /v1/erasures", "mao"),
    ("POST /v1/erasures", "mo"),
    ("GET /v1/erasures/{id}", "mao"),
    ("GET /v1/retention", "o"),
    ("POST /v1/retention/run", "o"),
    ("POST /v1/retention/confirm", "o"),
    ("GET /v1/streams/{stream}/retention?at=-60", "vmao"),
    ("PUT /v1/streams/{stream}/cap", "mo"),
    ("GET /v1/accounts/{account}/retention", "mao"),
    ("GET /v1/accounts/{account}/retention/forecast", "mao"),
    ("GET /v1/accounts/{account}/holds", "mao"),
    ("POST /v1/accounts/{account}/holds", "mo"),
    ("GET /v1/accounts/{account}/holds/{hold}", "mao"),
    ("POST /v1/accounts/{account}/holds/{hold}/release", "mo"),
    ("GET /v1/signing-keys", "o"),
    ("POST /v1/signing-keys", "o"),
    ("DELETE /v1/signing-keys/{key}", "o"),
    ("GET /v1/receipts", "mao"),
    ("GET /v1/receipts/{id}", "mao"),
    ("GET /v1/streams/{stream}/attestation", "mao"),
    ("GET /v1/plans", "*"),
    ("POST /v1/plans", "o"),
];

/// A body that the route can read: a refusal must not hang on it.
fn body(route: &str) -> Value {
    let path = route.split('?').next().unwrap();
    match path {
        "POST /v1/streams" => json!({ "id": "cam9", "source": "push:" }),
        "POST /v1/streams/{stream}/urls" => json!({ "start": "-60" }),
        "PUT /v1/streams/{stream}/cap" => json!({ "hours": null }),
        "POST /v1/accounts/{account}/holds" => {
            json!({ "streams": ["cam1"], "start": "-60", "end": "-30", "case": "c", "reason": "r" })
        }
        "POST /v1/tokens" => json!({ "name": "t", "scopes": ["view"] }),
        "POST /v1/erasures" => json!({ "stream": "cam1", "start": "-60", "end": "-30", "reason": "r", "asked_by": "a" }),
        "POST /v1/accounts" => json!({ "id": "new", "name": "New", "zone": "UTC", "plan": "basic" }),
        "PATCH /v1/accounts/{account}/subscription" => json!({ "renews": true, "version": 99, "words": "w" }),
        "POST /v1/accounts/{account}/subscription/quote" => json!({ "plan": "basic" }),
        "POST /v1/accounts/{account}/subscription/upgrade" => json!({ "plan": "basic", "version": 99, "quoted_at_us": 0, "words": "w" }),
        "POST /v1/accounts/{account}/subscription/downgrade" => json!({ "plan": "basic", "version": 99, "words": "w" }),
        "POST /v1/accounts/{account}/subscription/downgrade/cancel" => json!({ "version": 99, "words": "w" }),
        _ => json!({}),
    }
}

const RUN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn filled(path: &str, stream: &str, account: &str, token: &str) -> String {
    path.replace("{stream}", stream)
        .replace("{account}", account)
        .replace("{id}", token)
        .replace("{hold}", "1")
        .replace("{key}", "9")
        .replace("{run}", RUN)
        .replace("{block}", RUN)
        .replace("{start_us}", "1")
        .replace("{file}", "index.m3u8")
}

fn letter(role: Role) -> char {
    role.as_str().chars().next().unwrap()
}

async fn token_of(app: &TestApp, account: &AccountId, role: Role) -> (String, String) {
    let streams = if role == Role::Viewer { vec!["cam1".parse().unwrap()] } else { Vec::new() };
    let new = NewToken { account: account.clone(), name: role.to_string(), scopes: role.scopes(), streams, expires_at: None };
    let (row, token) = app.state.access.create_token(new).await.unwrap();
    (row.id, token)
}

async fn ask(app: &TestApp, token: &str, route: &str, uri: &str) -> crate::http::testing::Answer {
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    if method == Method::GET { app.get_with(token, uri).await } else { app.json_with(token, method, uri, &body(route)).await }
}

#[test]
fn every_route_of_the_document_is_in_the_table() {
    let asked: BTreeSet<String> = TABLE.iter().map(|(route, _)| route.split('?').next().unwrap().to_owned()).collect();
    let routes = operations(&document());
    let closed = routes.into_iter().filter(|(m, p, _)| !is_open(m, p)).map(|(m, p, _)| format!("{m} {p}"));
    assert_eq!(closed.collect::<BTreeSet<_>>(), asked);
}

#[tokio::test]
async fn each_role_gets_what_it_is_for_and_nothing_else() {
    for role in Role::ALL {
        let app = TestApp::new().await;
        let (_, token) = token_of(&app, &AccountId::main(), role).await;
        for (route, roles) in TABLE {
            let path = route.split_once(' ').unwrap().1;
            let answer = ask(&app, &token, route, &filled(path, "cam1", "main", "t-none")).await;
            let let_in = ![401, 403].contains(&answer.status);
            let expected = roles.contains('*') || roles.contains(letter(role));
            assert_eq!(let_in, expected, "{role}: {route}: {} {:?}", answer.status, answer.body);
        }
    }
}

#[tokio::test]
async fn what_belongs_to_another_account_is_as_if_it_were_not_there() {
    let app = TestApp::new().await;
    let acme: AccountId = "acme".parse().unwrap();
    let new = NewAccount {
        id: acme.clone(),
        name: "Acme".into(),
        zone: "UTC".into(),
        language: "en".into(),
        release_needs_second: false,
        plan: "basic".into(),
        term_months: 12,
        renews: true,
    };
    app.state.accounts().add(&By { actor: "test".into(), now: NOW }, new).await.unwrap();
    let stream = NewStream {
        id: "theirs".parse().unwrap(),
        account: acme.clone(),
        title: "Theirs".into(),
        source: "push:".into(),
        credentials: None,
    };
    app.state.db.add_stream(&stream, NOW).await.unwrap();
    let (their_token, _) = token_of(&app, &acme, Role::Manager).await;
    for role in [Role::Viewer, Role::Manager, Role::Auditor] {
        let (_, token) = token_of(&app, &AccountId::main(), role).await;
        for (route, _) in TABLE.iter().filter(|(route, _)| ["{stream}", "{account}", "{id}"].iter().any(|id| route.contains(id))) {
            let path = route.split_once(' ').unwrap().1;
            let theirs = ask(&app, &token, route, &filled(path, "theirs", "acme", &their_token)).await;
            let nobodys = ask(&app, &token, route, &filled(path, "nobody", "nobody", "t-none")).await;
            let said = |answer: &crate::http::testing::Answer, names: [&str; 3]| {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                names.iter().fold(text, |text, name| text.replace(name, "…"))
            };
            let (a, b) = (said(&theirs, ["theirs", "acme", &their_token]), said(&nobodys, ["nobody", "nobody", "t-none"]));
            assert_eq!((theirs.status, a), (nobodys.status, b), "{role}: {route}");
            assert!(theirs.status >= 400, "{role}: {route}");
        }
    }
    assert!(app.state.access.tokens().await.unwrap().iter().any(|t| t.id == their_token));
    let (_, operator) = token_of(&app, &AccountId::main(), Role::Operator).await;
    assert_eq!(app.get_with(&operator, "/v1/accounts/acme/subscription").await.json()["plan"], "basic");
}

#[tokio::test]
async fn a_manager_cannot_make_a_token_that_opens_more() {
    let app = TestApp::new().await;
    let (_, manager) = token_of(&app, &AccountId::main(), Role::Manager).await;
    let make =
        async |scope: &str| app.json_with(&manager, Method::POST, "/v1/tokens", &json!({ "name": "t", "scopes": [scope] })).await.status;
    assert_eq!([make("admin").await, make("operate").await], [201, 403]);
}

#[tokio::test]
async fn an_upgrade_is_quoted_taken_and_written_down() {
    let app = TestApp::new().await;
    let (_, operator) = token_of(&app, &AccountId::main(), Role::Operator).await;
    let post = async |uri: &str, body: Value| app.json_with(&operator, Method::POST, uri, &body).await;
    let made = post("/v1/accounts", json!({ "id": "acme", "name": "Acme", "zone": "Europe/Paris", "plan": "basic" })).await;
    assert_eq!((made.status, &made.json()["language"]), (201, &json!("en")));
    assert_eq!(post("/v1/accounts", json!({ "id": "acme", "name": "A", "zone": "UTC", "plan": "basic" })).await.code(), "account_exists");
    assert_eq!(post("/v1/accounts", json!({ "id": "b", "name": "B", "zone": "Mars", "plan": "basic" })).await.code(), "invalid_value");
    assert_eq!(post("/v1/accounts", json!({ "id": "b", "name": "B", "zone": "UTC", "plan": "gold" })).await.code(), "invalid_value");

    let at = "/v1/accounts/acme/subscription";
    let quote = post(&format!("{at}/quote"), json!({ "plan": "extended" })).await.json();
    assert_eq!((&quote["charge_minor"], &quote["from"]["plan"]), (&json!(0), &json!("basic")));
    let take = json!({ "plan": "extended", "version": quote["version"], "quoted_at_us": quote["quoted_at_us"], "words": "Yes please." });
    assert_eq!(post(&format!("{at}/upgrade"), take.clone()).await.json()["plan"], "extended");
    assert_eq!(post(&format!("{at}/upgrade"), take).await.code(), "changed");
    let less = json!({ "plan": "basic", "version": 2, "words": "Less." });
    let scheduled = post(&format!("{at}/downgrade"), less).await.json();
    assert_eq!((&scheduled["scheduled"]["plan"], &scheduled["version"]), (&json!("basic"), &json!(3)));
    let again = post(&format!("{at}/downgrade"), json!({ "plan": "basic", "version": 3, "words": "Less." })).await;
    assert_eq!((again.status, again.code().as_str()), (409, "plan_conflict"));
    let ledger = app.get_with(&operator, "/v1/accounts/acme/ledger").await.json();
    assert_eq!((&ledger["lines"][0]["kind"], &ledger["requests"][0]["words"]), (&json!("upgrade"), &json!("Yes please.")));
    let has = app.get_with(&operator, "/v1/accounts/acme/entitlements").await.json();
    assert_eq!(has["entitlements"]["retroview.window"]["value"]["months"], 6);
}
