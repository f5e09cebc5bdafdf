//! Bookmarks.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row, Sqlite, sqlite::SqliteRow};

use super::super::{BookmarkQuery, BookmarkRow, BookmarkRows, DbError, DbResult, NewBookmark};
use super::error::{parse, sql};
use super::{SqliteDb, audit};
use crate::audit::Event;
use crate::media::{StreamId, TimeRange, Timestamp};

macro_rules! select_bookmarks {
    ($rest:literal) => {
        concat!(
            "SELECT bookmarks.id, bookmarks.account, streams.id AS stream, at_us, end_us, bookmarks.title, note, author, bookmarks.created_us
             FROM bookmarks JOIN streams ON streams.key = stream_key ",
            $rest
        )
    };
}

#[async_trait]
impl BookmarkRows for SqliteDb {
    async fn add_bookmark(&self, new: &NewBookmark, stream_max: u32, now: Timestamp, event: Event) -> DbResult<BookmarkRow> {
        let step = "keep a bookmark";
        let key = self.key(&new.stream).await?.key;
        let mut tx = self.write().await?;
        let there: i64 = sqlx::query_scalar("SELECT count(*) FROM bookmarks WHERE stream_key = ?")
            .bind(key)
            .fetch_one(&mut *tx)
            .await
            .map_err(sql(step))?;
        if there >= i64::from(stream_max) {
            return Err(DbError::TooMany { what: "bookmarks", max: u64::from(stream_max) });
        }
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO bookmarks (account, stream_key, at_us, end_us, title, note, words, author, created_us)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(new.account.as_str())
        .bind(key)
        .bind(new.at.as_micros())
        .bind(new.end.map(Timestamp::as_micros))
        .bind(&new.title)
        .bind(&new.note)
        .bind(words_of(new))
        .bind(&new.author)
        .bind(now.as_micros())
        .fetch_one(&mut *tx)
        .await
        .map_err(sql(step))?;
        audit::append(&mut tx, event.with("bookmark", id)).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(BookmarkRow { id, bookmark: new.clone(), created_at: now })
    }

    async fn change_bookmark(&self, id: i64, to: &NewBookmark, event: Event) -> DbResult<()> {
        let step = "change a bookmark";
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE bookmarks SET at_us = ?2, end_us = ?3, title = ?4, note = ?5, words = ?6 WHERE id = ?1")
            .bind(id)
            .bind(to.at.as_micros())
            .bind(to.end.map(Timestamp::as_micros))
            .bind(&to.title)
            .bind(&to.note)
            .bind(words_of(to))
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Err(DbError::Missing { what: "bookmark", id: id.to_string() });
        }
        audit::append(&mut tx, event.with("bookmark", id)).await?;
        tx.commit().await.map_err(sql(step))
    }

    async fn remove_bookmark(&self, id: i64, event: Event) -> DbResult<bool> {
        let step = "remove a bookmark";
        let mut tx = self.write().await?;
        let done = sqlx::query("DELETE FROM bookmarks WHERE id = ?").bind(id).execute(&mut *tx).await.map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, event.with("bookmark", id)).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn bookmark(&self, id: i64) -> DbResult<Option<BookmarkRow>> {
        let row = sqlx::query(select_bookmarks!("WHERE bookmarks.id = ?")).bind(id).fetch_optional(&self.readers).await;
        row.map_err(sql("read a bookmark"))?.as_ref().map(read_bookmark).transpose()
    }

    async fn bookmarks_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<BookmarkRow>> {
        let Some(key) = self.find_key(stream).await? else { return Ok(Vec::new()) };
        let rows = sqlx::query(select_bookmarks!(
            "WHERE stream_key = ?1 AND at_us < ?3 AND coalesce(end_us, at_us + 1) > ?2 ORDER BY at_us, bookmarks.id LIMIT ?4"
        ))
        .bind(key.key)
        .bind(range.start().as_micros())
        .bind(range.end().as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("list a stream's bookmarks"))?;
        rows.iter().map(read_bookmark).collect()
    }

    async fn bookmarks(&self, query: &BookmarkQuery, limit: u32) -> DbResult<Vec<BookmarkRow>> {
        let mut text: QueryBuilder<Sqlite> = QueryBuilder::new(select_bookmarks!("WHERE bookmarks.account = "));
        text.push_bind(query.account.as_str().to_owned());
        if let Some(before) = query.before {
            text.push(" AND bookmarks.id < ").push_bind(before);
        }
        if let Some(streams) = &query.streams {
            let names: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
            text.push(" AND streams.id IN (SELECT value FROM json_each(").push_bind(serde_json::json!(names).to_string()).push("))");
        }
        for word in &query.words {
            text.push(" AND instr(words, ").push_bind(word.clone()).push(") > 0");
        }
        text.push(" ORDER BY bookmarks.id DESC LIMIT ").push_bind(limit);
        let rows = text.build().fetch_all(&self.readers).await.map_err(sql("list bookmarks"))?;
        rows.iter().map(read_bookmark).collect()
    }
}

/// SQLite folds the case of English letters only.
fn words_of(bookmark: &NewBookmark) -> String {
    format!("{}\n{}", bookmark.title, bookmark.note).to_lowercase()
}

fn read_bookmark(row: &SqliteRow) -> DbResult<BookmarkRow> {
    Ok(BookmarkRow {
        id: row.get("id"),
        bookmark: NewBookmark {
            account: parse("account", &row.get::<String, _>("account"))?,
            stream: parse("stream", &row.get::<String, _>("stream"))?,
            at: Timestamp(row.get("at_us")),
            end: row.get::<Option<i64>, _>("end_us").map(Timestamp),
            title: row.get("title"),
            note: row.get("note"),
            author: row.get("author"),
        },
        created_at: Timestamp(row.get("created_us")),
    })
}
