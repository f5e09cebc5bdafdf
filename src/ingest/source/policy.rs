//! What a source may be: which folders files come from, which networks are off limits.
//!
//! Checked when a stream is added, so that the operator hears at once, and again in the worker before every
//! opening, because symbolic links and name servers change. What a redirect or a nested playlist leads to is
//! held back by the protocol whitelist of the [`OpenPlan`](super::OpenPlan) and, for networks, by the guard
//! around `connect` in the worker process.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::{SourceKind, SourceSpec};

/// Bounds set by the operator of the installation.
#[derive(Clone, Debug, Default)]
pub struct SourcePolicy {
    file_roots: Vec<PathBuf>,
    forbidden: Vec<IpNet>,
}

/// A source, or a policy, that is not allowed to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("`{0}` is not a network; write it like 10.0.0.0/8 or fd00::/8")]
    Network(String),
    #[error("file sources are off; name the folders they may read in `ingest.file_roots`")]
    NoFileRoots,
    #[error("`{path}` is outside the folders that file sources may read; move it or add its folder to `ingest.file_roots`")]
    OutsideRoots { path: String },
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("`{host}` is in {network}, which `ingest.forbidden_networks` forbids")]
    Forbidden { host: String, network: IpNet },
}

impl SourcePolicy {
    /// # Errors
    /// [`PolicyError::Network`] names the one that cannot be read.
    pub fn new<N: AsRef<str>, R: AsRef<Path>>(forbidden_networks: &[N], file_roots: &[R]) -> Result<Self, PolicyError> {
        let forbidden = forbidden_networks.iter().map(|n| parse_network(n.as_ref())).collect::<Result<_, _>>()?;
        Ok(SourcePolicy { file_roots: file_roots.iter().map(|r| r.as_ref().to_path_buf()).collect(), forbidden })
    }

    /// Networks that may not be reached.
    pub fn forbidden(&self) -> &[IpNet] {
        &self.forbidden
    }

    /// Whether the source may be opened as far as its text tells. Touches the disk for files only.
    ///
    /// # Errors
    /// [`PolicyError`] says which rule forbids it.
    pub fn check(&self, source: &SourceSpec) -> Result<(), PolicyError> {
        match source.kind() {
            SourceKind::Push => Ok(()),
            SourceKind::File => self.resolve_file(&source.file_path().unwrap_or_default()).map(drop),
            _ => source.host().parse().map_or(Ok(()), |addr| self.check_address(source.host(), addr)),
        }
    }

    /// # Errors
    /// [`PolicyError::Forbidden`] when the address is in a forbidden network.
    pub fn check_address(&self, host: &str, addr: IpAddr) -> Result<(), PolicyError> {
        // ::ffff:10.0.0.1 reaches 10.0.0.1.
        let addr = addr.to_canonical();
        match self.forbidden.iter().find(|network| network.contains(&addr)) {
            Some(network) => Err(PolicyError::Forbidden { host: host.into(), network: *network }),
            None => Ok(()),
        }
    }

    /// The real path of a file that may be read: symbolic links resolved, inside one of the roots.
    ///
    /// # Errors
    /// There are no roots, the file is outside all of them, or it cannot be found.
    pub fn resolve_file(&self, path: &Path) -> Result<PathBuf, PolicyError> {
        if self.file_roots.is_empty() {
            return Err(PolicyError::NoFileRoots);
        }
        let shown = path.display().to_string();
        // A file outside must not be told apart from one that is missing: say "outside" for both.
        let outside = || PolicyError::OutsideRoots { path: shown.clone() };
        let roots: Vec<PathBuf> = self.file_roots.iter().filter_map(|r| r.canonicalize().ok()).collect();
        let climbs = path.components().any(|c| c == std::path::Component::ParentDir);
        let named_inside = !climbs && self.file_roots.iter().chain(&roots).any(|r| path.starts_with(r));
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(e) if named_inside => return Err(PolicyError::Unreadable { path: shown, reason: e.to_string() }),
            Err(_) => return Err(outside()),
        };
        if !roots.iter().any(|r| real.starts_with(r)) {
            return Err(outside());
        }
        // A device or a pipe would block the worker in `open`, where nothing can interrupt it.
        if !real.is_file() {
            return Err(PolicyError::Unreadable { path: shown, reason: "it is not a regular file".into() });
        }
        Ok(real)
    }
}

fn parse_network(text: &str) -> Result<IpNet, PolicyError> {
    let bare = || text.parse::<IpAddr>().map(IpNet::from);
    text.trim().parse().or_else(|_| bare()).map_err(|_| PolicyError::Network(text.into()))
}
