//! Closing a connection so that the last answer arrives.
//!
//! A sender that is refused (no such stream, somebody sends already) is in the middle of its body. To close a socket with
//! bytes nobody has read resets the connection, and a reset throws away the answer that was on its way: the sender would see
//! "connection reset" and never learn why. So the end of our side is said first, and what still comes is read and thrown
//! away for a moment.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The peer has so long to read the answer and hang up. Half is short for a satellite link under load; double keeps the
/// connections of senders that never look at answers.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// More is not read for the sake of a goodbye: a second of the fastest encoder.
const DISCARD_MAX_BYTES: usize = 16 << 20;
const BUFFER_BYTES: usize = 16 * 1024;

/// A socket that closes as said above.
pub struct Lingering<S> {
    socket: S,
    goodbye: Option<Goodbye>,
}

struct Goodbye {
    deadline: Pin<Box<Sleep>>,
    left: usize,
    has_ended: bool,
}

impl<S> Lingering<S> {
    pub fn new(socket: S) -> Self {
        Lingering { socket, goodbye: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let goodbye = this.goodbye.get_or_insert_with(|| Goodbye {
            deadline: Box::pin(tokio::time::sleep_until(Instant::now() + LINGER_MAX)),
            left: DISCARD_MAX_BYTES,
            has_ended: false,
        });
        if !goodbye.has_ended {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            goodbye.has_ended = true;
        }
        let mut discarded = [0; BUFFER_BYTES];
        while goodbye.left > 0 && goodbye.deadline.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut discarded);
            match ready!(Pin::new(&mut this.socket).poll_read(cx, &mut buf)) {
                // The peer has hung up, in whatever way.
                Err(_) => break,
                Ok(()) if buf.filled().is_empty() => break,
                Ok(()) => goodbye.left = goodbye.left.saturating_sub(buf.filled().len()),
            }
        }
        Poll::Ready(Ok(()))
    }
}
