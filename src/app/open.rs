//! The first two steps of the start: see [`super`].

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpListener;

use super::{DataDirLock, StartError, data_dir};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::db::{self, Db};
use crate::entitlement;
use crate::index::{self, Index, IndexError};
use crate::ingest::supervisor;
use crate::store::MediaRoot;

/// The right to be the service of this data directory and port. Connections wait in the kernel until [`super::start`].
#[derive(Debug)]
pub struct Claim {
    pub(super) listener: TcpListener,
    pub(super) lock: DataDirLock,
    address: SocketAddr,
}

/// # Errors
/// The data directory cannot be used or is in use, or the port is.
pub async fn claim(config: &Config) -> Result<Claim, StartError> {
    super::limits::raise_open_files();
    data_dir::prepare(config)?;
    let lock = DataDirLock::take(&config.lock_path())?;
    let address = config.server.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => StartError::PortTaken { address },
        _ => StartError::Listen { address, source },
    })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    Ok(Claim { listener, lock, address })
}

/// Rows and bytes, open and in agreement; nothing is recorded yet.
pub struct Opened {
    pub index: Index,
    pub root: MediaRoot,
    pub clock: SharedClock,
    /// Made up because this is the first start; to be shown once.
    pub new_admin_password: Option<String>,
    pub(super) claim: Claim,
}

impl Opened {
    /// Where it will answer; the port that was chosen when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.claim.address
    }
    pub fn db(&self) -> &Db {
        self.index.db()
    }
}

/// # Errors
/// Database or media folder cannot be used, or do not belong together.
pub async fn open(config: &Config, claim: Claim) -> Result<Opened, StartError> {
    let (db, root) = open_index(config).await?;
    let clock: SharedClock = Arc::new(SystemClock);
    let index = Index::new(db, root.clone());
    recover(config, &index, &root).await?;
    let chosen = config.access.admin_password.as_deref();
    let new_admin_password = entitlement::ensure_admin(index.db(), &clock, chosen).await.map_err(StartError::Admin)?;
    Ok(Opened { index, root, clock, new_admin_password, claim })
}

/// The database and the media folder it belongs to. The first to open them marries them.
///
/// # Errors
/// As [`open`].
pub async fn open_index(config: &Config) -> Result<(Db, MediaRoot), StartError> {
    let db = db::sqlite::open(&config.database_path()).await?;
    let known = db.media_root_id().await?;
    let root = MediaRoot::open_or_create(&config.media.root, known.as_deref())?;
    if known.is_none() {
        db.set_media_root_id(root.id()).await?;
    }
    Ok((db, root))
}

/// The same for what asks rows only: a media folder that is away is no reason not to say so.
///
/// # Errors
/// The database cannot be used.
pub async fn open_rows(config: &Config) -> Result<(Db, MediaRoot), StartError> {
    let db = db::sqlite::open(&config.database_path()).await?;
    match db.media_root_id().await? {
        Some(known) => Ok((db, MediaRoot::expected(&config.media.root, &known))),
        None => open_index(config).await,
    }
}

async fn recover(config: &Config, index: &Index, root: &MediaRoot) -> Result<(), StartError> {
    let began = Instant::now();
    supervisor::wait_for_orphans(&config.run_dir())
        .await
        .map_err(|e| StartError::Step { step: "wait for workers of an earlier service", source: e.into() })?;
    let report = index::recover(index, root).await.map_err(|e| match e {
        IndexError::Db(e) => StartError::Db(e),
        IndexError::Store(e) => StartError::Media(e),
        e @ IndexError::Interrupted(_) => StartError::Step { step: "recover open blocks", source: e.into() },
    })?;
    for (block, why) in &report.failed {
        tracing::error!(%block, why, "a block that was open cannot be recovered; `retroview check --repair` looks into it");
    }
    for block in &report.busy {
        tracing::warn!(%block, "a block is being written by a process that is not ours; it is left alone");
    }
    if report.blocks > 0 {
        tracing::info!(
            blocks = report.blocks,
            segments_found = report.segments_found,
            cut_bytes = report.cut_bytes,
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "recovered what the end of the last run left open"
        );
    }
    Ok(())
}
