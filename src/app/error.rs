//! Why the service does not start, in words for the person who started it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::db::DbError;
use crate::entitlement::EntitlementError;
use crate::store::StoreError;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data directory {path} cannot be used: {source}")]
    DataDir {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("another Retroview uses {path}{}", .pid.map_or_else(String::new, |pid| format!(" (process {pid})")))]
    InUse { path: PathBuf, pid: Option<u32> },
    #[error("{address} is in use by another program")]
    PortTaken { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Media(#[from] StoreError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("make the first administrator: {0}")]
    Admin(#[source] EntitlementError),
    #[error("{step}: {source:#}")]
    Step { step: &'static str, source: anyhow::Error },
}

impl StartError {
    /// What to try, as a command or a few words.
    pub fn hint(&self) -> String {
        match self {
            StartError::DataDir { path, .. } => {
                format!("--data-dir with a folder you may write, or sudo install -d -o $USER {}", path.display())
            }
            StartError::InUse { .. } => "stopping it, or --data-dir with another folder".into(),
            StartError::PortTaken { address } => {
                format!(
                    "--listen {}:{}, or stopping that program (ss -ltnp shows it)",
                    address.ip(),
                    address.port().wrapping_add(1).max(1024)
                )
            }
            StartError::Listen { .. } => "--listen 127.0.0.1:8080".into(),
            StartError::Media(StoreError::Foreign { .. } | StoreError::NotMounted { .. } | StoreError::WrongRoot { .. }) => {
                "mounting it, or --set media.root=FOLDER with the right folder".into()
            }
            StartError::Media(_) => "retroview config show, then looking at media.root".into(),
            StartError::Db(DbError::Newer { .. }) => "the newer version of Retroview".into(),
            StartError::Db(DbError::Locked(_)) => "the same again in a moment".into(),
            StartError::Db(DbError::ReadOnly(_)) => "running it as the user that owns the data directory".into(),
            StartError::Db(_) => "retroview config show, then looking at data_dir".into(),
            StartError::Admin(_) => "access.admin_password with more characters".into(),
            StartError::Step { .. } => "the same with --log-level debug".into(),
        }
    }

    /// Whether something else holds what we need, as opposed to something being wrong.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StartError::InUse { .. } | StartError::PortTaken { .. } | StartError::Db(DbError::Locked(_)))
    }
}
