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
