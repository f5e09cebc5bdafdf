//! Accounts and subscriptions: what makes no sense is refused with words that help, and nothing of it happens.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::entitlement::Scope;
use crate::http::testing::{Answer, NOW, TestApp};

/// A service, and an operator who asks it.
struct Shop {
    app: TestApp,
    operator: String,
}

impl Shop {
    /// With the account `acme` on Basic since [`NOW`].
    async fn open() -> Shop {
        let app = TestApp::new().await;
        let operator = app.token(&Scope::ALL, &[]).await;
        let shop = Shop { app, operator };
        let acme = json!({ "id": "acme", "name": "Acme", "zone": "Europe/Paris", "plan": "basic" });
        assert_eq!(shop.ask(Method::POST, "/v1/accounts", acme).await.status, 201);
        shop
    }
    async fn ask(&self, method: Method, uri: &str, body: Value) -> Answer {
        self.app.json_with(&self.operator, method, uri, &body).await
    }
    async fn get(&self, uri: &str) -> Value {
        self.app.get_with(&self.operator, uri).await.json()
    }
    /// Everything that is known of the account.
    async fn all(&self) -> [Value; 3] {
        let at = "/v1/accounts/acme";
        [self.get(at).await, self.get(&format!("{at}/subscription")).await, self.get(&format!("{at}/ledger")).await]
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_reason_and_changes_nothing() {
    let shop = Shop::open().await;
    let before = shop.all().await;
    let account = |zone: &str, plan: &str| json!({ "id": "b", "name": "B", "zone": zone, "plan": plan });
    let (patch, post, now) = (Method::PATCH, Method::POST, NOW.as_micros());
    let at = |path: &str| format!("/v1/accounts/acme{path}");
    for (method, uri, body, status, code, says) in [
        (&post, "/v1/accounts".into(), account("Mars/Olympus", "basic"), 422, "invalid_value", "Mars/Olympus"),
        (&post, "/v1/accounts".into(), account("UTC", "gold"), 422, "invalid_value", "gold"),
        (&patch, at(""), json!({ "zone": "CET+1" }), 422, "invalid_value", "IANA"),
        (&patch, at(""), json!({ "language": "de" }), 422, "invalid_value", "en and fr"),
        (&patch, at(""), json!({ "name": " " }), 422, "invalid_value", "name"),
        (&patch, at(""), json!({ "plan": "premium" }), 400, "invalid_body", "plan"),
        (&post, at("/subscription/quote"), json!({ "plan": "gold" }), 422, "invalid_value", "gold"),
        (&post, at("/subscription/quote"), json!({ "plan": "extended", "plan_version": 9 }), 422, "invalid_value", "extended"),
        (&post, at("/subscription/quote"), json!({ "plan": "basic" }), 409, "plan_conflict", "already"),
        // A quote from the future, and one from before the term.
        (
            &post,
            at("/subscription/upgrade"),
            json!({ "plan": "extended", "version": 1, "quoted_at_us": now + 1, "words": "w" }),
            409,
            "quote_outdated",
            "another",
        ),
        (
            &post,
            at("/subscription/upgrade"),
            json!({ "plan": "extended", "version": 1, "quoted_at_us": now - 1, "words": "w" }),
            409,
            "quote_outdated",
            "another",
        ),
        (&post, at("/subscription/downgrade"), json!({ "plan": "premium", "version": 1, "words": "w" }), 409, "plan_conflict", "upgrade"),
        (&post, at("/subscription/downgrade"), json!({ "plan": "gold", "version": 1, "words": "w" }), 422, "invalid_value", "gold"),
        (&post, at("/subscription/downgrade/cancel"), json!({ "version": 1, "words": "w" }), 409, "plan_conflict", "scheduled"),
        (&patch, at("/subscription"), json!({ "renews": false, "version": 1, "words": "" }), 422, "invalid_value", "in writing"),
        (&patch, at("/subscription"), json!({ "renews": false, "version": 2, "words": "w" }), 409, "changed", "look at it again"),
    ] {
        let answer = shop.ask(method.clone(), &uri, body.clone()).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{uri} {body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says) && detail.ends_with('.'), "{uri} {body}: {detail}");
    }
    assert_eq!(shop.all().await, before);
    assert_eq!(shop.get("/v1/accounts").await["accounts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_is_dated_before_what_holds_already() {
    let shop = Shop::open().await;
    shop.app.clock.advance(Duration::from_secs(86_400));
    let upgrade = async |plan: &str, version: u32| {
        let quoted_at = shop.app.state.clock.now().as_micros();
        let body = json!({ "plan": plan, "version": version, "quoted_at_us": quoted_at, "words": "w" });
        shop.ask(Method::POST, "/v1/accounts/acme/subscription/upgrade", body).await
    };
    assert_eq!(upgrade("extended", 1).await.status, 200);
    let before = shop.all().await;
    // Somebody sets the clock back to before the upgrade.
    shop.app.clock.set(NOW.saturating_add_micros(3_600_000_000));
    let refused = upgrade("premium", 2).await;
    assert_eq!((refused.status, &*refused.code()), (409, "plan_conflict"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("2026-05-04"), "{:?}", refused.body);
    assert_eq!(shop.all().await, before);
}
