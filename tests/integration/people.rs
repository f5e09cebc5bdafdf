//! Users, tokens and accounts from the command line, beside a running service.

use serde_json::{Value, json};

use crate::harness::{Service, eventually};

/// What a command that fails says, and its exit code.
fn fails(service: &Service, args: &[&str]) -> (i32, String) {
    let out = service.try_run(args);
    assert!(out.stdout.is_empty(), "{args:?}: {out:?}");
    (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
}

fn json_of(service: &Service, args: &[&str]) -> Value {
    serde_json::from_str(&service.run(args)).unwrap()
}

/// As the page asks; the status and what is told.
async fn post(service: &Service, path: &str, body: Value) -> (u16, Value) {
    let answer = reqwest::Client::new().post(service.url(path)).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn whoever_is_invited_at_the_machine_chooses_a_password_in_the_browser() {
    let service = Service::start().await;
    service.run(&["accounts", "add", "acme", "--plan", "basic", "--zone", "Europe/Paris"]);
    let url = service.run(&["users", "invite", "ann@example.org", "--role", "manager", "--account", "acme", "--language", "fr"]);
    let (base, link) = url.trim().split_once("/#/link/").unwrap();
    assert_eq!(base, service.url(""), "where the running service answers");
    let chosen = json!({ "link": link, "password": "correct horse" });
    assert_eq!(post(&service, "/v1/links/use", chosen.clone()).await.1, json!({ "user": "ann@example.org" }));
    assert_eq!(post(&service, "/v1/links/use", chosen).await.1["code"], "link_used");
    let sign_in = json!({ "user": "ann@example.org", "password": "correct horse" });
    let (status, session) = post(&service, "/v1/session", sign_in.clone()).await;
    assert_eq!((status, &session["account"], &session["language"]), (200, &json!("acme"), &json!("fr")));

    let sessions = json_of(&service, &["users", "sessions", "ann@example.org", "--json"]);
    let id = sessions[0]["id"].as_str().unwrap();
    assert_eq!((sessions.as_array().unwrap().len(), &sessions[0]["address"]), (1, &json!("127.0.0.1")));
    service.run(&["users", "sign-out", "ann@example.org", id]);
    assert_eq!(fails(&service, &["users", "sign-out", "ann@example.org", id]).0, 4);
    service.run(&["users", "disable", "ann@example.org"]);
    assert_eq!(post(&service, "/v1/session", sign_in.clone()).await.0, 401);
    assert_eq!(fails(&service, &["users", "reset", "ann@example.org"]).0, 5);
    service.run(&["users", "enable", "ann@example.org"]);
    assert_eq!(post(&service, "/v1/session", sign_in).await.0, 200);
    let reset = service.run(&["users", "reset", "ann@example.org"]);
    let shown = post(&service, "/v1/links/show", json!({ "link": reset.trim().split_once("/#/link/").unwrap().1 })).await;
    assert_eq!(shown.1["kind"], "reset");
    // What is in a link is in no log.
    assert!(!service.log_text().contains(link) && !service.log_text().contains("correct horse"));
}

#[tokio::test]
async fn users_are_seen_to_from_the_command_line() {
    let service = Service::start().await;
    for stream in ["door", "lobby"] {
        service.run(&["streams", "add", stream, "push:"]);
    }
    let (code, said) = fails(&service, &["users", "add", "bob", "--role", "viewer", "--streams", "dor"]);
    assert!(code == 4 && said.contains("no stream `dor`"), "{said}");
    let password = service.run(&["users", "add", "bob", "--role", "viewer", "--streams", "door,lobby"]);
    let sign_in = json!({ "user": "bob", "password": password.trim() });
    assert_eq!(post(&service, "/v1/session", sign_in).await.0, 200);
    service.run(&["users", "set-role", "bob", "auditor"]);
    service.run(&["users", "set-language", "bob", "fr"]);
    let bob = json_of(&service, &["users", "show", "bob"]);
    assert_eq!(
        [&bob["role"], &bob["language"], &bob["streams"], &bob["state"]],
        [&json!("auditor"), &json!("fr"), &json!([]), &json!("active")]
    );
    let list = service.run(&["users", "list"]);
    assert!(list.starts_with("NAME") && list.contains("operator") && list.contains("auditor"), "{list}");
    assert_eq!(json_of(&service, &["users", "list", "--account", "main", "--json"]).as_array().unwrap().len(), 2);

    for (args, code, says) in [
        (&["users", "add", "bob", "--role", "viewer"][..], 5, "taken"),
        (&["users", "add", "bob b", "--role", "viewer"], 2, "letters and digits"),
        (&["users", "add", "eve", "--role", "root"], 2, "not a role"),
        (&["users", "add", "eve", "--role", "viewer", "--account", "nobody"], 4, "no account"),
        (&["users", "set-role", "bob", "manager", "--streams", "door"], 2, "only a viewer"),
        (&["users", "set-language", "bob", "de"], 2, "not a language"),
        (&["users", "set-role", "admin", "viewer"], 5, "last operator"),
        (&["users", "remove", "admin"], 5, "last operator"),
        (&["users", "remove", "nobody"], 4, "no user"),
    ] {
        let (exit, said) = fails(&service, args);
        assert!(exit == code && said.contains(says) && said.contains(" Try: retroview "), "{args:?}: {exit} {said}");
    }
    service.run(&["users", "remove", "bob"]);
    assert_eq!(fails(&service, &["users", "show", "bob"]).0, 4);
    let acts = service.run(&["audit", "list", "--act", "user", "--actor", "command line", "--json"]);
    let acts: Vec<Value> = acts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let acts: Vec<&str> = acts.iter().map(|record| record["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["user.added", "user.changed", "user.changed", "user.removed"]);
}

#[tokio::test]
async fn a_token_of_a_role_is_made_listed_with_its_maker_and_revoked_while_the_service_runs() {
    let service = Service::start().await;
    let scrape = async |token: &str| {
        let request = reqwest::Client::new().get(service.url("/metrics")).bearer_auth(token.trim());
        request.send().await.unwrap().status().as_u16()
    };
    let (manager, scraper) = (
        service.run(&["tokens", "create", "desk", "--role", "manager"]),
        service.run(&["tokens", "create", "prometheus", "--scopes", "operate"]),
    );
    assert_eq!([scrape(&manager).await, scrape(&scraper).await], [403, 200]);
    let list = json_of(&service, &["tokens", "list", "--account", "main", "--json"]);
    assert_eq!(
        (&list[0]["role"], &list[0]["made_by"], &list[1]["scopes"]),
        (&json!("manager"), &json!("command line"), &json!(["operate"]))
    );
    assert_eq!(fails(&service, &["tokens", "create", "both", "--role", "viewer", "--scopes", "view"]).0, 2);
    assert_eq!(fails(&service, &["tokens", "create", "none"]).0, 2);
    assert_eq!(fails(&service, &["tokens", "create", "t", "--role", "viewer", "--account", "nobody"]).0, 4);
    service.run(&["tokens", "revoke", list[1]["id"].as_str().unwrap()]);
    eventually("the service notices", async || (scrape(&scraper).await == 401).then_some(())).await;
}

#[tokio::test]
async fn an_account_is_changed_and_its_subscription_followed_from_the_command_line() {
    let service = Service::start().await;
    service.run(&["accounts", "add", "acme", "--plan", "basic"]);
    service.run(&["accounts", "change", "acme", "--zone", "Europe/Paris", "--release-needs-second", "true"]);
    let acme = json_of(&service, &["accounts", "show", "acme"]);
    assert_eq!([&acme["zone"], &acme["name"], &acme["release_needs_second"]], [&json!("Europe/Paris"), &json!("acme"), &json!(true)]);
    service.run(&["subscription", "renewal", "acme", "off", "--words", "By mail:\nthey leave."]);
    assert_eq!(json_of(&service, &["subscription", "show", "acme"])["renews"], false);
    service.run(&["subscription", "upgrade", "acme", "extended", "--charge-minor", "0", "--words", "Yes please."]);
    let requests = json_of(&service, &["subscription", "requests", "acme", "--json"]);
    assert_eq!(requests.as_array().unwrap().iter().map(|r| &r["words"]).collect::<Vec<_>>(), ["By mail:\nthey leave.", "Yes please."]);
    assert!(service.run(&["subscription", "requests", "acme"]).contains("By mail: they leave."));
    assert_eq!(json_of(&service, &["subscription", "ledger", "acme", "--json"])[0]["kind"], "upgrade");
    assert!(service.run(&["subscription", "ledger", "acme"]).contains("EUR"));
    for (args, code, says) in [
        (&["accounts", "change", "acme", "--zone", "Mars/Olympus"][..], 2, "not a time zone"),
        (&["accounts", "change", "nobody", "--name", "x"], 4, "no account"),
        (&["subscription", "upgrade", "acme", "gold", "--charge-minor", "0", "--words", "w"], 4, "gold"),
        (&["subscription", "downgrade", "acme", "premium", "--words", "w"], 5, "no downgrade"),
        (&["subscription", "renewal", "acme", "on", "--words", " "], 2, "in writing"),
        (&["subscription", "ledger", "nobody"], 4, "no account"),
    ] {
        let (exit, said) = fails(&service, args);
        assert!(exit == code && said.contains(says), "{args:?}: {exit} {said}");
    }
}
