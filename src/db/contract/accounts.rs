//! Accounts and what they bought.

use serde_json::json;

use super::*;
use crate::audit::{Act, Event};

fn plan(name: &str) -> PlanRef {
    PlanRef { name: name.into(), version: 1 }
}

fn since(s: i64, name: &str) -> PlanSince {
    PlanSince { from: at(s), plan: plan(name) }
}

fn acme() -> AccountRow {
    AccountRow {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        zone: "Europe/Paris".into(),
        language: "fr".into(),
        created_at: T0,
        release_needs_second: true,
    }
}

fn first() -> SubscriptionChange {
    let row = SubscriptionRow {
        account: acme().id,
        plan: plan("basic"),
        start: T0,
        term_months: 12,
        renews: true,
        settled_terms: 1,
        scheduled: None,
        version: 1,
    };
    let request = WrittenRequest { at: T0, actor: "user op".into(), act: "account.added".into(), words: "please".into() };
    let line =
        LedgerLine { at: T0, amount_minor: 12_000, currency: "EUR".into(), kind: "term".into(), details: json!({ "plan": "basic" }) };
    SubscriptionChange { row, history: vec![since(0, "basic")], ledger: vec![line], request: Some(request) }
}

pub(crate) async fn who_was_there_before_plans_keeps_everything(f: &impl Fixture) {
    let main = AccountId::main();
    assert_eq!(f.db().accounts().await.unwrap().iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["main"]);
    let history = f.db().plan_history(&main).await.unwrap();
    assert_eq!(history, [PlanSince { from: Timestamp::MIN, plan: plan("premium") }]);
    let subscription = f.db().subscription(&main).await.unwrap().unwrap();
    assert_eq!((subscription.plan, subscription.renews, subscription.scheduled), (plan("premium"), true, None));
    assert!(f.db().ledger(&main).await.unwrap().is_empty());
}

pub(crate) async fn an_account_is_added_once_and_changed(f: &impl Fixture) {
    let db = f.db();
    db.add_account(&acme(), &first()).await.unwrap();
    assert!(matches!(db.add_account(&acme(), &first()).await, Err(DbError::Exists { what: "account", .. })));
    assert_eq!(db.account(&acme().id).await.unwrap(), Some(acme()));
    assert_eq!(db.subscription(&acme().id).await.unwrap(), Some(first().row));
    assert_eq!(db.plan_history(&acme().id).await.unwrap(), first().history);
    assert_eq!(db.ledger(&acme().id).await.unwrap(), first().ledger);
    assert_eq!(db.written_requests(&acme().id).await.unwrap(), Vec::from_iter(first().request));

    let moved = AccountRow { zone: "America/Halifax".into(), release_needs_second: false, ..acme() };
    db.change_account(&moved).await.unwrap();
    assert_eq!(db.account(&acme().id).await.unwrap(), Some(moved));
    let nobody = AccountRow { id: "nobody".parse().unwrap(), ..acme() };
    assert!(matches!(db.change_account(&nobody).await, Err(DbError::Missing { what: "account", .. })));
    assert_eq!(db.account(&nobody.id).await.unwrap(), None);
    assert_eq!(db.subscription(&nobody.id).await.unwrap(), None);
    assert!(db.plan_history(&nobody.id).await.unwrap().is_empty());
}

pub(crate) async fn of_two_who_change_a_subscription_at_once_one_is_refused(f: &impl Fixture) {
    let db = f.db();
    db.add_account(&acme(), &first()).await.unwrap();
    let to = |name: &str, version, from| SubscriptionChange {
        row: SubscriptionRow { plan: plan(name), version, scheduled: Some(since(99, "basic")), ..first().row },
        history: vec![since(from, name)],
        ..first()
    };
    let event = |by| Event::system(T0, Act("subscription.upgraded")).by(by);
    let stored = db.recording(event("first")).change_subscription(&to("extended", 1, 5)).await.unwrap();
    assert_eq!(stored.version, 2);
    assert_eq!(db.subscription(&acme().id).await.unwrap(), Some(stored.clone()));
    let late = db.recording(event("second")).change_subscription(&to("premium", 1, 6)).await;
    assert!(matches!(late, Err(DbError::Changed { .. })), "{late:?}");
    // History only ever goes on; what is dated into it is refused.
    assert!(matches!(db.change_subscription(&to("premium", 2, 4)).await, Err(DbError::Changed { .. })));
    assert_eq!(db.plan_history(&acme().id).await.unwrap(), [since(0, "basic"), since(5, "extended")]);
    assert_eq!(db.subscription(&acme().id).await.unwrap(), Some(stored));
    assert_eq!((db.ledger(&acme().id).await.unwrap().len(), db.written_requests(&acme().id).await.unwrap().len()), (2, 2));
    let records = db.audit_records(&AuditQuery::default(), 0, 9).await.unwrap();
    assert_eq!(records.iter().map(|r| r.event.actor.as_str()).collect::<Vec<_>>(), ["first"]);
    // Of two that begin at once the later holds.
    db.change_subscription(&to("premium", 2, 5)).await.unwrap();
    assert_eq!(db.plan_history(&acme().id).await.unwrap().last(), Some(&since(5, "premium")));
    let nobody = SubscriptionRow { account: "nobody".parse().unwrap(), ..first().row };
    let change = SubscriptionChange { row: nobody, ..first() };
    assert!(matches!(db.change_subscription(&change).await, Err(DbError::Missing { what: "account", .. })));
}

pub(crate) async fn a_version_of_a_plan_never_changes(f: &impl Fixture) {
    let row = |version, definition: &str| PlanRow {
        plan: PlanRef { name: "gold".into(), version },
        definition: definition.into(),
        created_at: T0,
    };
    f.db().add_plan(&row(2, "two")).await.unwrap();
    f.db().add_plan(&row(1, "one")).await.unwrap();
    assert!(matches!(f.db().add_plan(&row(1, "other")).await, Err(DbError::Exists { what: "plan", .. })));
    assert_eq!(f.db().added_plans().await.unwrap(), [row(1, "one"), row(2, "two")]);
}

pub(crate) async fn uses_are_counted_up_to_the_limit_and_per_period(f: &impl Fixture) {
    let (db, main) = (f.db(), AccountId::main());
    let count = async |grant, period, limit| db.count_use(&main, grant, at(period), limit).await.unwrap();
    assert_eq!(db.used(&main, "requests", at(0)).await.unwrap(), 0);
    assert_eq!([count("requests", 0, Some(2)).await, count("requests", 0, Some(2)).await], [Some(1), Some(2)]);
    assert_eq!(count("requests", 0, Some(2)).await, None);
    assert_eq!(db.used(&main, "requests", at(0)).await.unwrap(), 2);
    assert_eq!([count("requests", 9, Some(2)).await, count("other", 0, None).await], [Some(1), Some(1)]);
    assert_eq!([count("requests", 0, None).await, count("none", 0, Some(0)).await], [Some(3), None]);
    assert!(db.count_use(&"nobody".parse().unwrap(), "requests", at(0), None).await.is_err());
}
