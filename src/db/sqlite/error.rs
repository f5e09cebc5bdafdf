//! From SQLite's result codes to what a person can do about them.

use std::path::Path;
use std::str::FromStr;

use super::super::{DbError, DbResult};

/// Primary result codes (<https://www.sqlite.org/rescode.html>).
mod code {
    pub const BUSY: i32 = 5;
    pub const LOCKED: i32 = 6;
    pub const READONLY: i32 = 8;
    pub const IOERR: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const CANTOPEN: i32 = 14;
    pub const NOTADB: i32 = 26;
}

/// Extended: the shared memory of the log file cannot be made larger, for want of room.
const IOERR_SHMSIZE: i32 = 4874;

fn primary_code(e: &sqlx::Error) -> Option<i32> {
    let extended: i32 = e.as_database_error()?.code()?.parse().ok()?;
    Some(if extended == IOERR_SHMSIZE { code::FULL } else { extended & 0xff })
}

/// `map_err` for a statement: `step` is verb and object.
pub(super) fn sql(step: &'static str) -> impl FnOnce(sqlx::Error) -> DbError {
    move |e| match primary_code(&e) {
        Some(code::BUSY | code::LOCKED) => DbError::Locked(e.into()),
        Some(code::READONLY | code::CANTOPEN) => DbError::ReadOnly(e.to_string()),
        Some(code::FULL) => DbError::Full(e.into()),
        Some(code::CORRUPT | code::NOTADB) => DbError::Damaged { what: "the database file", detail: e.to_string() },
        _ if matches!(e, sqlx::Error::PoolTimedOut) => DbError::Locked(e.into()),
        _ => DbError::Sql { step, source: e.into() },
    }
}

/// The same when opening the file.
pub(super) fn open_error(path: &Path, e: sqlx::Error) -> DbError {
    match primary_code(&e) {
        Some(code::NOTADB) => {
            DbError::NotOurs { path: path.to_path_buf(), detail: "it is not a database; move it away, or set `data_dir`".into() }
        }
        Some(code::CANTOPEN | code::READONLY | code::IOERR) => {
            DbError::ReadOnly(format!("{}: {e}; check that its folder exists and belongs to the user Retroview runs as", path.display()))
        }
        _ => sql("open the database")(e),
    }
}

pub(super) fn damaged(what: &'static str, detail: impl ToString) -> DbError {
    DbError::Damaged { what, detail: detail.to_string() }
}

pub(super) fn parse<T: FromStr>(what: &'static str, text: &str) -> DbResult<T>
where
    T::Err: ToString,
{
    text.parse().map_err(|e: T::Err| damaged(what, e.to_string()))
}

pub(super) fn id_bytes(what: &'static str, bytes: &[u8]) -> DbResult<[u8; 16]> {
    bytes.try_into().map_err(|_| damaged(what, format!("an id of {} bytes", bytes.len())))
}

pub(super) fn hash_bytes(what: &'static str, bytes: &[u8]) -> DbResult<[u8; 32]> {
    bytes.try_into().map_err(|_| damaged(what, format!("a hash of {} bytes", bytes.len())))
}

pub(super) fn json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> DbResult<T> {
    serde_json::from_str(text).map_err(|e| damaged(what, e))
}

pub(super) fn unsigned(what: &'static str, n: i64) -> DbResult<u64> {
    u64::try_from(n).map_err(|_| damaged(what, format!("negative number {n}")))
}

/// SQLite's integers are signed; sizes and counts of ours never come near the limit.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
