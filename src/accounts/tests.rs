//! Accounts on a database, with the clock in our hand.

use serde_json::json;

use super::*;
use crate::db::{AuditQuery, Db};
use crate::media::{AccountId, Timestamp, Window};
use crate::plans::{Catalogue, Plan, PlanError, key};

struct Shop {
    accounts: Accounts,
    db: Db,
    _dir: tempfile::TempDir,
}

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text, Timestamp::MIN).unwrap()
}

fn op(now: &str) -> By {
    By { actor: "user op".into(), now: moment(now) }
}

fn acme() -> AccountId {
    "acme".parse().unwrap()
}

fn agreed(version: u64) -> Agreement {
    Agreement { version, words: "We would like that. A. Cme".into() }
}

/// Versions with a price: 10, 25 and 60 euro a month.
fn priced(name: &str) -> Plan {
    let fee_minor = [("basic", 1000), ("extended", 2500), ("premium", 6000)].into_iter().find(|(n, _)| *n == name).unwrap().1;
    Plan { version: 2, fee_minor, ..Catalogue::default().sold(name).unwrap().clone() }
}

const START: &str = "2026-01-31T12:00:00Z";

fn new_account(plan: &str) -> NewAccount {
    NewAccount {
        id: acme(),
        name: "Acme".into(),
        zone: "Europe/Paris".into(),
        language: "fr".into(),
        release_needs_second: false,
        plan: plan.into(),
        term_months: 1,
        renews: true,
    }
}

impl Shop {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::db::sqlite::open(&dir.path().join("retroview.db")).await.unwrap();
        Shop { accounts: Accounts::new(db.clone()), db, _dir: dir }
    }
    /// With prices, and Acme on this plan since [`START`].
    async fn with_acme(plan: &str) -> Self {
        let shop = Shop::open().await;
        for name in ["basic", "extended", "premium"] {
            shop.accounts.add_plan(&op(START), &priced(name)).await.unwrap();
        }
        shop.accounts.add(&op(START), new_account(plan)).await.unwrap();
        shop
    }
    async fn version(&self, now: &str) -> u64 {
        self.accounts.subscription(&acme(), moment(now)).await.unwrap().row.version
    }
    async fn upgrade(&self, to: &str, now: &str) -> Result<Quote, AccountsError> {
        let version = self.version(now).await;
        self.accounts.upgrade(&op(now), &acme(), to, None, moment(now), &agreed(version)).await
    }
    async fn downgrade(&self, to: &str, now: &str) -> Result<crate::db::PlanSince, AccountsError> {
        let version = self.version(now).await;
        self.accounts.schedule_downgrade(&op(now), &acme(), to, None, &agreed(version)).await
    }
    /// `basic@2026-01-31 …`, what is scheduled included.
    async fn history(&self) -> String {
        let history = self.accounts.plan_history(&acme()).await.unwrap();
        history.spans().iter().map(|s| format!("{}@{}", s.plan, &s.from.to_rfc3339(0)[..10])).collect::<Vec<_>>().join(" ")
    }
    async fn amounts(&self) -> Vec<i64> {
        self.accounts.ledger(&acme()).await.unwrap().iter().map(|l| l.amount_minor).collect()
    }
    async fn acts(&self) -> Vec<String> {
        let query = AuditQuery { account: Some(acme()), ..AuditQuery::default() };
        self.db.audit_records(&query, 0, 100).await.unwrap().into_iter().map(|r| r.event.act).collect()
    }
}

#[tokio::test]
async fn an_upgrade_holds_at_once_for_the_price_that_was_quoted() {
    let shop = Shop::with_acme("basic").await;
    // The term ends on 28 February: 28 days. Half of it is left.
    let quote = shop.accounts.quote(&acme(), "extended", None, moment("2026-02-14T12:00:00Z")).await.unwrap();
    assert_eq!((quote.old_fee_minor, quote.new_fee_minor, quote.charge_minor), (1000, 2500, 750));
    assert_eq!(quote.term.range.end(), moment("2026-02-28T12:00:00Z"));
    // Taken a little later: the amount is the quoted one.
    let later = op("2026-02-14T12:40:00Z");
    let taken = shop.accounts.upgrade(&later, &acme(), "extended", None, quote.at, &agreed(quote.version)).await.unwrap();
    assert_eq!(taken, quote);
    assert_eq!(shop.amounts().await, [1000, 750]);
    assert_eq!(shop.history().await, "basic@2026-01-31 extended@2026-02-14");
    let history = shop.accounts.plan_history(&acme()).await.unwrap();
    assert_eq!(history.window_at(later.now), Window::Months(6));
    let requests = shop.accounts.written_requests(&acme()).await.unwrap();
    assert_eq!((requests[0].actor.as_str(), requests[0].at, requests[0].words.len()), ("user op", later.now, 26));
    assert_eq!(shop.acts().await, ["account.added", "subscription.upgraded"]);
}

#[tokio::test]
async fn a_quote_is_good_for_an_hour_and_for_the_subscription_that_was_seen() {
    let shop = Shop::with_acme("basic").await;
    let take = async |now: &str, quoted: &str, version| {
        shop.accounts.upgrade(&op(now), &acme(), "premium", None, moment(quoted), &agreed(version)).await.unwrap_err()
    };
    assert!(matches!(take("2026-02-14T13:00:01Z", "2026-02-14T12:00:00Z", 1).await, AccountsError::QuoteOutdated));
    assert!(matches!(take("2026-02-14T12:00:00Z", "2026-02-14T12:00:01Z", 1).await, AccountsError::QuoteOutdated), "from the future");
    // The term has ended since: what was quoted was the rest of another.
    assert!(matches!(take("2026-02-28T12:10:00Z", "2026-02-28T11:50:00Z", 1).await, AccountsError::QuoteOutdated));
    assert!(matches!(take("2026-02-14T12:00:00Z", "2026-02-14T12:00:00Z", 2).await, AccountsError::Changed));
    let silent = Agreement { version: 1, words: " ".into() };
    let now = "2026-02-14T12:00:00Z";
    let refused = shop.accounts.upgrade(&op(now), &acme(), "premium", None, moment(now), &silent).await;
    assert!(matches!(refused, Err(AccountsError::Words)));
    assert!(matches!(shop.upgrade("gold", now).await, Err(AccountsError::Plan(PlanError::Unknown { .. }))));
    assert!(matches!(shop.upgrade("basic", now).await, Err(AccountsError::SamePlan)));
    assert!(matches!(shop.upgrade("premium", "2026-01-31T11:59:59Z").await, Err(AccountsError::PastDated(_))));
    assert_eq!((shop.amounts().await, shop.history().await.as_str()), (vec![1000], "basic@2026-01-31"));
    assert_eq!(shop.acts().await, ["account.added"]);
}

#[tokio::test]
async fn a_downgrade_waits_for_the_end_of_the_term() {
    let shop = Shop::with_acme("premium").await;
    assert!(matches!(shop.upgrade("basic", "2026-02-10T00:00:00Z").await, Err(AccountsError::NotUpgrade { .. })));
    let scheduled = shop.downgrade("basic", "2026-02-10T00:00:00Z").await.unwrap();
    assert_eq!(scheduled.from, moment("2026-02-28T12:00:00Z"));
    let again = shop.downgrade("extended", "2026-02-11T00:00:00Z").await;
    assert!(matches!(again, Err(AccountsError::AlreadyScheduled { .. })), "{again:?}");
    assert_eq!(shop.history().await, "premium@2026-01-31 basic@2026-02-28");
    let plan_at = async |now| shop.accounts.subscription(&acme(), moment(now)).await.unwrap().plan.name;
    assert_eq!([plan_at("2026-02-28T11:59:59Z").await, plan_at("2026-02-28T12:00:00Z").await], ["premium", "basic"]);

    assert_eq!(shop.accounts.settle_all(moment("2026-02-28T11:59:59Z")).await.unwrap(), 1, "the terms of `main`");
    assert_eq!(shop.accounts.settle_all(moment("2026-03-01T00:00:00Z")).await.unwrap(), 1);
    assert_eq!(shop.accounts.settle_all(moment("2026-03-01T00:00:00Z")).await.unwrap(), 0);
    assert_eq!(shop.amounts().await, [6000, 1000], "the new term costs what the new plan costs");
    assert_eq!(shop.history().await, "premium@2026-01-31 basic@2026-02-28");
    assert_eq!(shop.acts().await, ["account.added", "subscription.downgrade_scheduled", "subscription.rolled_over"]);
}

#[tokio::test]
async fn a_downgrade_can_be_cancelled_and_an_upgrade_cancels_it() {
    let shop = Shop::with_acme("extended").await;
    let now = "2026-02-10T00:00:00Z";
    shop.downgrade("basic", now).await.unwrap();
    let moved = crate::db::AccountRow { zone: "UTC".into(), ..shop.accounts.account(&acme()).await.unwrap() };
    assert!(matches!(shop.accounts.change(&op(now), moved).await, Err(AccountsError::ZoneWhileScheduled)));
    let version = shop.version(now).await;
    shop.accounts.cancel_downgrade(&op(now), &acme(), &agreed(version)).await.unwrap();
    let twice = shop.accounts.cancel_downgrade(&op(now), &acme(), &agreed(version + 1)).await;
    assert!(matches!(twice, Err(AccountsError::NothingScheduled)));
    assert!(matches!(shop.downgrade("premium", now).await, Err(AccountsError::NotDowngrade { .. })));

    shop.downgrade("basic", now).await.unwrap();
    shop.upgrade("premium", now).await.unwrap();
    assert_eq!(shop.history().await, "extended@2026-01-31 premium@2026-02-10");
    assert!(shop.accounts.subscription(&acme(), moment("2027-01-01T00:00:00Z")).await.unwrap().row.scheduled.is_none());
}

#[tokio::test]
async fn of_two_who_upgrade_at_once_one_is_told_to_look_again() {
    let shop = Shop::with_acme("basic").await;
    let now = "2026-02-14T12:00:00Z";
    let take = |to: &'static str| {
        let accounts = shop.accounts.clone();
        async move { accounts.upgrade(&op(now), &acme(), to, None, moment(now), &agreed(1)).await }
    };
    let both = futures_util::future::join(take("extended"), take("premium")).await;
    let refused = [both.0.err(), both.1.err()];
    assert_eq!(refused.iter().flatten().count(), 1, "{refused:?}");
    assert!(refused.iter().flatten().all(|e| matches!(e, AccountsError::Changed)), "{refused:?}");
    assert_eq!(shop.amounts().await.len(), 2);
}

#[tokio::test]
async fn time_settles_the_same_in_one_step_or_in_many() {
    let (one, many) = (Shop::with_acme("extended").await, Shop::with_acme("extended").await);
    for shop in [&one, &many] {
        shop.downgrade("basic", "2026-02-01T00:00:00Z").await.unwrap();
    }
    for day in ["2026-02-27", "2026-02-28", "2026-03-30", "2026-04-01", "2026-05-15"] {
        many.accounts.settle_all(moment(&format!("{day}T12:00:00Z"))).await.unwrap();
    }
    one.accounts.settle_all(moment("2026-05-15T12:00:00Z")).await.unwrap();
    assert_eq!(one.amounts().await, [2500, 1000, 1000, 1000]);
    assert_eq!(one.accounts.ledger(&acme()).await.unwrap(), many.accounts.ledger(&acme()).await.unwrap());
    assert_eq!(one.history().await, many.history().await);
}

#[tokio::test]
async fn a_subscription_that_lapses_keeps_the_footage_and_nothing_else() {
    let shop = Shop::with_acme("extended").await;
    shop.accounts.set_renewal(&op("2026-02-10T00:00:00Z"), &acme(), false, &agreed(1)).await.unwrap();
    let later = "2026-06-01T00:00:00Z";
    let view = shop.accounts.subscription(&acme(), moment(later)).await.unwrap();
    assert_eq!((view.lapsed, view.term.number), (true, 0));
    let has = shop.accounts.entitlements(&acme(), moment(later)).await.unwrap();
    let open: Vec<&str> = has.iter().filter(|(_, e)| e.has_access).map(|(k, _)| k.as_str()).collect();
    assert_eq!(open, [key::WINDOW]);
    assert_eq!(shop.history().await, "extended@2026-01-31");
    assert!(matches!(shop.upgrade("premium", later).await, Err(AccountsError::Lapsed(_))));
    assert!(matches!(shop.accounts.use_one(&op(later), &acme(), key::SUPPORT_REQUESTS).await, Err(AccountsError::Lapsed(_))));

    shop.accounts.set_renewal(&op(later), &acme(), true, &agreed(2)).await.unwrap();
    let view = shop.accounts.subscription(&acme(), moment(later)).await.unwrap();
    assert_eq!((view.lapsed, view.term.range.start()), (false, moment(later)));
    assert_eq!(shop.amounts().await, [2500, 2500], "the months between are not charged");
}

#[tokio::test]
async fn entitlements_say_what_is_left_and_when_there_is_more() {
    let shop = Shop::with_acme("basic").await;
    let now = op("2026-02-20T00:00:00Z");
    for used in 1..=4 {
        assert_eq!(shop.accounts.use_one(&now, &acme(), key::SUPPORT_REQUESTS).await.unwrap(), used);
    }
    let refused = shop.accounts.use_one(&now, &acme(), key::SUPPORT_REQUESTS).await.unwrap_err();
    // Midnight in Paris.
    let resets = moment("2026-02-28T23:00:00Z");
    assert!(matches!(refused, AccountsError::UsedUp { limit: 4, resets_at, .. } if resets_at == resets));
    let has = async |now: &str| serde_json::to_value(shop.accounts.entitlements(&acme(), moment(now)).await.unwrap()).unwrap();
    let answer = has("2026-02-20T00:00:00Z").await;
    let expected =
        json!({ "has_access": false, "kind": "metered", "limit": 4, "used": 4, "balance": 0, "resets_at_us": resets.as_micros() });
    assert_eq!(answer[key::SUPPORT_REQUESTS], expected);
    assert_eq!(answer[key::SUPPORT_CHAT], json!({ "has_access": false, "kind": "boolean" }));
    assert_eq!(answer[key::WINDOW], json!({ "has_access": true, "kind": "static", "value": { "months": 3 } }));
    assert_eq!(has("2026-02-28T23:00:00Z").await[key::SUPPORT_REQUESTS]["balance"], 4);

    shop.upgrade("premium", "2026-02-20T00:00:00Z").await.unwrap();
    let answer = has("2026-02-20T00:00:00Z").await;
    assert_eq!(answer[key::WINDOW]["value"], "unlimited");
    assert_eq!(answer[key::SUPPORT_REQUESTS]["has_access"], true);
    assert!(answer[key::SUPPORT_REQUESTS].get("balance").is_none());
    assert!(matches!(shop.accounts.use_one(&now, &acme(), key::SUPPORT_CHAT).await, Err(AccountsError::NotMetered(_))));
    assert!(matches!(shop.accounts.use_one(&now, &acme(), "coffee").await, Err(AccountsError::NotIncluded(_))));
}

#[tokio::test]
async fn what_was_there_before_plans_is_on_premium_and_costs_nothing() {
    let shop = Shop::open().await;
    let (main, now) = (AccountId::main(), moment("2026-05-03T14:00:00Z"));
    shop.accounts.settle_all(now).await.unwrap();
    let view = shop.accounts.subscription(&main, now).await.unwrap();
    assert_eq!((view.plan.name.as_str(), view.lapsed), ("premium", false));
    assert_eq!(view.term.range.start(), moment("2026-01-01T00:00:00Z"));
    assert!(shop.accounts.ledger(&main).await.unwrap().is_empty());
    let history = shop.accounts.plan_history(&main).await.unwrap();
    assert_eq!([Timestamp::MIN, now].map(|t| history.window_at(t)), [Window::Unlimited; 2]);
}

#[tokio::test]
async fn an_account_that_makes_no_sense_is_not_added() {
    let shop = Shop::open().await;
    let refused = async |change: &dyn Fn(&mut NewAccount)| {
        let mut new = new_account("basic");
        change(&mut new);
        shop.accounts.add(&op(START), new).await.unwrap_err()
    };
    assert!(matches!(refused(&|n| n.zone = "Mars/Olympus".into()).await, AccountsError::Zone(_)));
    assert!(matches!(refused(&|n| n.language = "de".into()).await, AccountsError::Language(_)));
    assert!(matches!(refused(&|n| n.name = "  ".into()).await, AccountsError::Name));
    assert!(matches!(refused(&|n| n.term_months = 0).await, AccountsError::TermMonths(0)));
    assert!(matches!(refused(&|n| n.plan = "gold".into()).await, AccountsError::Plan(PlanError::Unknown { .. })));
    assert!(matches!(refused(&|n| n.id = AccountId::main()).await, AccountsError::Exists(_)));
    assert!(matches!(shop.accounts.subscription(&acme(), moment(START)).await, Err(AccountsError::Unknown(_))));
    assert!(matches!(shop.accounts.plan_history(&acme()).await, Err(AccountsError::Unknown(_))));
    assert!(shop.acts().await.is_empty());
}

#[tokio::test]
async fn amounts_of_two_currencies_do_not_mix() {
    let shop = Shop::with_acme("basic").await;
    let dollars = Plan { name: "dollar".into(), version: 1, currency: "USD".into(), rank: 99, ..priced("premium") };
    shop.accounts.add_plan(&op(START), &dollars).await.unwrap();
    assert!(matches!(shop.upgrade("dollar", "2026-02-10T00:00:00Z").await, Err(AccountsError::Currency { .. })));
    assert!(matches!(shop.accounts.add_plan(&op(START), &dollars).await, Err(AccountsError::Plan(PlanError::VersionTaken { .. }))));
}
