//! Rows changed behind everyone's back, as a person with a database tool might; for tests of `check`.

use std::path::Path;

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::media::BlockInfo;

async fn by_hand(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
    SqliteConnection::connect_with(&options).await.expect("the database is there")
}

pub(crate) async fn run(path: &Path, statement: &'static str) {
    sqlx::query(statement).execute(&mut by_hand(path).await).await.expect("the statement is right");
}

/// Stores a sealed block's row past the database's own rules.
pub(crate) async fn force_row(path: &Path, info: &BlockInfo) {
    sqlx::query(
        "INSERT INTO blocks (id, stream_key, run, start_us, end_us, state, first_offset, first_sequence, size_bytes, checksum,
                             segment_count, segments)
         VALUES (?, (SELECT key FROM streams WHERE id = ?), ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&info.id.to_bytes()[..])
    .bind(info.stream.as_str())
    .bind(&info.run.to_bytes()[..])
    .bind(info.start.as_micros())
    .bind(info.end().as_micros())
    .bind(info.first_offset.cast_signed())
    .bind(info.first_sequence.cast_signed())
    .bind(info.size_bytes.cast_signed())
    .bind(info.checksum.map(u64::cast_signed))
    .bind(info.table.kept() as i64)
    .bind(info.table.pack())
    .execute(&mut by_hand(path).await)
    .await
    .expect("the row fits the table");
}
