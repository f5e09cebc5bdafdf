//! The contract, and what is SQLite's own.

use std::fs;
use std::path::PathBuf;

use sqlx::{Connection, SqliteConnection};

use super::super::contract::{Fixture, add_cam, contract_suite};
use super::*;

struct Fresh {
    db: Db,
    dir: tempfile::TempDir,
}

impl Fixture for Fresh {
    async fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir.path().join("retroview.db")).await.unwrap();
        Fresh { db, dir }
    }
    fn db(&self) -> &Db {
        &self.db
    }
}

contract_suite!(Fresh);

fn path(f: &Fresh) -> PathBuf {
    f.dir.path().join("retroview.db")
}

async fn raw(path: &std::path::Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).create_if_missing(true)).await.unwrap()
}

#[tokio::test]
async fn a_database_opens_again_with_what_was_in_it() {
    let f = Fresh::fresh().await;
    add_cam(f.db()).await;
    let again = open(&path(&f)).await.unwrap();
    assert_eq!(again.streams(true).await.unwrap().len(), 1);
    let settings: Vec<(i64, String, i64)> =
        sqlx::query_as("SELECT (SELECT page_size FROM pragma_page_size), (SELECT journal_mode FROM pragma_journal_mode), 0")
            .fetch_all(&mut raw(&path(&f)).await)
            .await
            .unwrap();
    assert_eq!(settings, [(i64::from(PAGE_BYTES), "wal".into(), 0)]);
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    fs::write(&text, "these are my notes, ".repeat(100)).unwrap();
    assert!(matches!(open(&text).await, Err(DbError::NotOurs { .. })));
    assert!(fs::read_to_string(&text).unwrap().starts_with("these are my notes"));

    let other = dir.path().join("other.db");
    sqlx::query("CREATE TABLE recipes (name TEXT)").execute(&mut raw(&other).await).await.unwrap();
    let before = fs::read(&other).unwrap();
    let refused = SqliteDb::open(&other).await.unwrap_err();
    assert!(matches!(&refused, DbError::NotOurs { .. }) && refused.to_string().contains("another program"));
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = SqliteDb::open(&dir.path().join("nowhere/retroview.db")).await.unwrap_err();
    assert!(matches!(&refused, DbError::ReadOnly(text) if text.contains("nowhere/retroview.db")), "{refused:?}");
}

#[tokio::test]
async fn the_database_of_a_newer_version_is_refused() {
    let f = Fresh::fresh().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)",
    )
    .execute(&mut raw(&path(&f)).await)
    .await
    .unwrap();
    let refused = SqliteDb::open(&path(&f)).await.unwrap_err();
    assert!(matches!(&refused, DbError::Newer { found: 9999, .. }) && refused.to_string().contains("update"));
}

#[tokio::test]
async fn a_lock_that_does_not_go_away_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("retroview.db");
    let db: Db = Arc::new(SqliteDb::open_as(&path, Duration::from_millis(100), 1).await.unwrap());
    let mut other = raw(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert!(matches!(db.check_writable().await, Err(DbError::Locked(_))));
    assert!(db.streams(true).await.unwrap().is_empty(), "reading goes on");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    db.check_writable().await.unwrap();
}

#[tokio::test]
async fn two_processes_see_one_another() {
    let f = Fresh::fresh().await;
    let other = open(&path(&f)).await.unwrap();
    let before = f.db().streams_generation().await.unwrap();
    add_cam(&other).await;
    assert_eq!(f.db().streams(true).await.unwrap().len(), 1);
    assert!(f.db().streams_generation().await.unwrap() > before);
}

#[tokio::test]
async fn processes_that_start_at_once_all_come_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("retroview.db");
    let all: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { open(&path).await.map(drop) })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_record_that_was_changed_by_hand_is_found_and_named() {
    use crate::audit::{Act, Event};
    use crate::media::Timestamp;
    let f = Fresh::fresh().await;
    for i in 0..5 {
        f.db().audit(Event::system(Timestamp::from_secs(1000), Act("stream.paused")).with("i", i)).await.unwrap();
    }
    let verifier = super::super::AuditVerifier::new(f.db().clone(), || Timestamp::from_secs(2000));
    meddle::run(&path(&f), "DROP TRIGGER audit_is_not_changed").await;
    meddle::run(&path(&f), "UPDATE audit SET actor = 'user mallory' WHERE n = 3").await;
    let found = verifier.verify().await.unwrap();
    assert_eq!((found.records, found.first_bad.as_ref().unwrap().0), (2, 3), "{found:?}");
    // What cannot even be read is named as well.
    meddle::run(&path(&f), "UPDATE audit SET details = 'nonsense' WHERE n = 2").await;
    let found = verifier.verify().await.unwrap();
    assert_eq!((found.records, found.first_bad.as_ref().unwrap().0), (1, 2), "{found:?}");
}
