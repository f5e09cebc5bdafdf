//! Days of storage.

use super::retention::{event, marks, swept, three};
use super::*;

pub(crate) async fn days_of_storage_are_kept_and_added_up(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let other =
        NewStream { id: stream("other"), account: "acme".parse().unwrap(), title: "o".into(), source: "push:".into(), credentials: None };
    db.add_stream(&other, T0).await.unwrap();
    let day = |day, stored_bytes| StorageDay { day, stored_bytes, added_bytes: 10, removed_bytes: 1 };
    assert_eq!(db.last_storage_day(&cam()).await.unwrap(), None);
    db.put_storage_days(&cam(), &[day(5, 50), day(6, 59)]).await.unwrap();
    db.put_storage_days(&stream("other"), &[day(6, 9)]).await.unwrap();
    assert_eq!(db.last_storage_day(&cam()).await.unwrap(), Some(day(6, 59)));
    let sums = db.storage_sums(None, 6).await.unwrap();
    assert_eq!(sums, [StorageDay { day: 6, stored_bytes: 68, added_bytes: 20, removed_bytes: 2 }]);
    assert_eq!(db.storage_sums(Some(&AccountId::main()), 0).await.unwrap(), [day(5, 50), day(6, 59)]);
    let added = db.storage_added(Some(&AccountId::main()), 6).await.unwrap();
    assert_eq!(added, [(cam(), 6, 10)]);
}

pub(crate) async fn what_came_and_went_is_told_by_day(f: &impl Fixture) {
    let db = f.db();
    let [a, ..] = three(db).await;
    let today = T0.as_micros() / 86_400_000_000;
    let bytes = db.totals(&cam()).await.unwrap().bytes;
    let changes = db.storage_changes(&cam(), today).await.unwrap();
    assert_eq!((changes.added.get(&today), changes.removed.len()), (Some(&bytes), 0));
    assert_eq!(db.storage_changes(&cam(), today + 1).await.unwrap(), StorageChanges::default());
    assert_eq!(db.removed_since(None, T0).await.unwrap(), 0);
    // The first goes two days later.
    let later = 2 * 86_400;
    db.mark(&marks(&[&a], 50), at(9), event("retention.marked")).await.unwrap();
    let (sweep, _) = db.begin_sweep(at(later), 10).await.unwrap().unwrap();
    db.commit(&[swept(sweep.id, &[&a], Some(later))]).await.unwrap();
    let changes = db.storage_changes(&cam(), today).await.unwrap();
    assert_eq!(changes.added.get(&today), Some(&bytes), "that it came stays true");
    assert_eq!(changes.removed, [(today + 2, a.size_bytes)].into());
    assert_eq!(db.removed_since(Some(&AccountId::main()), at(later)).await.unwrap(), a.size_bytes);
    assert_eq!(db.removed_since(None, at(later + 1)).await.unwrap(), 0);
    assert_eq!(db.removed_since("acme".parse().ok().as_ref(), at(0)).await.unwrap(), 0);
}
