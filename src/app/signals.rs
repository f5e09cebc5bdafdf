//! What the service manager and the terminal ask of a running service.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT: end well. A second one: end now. SIGHUP: look at the streams again.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Stop,
    Reload,
}

impl Signals {
    /// From here on these signals no longer end the process by themselves.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Cancel-safe: a signal that came while nobody waited is seen by the next call.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Resolves at the next request to stop: the second one, while shutting down.
    pub async fn stop_again(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}
