//! Users, sessions, tokens, secrets.

use async_trait::async_trait;
use sqlx::{Row, sqlite::SqliteRow};

use super::super::{AccessRows, DbResult, SessionRow, TokenRow, UserRow};
use super::SqliteDb;
use super::error::{hash_bytes, json, parse, sql, unsigned};
use crate::media::Timestamp;

macro_rules! select_tokens {
    ($rest:literal) => {
        concat!("SELECT id, account, name, hash, scopes, streams, created_us, expires_us, last_used_us FROM tokens ", $rest)
    };
}

#[async_trait]
impl AccessRows for SqliteDb {
    async fn put_user(&self, user: &UserRow) -> DbResult<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO users (name, account, password_hash, language, created_us) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET account = ?2, password_hash = ?3, language = ?4",
        )
        .bind(&user.name)
        .bind(user.account.as_str())
        .bind(&user.password_hash)
        .bind(&user.language)
        .bind(user.created_at.as_micros())
        .execute(&mut *tx)
        .await
        .map_err(sql("store a user"))?;
        tx.commit().await.map_err(sql("store a user"))
    }

    async fn user(&self, name: &str) -> DbResult<Option<UserRow>> {
        let row: Option<(String, String, String, Option<String>, i64)> =
            sqlx::query_as("SELECT name, account, password_hash, language, created_us FROM users WHERE name = ?")
                .bind(name)
                .fetch_optional(&self.readers)
                .await
                .map_err(sql("read a user"))?;
        let Some((name, account, password_hash, language, created_us)) = row else { return Ok(None) };
        let account = parse("account", &account)?;
        Ok(Some(UserRow { name, account, password_hash, language, created_at: Timestamp(created_us) }))
    }

    async fn user_count(&self) -> DbResult<u64> {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&self.readers).await.map_err(sql("count the users"))?;
        unsigned("user", n)
    }

    async fn add_session(&self, session: &SessionRow) -> DbResult<()> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO sessions (id_hash, user, account, created_us, expires_us) VALUES (?, ?, ?, ?, ?)")
            .bind(&session.id_hash[..])
            .bind(&session.user)
            .bind(session.account.as_str())
            .bind(session.created_at.as_micros())
            .bind(session.expires_at.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql("store a session"))?;
        tx.commit().await.map_err(sql("store a session"))
    }

    async fn session(&self, id_hash: &[u8; 32]) -> DbResult<Option<SessionRow>> {
        let row: Option<(String, String, i64, i64)> =
            sqlx::query_as("SELECT user, account, created_us, expires_us FROM sessions WHERE id_hash = ?")
                .bind(&id_hash[..])
                .fetch_optional(&self.readers)
                .await
                .map_err(sql("read a session"))?;
        let Some((user, account, created_us, expires_us)) = row else { return Ok(None) };
        let (created_at, expires_at) = (Timestamp(created_us), Timestamp(expires_us));
        Ok(Some(SessionRow { id_hash: *id_hash, user, account: parse("account", &account)?, created_at, expires_at }))
    }

    async fn remove_session(&self, id_hash: &[u8; 32]) -> DbResult<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE id_hash = ?")
            .bind(&id_hash[..])
            .execute(&mut *tx)
            .await
            .map_err(sql("remove a session"))?;
        tx.commit().await.map_err(sql("remove a session"))
    }

    async fn remove_sessions_expired_before(&self, now: Timestamp) -> DbResult<u64> {
        let done = sqlx::query("DELETE FROM sessions WHERE expires_us < ?")
            .bind(now.as_micros())
            .execute(&self.writer)
            .await
            .map_err(sql("remove expired sessions"))?;
        Ok(done.rows_affected())
    }

    async fn add_token(&self, token: &TokenRow) -> DbResult<()> {
        let streams: Vec<&str> = token.streams.iter().map(|s| s.as_str()).collect();
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO tokens (id, account, name, hash, scopes, streams, created_us, expires_us, last_used_us)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&token.id)
        .bind(token.account.as_str())
        .bind(&token.name)
        .bind(&token.hash[..])
        .bind(serde_json::json!(token.scopes).to_string())
        .bind(serde_json::json!(streams).to_string())
        .bind(token.created_at.as_micros())
        .bind(token.expires_at.map(Timestamp::as_micros))
        .bind(token.last_used_at.map(Timestamp::as_micros))
        .execute(&mut *tx)
        .await
        .map_err(sql("store a token"))?;
        tx.commit().await.map_err(sql("store a token"))
    }

    async fn token_by_hash(&self, hash: &[u8; 32]) -> DbResult<Option<TokenRow>> {
        let row = sqlx::query(select_tokens!("WHERE hash = ?"))
            .bind(&hash[..])
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look up a token"))?;
        row.as_ref().map(read_token).transpose()
    }

    async fn tokens(&self) -> DbResult<Vec<TokenRow>> {
        let rows = sqlx::query(select_tokens!("ORDER BY created_us, id")).fetch_all(&self.readers).await.map_err(sql("list the tokens"))?;
        rows.iter().map(read_token).collect()
    }

    async fn remove_token(&self, id: &str) -> DbResult<bool> {
        let step = "remove a token";
        let mut tx = self.write().await?;
        let done = sqlx::query("DELETE FROM tokens WHERE id = ?").bind(id).execute(&mut *tx).await.map_err(sql(step))?;
        if done.rows_affected() == 0 {
            // Nothing happened: nothing is recorded.
            return Ok(false);
        }
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn touch_token(&self, id: &str, used_at: Timestamp) -> DbResult<()> {
        sqlx::query("UPDATE tokens SET last_used_us = ? WHERE id = ?")
            .bind(used_at.as_micros())
            .bind(id)
            .execute(&self.writer)
            .await
            .map_err(sql("note a token's use"))?;
        Ok(())
    }

    async fn secret(&self, name: &str, fresh: &[u8]) -> DbResult<Vec<u8>> {
        let step = "read a secret";
        let kept = "SELECT value FROM secrets WHERE name = ?";
        let known = sqlx::query_scalar(kept).bind(name).fetch_optional(&self.readers).await.map_err(sql(step))?;
        if let Some(known) = known {
            return Ok(known);
        }
        // Two processes at once: the first one's value stays, and both read it.
        sqlx::query("INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(fresh)
            .execute(&self.writer)
            .await
            .map_err(sql("store a secret"))?;
        sqlx::query_scalar(kept).bind(name).fetch_one(&self.writer).await.map_err(sql(step))
    }
}

fn read_token(row: &SqliteRow) -> DbResult<TokenRow> {
    let get = |i: usize| row.try_get::<String, _>(i).map_err(sql("read a token"));
    let time = |i: usize| row.try_get::<Option<i64>, _>(i).map(|t| t.map(Timestamp)).map_err(sql("read a token"));
    let hash: Vec<u8> = row.try_get(3).map_err(sql("read a token"))?;
    Ok(TokenRow {
        id: get(0)?,
        account: parse("account", &get(1)?)?,
        name: get(2)?,
        hash: hash_bytes("token", &hash)?,
        scopes: json("token", &get(4)?)?,
        streams: json("token", &get(5)?)?,
        created_at: time(6)?.unwrap_or(Timestamp::MIN),
        expires_at: time(7)?,
        last_used_at: time(8)?,
    })
}
