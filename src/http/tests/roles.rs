//! Every route of the document with every role, with another account's ids, and with ids that nothing has.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::document::{document, is_open, operations};
use crate::accounts::{By, NewAccount};
use crate::audit::{Event, acts};
use crate::bookmarks::Draft;
use crate::db::{ExportFormat, NewErasure, NewExport, NewHold, NewStream};
use crate::entitlement::{Caller, NewShare, NewToken, NewUser, Principal, Rights, Role};
use crate::http::auth::SESSION_COOKIE;
use crate::http::testing::{Answer, NOW, PASSWORD, TestApp, request};
use crate::media::{AccountId, TimeRange};

/// A route as it is asked for, and whom it is for: `v`iewer, `m`anager, `a`uditor, `o`perator, `*` anyone with credentials, `s`
/// people of any role who are signed in, and no programs. A viewer here watches `cam1` only.
///
/// A new route needs a line here, and one in [`body`] if it reads a body that `{}` is not. Names in braces are filled in by
/// [`Ids`]; what is named in a query or a body has a line of its own, where the query says so.
const TABLE: &[(&str, &str)] = &[
    ("GET /v1/openapi.json", "*"),
    ("GET /metrics", "o"),
    ("GET /v1/session", "s"),
    ("DELETE /v1/session", "*"),
    ("PUT /v1/session/password", "s"),
    ("GET /v1/sessions", "s"),
    ("DELETE /v1/sessions", "s"),
    ("DELETE /v1/sessions/{session}", "s"),
    ("GET /v1/streams", "vmo"),
    ("POST /v1/streams", "mo"),
    ("POST /v1/streams/probe", "mo"),
    ("POST /v1/streams/probe?account={account}&stream={stream}", "mo"),
    ("GET /v1/streams/{stream}", "vmo"),
    ("PATCH /v1/streams/{stream}", "mo"),
    ("POST /v1/streams/{stream}/pause", "mo"),
    ("POST /v1/streams/{stream}/resume", "mo"),
    ("POST /v1/streams/{stream}/restore", "mo"),
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
    ("GET /v1/streams/{stream}/thumbnails.vtt?start=-60&end=-30", "vmo"),
    ("GET /v1/streams/{stream}/thumbnails.json?start=-60&end=-30", "vmo"),
    ("GET /v1/streams/{stream}/thumbnails/{block}.jpg", "vmo"),
    ("GET /v1/streams/{stream}/coverage?start=-60&end=-30", "vmo"),
    ("GET /v1/streams/{stream}/retention?at=-60", "vmao"),
    ("PUT /v1/streams/{stream}/cap", "mo"),
    ("GET /v1/streams/{stream}/bookmarks", "vmo"),
    ("POST /v1/streams/{stream}/bookmarks", "vmo"),
    ("PATCH /v1/streams/{stream}/bookmarks/{bookmark}", "vmo"),
    ("DELETE /v1/streams/{stream}/bookmarks/{bookmark}", "vmo"),
    ("GET /v1/accounts/{account}/bookmarks", "vmo"),
    ("POST /v1/shares", "vmo"),
    ("POST /v1/shares?stream={stream}", "vmo"),
    ("DELETE /v1/shares/{share}", "vmo"),
    ("GET /v1/accounts/{account}/shares", "vmao"),
    ("GET /v1/exports", "vmo"),
    ("GET /v1/exports?account={account}", "vmo"),
    ("POST /v1/exports", "vmo"),
    ("POST /v1/exports?stream={stream}", "vmo"),
    ("GET /v1/exports/{export}", "vmo"),
    ("DELETE /v1/exports/{export}", "vmo"),
    ("GET /v1/exports/{export}/file", "vmo"),
    ("GET /get?path={stream}&start=-60&duration=30", "vmo"),
    ("GET /list?path={stream}", "vmo"),
    ("GET /playlist.m3u", "vmo"),
    ("GET /{stream}/{file}", "vmo"),
    ("DELETE /v1/streams/{stream}", "mo"),
    ("GET /v1/tokens", "mo"),
    ("GET /v1/tokens?account={account}", "mo"),
    ("POST /v1/tokens", "mo"),
    ("POST /v1/tokens?account={account}", "mo"),
    ("DELETE /v1/tokens/{token}", "mo"),
    ("GET /v1/signing-keys", "o"),
    ("POST /v1/signing-keys", "o"),
    ("DELETE /v1/signing-keys/{key}", "o"),
    ("GET /v1/accounts", "mao"),
    ("POST /v1/accounts", "o"),
    ("GET /v1/accounts/{account}", "mao"),
    ("PATCH /v1/accounts/{account}", "mo"),
    ("GET /v1/accounts/{account}/entitlements", "mao"),
    ("GET /v1/accounts/{account}/users", "mo"),
    ("POST /v1/accounts/{account}/users", "mo"),
    ("GET /v1/accounts/{account}/users/{user}", "mo"),
    ("PATCH /v1/accounts/{account}/users/{user}", "mo"),
    ("POST /v1/accounts/{account}/users/{user}/link", "mo"),
    ("GET /v1/accounts/{account}/users/{user}/sessions", "mo"),
    ("DELETE /v1/accounts/{account}/users/{user}/sessions/{session}", "mo"),
    ("DELETE /v1/accounts/{account}/users/{user}/sessions", "mo"),
    ("DELETE /v1/accounts/{account}/users/{user}", "mo"),
    ("GET /v1/accounts/{account}/subscription", "mao"),
    ("PATCH /v1/accounts/{account}/subscription", "mo"),
    ("POST /v1/accounts/{account}/subscription/quote", "mo"),
    ("POST /v1/accounts/{account}/subscription/upgrade", "mo"),
    ("POST /v1/accounts/{account}/subscription/downgrade", "mo"),
    ("POST /v1/accounts/{account}/subscription/downgrade/cancel", "mo"),
    ("GET /v1/accounts/{account}/ledger", "mao"),
    ("GET /v1/erasures", "mao"),
    ("POST /v1/erasures", "mo"),
    ("GET /v1/retention", "o"),
    ("POST /v1/retention/run", "o"),
    ("POST /v1/retention/confirm", "o"),
    ("GET /v1/accounts/{account}/retention", "mao"),
    ("GET /v1/accounts/{account}/retention/forecast", "mao"),
    ("GET /v1/retention/ahead", "o"),
    ("GET /v1/accounts/{account}/retention/expiring", "mao"),
    ("GET /v1/accounts/{account}/retention/kept", "mao"),
    ("GET /v1/accounts/{account}/retention/kept?stream={stream}", "mao"),
    ("GET /v1/sweeps", "mao"),
    ("GET /v1/sweeps?account={account}", "mao"),
    ("GET /v1/accounts/{account}/holds", "mao"),
    ("POST /v1/accounts/{account}/holds", "mo"),
    ("POST /v1/accounts/{account}/holds?stream={stream}", "mo"),
    ("GET /v1/accounts/{account}/holds/{hold}", "mao"),
    ("POST /v1/accounts/{account}/holds/{hold}/release", "mo"),
    ("GET /v1/accounts/{account}/retention/forecast?stream={stream}", "mao"),
    ("GET /v1/accounts/{account}/retention/forecast?released={hold}", "mao"),
    ("GET /v1/erasures?account={account}", "mao"),
    ("POST /v1/erasures?stream={stream}", "mo"),
    ("GET /v1/erasures/{erasure}", "mao"),
    ("GET /v1/audit", "mao"),
    ("GET /v1/audit?account={account}", "mao"),
    ("GET /v1/audit?stream={stream}", "mao"),
    ("GET /v1/audit/verification", "mao"),
    ("POST /v1/audit/verification", "mao"),
    ("GET /v1/audit/export", "mao"),
    ("GET /v1/audit/export?account={account}", "mao"),
    ("POST /v1/audit/checkpoints", "o"),
    ("GET /v1/receipts", "mao"),
    ("GET /v1/receipts?account={account}", "mao"),
    ("GET /v1/receipts/{receipt}", "mao"),
    ("GET /v1/receipts/{receipt}.html", "mao"),
    ("GET /v1/streams/{stream}/attestation", "mao"),
    ("GET /v1/system", "o"),
    ("GET /v1/storage", "o"),
    ("GET /v1/accounts/{account}/storage", "mao"),
    ("GET /v1/setup", "o"),
    ("POST /v1/setup/done", "o"),
    ("GET /v1/plans", "*"),
    ("POST /v1/plans", "o"),
];

/// A body that the route can read: a refusal must not hang on it.
fn body(route: &str, ids: &Ids) -> Value {
    let path = route.split('?').next().unwrap();
    match path {
        "POST /v1/streams" => json!({ "id": "cam9", "source": "push:" }),
        "POST /v1/streams/probe" => json!({ "source": "push:", "account": ids.account, "stream": ids.stream }),
        "POST /v1/streams/{stream}/urls" => json!({ "start": "-60" }),
        "POST /v1/tokens" => json!({ "name": "t", "scopes": ["view"], "account": ids.account }),
        "POST /v1/accounts/{account}/holds" => {
            json!({ "streams": [ids.stream], "start": "-60", "end": "-30", "case": "c", "reason": "r" })
        }
        "POST /v1/streams/{stream}/bookmarks" => json!({ "at": "-60", "title": "A parcel" }),
        "POST /v1/shares" => json!({ "streams": [ids.stream], "start": "-60", "end": "-30", "expires_at": "2026-06-01T00:00:00Z" }),
        "POST /v1/exports" => json!({ "streams": [ids.stream], "start": "-60", "end": "-30", "format": "mp4" }),
        "PUT /v1/session/password" => json!({ "current": "not it", "password": "a new password" }),
        "POST /v1/accounts/{account}/users" => json!({ "name": "new", "role": "viewer" }),
        "POST /v1/erasures" => json!({ "stream": ids.stream, "start": "-60", "end": "-30", "reason": "r", "asked_by": "a" }),
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

/// What stands for the names in braces.
#[derive(Clone)]
struct Ids {
    stream: String,
    account: String,
    user: String,
    session: String,
    token: String,
    hold: String,
    erasure: String,
    receipt: String,
    bookmark: String,
    share: String,
    export: String,
}

impl Ids {
    /// Of the account `main`, as far as there are any.
    fn ours() -> Ids {
        let [stream, account, user] = ["cam1", "main", "ann"].map(str::to_owned);
        Ids { stream, account, user, ..Ids::nobodys() }
    }
    /// Ids that nothing has, in an account that there is not.
    fn nobodys() -> Ids {
        let [stream, account, user] = ["nobody"; 3].map(str::to_owned);
        let [session, token, hold, erasure, receipt] = ["s-none", "t-none", "987654", "876543", "765432"].map(str::to_owned);
        Ids {
            stream,
            account,
            user,
            session,
            token,
            hold,
            erasure,
            receipt,
            bookmark: "654321".into(),
            share: "h-none".into(),
            export: "e-none".into(),
        }
    }
    fn in_account(&self, account: &str) -> Ids {
        Ids { account: account.into(), ..self.clone() }
    }
    fn all(&self) -> [(&str, &str); 11] {
        [
            ("{stream}", &self.stream),
            ("{account}", &self.account),
            ("{user}", &self.user),
            ("{session}", &self.session),
            ("{token}", &self.token),
            ("{hold}", &self.hold),
            ("{erasure}", &self.erasure),
            ("{receipt}", &self.receipt),
            ("{bookmark}", &self.bookmark),
            ("{share}", &self.share),
            ("{export}", &self.export),
        ]
    }
    fn uri(&self, route: &str) -> String {
        let (_, path) = route.split_once(' ').unwrap();
        let fixed = [("{run}", RUN), ("{block}", RUN), ("{start_us}", "1"), ("{file}", "index.m3u8"), ("{key}", "60000")];
        self.all().iter().chain(&fixed).fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }
    /// An answer as it would be about anything: ids taken out.
    fn anonymous(&self, answer: &Answer) -> (u16, String) {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let text = self.all().iter().fold(text, |text, (_, id)| text.replace(&format!("`{id}`"), "`…`"));
        (answer.status, text.replace(&format!("hold {}", self.hold), "hold …"))
    }
}

/// Whether the route names something by its id, and whether in its path, where an id that is nobody's must be refused.
fn names(route: &str, ids: &[&str]) -> (bool, bool) {
    let path = route.split('?').next().unwrap();
    (ids.iter().any(|id| route.contains(id)), ids.iter().any(|id| path.contains(id)))
}

fn letter(role: Role) -> char {
    role.as_str().chars().next().unwrap()
}

/// How a request says whose it is.
#[derive(Clone)]
enum Proof {
    Token(String),
    Cookie(String),
    Nothing,
}

async fn token_of(app: &TestApp, account: &AccountId, role: Role) -> (String, String) {
    let streams = if role == Role::Viewer { vec!["cam1".parse().unwrap()] } else { Vec::new() };
    let new = NewToken { account: account.clone(), name: role.to_string(), rights: Rights::Role(role), streams, expires_at: None };
    app.make_token(new).await
}

async fn add_user(app: &TestApp, account: &AccountId, name: &str, role: Role) {
    let streams = (role == Role::Viewer).then(|| vec!["cam1".parse().unwrap()]);
    let new = NewUser { account: account.clone(), name: name.into(), role, streams, language: None };
    let who = Principal::command_line(AccountId::main());
    app.state.access.directory().add_user(&who, NOW, new, PASSWORD).await.unwrap();
}

/// Somebody of this role, signed in: their cookie.
async fn signed_in(app: &TestApp, account: &AccountId, name: &str) -> String {
    let caller = Caller { address: "192.0.2.1", agent: "test" };
    let session = app.state.access.sign_in(name, PASSWORD.into(), caller).await.unwrap();
    assert_eq!(session.account, *account);
    format!("{SESSION_COOKIE}={}", session.cookie)
}

async fn ask(app: &TestApp, proof: &Proof, route: &str, ids: &Ids) -> Answer {
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    let (name, value) = match proof {
        Proof::Token(token) => ("authorization", format!("Bearer {token}")),
        Proof::Cookie(cookie) => ("cookie", cookie.clone()),
        Proof::Nothing => ("x-nothing", String::new()),
    };
    let headers = [(name, &*value), ("x-retroview", "1"), ("content-type", "application/json")];
    let body = if method == Method::GET { Body::empty() } else { Body::from(body(route, ids).to_string()) };
    app.send(request(method, &ids.uri(route), &headers, body)).await
}

#[test]
fn every_route_of_the_document_is_in_the_table() {
    // The document calls each of them `id`.
    let named = |route: &str| {
        ["{token}", "{erasure}", "{receipt}", "{share}", "{export}"]
            .iter()
            .fold(route.to_owned(), |route, name| route.replace(name, "{id}"))
    };
    let asked = TABLE.iter().map(|(route, _)| named(route.split('?').next().unwrap().trim_end_matches(".html")));
    let asked: BTreeSet<String> = asked.collect();
    let routes = operations(&document());
    let closed = routes.into_iter().filter(|(m, p, _)| !is_open(m, p)).map(|(m, p, _)| format!("{m} {p}"));
    assert_eq!(closed.collect::<BTreeSet<_>>(), asked);
}

#[tokio::test]
async fn each_role_gets_what_it_is_for_and_nothing_else() {
    for role in Role::ALL {
        let app = TestApp::new().await;
        add_user(&app, &AccountId::main(), "ann", Role::Viewer).await;
        let (_, token) = token_of(&app, &AccountId::main(), role).await;
        for (route, roles) in TABLE {
            let ids = Ids::ours();
            let answer = ask(&app, &Proof::Token(token.clone()), route, &ids).await;
            let let_in = ![401, 403].contains(&answer.status);
            let expected = roles.contains('*') || roles.contains(letter(role));
            assert_eq!(let_in, expected, "{role}: {route}: {} {:?}", answer.status, answer.body);
        }
    }
}

#[tokio::test]
async fn a_user_gets_what_a_token_of_the_same_role_does_and_their_own_sessions() {
    for role in Role::ALL {
        let app = TestApp::new().await;
        add_user(&app, &AccountId::main(), "ann", Role::Viewer).await;
        add_user(&app, &AccountId::main(), "me", role).await;
        let mut cookie = signed_in(&app, &AccountId::main(), "me").await;
        for (route, roles) in TABLE {
            let ids = Ids::ours();
            let answer = ask(&app, &Proof::Cookie(cookie.clone()), route, &ids).await;
            // A password that is not the current one is not let in either, but for another reason.
            let let_in = ![401, 403].contains(&answer.status) || answer.code() == "bad_credentials";
            let expected = roles.contains(['*', 's']) || roles.contains(letter(role));
            assert_eq!(let_in, expected, "{role}: {route}: {} {:?}", answer.status, answer.body);
            if *route == "DELETE /v1/session" {
                cookie = signed_in(&app, &AccountId::main(), "me").await;
            }
        }
    }
}

#[tokio::test]
async fn without_credentials_every_closed_route_answers_401_whether_there_is_something_or_not() {
    let app = TestApp::new().await;
    add_user(&app, &AccountId::main(), "ann", Role::Viewer).await;
    let (token, _) = token_of(&app, &AccountId::main(), Role::Manager).await;
    let (there, not) = (Ids { token, ..Ids::ours() }, Ids::nobodys());
    for (route, _) in TABLE {
        for proof in [Proof::Nothing, Proof::Token("rv_wrong".into()), Proof::Cookie(format!("{SESSION_COOKIE}=wrong"))] {
            let (a, b) = (ask(&app, &proof, route, &there).await, ask(&app, &proof, route, &not).await);
            assert_eq!((a.status, b.status, &a.body), (401, 401, &b.body), "{route}");
        }
    }
}

#[tokio::test]
async fn every_route_answers_who_opened_a_share_as_it_answers_a_signed_address() {
    let app = TestApp::new().await;
    let admin = app.admin().await;
    let post = async |uri: &str, body: Value| app.json_with(&admin, Method::POST, uri, &body).await.json();
    let signed = post("/v1/streams/cam1/urls", json!({ "start": "-3600", "end": "now", "verbs": ["view", "thumbnail"] })).await;
    let asked = json!({ "streams": ["cam1"], "start": "-3600", "end": "now", "expires_at": "2026-06-01T00:00:00Z" });
    let made = post("/v1/shares", asked).await;
    let share = app.state.access.open_share(made["secret"].as_str().unwrap(), Caller { address: "", agent: "" }).await.unwrap();
    let cookie = format!("{}{}={}", crate::http::auth::SHARE_COOKIE, share.row.id, share.cookie);
    let (mine, nobodys) = (Ids::ours(), Ids::nobodys());
    for (route, _) in TABLE {
        for ids in [&mine, &nobodys] {
            let with_token = |token: &str| {
                let joint = if route.contains('?') { '&' } else { '?' };
                format!("{route}{joint}token={token}")
            };
            let by_address = ask(&app, &Proof::Nothing, &with_token(signed["token"].as_str().unwrap()), ids).await;
            let by_share = ask(&app, &Proof::Cookie(cookie.clone()), &with_token(&format!("share.{}", share.row.id)), ids).await;
            assert_eq!((by_share.status, by_share.code()), (by_address.status, by_address.code()), "{route}");
            let unnamed = ask(&app, &Proof::Cookie(cookie.clone()), route, ids).await;
            assert_eq!((unnamed.status, unnamed.code()), (by_address.status, by_address.code()), "{route}");
        }
    }
}

/// The account `acme` with a stream, a hold on it, a manager who is signed in, and a token: their ids.
async fn acme(app: &TestApp) -> Ids {
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
    add_user(app, &acme, "carl", Role::Manager).await;
    signed_in(app, &acme, "carl").await;
    let session = app.state.db.sessions("carl", NOW).await.unwrap()[0].id.clone();
    let (token, _) = token_of(app, &acme, Role::Manager).await;
    let minute = |from_s: i64| {
        let start = NOW.saturating_add_micros(from_s * 1_000_000);
        TimeRange::new(start, start.saturating_add_micros(60_000_000)).unwrap()
    };
    let erasure = NewErasure {
        account: acme.clone(),
        stream: Some("theirs".parse().unwrap()),
        range: minute(-3600),
        reason: "r".into(),
        asked_by: "a".into(),
        actor: "test".into(),
    };
    let eraser = app.state.retention.eraser();
    let erasure = eraser.ask(&erasure, NOW).await.unwrap().id.to_string();
    // An hour later it is through, and has its receipt.
    eraser.advance(NOW + Duration::from_secs(3600)).await.unwrap();
    let receipt = app.state.db.receipts(Some(&acme), None, 1).await.unwrap()[0].id.to_string();
    let hold = NewHold {
        account: acme,
        streams: vec!["theirs".parse().unwrap()],
        range: minute(-60),
        margin_before_us: 0,
        margin_after_us: 0,
        case: "c".into(),
        reason: "r".into(),
        author: "test".into(),
        expires_at: None,
    };
    let hold = app.state.retention.place_hold(&By { actor: "test".into(), now: NOW }, hold).await.unwrap().row.id.to_string();
    let [stream, account, user] = ["theirs", "acme", "carl"].map(str::to_owned);
    let theirs = app.state.db.stream(&"theirs".parse().unwrap()).await.unwrap().unwrap();
    let share = NewShare { range: minute(-60), download: false, note: String::new(), expires_at: NOW + Duration::from_secs(3600) };
    let visible = app.state.retention.windows().visible(&theirs.id, NOW).await.unwrap().unwrap();
    let command_line = Principal::command_line(AccountId::main());
    let share = app.state.access.directory().make_share(&command_line, NOW, &[visible], share).await.unwrap().row.id;
    let export = "e0123456789ab".to_owned();
    let job = NewExport {
        id: export.clone(),
        account: theirs.account.clone(),
        streams: vec![theirs.id.clone()],
        range: minute(-60),
        format: ExportFormat::Mp4,
        note: String::new(),
        made_by: "user carl".into(),
        created_at: NOW,
        total_bytes: 1,
    };
    app.state.db.add_export(&job, 9, Event::system(NOW, acts::EXPORT_ASKED)).await.unwrap();
    let draft = Draft { at: NOW, end: None, title: "t".into(), note: String::new() };
    let bookmark =
        app.state.bookmarks().add(&Principal::command_line(AccountId::main()), NOW, &theirs, draft).await.unwrap().id.to_string();
    Ids { stream, account, user, session, token, hold, erasure, receipt, bookmark, share, export }
}

#[tokio::test]
async fn what_belongs_to_another_account_is_as_if_it_were_not_there() {
    let app = TestApp::new().await;
    let (theirs, nobodys) = (acme(&app).await, Ids::nobodys());
    // In one's own account, too, nothing of theirs is to be found.
    let (of_ours, none) = (theirs.in_account("main"), nobodys.in_account("main"));
    for role in [Role::Viewer, Role::Manager, Role::Auditor] {
        add_user(&app, &AccountId::main(), role.as_str(), role).await;
        let (_, token) = token_of(&app, &AccountId::main(), role).await;
        let proofs = [Proof::Token(token), Proof::Cookie(signed_in(&app, &AccountId::main(), role.as_str()).await)];
        let elsewhere = [
            "{account}",
            "{stream}",
            "{user}",
            "{session}",
            "{token}",
            "{hold}",
            "{erasure}",
            "{receipt}",
            "{bookmark}",
            "{share}",
            "{export}",
        ];
        for (theirs, nobodys, ids) in [(&theirs, &nobodys, &elsewhere[..]), (&of_ours, &none, &elsewhere[1..])] {
            for (route, _) in TABLE.iter().filter(|(route, _)| names(route, ids).0) {
                for proof in &proofs {
                    let (a, b) = (ask(&app, proof, route, theirs).await, ask(&app, proof, route, nobodys).await);
                    assert_eq!(theirs.anonymous(&a), nobodys.anonymous(&b), "{role}: {route}");
                    assert!(a.status >= 400 || !names(route, ids).1, "{role}: {route}");
                }
            }
        }
    }
    let db = &app.state.db;
    assert!(db.tokens().await.unwrap().iter().any(|t| t.id == theirs.token));
    assert_eq!((db.user("carl").await.unwrap().unwrap().role.as_str(), db.sessions("carl", NOW).await.unwrap().len()), ("manager", 1));
    let (_, operator) = token_of(&app, &AccountId::main(), Role::Operator).await;
    assert_eq!(app.get_with(&operator, "/v1/accounts/acme/subscription").await.json()["plan"], "basic");
    assert_eq!(app.get_with(&operator, "/v1/accounts/acme/users/carl").await.json()["role"], "manager");
    assert_eq!(app.get_with(&operator, "/v1/tokens?account=acme").await.json()["tokens"][0]["id"], theirs.token.as_str());
    let (_, manager) = token_of(&app, &AccountId::main(), Role::Manager).await;
    for uri in ["/v1/tokens?account=acme", "/v1/tokens?account=nobody"] {
        assert_eq!(app.get_with(&manager, uri).await.code(), "unknown_account");
    }
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
