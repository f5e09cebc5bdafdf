//! For those who see to the installation: its state, its first steps, its log, its storage.

use axum::http::Method;
use serde_json::{Value, json};

use crate::audit::{Event, Record, acts};
use crate::db::StorageDay;
use crate::entitlement::{NewToken, Rights, Role};
use crate::http::testing::{NOW, TestApp};
use crate::ingest::StreamStatus;
use crate::ingest::protocol::StreamState;
use crate::media::AccountId;

async fn token_of(app: &TestApp, name: &str, role: Role) -> (String, String) {
    let (account, rights) = (AccountId::main(), Rights::Role(role));
    app.make_token(NewToken { account, name: name.into(), rights, streams: Vec::new(), expires_at: None }).await
}

#[tokio::test]
async fn an_operator_sees_how_the_installation_is() {
    let app = TestApp::new().await;
    let (_, operator) = token_of(&app, "ops", Role::Operator).await;
    app.recorder.set_status("cam1", StreamStatus::new(StreamState::Recording, NOW));
    let system = app.get_with(&operator, "/v1/system").await.json();
    assert_eq!((&system["version"], &system["uptime_s"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(0)));
    assert_eq!((&system["streams"]["recording"], &system["streams"]["disabled"]), (&json!(1), &json!(0)));
    assert!(system["disk"]["free_bytes"].as_u64().unwrap() < system["disk"]["total_bytes"].as_u64().unwrap(), "{system}");
    assert_eq!(system["disk"]["min_free_bytes"], 1000);
    assert!(system["database_bytes"].as_u64().unwrap() > 100_000, "{system}");
    assert_eq!((&system["workers"]["not_recording"], &system["retention"]["stopped"]), (&Value::Null, &Value::Null));
    assert_eq!((&system["checkpoint_at_us"], &system["audit"]["ok"], &system["erasures_running"]), (&Value::Null, &Value::Null, &json!(0)));
    assert_eq!(system["exports_running"], 0);
    app.json_with(&operator, Method::POST, "/v1/audit/checkpoints", &json!({})).await;
    assert_eq!(app.get_with(&operator, "/v1/system").await.json()["checkpoint_at_us"], NOW.as_micros());
}

#[tokio::test]
async fn first_steps_are_asked_for_until_there_is_a_stream_or_somebody_says_that_it_is_enough() {
    let app = TestApp::empty().await;
    let (_, operator) = token_of(&app, "ops", Role::Operator).await;
    let setup = async || app.get_with(&operator, "/v1/setup").await.json();
    assert_eq!(setup().await, json!({ "needed": true, "steps": { "password": false, "account": false, "stream": false } }));
    let cookie = app.cookie().await;
    let (headers, body) = (
        [("cookie", &*cookie), ("x-retroview", "1"), ("content-type", "application/json")],
        json!({ "current": crate::http::testing::PASSWORD, "password": "another good password" }),
    );
    let changed = app.send(crate::http::testing::request(Method::PUT, "/v1/session/password", &headers, body.to_string().into())).await;
    assert!(changed.status < 300, "{:?}", changed.body);
    let named = app.json_with(&operator, Method::PATCH, "/v1/accounts/main", &json!({ "name": "Museum" })).await;
    assert_eq!(named.status, 200, "{:?}", named.body);
    assert_eq!(setup().await, json!({ "needed": true, "steps": { "password": true, "account": true, "stream": false } }));
    assert_eq!(app.json_with(&operator, Method::POST, "/v1/setup/done", &json!({})).await.status, 204);
    assert_eq!(app.json_with(&operator, Method::POST, "/v1/setup/done", &json!({})).await.status, 204, "twice is once");
    assert_eq!(setup().await["needed"], false);
    let done = app.get_with(&operator, "/v1/audit?order=desc&act=setup").await.json();
    assert_eq!(done["records"].as_array().unwrap().len(), 1);

    let with_stream = TestApp::new().await;
    let (_, operator) = token_of(&with_stream, "ops", Role::Operator).await;
    let setup = with_stream.get_with(&operator, "/v1/setup").await.json();
    assert_eq!((&setup["needed"], &setup["steps"]["stream"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn the_log_is_searched_from_its_end_by_person_act_and_page() {
    let app = TestApp::new().await;
    let (id, _) = token_of(&app, "Night wall", Role::Viewer).await;
    let (_, auditor) = token_of(&app, "aud", Role::Auditor).await;
    for (i, by) in ["user ann", "user bob", "user ann", &format!("token {id}"), "user annabel"].into_iter().enumerate() {
        let event = Event::system(NOW.saturating_add_micros(i as i64), acts::STREAM_PAUSED).by(by).of_account(&AccountId::main());
        app.state.db.audit(event).await.unwrap();
    }
    let ask = async |query: &str| app.get_with(&auditor, &format!("/v1/audit?{query}")).await;
    let actors = async |query: &str| {
        let page = ask(query).await.json();
        page["records"].as_array().unwrap().iter().map(|r| r["actor"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(actors("order=desc&person=ANN").await, ["user annabel", "user ann", "user ann"]);
    assert_eq!(actors("order=desc&person=night%20w").await, [format!("token {id}")]);
    assert_eq!(actors(&format!("order=desc&person={id}")).await, [format!("token {id}")]);
    assert_eq!(actors("order=desc&person=%25").await, [""; 0], "a sign, not a pattern");
    assert_eq!(actors("order=desc&person=ann&act=hold").await, [""; 0]);
    assert_eq!(actors("order=desc&actor=user%20bob").await, ["user bob"]);
    let first = ask("order=desc&act=stream&limit=2").await.json();
    let next = first["next"].as_u64().unwrap();
    assert_eq!(actors(&format!("order=desc&act=stream&limit=2&before={next}")).await, ["user ann", "user bob"]);
    assert_eq!(actors("act=stream.paused&limit=2").await, ["user ann", "user bob"], "from its beginning as ever");
    // A part of it, to be read elsewhere; another account's is not in it.
    app.state.db.audit(Event::system(NOW, acts::STREAM_PAUSED).by("user eve").of_account(&"acme".parse().unwrap())).await.unwrap();
    let lines = async |query: &str| {
        let answer = app.get_with(&auditor, &format!("/v1/audit/export?{query}")).await;
        String::from_utf8(answer.body.to_vec()).unwrap().lines().map(|l| Record::from_line(l).unwrap().event.actor).collect::<Vec<_>>()
    };
    assert_eq!(lines("person=ann").await, ["user annabel", "user ann", "user ann"]);
    assert_eq!(lines("act=stream.paused").await.len(), 5);
    assert!(!lines("").await.contains(&"user eve".to_owned()));
    for bad in ["order=up", "limit=0", "limit=1001", "person=ann", "before=3", "order=desc&after=3"] {
        assert_eq!(ask(bad).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn the_log_is_verified_in_the_background_and_what_was_found_is_kept() {
    let app = TestApp::new().await;
    let (_, auditor) = token_of(&app, "aud", Role::Auditor).await;
    let before = app.get_with(&auditor, "/v1/audit/verification").await.json();
    assert_eq!((&before["ok"], &before["running"]), (&Value::Null, &json!(false)));
    let begun = app.json_with(&auditor, Method::POST, "/v1/audit/verification", &json!({})).await;
    assert_eq!((begun.status, &begun.json()["running"]), (202, &json!(true)));
    let found = loop {
        let now = app.get_with(&auditor, "/v1/audit/verification").await.json();
        if now["running"] == false {
            break now;
        }
        tokio::task::yield_now().await;
    };
    let head = app.state.db.audit_head().await.unwrap();
    assert_eq!((&found["ok"], &found["records"], &found["first_bad"]), (&json!(true), &json!(head.n), &Value::Null), "{found}");
    let again = app.json_with(&auditor, Method::POST, "/v1/audit/verification", &json!({})).await;
    assert_eq!((again.status, &again.json()["verified_at_us"]), (200, &json!(NOW.as_micros())), "a moment ago is now");
}

#[tokio::test]
async fn storage_is_told_by_day_and_by_stream() {
    let app = TestApp::new().await;
    let (_, manager) = token_of(&app, "m", Role::Manager).await;
    let (_, operator) = token_of(&app, "o", Role::Operator).await;
    let today = NOW.as_micros() / 86_400_000_000;
    let days: Vec<StorageDay> = (1..=3)
        .rev()
        .map(|back| StorageDay { day: today - back, stored_bytes: (4 - back) as u64 * 100, added_bytes: 100, removed_bytes: 0 })
        .collect();
    app.state.db.put_storage_days(&"cam1".parse().unwrap(), &days).await.unwrap();
    let told = app.get_with(&manager, "/v1/accounts/main/storage?days=2").await.json();
    let shown: Vec<&Value> = told["days"].as_array().unwrap().iter().map(|d| &d["day"]).collect();
    assert_eq!(shown, ["2026-05-01", "2026-05-02", "2026-05-03"]);
    assert_eq!(told["days"][1], json!({ "day": "2026-05-02", "stored_bytes": 300, "added_bytes": 100, "removed_bytes": 0 }));
    assert_eq!(told["streams"], json!([{ "stream": "cam1", "stored_bytes": 0, "bytes_per_day": 100 }]));
    assert_eq!(told["forecast"].as_array().unwrap().len(), 90);
    assert_eq!(told["forecast"][89], json!({ "day": "2026-08-01", "stored_bytes": 9000 }), "an account on Premium keeps everything");
    let all = app.get_with(&operator, "/v1/storage").await.json();
    assert_eq!((&all["forecast"], &all["full_on"]), (&told["forecast"], &Value::Null));
    assert_eq!(all["disk"]["min_free_bytes"], 1000);
    for bad in ["days=0", "days=801", "days=x"] {
        assert_eq!(app.get_with(&manager, &format!("/v1/accounts/main/storage?{bad}")).await.status, 400, "{bad}");
    }
}
