//! The power fails at a chosen statement: from then on no statement of its kind goes through, and the open transaction is
//! lost. What remains is what a real power cut between two transactions, or inside one, leaves behind.
//!
//! Where files are concerned it fails at a chosen file, in whose place a folder stands: see [`Obstacle`].

use std::path::{Path, PathBuf};

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
    // It is copied as one file: nothing may be left in the log beside it.
    statements.push("PRAGMA wal_checkpoint(TRUNCATE)".into());
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut conn).await?;
    }
    Ok(conn.close().await?)
}

/// Lets so many statements through; `None`: all of them again.
pub async fn arm(database: &Path, spare: Option<u32>) -> Outcome {
    let mut conn = connect(database).await?;
    sqlx::query("UPDATE power SET spare = ?").bind(spare.map_or(-1, i64::from)).execute(&mut conn).await?;
    Ok(conn.close().await?)
}

/// At which step the power went, if that is what the error says.
pub fn step_of(error: &str) -> Option<String> {
    let (_, step) = error.split_once(SIGN)?;
    Some(step.split(' ').take(2).collect::<Vec<_>>().join(" "))
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
