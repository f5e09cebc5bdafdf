//! Erasures on request, and the papers that say what went.

use super::retention::hold;
use super::*;
use crate::audit::{Act, Event};

fn event(act: &'static str) -> Event {
    Event::system(T0, Act(act)).of_account(&AccountId::main())
}

fn wish(from: i64, to: i64) -> NewErasure {
    NewErasure {
        account: AccountId::main(),
        stream: Some(cam()),
        range: range(from, to),
        reason: "a child in the picture".into(),
        asked_by: "Mrs Miller".into(),
        actor: "user admin".into(),
    }
}

async fn ask(db: &Db, from: i64, to: i64) -> DbResult<ErasureRow> {
    db.add_erasure(&wish(from, to), at(20), event("footage.erasure_asked")).await
}

async fn records(db: &Db) -> usize {
    db.audit_records(&AuditQuery::default(), 0, 1000).await.unwrap().len()
}

/// Flags these segments of the block, as an erasure at second 21.
async fn flag(db: &Db, erasure: i64, block: &BlockInfo, segments: &[u32]) {
    let blocks = vec![(block.id, segments.to_vec())];
    let change = IndexChange::SegmentsErased { erasure, blocks, at: at(21), event: Box::new(event("footage.hidden")) };
    db.commit(&[change]).await.unwrap();
}

async fn wipe(db: &Db, block: &BlockInfo, checksum: Option<u64>) {
    let blocks = vec![(block.id, checksum)];
    let change = IndexChange::ErasedBytesGone { blocks, hidden_until: at(21), at: at(22), event: Box::new(event("footage.erased")) };
    db.commit(&[change]).await.unwrap();
}

pub(crate) async fn an_erasure_of_what_is_held_is_refused_and_changes_nothing(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    index(db, 0, 0, 6).await.unwrap();
    db.place_hold(&hold(4, 5), at(10), event("hold.placed")).await.unwrap();
    let before = records(db).await;
    assert!(matches!(ask(db, 3, 5).await, Err(DbError::Held { .. })));
    assert!(db.pending_erasures(&cam()).await.unwrap().is_empty() && db.erasures(None, None, 9).await.unwrap().is_empty());
    assert_eq!(records(db).await, before);
    let foreign = NewErasure { account: "other".parse().unwrap(), ..wish(0, 1) };
    let refused = db.add_erasure(&foreign, at(20), event("footage.erasure_asked")).await;
    assert!(matches!(refused, Err(DbError::Missing { what: "stream", .. })));
    ask(db, 0, 4).await.unwrap();
}

pub(crate) async fn an_erasure_hides_first_and_is_over_when_its_bytes_are_gone(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let info = index(db, 0, 0, 4).await.unwrap();
    let asked = ask(db, 1, 3).await.unwrap();
    assert_eq!(db.pending_erasures(&cam()).await.unwrap(), [range(1, 3)]);
    assert_eq!(db.unfinished_erasures(9).await.unwrap(), std::slice::from_ref(&asked));

    flag(db, asked.id, &info, &[1, 2]).await;
    let hidden = db.erased_by(asked.id, None, 9).await.unwrap();
    assert_eq!((hidden.len(), hidden[0].range, hidden[0].segments, hidden[0].whole), (1, range(1, 3), 2, false));
    assert!(db.wipe_is_due(info.id).await.unwrap());
    assert!(db.blocks_to_wipe(at(20), 9).await.unwrap().is_empty(), "those who read it may end");
    assert_eq!(db.blocks_to_wipe(at(21), 9).await.unwrap(), hidden);
    assert!(!db.finish_erasure(asked.id, at(22), event("erasure.finished")).await.unwrap(), "its bytes are there");

    wipe(db, &info, Some(7)).await;
    assert!(!db.wipe_is_due(info.id).await.unwrap() && db.blocks_to_wipe(at(99), 9).await.unwrap().is_empty());
    assert!(db.finish_erasure(asked.id, at(23), event("erasure.finished")).await.unwrap());
    let before = records(db).await;
    assert!(!db.finish_erasure(asked.id, at(24), event("erasure.finished")).await.unwrap());
    assert_eq!(records(db).await, before, "it was over");
    let row = db.erasure(asked.id).await.unwrap().unwrap();
    assert_eq!((row.finished_at, row.blocks, row.segments), (Some(at(23)), 1, 2));
    assert!(db.pending_erasures(&cam()).await.unwrap().is_empty());
    let block = db.block(info.id).await.unwrap().unwrap();
    assert_eq!((block.checksum, block.table.entries().iter().filter(|e| e.erased).count()), (Some(7), 2));
}

pub(crate) async fn a_block_of_which_nothing_is_left_goes_and_is_known(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let info = index(db, 0, 0, 2).await.unwrap();
    let asked = ask(db, 0, 2).await.unwrap();
    flag(db, asked.id, &info, &[0, 1]).await;
    wipe(db, &info, None).await;
    assert!(db.block(info.id).await.unwrap().is_none());
    let gone = db.whole_erased(info.id).await.unwrap().unwrap();
    assert_eq!((gone.erasure, gone.whole, gone.gone_at, gone.checksum), (asked.id, true, Some(at(22)), info.checksum));
    assert_eq!(db.erased_in(&cam(), range(1, 2)).await.unwrap(), Some(gone));
    assert_eq!(db.erased_in(&cam(), range(2, 9)).await.unwrap(), None);
}

fn receipt(number: i64, part: u32) -> NewReceipt {
    let document = format!("{{\"part\":{part}}}");
    NewReceipt { account: AccountId::main(), kind: ReceiptKind::Erasure, number, part, made_at: at(30), document }
}

pub(crate) async fn a_receipt_is_made_once_and_never_changed(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let asked = ask(db, 0, 2).await.unwrap();
    assert!(db.without_receipt(9).await.unwrap().is_empty(), "it is not over");
    db.finish_erasure(asked.id, at(23), event("erasure.finished")).await.unwrap();
    assert_eq!(db.without_receipt(9).await.unwrap(), [(ReceiptKind::Erasure, asked.id)]);
    assert!(db.add_receipts(&[receipt(asked.id, 1), receipt(asked.id, 2)], event("receipt.signed")).await.unwrap());
    let before = records(db).await;
    let forged = NewReceipt { document: "{}".into(), ..receipt(asked.id, 1) };
    assert!(!db.add_receipts(&[forged], event("receipt.signed")).await.unwrap());
    assert_eq!(records(db).await, before);
    let kept = db.receipts(Some(&AccountId::main()), None, 9).await.unwrap();
    assert_eq!(kept.iter().map(|r| r.receipt.part).collect::<Vec<_>>(), [2, 1], "the newest first");
    assert_eq!(db.receipt(kept[1].id).await.unwrap().unwrap().receipt, receipt(asked.id, 1));
    assert_eq!(db.receipts(None, Some(kept[0].id), 9).await.unwrap().len(), 1);
    assert!(db.without_receipt(9).await.unwrap().is_empty());
}

pub(crate) async fn an_attestation_is_kept_for_each_stream_and_day(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let keep = async |day: &str, text: &str| db.add_attestation(&cam(), day, at(30), text, event("attestation.made")).await.unwrap();
    keep("2026-05-02", "second").await;
    keep("2026-05-01", "first").await;
    keep("2026-05-01", "first again").await;
    assert_eq!(db.attestation(&cam(), Some("2026-05-01")).await.unwrap().as_deref(), Some("first again"));
    assert_eq!(db.attestation(&cam(), None).await.unwrap().as_deref(), Some("second"), "the newest day");
    assert_eq!(db.attestation(&cam(), Some("2026-05-03")).await.unwrap(), None);
    assert_eq!(records(db).await, 3);
}
