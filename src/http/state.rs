//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::db::Db;
use crate::entitlement::Access;

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
    pub settings: HttpSettings,
}

/// Shared by all requests; cloning is one counter.
pub type AppState = Arc<Services>;
