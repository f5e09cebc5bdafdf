//! What pages about retention show, over real files and rows.

use super::*;
use crate::media::GapCause;
use crate::retention::KeptQuery;

const DAY: Duration = Duration::from_secs(86_400);

/// Under Premium, with a cap of one hour on `cam`.
async fn capped(drawing: &str) -> (Scene, Retention) {
    let s = Scene::drawn(drawing).await;
    s.archive.db.set_cap(&cam(), Some(1), "user m", at(0), event("cap.set")).await.unwrap();
    let desk = desk(&s);
    (s, desk)
}

fn desk(s: &Scene) -> Retention {
    let (clock, lock) = (crate::clock::ManualClock::at(at(0)), s.archive.root.file("retention.lock"));
    Retention::new(s.archive.index.clone(), s.archive.root.clone(), settings(), clock, &lock)
}

#[tokio::test]
async fn what_leaves_next_is_told_by_day() {
    let (_s, desk) = capped("aaabbb..ccc").await;
    let now = at(3) + HOUR;
    let told = desk.expiry(&AccountId::main(), 2, now).await.unwrap();
    assert_eq!((told.day_ends_us.len(), told.day_ends_us[0]), (2, (now + DAY).0));
    assert_eq!(told.streams.len(), 1);
    let blocks: Vec<u64> = told.streams[0].days.iter().map(|amount| amount.blocks).collect();
    assert_eq!(blocks, [2, 0], "the first has left before");
    assert_eq!(told.streams[0].next_leaves_us, Some((at(6) + HOUR).0));
    let over = desk.expiry(&AccountId::main(), 2, at(11) + HOUR).await.unwrap();
    assert!(over.streams.is_empty(), "nothing is left that could leave: {over:?}");
    assert!(desk.expiry(&"nobody".parse().unwrap(), 2, now).await.is_err());
}

#[tokio::test]
async fn what_the_next_run_would_do_is_told_in_numbers() {
    let (s, desk) = capped("aaabbb..ccc").await;
    let now = at(3) + HOUR;
    let first = desk.ahead(now).await.unwrap();
    assert_eq!((first.gives_up.blocks, first.deletes.blocks, first.accounts.len()), (1, 0, 1));
    assert_eq!(first.accounts[0].streams[&cam()].segments, 3);
    s.run(now).await;
    let later = now + HOUR;
    let second = desk.ahead(later).await.unwrap();
    let main = &second.accounts[0];
    assert_eq!((main.gives_up.blocks, main.marked.blocks, main.deletes.blocks), (2, 1, 1));

    // And then it did.
    s.run(later).await;
    let ledger = s.archive.db.sweep_summaries(None, None, 10).await.unwrap();
    assert_eq!(ledger.len(), 1);
    assert_eq!((ledger[0].streams[0].0.clone(), ledger[0].streams[0].1.blocks, ledger[0].range), (cam(), 1, Some(steps(0, 3))));
    assert_eq!(ledger[0].receipts.len(), 1);
    assert!(s.archive.db.sweep_summaries(None, Some(ledger[0].sweep.id), 10).await.unwrap().is_empty());
    assert!(s.archive.db.sweep_summaries("acme".parse().ok().as_ref(), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_promised_window_is_set_against_what_is_there() {
    let (_s, desk) = capped("aaabbb..ccc").await;
    let query = KeptQuery { after: None, limit: 10, parts: 4, stream: None };
    let kept = desk.kept(&AccountId::main(), &query, at(11)).await.unwrap();
    assert_eq!((kept.end_us - kept.start_us, kept.next.clone()), (3_600_000_000, None));
    let stream = &kept.streams[0];
    assert_eq!((stream.window_start_us, stream.known_from_us), (Some(kept.start_us), Some(at(0).0)));
    assert_eq!((stream.present_us, stream.gaps_us.get("source_ended")), (36_000_000, Some(&8_000_000)));
    assert_eq!((stream.unexplained_us, stream.pruned_us), (0, 0));
    assert_eq!((stream.present.as_slice(), stream.causes[3]), (&[0, 0, 0, 40][..], Some(GapCause::SourceEnded)));
    let none = KeptQuery { after: Some(cam()), ..query.clone() };
    assert!(desk.kept(&AccountId::main(), &none, at(11)).await.unwrap().streams.is_empty());
    let unknown = KeptQuery { stream: "nonesuch".parse().ok(), ..query };
    assert!(matches!(desk.kept(&AccountId::main(), &unknown, at(11)).await, Err(RetentionError::UnknownStream(_))));
}

#[tokio::test]
async fn days_of_storage_are_written_down_once_they_are_over() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let (desk, now) = (desk(&s), at(0) + 3 * DAY);
    let bytes = s.archive.db.totals(&cam()).await.unwrap().bytes;
    assert_eq!(desk.settle_storage(now).await.unwrap(), 1);
    assert_eq!(desk.settle_storage(now).await.unwrap(), 0, "once");
    let told = desk.storage(Some(&AccountId::main()), 30, now).await.unwrap();
    let days: Vec<(u64, u64)> = told.days.iter().map(|d| (d.stored_bytes, d.added_bytes)).collect();
    assert_eq!(days, [(bytes, bytes), (bytes, 0), (bytes, 0), (bytes, 0)], "the last is today");
    assert_eq!((told.streams[0].stored_bytes, told.streams[0].bytes_per_day), (bytes, bytes / 3));
    assert_eq!(told.forecast[9].stored_bytes, bytes + 10 * (bytes / 3), "under Premium nothing goes");
    assert_eq!(desk.storage(None, 30, now).await.unwrap(), told);
    // A day later it goes on from there.
    assert_eq!(desk.settle_storage(now + DAY).await.unwrap(), 1);
    assert_eq!(desk.storage(None, 30, now + DAY).await.unwrap().days.len(), 5);
    assert!(desk.storage("nobody".parse().ok().as_ref(), 30, now).await.is_err());
}
