//! The power fails at a chosen statement: from then on no statement of its kind goes through, and the open transaction is
//! lost. What remains is what a real power cut between two transactions, or inside one, leaves behind.
//!
//! Where files are concerned it fails at a chosen file, in whose place a folder stands: see [`Obstacle`].

use std::path::{Path, PathBuf};

use anyhow::ensure;
use sqlx::{Connection, SqliteConnection};

use crate::Outcome;

/// Every table that recording, plans, holds and retention write to, and what is done to it.
const STEPS: [(&str, &str); 20] = [
    ("audit", "INSERT"),
    ("blocks", "INSERT"),
    ("blocks", "UPDATE"),
    ("blocks", "DELETE"),
    ("extents", "INSERT"),
    ("caps", "INSERT"),
    ("holds", "INSERT"),
    ("holds", "UPDATE"),
    ("marks", "INSERT"),
    ("marks", "UPDATE"),
    ("marks", "DELETE"),
    ("sweeps", "INSERT"),
    ("sweeps", "UPDATE"),
    ("swept", "INSERT"),
    ("erasures", "INSERT"),
    ("erasures", "UPDATE"),
    ("erased", "INSERT"),
    ("erased", "UPDATE"),
    ("retention_forecasts", "INSERT"),
    ("retention_state", "UPDATE"),
];
/// Nothing that is held is marked, and nothing that is held is taken by a sweep: looked at in the very statement, since what a run
/// does wrong in one step it may put right in a later one, and no look between two runs would see it.
const WITNESSES: [&str; 2] = [
    "CREATE TRIGGER witness_mark AFTER INSERT ON marks BEGIN
         SELECT RAISE(ABORT, 'a block is marked that is held') FROM blocks b, holds h JOIN hold_streams s ON s.hold = h.id
         WHERE b.id = NEW.block AND s.stream_key = b.stream_key AND h.released_us IS NULL
           AND ifnull(h.expires_us > NEW.marked_us, 1)
           AND h.start_us - h.margin_before_us < b.end_us AND h.end_us + h.margin_after_us > b.start_us;
     END",
    "CREATE TRIGGER witness_sweep AFTER UPDATE OF sweep ON marks WHEN OLD.sweep IS NULL AND NEW.sweep IS NOT NULL BEGIN
         SELECT RAISE(ABORT, 'a sweep takes a block that is held') FROM blocks b, sweeps w, holds h JOIN hold_streams s ON s.hold = h.id
         WHERE b.id = NEW.block AND w.id = NEW.sweep AND s.stream_key = b.stream_key AND h.released_us IS NULL
           AND ifnull(h.expires_us > w.begun_us, 1)
           AND h.start_us - h.margin_before_us < b.end_us AND h.end_us + h.margin_after_us > b.start_us;
     END",
];
/// What an error says that is our doing.
const SIGN: &str = "the power went at ";

async fn connect(database: &Path) -> Outcome<SqliteConnection> {
    Ok(SqliteConnection::connect(&format!("sqlite:{}", database.display())).await?)
}

/// Makes it possible in this database.
pub async fn install(database: &Path) -> Outcome {
    let mut conn = connect(database).await?;
    // How many statements still go through; negative: all.
    let mut statements = vec!["CREATE TABLE power (spare INTEGER)".to_owned(), "INSERT INTO power VALUES (-1)".to_owned()];
    for (table, verb) in STEPS {
        statements.push(format!(
            "CREATE TRIGGER power_{table}_{verb} BEFORE {verb} ON {table} WHEN (SELECT spare FROM power) >= 0 BEGIN
                 SELECT RAISE(ABORT, '{SIGN}{table} {verb}') WHERE (SELECT spare FROM power) = 0;
                 UPDATE power SET spare = spare - 1;
             END"
        ));
    }
    statements.extend(WITNESSES.map(str::to_owned));
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut conn).await?;
    }
    // It is copied as one file: nothing may be left in the log beside it.
    let (busy, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut conn).await?;
    ensure!(busy == 0, "somebody still uses the database that is to be copied");
    Ok(conn.close().await?)
}

/// Turns the power off. It is a connection that lasts as long as the history: opening one costs as much as a hundred statements.
pub struct Switch(SqliteConnection);

impl Switch {
    pub async fn of(database: &Path) -> Outcome<Switch> {
        Ok(Switch(connect(database).await?))
    }
    /// Lets so many statements through; `None`: all of them again.
    pub async fn arm(&mut self, spare: Option<u32>) -> Outcome {
        sqlx::query("UPDATE power SET spare = ?").bind(spare.map_or(-1, i64::from)).execute(&mut self.0).await?;
        Ok(())
    }
}

/// At which step the power went, if that is what the error says.
pub fn step_of(error: &str) -> Option<String> {
    let (_, step) = error.split_once(SIGN)?;
    // An error that has a cause ends with a colon.
    let words: Vec<&str> = step.split([' ', ':']).take(2).collect();
    Some(words.join(" "))
}

/// Every step there is, as [`step_of`] names them.
pub fn steps() -> impl Iterator<Item = String> {
    STEPS.iter().map(|(table, verb)| format!("{table} {verb}"))
}

/// A folder in a block file's place: deleting comes this far and no further.
pub struct Obstacle {
    file: PathBuf,
    aside: PathBuf,
}

impl Obstacle {
    pub fn put(file: &Path) -> Outcome<Obstacle> {
        let aside = file.with_extension("aside");
        std::fs::rename(file, &aside)?;
        std::fs::create_dir(file)?;
        Ok(Obstacle { file: file.to_path_buf(), aside })
    }
    pub fn clear(self) -> Outcome {
        std::fs::remove_dir(&self.file)?;
        Ok(std::fs::rename(&self.aside, &self.file)?)
    }
}
