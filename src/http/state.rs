//! What every handler can reach.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

use metrics_exporter_prometheus::PrometheusHandle;

use super::problem::{HttpResult, Problem};
use super::recorder::Recorder;
use crate::accounts::{Accounts, AccountsError, By};
use crate::audit::{Act, Event, Verb, Viewer, Views};
use crate::bookmarks::Bookmarks;
use crate::clock::SharedClock;
use crate::db::{AccountRow, AuditVerifier, Db, StreamRow};
use crate::entitlement::{Access, Principal, Scope};
use crate::exports::Exports;
use crate::ingest::SourcePolicy;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};
use crate::playback::Playback;
use crate::retention::Retention;
use crate::store::MediaRoot;

/// What the operator may choose, already checked.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Cookies over HTTPS only.
    pub secure_cookies: bool,
    /// What absolute addresses in answers begin with, without a trailing slash; `None`: what the request says.
    pub public_url: Option<String>,
    /// A pushed body from which nothing comes for so long is over.
    pub ingest_idle_timeout: Duration,
    /// A handler that has not begun to answer after so long is given up (not pushes).
    pub request_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            secure_cookies: false,
            public_url: None,
            // Shorter would cut encoders that pause between files; longer keeps others out after a sender vanished.
            ingest_idle_timeout: Duration::from_secs(20),
            // The slowest honest answer is a frame from a cold disk: seconds. Players give up after 10 to 20.
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Everything the routes work with.
pub struct Services {
    pub db: Db,
    pub clock: SharedClock,
    pub access: Access,
    pub playback: Playback,
    pub recorder: Arc<dyn Recorder>,
    /// What a source may be.
    pub sources: SourcePolicy,
    /// What `/metrics` prints.
    pub metrics: PrometheusHandle,
    pub settings: HttpSettings,
    pub retention: Retention,
    pub exports: Exports,
    /// Who sees what, until it is recorded.
    pub views: ViewLog,
    pub verifier: AuditVerifier,
    pub installation: Installation,
}

/// What is asked about the installation itself.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Where footage lies.
    pub root: MediaRoot,
    /// Recording stops when less is free.
    pub min_free_bytes: u64,
    pub started_at: Timestamp,
}

/// What has been seen and is not recorded yet.
#[derive(Clone, Default)]
pub struct ViewLog(Arc<Mutex<Views>>);

impl ViewLog {
    fn lock(&self) -> MutexGuard<'_, Views> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what is due at `now`; at the end of the service everything.
    pub async fn record(&self, db: &Db, now: Timestamp, all: bool) {
        let due = if all { self.lock().all() } else { self.lock().due(now) };
        record(db, due).await;
    }
}

/// Watching goes on when its record cannot be written: the log of the service then says what the audit log does not.
async fn record(db: &Db, events: Vec<Event>) {
    for event in events {
        let (actor, act) = (event.actor.clone(), event.act.clone());
        if let Err(error) = db.audit(event).await {
            tracing::error!(error = &error as &dyn std::error::Error, actor, act, "what was seen could not be recorded");
        }
    }
}

impl Services {
    /// `who` is about to be sent this part of the account's stream.
    pub fn saw(&self, who: &Principal, (account, stream): (&AccountId, &StreamId), verb: Verb, range: TimeRange) {
        let viewer = Viewer { account: account.clone(), actor: who.label(), stream: stream.clone(), verb };
        let due = self.views.lock().note(viewer, range, self.clock.now());
        if !due.is_empty() {
            let db = self.db.clone();
            tokio::spawn(async move { record(&db, due).await });
        }
    }

    /// The stream's row, if there is such a stream and `who` may see it. Removed streams are there as long as their footage
    /// is.
    ///
    /// # Errors
    /// Not covered by the credentials (said first, so that names cannot be guessed), or unknown.
    pub async fn visible_stream(&self, who: &Principal, stream: &StreamId) -> HttpResult<StreamRow> {
        self.stream_for(who, Scope::View, stream).await
    }

    /// As [`Services::visible_stream`], for another scope.
    ///
    /// # Errors
    /// As there.
    pub async fn stream_for(&self, who: &Principal, scope: Scope, stream: &StreamId) -> HttpResult<StreamRow> {
        who.require_on(scope, stream)?;
        let row = self.db.stream(stream).await?.filter(|row| who.covers_account(&row.account));
        row.ok_or_else(|| Problem::unknown_stream(stream))
    }

    /// Something that `who` does now, for the audit log.
    pub fn act(&self, who: &Principal, act: Act) -> Event {
        Event::system(self.clock.now(), act).by(who.label()).of_account(who.account())
    }

    /// Everything there is to do with accounts.
    pub fn accounts(&self) -> Accounts {
        Accounts::new(self.db.clone())
    }

    /// Everything there is to do with bookmarks.
    pub fn bookmarks(&self) -> Bookmarks {
        Bookmarks::new(self.db.clone())
    }

    /// `who`, now: for what is recorded.
    pub fn by(&self, who: &Principal) -> By {
        By { actor: who.label(), now: self.clock.now() }
    }

    /// The account's row, if `who` may ask for it.
    ///
    /// # Errors
    /// Without the right, the same for every account; of another account, the same as of one that does not exist.
    pub async fn account_for(&self, who: &Principal, scope: Scope, account: &AccountId) -> HttpResult<AccountRow> {
        who.require_everywhere(scope)?;
        if !who.covers_account(account) {
            return Err(AccountsError::Unknown(account.clone()).into());
        }
        Ok(self.accounts().account(account).await?)
    }

    /// Whose records `who` asks for: one account's, or `None` for all, which only an operator sees.
    ///
    /// # Errors
    /// Without the right; of another account, the same as of one that does not exist.
    pub fn audited_account(&self, who: &Principal, asked: Option<AccountId>) -> HttpResult<Option<AccountId>> {
        who.require_everywhere(Scope::Audit)?;
        match asked {
            Some(account) if !who.covers_account(&account) => Err(AccountsError::Unknown(account).into()),
            Some(account) => Ok(Some(account)),
            None if who.scopes().has(Scope::Operate) => Ok(None),
            None => Ok(Some(who.account().clone())),
        }
    }

    /// What absolute addresses begin with: what the operator says, or how this request reached us.
    pub fn base_url(&self, uri: &Uri, headers: &HeaderMap) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.clone();
        }
        let host = headers.get(HOST).and_then(|h| h.to_str().ok()).or(uri.authority().map(|a| a.as_str()));
        // The service itself speaks plain HTTP; who puts TLS before it says so in `server.public_url`.
        format!("http://{}", host.unwrap_or("localhost"))
    }
}

/// Shared by all requests; cloning is one counter.
pub type AppState = Arc<Services>;
