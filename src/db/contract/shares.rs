//! Shares and exports.

use super::*;
use crate::audit::{Act, Event};

fn event() -> Event {
    Event::system(T0, Act("test.done"))
}

fn share(n: u8, made_by: &str) -> ShareRow {
    ShareRow {
        id: format!("h{n}"),
        account: AccountId::main(),
        hash: [n; 32],
        cookie_hash: [n + 100; 32],
        streams: vec![cam(), stream("other")],
        range: range(0, 10),
        download: n == 1,
        note: "for the insurance".into(),
        made_by: made_by.into(),
        created_at: at(20),
        expires_at: at(100),
        revoked: None,
        opens: 0,
        last_used_at: None,
    }
}

pub(crate) async fn shares_are_found_by_secret_and_by_cookie_until_they_are_revoked(f: &impl Fixture) {
    let db = f.db();
    for (n, by) in [(1, "user ann"), (2, "user bob"), (3, "user ann")] {
        db.add_share(&share(n, by), 3, vec![event(), event()]).await.unwrap();
    }
    assert!(matches!(db.add_share(&share(4, "user ann"), 3, vec![event()]).await, Err(DbError::TooMany { max: 3, .. })));
    assert_eq!(db.audit_head().await.unwrap().n, 6, "one a stream, and none for what was refused");
    assert_eq!(db.share_by_hash(&[1; 32]).await.unwrap(), Some(share(1, "user ann")));
    assert_eq!(db.share_by_cookie(&[102; 32]).await.unwrap(), Some(share(2, "user bob")));
    assert_eq!(db.share_by_cookie(&[2; 32]).await.unwrap(), None);
    let ids = async |by, before, limit| {
        let rows = db.shares(&AccountId::main(), by, before, limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None, 9).await, ["h3", "h2", "h1"]);
    assert_eq!(ids(None, Some("h3"), 1).await, ["h2"]);
    assert_eq!(ids(Some("user ann"), None, 9).await, ["h3", "h1"]);

    db.count_share_opening("h1", at(30)).await.unwrap();
    db.count_share_opening("h1", at(31)).await.unwrap();
    db.touch_share("h1", at(40)).await.unwrap();
    assert!(db.revoke_share("h1", "user eve", at(50), event()).await.unwrap());
    assert!(!db.revoke_share("h1", "user ann", at(51), event()).await.unwrap());
    let expected = ShareRow { opens: 2, last_used_at: Some(at(40)), revoked: Some(("user eve".into(), at(50))), ..share(1, "user ann") };
    assert_eq!(db.share("h1").await.unwrap(), Some(expected));
    assert_eq!(db.audit_head().await.unwrap().n, 7);
    db.add_share(&share(4, "user ann"), 3, vec![event()]).await.unwrap();
}

fn job(n: u8) -> NewExport {
    NewExport {
        id: format!("e{n}"),
        account: AccountId::main(),
        streams: vec![cam()],
        range: range(0, 10),
        format: if n == 1 { ExportFormat::Mp4 } else { ExportFormat::Archive },
        note: "why".into(),
        made_by: format!("user {n}"),
        created_at: at(20),
        total_bytes: 100,
    }
}

pub(crate) async fn exports_run_one_after_the_other_and_end_once(f: &impl Fixture) {
    let db = f.db();
    for n in 1..=3 {
        db.add_export(&job(n), 3, event()).await.unwrap();
    }
    assert!(matches!(db.add_export(&job(4), 3, event()).await, Err(DbError::TooMany { max: 3, .. })));
    let began = db.begin_export(at(30)).await.unwrap().unwrap();
    assert_eq!((began.export.clone(), began.state, began.started_at), (job(1), ExportState::Running, Some(at(30))));
    assert_eq!(db.begin_export(at(31)).await.unwrap().unwrap().export.id, "e2");
    assert!(db.note_export("e1", 40, 110).await.unwrap() && !db.note_export("e3", 1, 2).await.unwrap());
    assert_eq!(db.export_bytes("").await.unwrap(), 210);

    let file = ExportFile { name: "cam.mp4".into(), size_bytes: 120, sha256: "ab".into() };
    assert!(db.end_export("e1", &ExportEnd::Done(file.clone()), at(90), vec![event()]).await.unwrap());
    assert!(!db.end_export("e1", &ExportEnd::Cancelled, at(91), vec![event()]).await.unwrap(), "it is over");
    let done = db.export("e1").await.unwrap().unwrap();
    assert_eq!((done.state, done.done_bytes, done.file, done.expires_at), (ExportState::Done, 110, Some(file), Some(at(90))));
    assert_eq!((db.export_bytes("").await.unwrap(), db.export_bytes("e1").await.unwrap()), (220, 100));

    assert_eq!(db.restart_exports().await.unwrap(), 1);
    let again = db.begin_export(at(40)).await.unwrap().unwrap();
    assert_eq!((again.export.id.as_str(), again.started_at), ("e2", Some(at(40))), "it began anew");
    assert!(!db.remove_export("e2", event()).await.unwrap(), "it runs");
    assert!(db.end_export("e2", &ExportEnd::Failed("Because.".into()), at(80), vec![event()]).await.unwrap());
    assert_eq!(db.export("e2").await.unwrap().unwrap().error.as_deref(), Some("Because."));
    assert!(db.end_export("e3", &ExportEnd::Cancelled, at(70), vec![event()]).await.unwrap(), "before its turn");
    assert!(db.begin_export(at(50)).await.unwrap().is_none());

    let due = async |s| db.exports_due(at(s), 9).await.unwrap().into_iter().map(|row| row.export.id).collect::<Vec<_>>();
    assert_eq!((due(69).await.len(), due(80).await), (0, vec!["e3".to_owned(), "e2".to_owned()]));
    assert_eq!(db.exports_with_file("", 9).await.unwrap().len(), 1);
    assert!(db.withdraw_export("e1", "Erased.", event()).await.unwrap() && !db.withdraw_export("e1", "Erased.", event()).await.unwrap());
    let withdrawn = db.export("e1").await.unwrap().unwrap();
    assert_eq!((withdrawn.state, withdrawn.file, withdrawn.error.as_deref()), (ExportState::Failed, None, Some("Erased.")));
    assert!(db.remove_export("e1", event()).await.unwrap() && !db.remove_export("e1", event()).await.unwrap());
    let ids = |rows: Vec<ExportRow>| rows.into_iter().map(|row| row.export.id).collect::<Vec<_>>();
    assert_eq!(ids(db.exports(&AccountId::main(), None, None, 9).await.unwrap()), ["e3", "e2"]);
    assert_eq!(ids(db.exports(&AccountId::main(), Some("user 2"), Some("e3"), 9).await.unwrap()), ["e2"]);
    assert_eq!(db.audit_head().await.unwrap().n, 8);
}

pub(crate) async fn erasures_are_found_by_what_they_touch_and_when_they_were_asked_for(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let erasure = NewErasure {
        account: AccountId::main(),
        stream: None,
        range: range(5, 7),
        reason: "r".into(),
        asked_by: "a".into(),
        actor: "test".into(),
    };
    db.add_erasure(&erasure, at(30), event()).await.unwrap();
    let touched = async |a, b, since| db.erasure_since(&cam(), range(a, b), at(since)).await.unwrap();
    assert!(touched(0, 6, 30).await && touched(6, 9, 20).await);
    assert!(!touched(0, 6, 31).await && !touched(0, 5, 20).await && !touched(7, 9, 20).await);
}
