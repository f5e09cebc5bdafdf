//! Streams and their sources.

use async_trait::async_trait;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::super::{DbError, DbResult, NewStream, StreamRow, StreamRows};
use super::SqliteDb;
use super::error::{parse, signed, sql, unsigned};
use crate::media::{StreamId, Timestamp};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, account, title, source, paused, created_us, removed_us, next_run_ordinal, next_sequence FROM streams ", $rest)
    };
}

#[async_trait]
impl StreamRows for SqliteDb {
    async fn add_stream(&self, new: &NewStream, now: Timestamp) -> DbResult<StreamRow> {
        let step = "add a stream";
        let mut tx = self.write().await?;
        let inserted =
            sqlx::query("INSERT INTO streams (id, account, title, source, created_us) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING")
                .bind(new.id.as_str())
                .bind(new.account.as_str())
                .bind(&new.title)
                .bind(&new.source)
                .bind(now.as_micros())
                .execute(&mut *tx)
                .await
                .map_err(sql(step))?;
        if inserted.rows_affected() == 0 {
            return Err(DbError::Exists { what: "stream", id: new.id.to_string() });
        }
        if let Some(credentials) = &new.credentials {
            sqlx::query("INSERT INTO stream_credentials (stream_key, credentials) VALUES (?, ?)")
                .bind(inserted.last_insert_rowid())
                .bind(credentials)
                .execute(&mut *tx)
                .await
                .map_err(sql(step))?;
        }
        bump_generation(&mut tx).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(StreamRow {
            id: new.id.clone(),
            account: new.account.clone(),
            title: new.title.clone(),
            source: new.source.clone(),
            paused: false,
            created_at: now,
            removed_at: None,
            next_run_ordinal: 0,
            next_sequence: 0,
        })
    }

    async fn stream(&self, id: &StreamId) -> DbResult<Option<StreamRow>> {
        let row =
            sqlx::query(select!("WHERE id = ?")).bind(id.as_str()).fetch_optional(&self.readers).await.map_err(sql("read a stream"))?;
        row.as_ref().map(read_stream).transpose()
    }

    async fn streams(&self, with_removed: bool) -> DbResult<Vec<StreamRow>> {
        let rows = sqlx::query(select!("WHERE ? OR removed_us IS NULL ORDER BY id"))
            .bind(with_removed)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("list the streams"))?;
        rows.iter().map(read_stream).collect()
    }

    async fn stream_credentials(&self, id: &StreamId) -> DbResult<Option<String>> {
        sqlx::query_scalar("SELECT credentials FROM stream_credentials JOIN streams ON key = stream_key WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("read a stream's credentials"))
    }

    async fn set_stream_source(&self, id: &StreamId, source: &str, credentials: Option<&str>) -> DbResult<()> {
        let step = "set a stream's source";
        let key = self.key(id).await?.key;
        let mut tx = self.write().await?;
        sqlx::query("UPDATE streams SET source = ? WHERE key = ?").bind(source).bind(key).execute(&mut *tx).await.map_err(sql(step))?;
        sqlx::query("DELETE FROM stream_credentials WHERE stream_key = ?").bind(key).execute(&mut *tx).await.map_err(sql(step))?;
        if let Some(credentials) = credentials {
            sqlx::query("INSERT INTO stream_credentials (stream_key, credentials) VALUES (?, ?)")
                .bind(key)
                .bind(credentials)
                .execute(&mut *tx)
                .await
                .map_err(sql(step))?;
        }
        bump_generation(&mut tx).await?;
        tx.commit().await.map_err(sql(step))
    }

    async fn set_stream_title(&self, id: &StreamId, title: &str) -> DbResult<()> {
        let key = self.key(id).await?.key;
        self.update_stream("UPDATE streams SET title = ?2 WHERE key = ?1", key, title).await
    }

    async fn set_stream_paused(&self, id: &StreamId, paused: bool) -> DbResult<()> {
        let key = self.key(id).await?.key;
        self.update_stream("UPDATE streams SET paused = ?2 WHERE key = ?1", key, paused).await
    }

    async fn set_stream_removed(&self, id: &StreamId, removed_at: Option<Timestamp>) -> DbResult<()> {
        let key = self.key(id).await?.key;
        self.update_stream("UPDATE streams SET removed_us = ?2 WHERE key = ?1", key, removed_at.map(Timestamp::as_micros)).await
    }

    async fn streams_generation(&self) -> DbResult<i64> {
        sqlx::query_scalar("SELECT value FROM generations WHERE name = 'streams'")
            .fetch_one(&self.readers)
            .await
            .map_err(sql("look for changes"))
    }

    async fn raise_stream_counters(&self, id: &StreamId, next_run_ordinal: u64, next_sequence: u64) -> DbResult<()> {
        let step = "raise a stream's counters";
        let key = self.key(id).await?.key;
        let mut tx = self.write().await?;
        sqlx::query("UPDATE streams SET next_run_ordinal = max(next_run_ordinal, ?), next_sequence = max(next_sequence, ?) WHERE key = ?")
            .bind(signed(next_run_ordinal))
            .bind(signed(next_sequence))
            .bind(key)
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        tx.commit().await.map_err(sql(step))
    }
}

impl SqliteDb {
    async fn update_stream<'q, T>(&self, statement: &'static str, key: i64, value: T) -> DbResult<()>
    where
        T: sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + 'q,
    {
        let step = "change a stream";
        let mut tx = self.write().await?;
        sqlx::query(statement).bind(key).bind(value).execute(&mut *tx).await.map_err(sql(step))?;
        bump_generation(&mut tx).await?;
        tx.commit().await.map_err(sql(step))
    }
}

pub(super) async fn bump_generation(conn: &mut SqliteConnection) -> DbResult<()> {
    sqlx::query("UPDATE generations SET value = value + 1 WHERE name = 'streams'")
        .execute(conn)
        .await
        .map_err(sql("tell other processes of a change"))?;
    Ok(())
}

fn read_stream(row: &SqliteRow) -> DbResult<StreamRow> {
    let bad = sql("read a stream");
    let read = || -> Result<_, sqlx::Error> {
        Ok((
            (row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?, row.try_get::<String, _>(2)?, row.try_get::<String, _>(3)?),
            (row.try_get::<bool, _>(4)?, row.try_get::<i64, _>(5)?, row.try_get::<Option<i64>, _>(6)?),
            (row.try_get::<i64, _>(7)?, row.try_get::<i64, _>(8)?),
        ))
    };
    let ((id, account, title, source), (paused, created_us, removed_us), (ordinal, sequence)) = read().map_err(bad)?;
    Ok(StreamRow {
        id: parse("stream", id)?,
        account: parse("account", account)?,
        title,
        source,
        paused,
        created_at: Timestamp(created_us),
        removed_at: removed_us.map(Timestamp),
        next_run_ordinal: unsigned("stream", ordinal)?,
        next_sequence: unsigned("stream", sequence)?,
    })
}
