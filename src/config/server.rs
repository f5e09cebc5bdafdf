//! `[server]`: the HTTP side.

use std::net::SocketAddr;
use std::time::Duration;

use super::reader::Reader;
use super::values;

#[derive(Clone, Debug)]
pub struct Server {
    pub listen: SocketAddr,
    /// How the outside reaches us, without a trailing slash; printed URLs begin with it.
    pub public_url: Option<String>,
    /// Requests still running after so long are cut off at shutdown.
    pub drain_timeout: Duration,
}

impl Server {
    pub(super) fn read(r: &mut Reader) -> Server {
        Server {
            listen: r.get("server.listen", "127.0.0.1:8080", "Address and port of web app and API.", values::address),
            public_url: r.get("server.public_url", "", "How players reach this server; printed URLs begin with it.", values::base_url),
            // 1.5 s leaves half a second of the 2 s a service manager's stop may take for sealing blocks.
            drain_timeout: r.get(
                "server.drain_timeout",
                "1500ms",
                "How long requests may finish at shutdown.",
                values::duration("0s", "5m"),
            ),
        }
    }

    /// What printed URLs begin with.
    pub fn base_url(&self) -> String {
        self.base_url_at(self.listen)
    }
    /// The same when the port was left to the system.
    pub fn base_url_at(&self, address: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
    }
}
