//! Keys of signed addresses.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::super::{DbError, DbResult, KeyRows, SigningKeyRow};
use super::SqliteDb;
use super::error::{damaged, sql};
use crate::media::Timestamp;

#[async_trait]
impl KeyRows for SqliteDb {
    async fn signing_keys(&self, fresh: &[u8], now: Timestamp) -> DbResult<Vec<SigningKeyRow>> {
        let mut conn = self.readers.acquire().await.map_err(sql("read the signing keys"))?;
        let known = all(&mut conn).await?;
        if !known.is_empty() {
            return Ok(known);
        }
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO signing_keys (key, created_us) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM signing_keys)")
            .bind(fresh)
            .bind(now.as_micros())
            .execute(&mut *tx)
            .await
            .map_err(sql("make a signing key"))?;
        let made = all(&mut tx).await?;
        tx.commit().await.map_err(sql("make a signing key"))?;
        Ok(made)
    }

    async fn add_signing_key(&self, key: &[u8], now: Timestamp) -> DbResult<SigningKeyRow> {
        let mut tx = self.write().await?;
        let id: i64 = sqlx::query_scalar("INSERT INTO signing_keys (key, created_us) VALUES (?, ?) RETURNING id")
            .bind(key)
            .bind(now.as_micros())
            .fetch_one(&mut *tx)
            .await
            .map_err(sql("add a signing key"))?;
        let id = u16::try_from(id).map_err(|_| DbError::Exists { what: "signing key", id: id.to_string() })?;
        tx.commit().await.map_err(sql("add a signing key"))?;
        Ok(SigningKeyRow { id, key: key.to_vec(), created_at: now })
    }

    async fn remove_signing_key(&self, id: u16) -> DbResult<()> {
        let mut tx = self.write().await?;
        let known = all(&mut tx).await?;
        if !known.iter().any(|k| k.id == id) {
            return Err(DbError::Missing { what: "signing key", id: id.to_string() });
        }
        if known.last().is_some_and(|newest| newest.id == id) {
            return Err(DbError::Exists { what: "signing key in use", id: id.to_string() });
        }
        sqlx::query("DELETE FROM signing_keys WHERE id = ?").bind(id).execute(&mut *tx).await.map_err(sql("remove a signing key"))?;
        tx.commit().await.map_err(sql("remove a signing key"))
    }
}

async fn all(conn: &mut SqliteConnection) -> DbResult<Vec<SigningKeyRow>> {
    let rows: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as("SELECT id, key, created_us FROM signing_keys ORDER BY id")
        .fetch_all(conn)
        .await
        .map_err(sql("read the signing keys"))?;
    let row = |(id, key, created_us)| {
        let id = u16::try_from(id).map_err(|e| damaged("a signing key", e))?;
        Ok(SigningKeyRow { id, key, created_at: Timestamp(created_us) })
    };
    rows.into_iter().map(row).collect()
}
