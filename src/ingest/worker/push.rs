//! Reading the body of a publisher from the socket that the supervisor hands over.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::stop::Publisher;
use crate::ffmpeg::OpenOptions;
use crate::ingest::protocol::PushFormat;
use crate::ingest::socket;

/// How often a read looks whether it is to end.
const POLL: Duration = Duration::from_millis(100);

/// A body, counted as it is read.
pub(super) struct Body {
    socket: UnixStream,
    read: Arc<AtomicU64>,
}

impl Body {
    /// # Errors
    /// The supervisor has given up waiting.
    pub fn connect(publisher: &Publisher) -> io::Result<(Body, Arc<AtomicU64>)> {
        let socket = socket::connect(Path::new(&publisher.socket))?;
        socket.set_read_timeout(Some(POLL))?;
        let read = Arc::new(AtomicU64::new(0));
        Ok((Body { socket, read: read.clone() }, read))
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.socket.read(buf)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// The sender says what it sends; no other parser is let near it.
pub(super) fn open_options(format: PushFormat, mut options: Vec<(String, String)>) -> OpenOptions {
    let format = match format {
        PushFormat::MpegTs => "mpegts",
        PushFormat::FragmentedMp4 => "mov",
    };
    // There is no URL, so nothing may be opened by one.
    options.retain(|(name, _)| name != "protocol_whitelist");
    OpenOptions { format: Some(format), options }
}
