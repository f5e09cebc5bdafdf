//! The audit log.

use super::*;
use crate::audit::{Act, Chain, Event};

fn paused(by: &str) -> Event {
    Event::system(T0, Act("stream.paused")).by(by).of_account(&AccountId::main()).on_stream(&cam())
}

async fn all(db: &Db) -> Vec<Record> {
    db.audit_records(&AuditQuery::default(), 0, 1000).await.unwrap()
}

pub(crate) async fn a_change_and_its_record_happen_together_or_not_at_all(f: &impl Fixture) {
    add_cam(f.db()).await;
    let recording = f.db().recording(paused("user admin"));
    recording.set_stream_paused(&cam(), true).await.unwrap();
    assert!(f.db().stream(&cam()).await.unwrap().unwrap().paused);
    let records = all(f.db()).await;
    assert_eq!(records.iter().map(|r| r.event.clone()).collect::<Vec<_>>(), [paused("user admin")]);

    // Only the first change is the one that was recorded.
    recording.set_stream_paused(&cam(), false).await.unwrap();
    assert_eq!(all(f.db()).await.len(), 1);
    // What does not happen is not recorded.
    assert!(!f.db().recording(paused("nobody")).remove_token("t-unknown").await.unwrap());
    let twice = NewStream { id: cam(), account: AccountId::main(), title: "cam".into(), source: "push:".into(), credentials: None };
    assert!(f.db().recording(paused("nobody")).add_stream(&twice, T0).await.is_err());
    assert_eq!(all(f.db()).await.len(), 1);
}

pub(crate) async fn the_audit_log_is_a_chain_that_can_be_searched(f: &impl Fixture) {
    let db = f.db();
    assert_eq!(db.audit_head().await.unwrap(), Chain::default());
    for (i, by) in ["user a", "user b", "user a"].into_iter().enumerate() {
        let event = paused(by).over(TimeRange::new(at(i as i64), at(i as i64 + 1)).unwrap()).with("i", i);
        db.audit(event).await.unwrap();
    }
    db.audit(Event::system(at(9), Act("login.failed"))).await.unwrap();
    let (mut chain, records) = (Chain::default(), all(db).await);
    records.iter().for_each(|r| chain.follow(r).unwrap());
    assert_eq!(db.audit_head().await.unwrap(), chain);

    let found = async |query: AuditQuery| db.audit_records(&query, 0, 10).await.unwrap().iter().map(|r| r.n).collect::<Vec<_>>();
    assert_eq!(found(AuditQuery { actor: Some("user a".into()), ..AuditQuery::default() }).await, [1, 3]);
    assert_eq!(found(AuditQuery { act: Some("stream".into()), ..AuditQuery::default() }).await, [1, 2, 3]);
    assert_eq!(found(AuditQuery { act: Some("login.failed".into()), ..AuditQuery::default() }).await, [4]);
    assert_eq!(found(AuditQuery { stream: Some(cam()), ..AuditQuery::default() }).await, [1, 2, 3]);
    assert_eq!(found(AuditQuery { account: Some(AccountId::main()), ..AuditQuery::default() }).await, [1, 2, 3]);
    assert_eq!(found(AuditQuery { range: TimeRange::new(at(1), at(20)).ok(), ..AuditQuery::default() }).await, [4]);
    assert_eq!(db.audit_records(&AuditQuery::default(), 2, 1).await.unwrap()[0].n, 3);
}

pub(crate) async fn records_are_appended_one_after_the_other(f: &impl Fixture) {
    let appends = (0..50).map(|i| f.db().audit(Event::system(at(i), Act("test.at-once"))));
    futures_util::future::join_all(appends).await.into_iter().for_each(|done| drop(done.unwrap()));
    let mut chain = Chain::default();
    all(f.db()).await.iter().for_each(|r| chain.follow(r).unwrap());
    assert_eq!(chain.n, 50);
}

pub(crate) async fn the_audit_log_is_searched_from_its_end(f: &impl Fixture) {
    let db = f.db();
    for (i, by) in ["user a", "user b", "user a", "token t1"].into_iter().enumerate() {
        db.audit(paused(by).with("i", i)).await.unwrap();
    }
    let made = Event::system(T0, Act("token.created")).by("user b").with("token", "t1").with("name", "Wall_of 50%");
    db.audit(made).await.unwrap();
    db.audit(Event::system(T0, Act("streams.other"))).await.unwrap();
    let found = async |query: AuditQuery, before, limit| {
        db.newest_audit_records(&query, before, limit).await.unwrap().iter().map(|r| r.n).collect::<Vec<_>>()
    };
    let person = |text: &str| AuditQuery { person: Some(text.into()), ..AuditQuery::default() };
    assert_eq!(found(AuditQuery::default(), u64::MAX, 3).await, [6, 5, 4]);
    assert_eq!(found(AuditQuery::default(), 4, 2).await, [3, 2]);
    assert_eq!(found(person("USER"), u64::MAX, 10).await, [5, 3, 2, 1], "several people, in one order");
    assert_eq!(found(person("user a"), 3, 10).await, [1]);
    assert_eq!(found(person("l_of 50%"), u64::MAX, 10).await, [4], "by the name that the token was given");
    assert_eq!(found(person("l%of"), u64::MAX, 10).await, [0; 0]);
    let act = |text: &str| AuditQuery { act: Some(text.into()), ..AuditQuery::default() };
    assert_eq!(found(act("stream"), u64::MAX, 2).await, [4, 3], "a noun is whole");
    assert_eq!(found(act("stream.paused"), 3, 10).await, [2, 1]);
    assert_eq!(found(AuditQuery { act: Some("stream".into()), ..person("user b") }, u64::MAX, 10).await, [2]);
    assert_eq!(found(AuditQuery { account: "acme".parse().ok(), ..act("stream") }, u64::MAX, 10).await, [0; 0]);
}

pub(crate) async fn the_audit_log_is_verified_whole_and_cut_off(f: &impl Fixture) {
    let verifier = AuditVerifier::new(f.db().clone(), || at(7));
    for i in 0..5 {
        f.db().audit(paused("user a").with("i", i)).await.unwrap();
    }
    let whole = verifier.verify().await.unwrap();
    assert_eq!((whole.records, whole.first_bad.clone(), whole.verified_at), (5, None, at(7)));
    assert_eq!(verifier.state().await.unwrap(), VerificationState { last: Some(whole.clone()), running: false });
    // Somebody who knows more than there is.
    let seen = Verification { seen_records: 9, ..whole.clone() };
    f.db().set_fact("audit_verification", &serde_json::to_string(&seen).unwrap()).await.unwrap();
    let cut = verifier.verify().await.unwrap().first_bad.unwrap();
    assert_eq!((cut.0, cut.1.contains("cut off")), (6, true));
    assert!(verifier.verify().await.unwrap().first_bad.is_some(), "looking twice does not make it whole");
    let other = Verification { seen_head: "00".repeat(32), ..whole };
    f.db().set_fact("audit_verification", &serde_json::to_string(&other).unwrap()).await.unwrap();
    let rewritten = verifier.verify().await.unwrap().first_bad.unwrap();
    assert_eq!((rewritten.0, rewritten.1.contains("rewritten")), (5, true));
}

pub(crate) async fn facts_are_remembered(f: &impl Fixture) {
    assert_eq!(f.db().fact("weather").await.unwrap(), None);
    f.db().set_fact("weather", "rain").await.unwrap();
    f.db().recording(paused("user a")).set_fact("weather", "sun").await.unwrap();
    assert_eq!(f.db().fact("weather").await.unwrap().as_deref(), Some("sun"));
    assert_eq!(all(f.db()).await.len(), 1);
    assert!(f.db().database_bytes().await.unwrap() > 0);
}
