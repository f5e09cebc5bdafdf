//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

use metrics_exporter_prometheus::PrometheusHandle;

use super::problem::{HttpResult, Problem};
use super::recorder::Recorder;
use crate::accounts::{Accounts, AccountsError, By};
use crate::clock::SharedClock;
use crate::db::{AccountRow, Db, StreamRow};
use crate::entitlement::{Access, Principal, Scope};
use crate::ingest::SourcePolicy;
use crate::media::{AccountId, StreamId};
use crate::playback::Playback;

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
}

impl Services {
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
        let row = self.db.stream(stream).await?.filter(|row| row.account == *who.account());
        row.ok_or_else(|| Problem::unknown_stream(stream))
    }

    /// Everything there is to do with accounts.
    pub fn accounts(&self) -> Accounts {
        Accounts::new(self.db.clone())
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
