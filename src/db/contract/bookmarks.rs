//! Bookmarks.

use super::*;
use crate::audit::{Act, Event};

fn event() -> Event {
    Event::system(T0, Act("bookmark.added"))
}

fn bookmark(from: i64, to: Option<i64>, title: &str) -> NewBookmark {
    NewBookmark {
        account: AccountId::main(),
        stream: cam(),
        at: at(from),
        end: to.map(at),
        title: title.into(),
        note: "Élan vital".into(),
        author: "user ann".into(),
    }
}

pub(crate) async fn bookmarks_are_found_by_time_and_by_words(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    for (from, to, title) in [(5, None, "A parcel"), (1, Some(4), "Long"), (9, Some(11), "a Parcel, late")] {
        db.add_bookmark(&bookmark(from, to, title), 3, at(20), event()).await.unwrap();
    }
    let full = db.add_bookmark(&bookmark(5, None, "x"), 3, at(20), event()).await;
    assert!(matches!(full, Err(DbError::TooMany { max: 3, .. })));
    let ids = |rows: Vec<BookmarkRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let on = async |a, b, limit| ids(db.bookmarks_in(&cam(), range(a, b), limit).await.unwrap());
    assert_eq!(on(0, 20, 9).await, [2, 1, 3]);
    assert_eq!(on(0, 20, 2).await, [2, 1]);
    assert_eq!((on(3, 5, 9).await, on(4, 5, 9).await, on(5, 6, 9).await, on(10, 12, 9).await), (vec![2], vec![], vec![1], vec![3]));
    let query = BookmarkQuery { account: AccountId::main(), streams: None, words: Vec::new(), before: None };
    let with = |words: &[&str]| BookmarkQuery { words: words.iter().map(ToString::to_string).collect(), ..query.clone() };
    let find = async |query: BookmarkQuery, limit| ids(db.bookmarks(&query, limit).await.unwrap());
    assert_eq!(find(query.clone(), 9).await, [3, 2, 1]);
    assert_eq!(find(BookmarkQuery { before: Some(3), ..query.clone() }, 1).await, [2]);
    assert_eq!(find(with(&["parcel"]), 9).await, [3, 1]);
    assert_eq!(find(with(&["parcel", "late"]), 9).await, [3]);
    assert_eq!(find(with(&["élan"]), 9).await.len(), 3, "of any alphabet");
    assert_eq!(find(BookmarkQuery { streams: Some(vec![stream("other")]), ..query.clone() }, 9).await, [0; 0]);
    assert_eq!(find(BookmarkQuery { streams: Some(vec![cam()]), ..query.clone() }, 9).await.len(), 3);
    assert_eq!(find(BookmarkQuery { account: "acme".parse().unwrap(), ..query }, 9).await, [0; 0]);
}

pub(crate) async fn a_bookmark_changes_and_goes_with_its_record(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let made = db.add_bookmark(&bookmark(5, Some(6), "one"), 9, at(20), event()).await.unwrap();
    let to = bookmark(7, None, "two");
    db.change_bookmark(made.id, &to, event()).await.unwrap();
    assert_eq!(db.bookmark(made.id).await.unwrap(), Some(BookmarkRow { bookmark: to.clone(), ..made.clone() }));
    assert!(matches!(db.change_bookmark(99, &to, event()).await, Err(DbError::Missing { .. })));
    assert!(db.remove_bookmark(made.id, event()).await.unwrap());
    assert!(!db.remove_bookmark(made.id, event()).await.unwrap());
    assert_eq!(db.bookmark(made.id).await.unwrap(), None);
    let records = db.audit_records(&AuditQuery::default(), 0, 9).await.unwrap();
    assert_eq!(records.iter().map(|r| r.event.details["bookmark"].clone()).collect::<Vec<_>>(), [made.id; 3]);
    let again = db.add_bookmark(&to, 9, at(20), event()).await.unwrap();
    assert_ne!(again.id, made.id, "a number is never given out twice");
}
