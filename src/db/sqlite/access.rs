//! Users, sessions, tokens, links, secrets.

use async_trait::async_trait;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::super::{AccessRows, DbError, DbResult, LinkRow, LinkUse, SESSIONS_MAX, SessionRow, TokenRow, UserRow};
use super::SqliteDb;
use super::error::{hash_bytes, json, parse, sql, unsigned};
use crate::media::{AccountId, Timestamp};

macro_rules! select_users {
    ($rest:literal) => {
        concat!("SELECT name, account, password_hash, language, created_us, role, streams, disabled_us FROM users ", $rest)
    };
}

macro_rules! select_sessions {
    ($rest:literal) => {
        concat!("SELECT id_hash, id, user, account, created_us, expires_us, seen_us, address, agent FROM sessions ", $rest)
    };
}

macro_rules! select_tokens {
    ($rest:literal) => {
        concat!("SELECT id, account, name, hash, role, scopes, streams, made_by, created_us, expires_us, last_used_us FROM tokens ", $rest)
    };
}

#[async_trait]
impl AccessRows for SqliteDb {
    async fn add_user(&self, user: &UserRow) -> DbResult<()> {
        let step = "store a user";
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO users (name, account, password_hash, language, created_us, role, streams, disabled_us)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&user.name)
        .bind(user.account.as_str())
        .bind(&user.password_hash)
        .bind(&user.language)
        .bind(user.created_at.as_micros())
        .bind(&user.role)
        .bind(streams_column(user))
        .bind(user.disabled_at.map(Timestamp::as_micros))
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Err(DbError::Exists { what: "user", id: user.name.clone() });
        }
        tx.commit().await.map_err(sql(step))
    }

    async fn change_user(&self, user: &UserRow) -> DbResult<()> {
        let step = "change a user";
        let mut tx = self.write().await?;
        let before = find_user(&mut tx, &user.name).await?.ok_or_else(|| missing(&user.name))?;
        sqlx::query("UPDATE users SET role = ?, streams = ?, language = ?, disabled_us = ? WHERE name = ?")
            .bind(&user.role)
            .bind(streams_column(user))
            .bind(&user.language)
            .bind(user.disabled_at.map(Timestamp::as_micros))
            .bind(&user.name)
            .execute(&mut *tx)
            .await
            .map_err(sql(step))?;
        keep_an_operator(&mut tx, &before).await?;
        if before.role != user.role || user.disabled_at.is_some() {
            end_link(&mut tx, &user.name).await?;
        }
        if user.disabled_at.is_some() {
            end_sessions(&mut tx, &user.name, None).await?;
        }
        tx.commit().await.map_err(sql(step))
    }

    async fn remove_user(&self, name: &str) -> DbResult<bool> {
        let step = "remove a user";
        let mut tx = self.write().await?;
        // Nothing happened: nothing is recorded.
        let Some(before) = find_user(&mut tx, name).await? else { return Ok(false) };
        sqlx::query("DELETE FROM users WHERE name = ?").bind(name).execute(&mut *tx).await.map_err(sql(step))?;
        keep_an_operator(&mut tx, &before).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn set_user_password(&self, name: &str, password_hash: &str, keep: Option<[u8; 32]>) -> DbResult<()> {
        let mut tx = self.write().await?;
        if !store_password(&mut tx, name, password_hash).await? {
            return Err(missing(name));
        }
        end_link(&mut tx, name).await?;
        end_sessions(&mut tx, name, keep).await?;
        tx.commit().await.map_err(sql("store a password"))
    }

    async fn user(&self, name: &str) -> DbResult<Option<UserRow>> {
        let mut conn = self.readers.acquire().await.map_err(sql("read a user"))?;
        find_user(&mut conn, name).await
    }

    async fn users(&self, account: Option<&AccountId>, after: &str, limit: u32) -> DbResult<Vec<UserRow>> {
        let rows = sqlx::query(select_users!("WHERE name > ?1 AND (?2 IS NULL OR account = ?2) ORDER BY name LIMIT ?3"))
            .bind(after)
            .bind(account.map(AccountId::as_str))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("list the users"))?;
        rows.iter().map(read_user).collect()
    }

    async fn user_count(&self) -> DbResult<u64> {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&self.readers).await.map_err(sql("count the users"))?;
        unsigned("user", n)
    }

    async fn put_link(&self, link: &LinkRow) -> DbResult<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO links (user, hash, kind, made_by, created_us, expires_us, used_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (user) DO UPDATE SET hash = ?2, kind = ?3, made_by = ?4, created_us = ?5, expires_us = ?6, used_us = ?7",
        )
        .bind(&link.user)
        .bind(&link.hash[..])
        .bind(&link.kind)
        .bind(&link.made_by)
        .bind(link.created_at.as_micros())
        .bind(link.expires_at.as_micros())
        .bind(link.used_at.map(Timestamp::as_micros))
        .execute(&mut *tx)
        .await
        .map_err(sql("store a link"))?;
        tx.commit().await.map_err(sql("store a link"))
    }

    async fn link(&self, hash: &[u8; 32]) -> DbResult<Option<LinkRow>> {
        let row = sqlx::query("SELECT user, kind, made_by, created_us, expires_us, used_us FROM links WHERE hash = ?")
            .bind(&hash[..])
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("look up a link"))?;
        Ok(row.map(|row| LinkRow {
            user: row.get("user"),
            hash: *hash,
            kind: row.get("kind"),
            made_by: row.get("made_by"),
            created_at: Timestamp(row.get("created_us")),
            expires_at: Timestamp(row.get("expires_us")),
            used_at: row.get::<Option<i64>, _>("used_us").map(Timestamp),
        }))
    }

    async fn use_link(&self, with: LinkUse<'_>) -> DbResult<bool> {
        let step = "use a link";
        let mut tx = self.write().await?;
        let user: Option<String> =
            sqlx::query_scalar("UPDATE links SET used_us = ?2 WHERE hash = ?1 AND used_us IS NULL AND expires_us > ?2 RETURNING user")
                .bind(&with.hash[..])
                .bind(with.now.as_micros())
                .fetch_optional(&mut *tx)
                .await
                .map_err(sql(step))?;
        // Not committed: neither used nor recorded.
        let Some(user) = user else { return Ok(false) };
        store_password(&mut tx, &user, with.password_hash).await?;
        end_sessions(&mut tx, &user, None).await?;
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn add_session(&self, session: &SessionRow, password_hash: &str) -> DbResult<bool> {
        let step = "store a session";
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO sessions (id_hash, id, user, account, created_us, expires_us, seen_us, address, agent)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
             WHERE EXISTS (SELECT 1 FROM users WHERE name = ?3 AND password_hash = ?10 AND disabled_us IS NULL)",
        )
        .bind(&session.id_hash[..])
        .bind(&session.id)
        .bind(&session.user)
        .bind(session.account.as_str())
        .bind(session.created_at.as_micros())
        .bind(session.expires_at.as_micros())
        .bind(session.seen_at.map(Timestamp::as_micros))
        .bind(&session.address)
        .bind(&session.agent)
        .bind(password_hash)
        .execute(&mut *tx)
        .await
        .map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "DELETE FROM sessions WHERE user = ?1 AND id_hash <> ?2 AND id_hash NOT IN
                 (SELECT id_hash FROM sessions WHERE user = ?1 AND id_hash <> ?2 ORDER BY created_us DESC, id LIMIT ?3 - 1)",
        )
        .bind(&session.user)
        .bind(&session.id_hash[..])
        .bind(SESSIONS_MAX)
        .execute(&mut *tx)
        .await
        .map_err(sql("end a user's oldest sessions"))?;
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn session(&self, id_hash: &[u8; 32]) -> DbResult<Option<SessionRow>> {
        let row = sqlx::query(select_sessions!("WHERE id_hash = ?"))
            .bind(&id_hash[..])
            .fetch_optional(&self.readers)
            .await
            .map_err(sql("read a session"))?;
        row.as_ref().map(read_session).transpose()
    }

    async fn sessions(&self, user: &str, now: Timestamp) -> DbResult<Vec<SessionRow>> {
        let rows = sqlx::query(select_sessions!("WHERE user = ? AND expires_us > ? ORDER BY created_us DESC, id LIMIT ?"))
            .bind(user)
            .bind(now.as_micros())
            .bind(SESSIONS_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(sql("list a user's sessions"))?;
        rows.iter().map(read_session).collect()
    }

    async fn touch_session(&self, id_hash: &[u8; 32], seen_at: Timestamp) -> DbResult<()> {
        sqlx::query("UPDATE sessions SET seen_us = ? WHERE id_hash = ?")
            .bind(seen_at.as_micros())
            .bind(&id_hash[..])
            .execute(&self.writer)
            .await
            .map_err(sql("note a session's use"))?;
        Ok(())
    }

    async fn remove_session(&self, id_hash: &[u8; 32]) -> DbResult<bool> {
        let step = "remove a session";
        let mut tx = self.write().await?;
        let done = sqlx::query("DELETE FROM sessions WHERE id_hash = ?").bind(&id_hash[..]).execute(&mut *tx).await.map_err(sql(step))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit().await.map_err(sql(step))?;
        Ok(true)
    }

    async fn remove_sessions(&self, user: &str, keep: Option<[u8; 32]>) -> DbResult<u64> {
        let mut tx = self.write().await?;
        let ended = end_sessions(&mut tx, user, keep).await?;
        if ended > 0 {
            tx.commit().await.map_err(sql("remove sessions"))?;
        }
        Ok(ended)
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
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO tokens (id, account, name, hash, role, scopes, streams, made_by, created_us, expires_us, last_used_us)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&token.id)
        .bind(token.account.as_str())
        .bind(&token.name)
        .bind(&token.hash[..])
        .bind(&token.role)
        .bind(serde_json::json!(token.scopes).to_string())
        .bind(serde_json::json!(token.streams).to_string())
        .bind(&token.made_by)
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

    async fn token(&self, id: &str) -> DbResult<Option<TokenRow>> {
        let row = sqlx::query(select_tokens!("WHERE id = ?")).bind(id).fetch_optional(&self.readers).await.map_err(sql("read a token"))?;
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

fn streams_column(user: &UserRow) -> Option<String> {
    user.streams.as_ref().map(|streams| serde_json::json!(streams).to_string())
}

fn missing(user: &str) -> DbError {
    DbError::Missing { what: "user", id: user.to_owned() }
}

async fn find_user(conn: &mut SqliteConnection, name: &str) -> DbResult<Option<UserRow>> {
    let row = sqlx::query(select_users!("WHERE name = ?")).bind(name).fetch_optional(conn).await.map_err(sql("read a user"))?;
    row.as_ref().map(read_user).transpose()
}

/// Somebody must be able to see to the installation. Asked after the change, in its transaction; `before` is the one who changed.
async fn keep_an_operator(tx: &mut Transaction<'_, Sqlite>, before: &UserRow) -> DbResult<()> {
    if before.role != "operator" || before.password_hash.is_empty() || before.disabled_at.is_some() {
        return Ok(());
    }
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users WHERE role = 'operator' AND password_hash <> '' AND disabled_us IS NULL")
            .fetch_one(&mut **tx)
            .await
            .map_err(sql("count the operators"))?;
    if left == 0 { Err(DbError::Last { what: "operator", id: before.name.clone() }) } else { Ok(()) }
}

/// False when there is no such user.
async fn store_password(tx: &mut Transaction<'_, Sqlite>, user: &str, password_hash: &str) -> DbResult<bool> {
    let done = sqlx::query("UPDATE users SET password_hash = ? WHERE name = ?")
        .bind(password_hash)
        .bind(user)
        .execute(&mut **tx)
        .await
        .map_err(sql("store a password"))?;
    Ok(done.rows_affected() > 0)
}

async fn end_link(tx: &mut Transaction<'_, Sqlite>, user: &str) -> DbResult<()> {
    sqlx::query("DELETE FROM links WHERE user = ?").bind(user).execute(&mut **tx).await.map_err(sql("end a user's link"))?;
    Ok(())
}

async fn end_sessions(tx: &mut Transaction<'_, Sqlite>, user: &str, keep: Option<[u8; 32]>) -> DbResult<u64> {
    let done = sqlx::query("DELETE FROM sessions WHERE user = ?1 AND (?2 IS NULL OR id_hash <> ?2)")
        .bind(user)
        .bind(keep.map(|hash| hash.to_vec()))
        .execute(&mut **tx)
        .await
        .map_err(sql("end a user's sessions"))?;
    Ok(done.rows_affected())
}

fn read_user(row: &SqliteRow) -> DbResult<UserRow> {
    Ok(UserRow {
        name: row.get("name"),
        account: parse("account", &row.get::<String, _>("account"))?,
        password_hash: row.get("password_hash"),
        language: row.get("language"),
        created_at: Timestamp(row.get("created_us")),
        role: row.get("role"),
        streams: row.get::<Option<String>, _>("streams").map(|list| json("user", &list)).transpose()?,
        disabled_at: row.get::<Option<i64>, _>("disabled_us").map(Timestamp),
    })
}

fn read_session(row: &SqliteRow) -> DbResult<SessionRow> {
    Ok(SessionRow {
        id_hash: hash_bytes("session", &row.get::<Vec<u8>, _>("id_hash"))?,
        id: row.get("id"),
        user: row.get("user"),
        account: parse("account", &row.get::<String, _>("account"))?,
        created_at: Timestamp(row.get("created_us")),
        expires_at: Timestamp(row.get("expires_us")),
        seen_at: row.get::<Option<i64>, _>("seen_us").map(Timestamp),
        address: row.get("address"),
        agent: row.get("agent"),
    })
}

fn read_token(row: &SqliteRow) -> DbResult<TokenRow> {
    let time = |column: &str| row.get::<Option<i64>, _>(column).map(Timestamp);
    Ok(TokenRow {
        id: row.get("id"),
        account: parse("account", &row.get::<String, _>("account"))?,
        name: row.get("name"),
        hash: hash_bytes("token", &row.get::<Vec<u8>, _>("hash"))?,
        role: row.get("role"),
        scopes: json("token", &row.get::<String, _>("scopes"))?,
        streams: json("token", &row.get::<String, _>("streams"))?,
        made_by: row.get("made_by"),
        created_at: Timestamp(row.get("created_us")),
        expires_at: time("expires_us"),
        last_used_at: time("last_used_us"),
    })
}
