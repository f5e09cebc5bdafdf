//! Looking for records, the newest first.
//!
//! A log of years has millions of records, and a person's are spread over all of it. Where a person or an act is asked for, each
//! of the actors and acts that this means is followed along its own index from the newest record back, and what they give is merged:
//! a page costs its records, not the log.

use sqlx::{QueryBuilder, Sqlite};

use super::super::{AuditQuery, DbResult};
use super::SqliteDb;
use super::audit::read_record;
use super::error::sql;
use crate::audit::Record;

/// A person's name is in the labels of so many actors at most; who looks for `a` finds the first of them.
const ACTORS_MAX: usize = 64;
/// Distinct actors that are looked through: people, tokens and shared ranges of an installation's whole life.
const ACTORS_SEEN_MAX: i64 = 20_000;

/// One column that leads to the records: these values of it, each in the order of the log.
struct Lead {
    column: &'static str,
    index: &'static str,
    values: Vec<String>,
}

impl SqliteDb {
    pub(super) async fn newest_records(&self, query: &AuditQuery, before: u64, limit: u32) -> DbResult<Vec<Record>> {
        let lead = self.lead(query).await?;
        if lead.as_ref().is_some_and(|lead| lead.values.is_empty()) {
            return Ok(Vec::new());
        }
        let mut text = QueryBuilder::new("");
        match &lead {
            None => push_select(&mut text, None, query, before, limit),
            Some(lead) => {
                text.push("SELECT * FROM (");
                for (i, value) in lead.values.iter().enumerate() {
                    text.push(if i == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
                    push_select(&mut text, Some((lead, value)), query, before, limit);
                    text.push(")");
                }
                text.push(") ORDER BY n DESC LIMIT ").push_bind(limit);
            }
        }
        let rows = text.build().fetch_all(&self.readers).await.map_err(sql("search the audit log"))?;
        rows.iter().map(read_record).collect()
    }

    /// `None`: nothing leads but the order of the log.
    async fn lead(&self, query: &AuditQuery) -> DbResult<Option<Lead>> {
        if let Some(actor) = &query.actor {
            return Ok(Some(Lead { column: "actor", index: "audit_by_actor", values: vec![actor.clone()] }));
        }
        if let Some(person) = &query.person {
            return Ok(Some(Lead { column: "actor", index: "audit_by_actor", values: self.actors_named(person).await? }));
        }
        let Some(act) = &query.act else { return Ok(None) };
        Ok(Some(Lead { column: "act", index: "audit_by_act", values: self.acts_named(act).await? }))
    }

    /// Actors whose label holds the text, and tokens that had it as their name when they were made.
    async fn actors_named(&self, person: &str) -> DbResult<Vec<String>> {
        let pattern = format!("%{}%", person.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let mut found: Vec<String> = sqlx::query_scalar(
            "WITH RECURSIVE actors (actor) AS (
                 SELECT min(actor) FROM audit
                 UNION ALL SELECT (SELECT min(actor) FROM audit WHERE actor > actors.actor) FROM actors WHERE actors.actor IS NOT NULL
                 LIMIT ?2)
             SELECT actor FROM actors WHERE actor LIKE ?1 ESCAPE '\\' LIMIT ?3",
        )
        .bind(&pattern)
        .bind(ACTORS_SEEN_MAX)
        .bind(ACTORS_MAX as i64)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for people in the audit log"))?;
        let tokens: Vec<String> = sqlx::query_scalar(
            "SELECT 'token ' || json_extract(details, '$.token') FROM audit
             WHERE act = 'token.created' AND json_extract(details, '$.name') LIKE ?1 ESCAPE '\\' ORDER BY n DESC LIMIT ?2",
        )
        .bind(&pattern)
        .bind(ACTORS_MAX as i64)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for tokens in the audit log"))?;
        found.extend(tokens);
        found.sort_unstable();
        found.dedup();
        found.truncate(ACTORS_MAX);
        Ok(found)
    }

    /// The act, and all acts of which it is the noun.
    async fn acts_named(&self, act: &str) -> DbResult<Vec<String>> {
        sqlx::query_scalar(
            "WITH RECURSIVE acts (act) AS (
                 SELECT min(act) FROM audit
                 UNION ALL SELECT (SELECT min(act) FROM audit WHERE act > acts.act) FROM acts WHERE acts.act IS NOT NULL
                 LIMIT 1000)
             SELECT act FROM acts WHERE act = ?1 OR substr(act, 1, length(?1) + 1) = ?1 || '.' LIMIT ?2",
        )
        .bind(act)
        .bind(ACTORS_MAX as i64)
        .fetch_all(&self.readers)
        .await
        .map_err(sql("look for acts in the audit log"))
    }
}

fn push_select(text: &mut QueryBuilder<Sqlite>, lead: Option<(&Lead, &String)>, query: &AuditQuery, before: u64, limit: u32) {
    text.push("SELECT n, at_us, account, actor, act, stream, start_us, end_us, details, prev, hash FROM audit ");
    if let Some((lead, _)) = lead {
        text.push("INDEXED BY ").push(lead.index);
    }
    text.push(" WHERE n < ").push_bind(i64::try_from(before).unwrap_or(i64::MAX));
    if let Some((lead, value)) = lead {
        text.push(" AND ").push(lead.column).push(" = ").push_bind(value.clone());
    }
    push_filters(text, query);
    text.push(" ORDER BY n DESC LIMIT ").push_bind(limit);
}

/// What records must be, apart from their place.
pub(super) fn push_filters(text: &mut QueryBuilder<Sqlite>, query: &AuditQuery) {
    if let Some(account) = &query.account {
        text.push(" AND account = ").push_bind(account.as_str().to_owned());
    }
    if let Some(stream) = &query.stream {
        text.push(" AND stream = ").push_bind(stream.as_str().to_owned());
    }
    if let Some(actor) = &query.actor {
        text.push(" AND actor = ").push_bind(actor.clone());
    }
    if let Some(act) = &query.act {
        // A whole noun: `stream` finds `stream.paused`. Not by the index: what is asked for here follows the log.
        text.push(" AND (+act = ").push_bind(act.clone()).push(" OR act GLOB ").push_bind(format!("{act}.*")).push(")");
    }
    if let Some(range) = query.range {
        text.push(" AND at_us >= ").push_bind(range.start().as_micros()).push(" AND at_us < ").push_bind(range.end().as_micros());
    }
}
