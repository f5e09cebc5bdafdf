//! Rows in one SQLite file, the embedded default.
//!
//! One connection writes, a few read; WAL keeps readers and the writer out of each other's way, also across
//! processes (the command line works on the same file while the service runs). `synchronous=FULL`: a commit
//! that has returned survives a power cut. It costs one `fdatasync` a commit; commits of several streams are
//! batched by the caller.

mod access;
mod accounts;
mod audit;
mod audit_search;
mod bookmarks;
mod commit;
mod erasures;
mod error;
mod exports;
mod footage;
mod gaps;
mod holds;
mod keys;
#[cfg(test)]
pub(crate) mod meddle;
mod papers;
mod recount;
mod retention;
mod shares;
mod storage;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use self::error::{open_error, sql};
use super::{Db, DbError, DbResult, Health, InstallationRows};
use crate::media::{AccountId, StreamId};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// "RVDB": tells our files from any other SQLite file.
const APPLICATION_ID: i64 = 0x5256_4442;
/// A block's row holds its packed segment table, about 2 KB. With 4 KiB pages one such row fills a page and
/// nearly half is lost; with 16 KiB pages each appended segment would write four times as much to the log.
const PAGE_BYTES: u32 = 8192;
/// Wait so long for another process's transaction (an import commits in milliseconds) before giving up.
const BUSY: Duration = Duration::from_secs(10);
/// A reader is a thread. Lookups take a fraction of a millisecond, so few serve many requests.
const READERS: u32 = 4;

/// An open database.
#[derive(Clone)]
pub struct SqliteDb {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Streams are never renamed or deleted, so what is known of them stays true.
    keys: Arc<RwLock<HashMap<StreamId, StreamKey>>>,
    /// Goes into the next transaction: see [`super::AuditRows::recording`].
    pending: audit::Pending,
}

/// What other tables know a stream by.
#[derive(Clone, Debug)]
struct StreamKey {
    key: i64,
    account: AccountId,
}

/// Opens the database at `path`, creating it when it is not there, and brings its tables up to date.
///
/// # Errors
/// [`DbError::Locked`], [`DbError::ReadOnly`], [`DbError::NotOurs`], [`DbError::Newer`]; the file is
/// unchanged then.
pub async fn open(path: &Path) -> DbResult<Db> {
    Ok(Arc::new(SqliteDb::open(path).await?))
}

/// As [`open`], with one reader: for a process that asks one thing after another. Each further reader is a thread that reads the
/// schema and prepares every statement for itself, which is most of the work of a process that lives for a moment.
///
/// # Errors
/// As [`open`].
pub async fn open_with_one_reader(path: &Path) -> DbResult<Db> {
    Ok(Arc::new(SqliteDb::open_as(path, BUSY, 1).await?))
}

impl SqliteDb {
    /// See [`open`].
    ///
    /// # Errors
    /// As [`open`].
    pub async fn open(path: &Path) -> DbResult<SqliteDb> {
        Self::open_as(path, BUSY, READERS).await
    }

    /// `busy`: how long another process's transaction is waited for.
    async fn open_as(path: &Path, busy: Duration, readers_max: u32) -> DbResult<SqliteDb> {
        prepare(path).await?;
        let options = options(path).busy_timeout(busy);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(busy * 3)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        let writer = writer.connect_with(options.clone()).await.map_err(|e| open_error(path, e))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(readers_max)
            .acquire_timeout(busy * 3)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        let readers = readers.connect_with(options.pragma("query_only", "ON")).await.map_err(|e| open_error(path, e))?;
        Ok(SqliteDb { writer, readers, keys: Arc::default(), pending: None })
    }

    /// A transaction that has the write lock from its beginning, so that what it reads stays true until it
    /// commits. Dropped without commit, it leaves nothing.
    async fn write(&self) -> DbResult<Transaction<'static, Sqlite>> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(sql("begin a transaction"))?;
        audit::append_pending(&mut tx, &self.pending).await?;
        Ok(tx)
    }

    /// # Errors
    /// [`DbError::Missing`] when there is no such stream.
    async fn key(&self, stream: &StreamId) -> DbResult<StreamKey> {
        self.find_key(stream).await?.ok_or_else(|| DbError::Missing { what: "stream", id: stream.to_string() })
    }

    async fn find_key(&self, stream: &StreamId) -> DbResult<Option<StreamKey>> {
        if let Some(known) = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(stream) {
            return Ok(Some(known.clone()));
        }
        let row: Option<(i64, String)> = sqlx::query_as("SELECT key, account FROM streams WHERE id = ?")
            .bind(stream.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look up a stream"))?;
        let Some((key, account)) = row else { return Ok(None) };
        let found = StreamKey { key, account: error::parse("account", &account)? };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(stream.clone(), found.clone());
        Ok(Some(found))
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        // Only a file that is still empty takes it.
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        // 16 MiB of pages per connection: the upper levels of every index, and the rows of live blocks.
        .pragma("cache_size", "-16384")
        // After a burst (an import) the log file shrinks again.
        .pragma("journal_size_limit", "67108864")
        .statement_cache_capacity(128)
}

/// Looks at the file before anything is written to it, then migrates.
async fn prepare(path: &Path) -> DbResult<()> {
    let first = SqliteConnectOptions::new().filename(path).create_if_missing(true).busy_timeout(BUSY);
    let mut conn = SqliteConnection::connect_with(&first).await.map_err(|e| open_error(path, e))?;
    let checked = check_ours(&mut conn, path).await;
    // Closing an idle connection cannot lose anything.
    let _ = conn.close().await;
    checked?;
    let mut conn = SqliteConnection::connect_with(&options(path)).await.map_err(|e| open_error(path, e))?;
    let migrated = migrate(&mut conn, path).await;
    let _ = conn.close().await;
    migrated
}

async fn check_ours(conn: &mut SqliteConnection, path: &Path) -> DbResult<()> {
    let opened = |e| open_error(path, e);
    // One statement, one snapshot: another process may be making the database between two.
    let both = "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)";
    let (application, tables): (i64, i64) = sqlx::query_as(both).fetch_one(&mut *conn).await.map_err(opened)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(DbError::NotOurs { path: path.to_path_buf(), detail: "it is the database of another program".into() });
    }
    Ok(())
}

async fn migrate(conn: &mut SqliteConnection, path: &Path) -> DbResult<()> {
    // Before the first table: a process that starts beside this one must not take it for somebody else's.
    sqlx::query("PRAGMA application_id = 0x52564442").execute(&mut *conn).await.map_err(|e| open_error(path, e))?;
    // Two processes starting at once: who comes second to one migration may still be first to the next, so each is a
    // chance to lose. Then the next attempt finds it done.
    let mut run = MIGRATIONS.run_direct(None, &mut *conn, false).await;
    for _ in MIGRATIONS.iter() {
        if !matches!(run, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))) {
            break;
        }
        run = MIGRATIONS.run_direct(None, &mut *conn, false).await;
    }
    match run {
        Ok(()) => {}
        Err(MigrateError::VersionMissing(found)) => {
            return Err(DbError::Newer { path: path.to_path_buf(), found });
        }
        Err(MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _)) => return Err(open_error(path, e)),
        Err(e) => return Err(DbError::Sql { step: "bring the database's tables up to date", source: e.into() }),
    }
    Ok(())
}

#[async_trait::async_trait]
impl Health for SqliteDb {
    async fn check_writable(&self) -> DbResult<()> {
        // Writes a page and takes it back: a read-only file or a lock that does not go away shows here.
        let mut tx = self.write().await?;
        sqlx::query("UPDATE generations SET value = value WHERE name = 'streams'")
            .execute(&mut *tx)
            .await
            .map_err(sql("write to the database"))?;
        tx.rollback().await.map_err(sql("take back a test write"))
    }
}

#[async_trait::async_trait]
impl InstallationRows for SqliteDb {
    async fn fact(&self, name: &str) -> DbResult<Option<String>> {
        let found = sqlx::query_scalar("SELECT value FROM settings WHERE name = ?").bind(name).fetch_optional(&self.readers).await;
        found.map_err(sql("read a fact about the installation"))
    }
    async fn set_fact(&self, name: &str, value: &str) -> DbResult<()> {
        let step = "remember a fact about the installation";
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))
    }
    async fn database_bytes(&self) -> DbResult<u64> {
        let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let bytes: i64 = sqlx::query_scalar(pages).fetch_one(&self.readers).await.map_err(sql("ask for the database's size"))?;
        error::unsigned("database", bytes)
    }
}

impl std::fmt::Debug for SqliteDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteDb").finish_non_exhaustive()
    }
}
