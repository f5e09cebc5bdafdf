//! Decoder children of the serving process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::Jpeg;
use super::child::{JPEG_MAX_BYTES, RESPONSE_BYTES, Request, Response};

/// A child is replaced after so many pictures: what libavcodec leaks stays bounded.
const PICTURES_PER_CHILD: u32 = 1000;
/// An error's text is a sentence.
const TEXT_MAX_BYTES: usize = 4096;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The footage cannot be decoded: asking again gives the same.
    #[error("decode the picture: {0}")]
    Undecodable(String),
    /// All children are at work and others wait already.
    #[error("too many pictures are being decoded")]
    Busy,
    #[error("decoding took longer than {0:?}")]
    TimedOut(Duration),
    /// The child died while it worked on this picture.
    #[error("the decoder process died")]
    Crashed(#[source] std::io::Error),
    #[error("start the decoder process `{program}`")]
    Start { program: String, source: std::io::Error },
    #[error("the segment is too large to decode")]
    TooLarge,
}

/// How children are started and bounded.
#[derive(Clone, Debug)]
struct Settings {
    program: PathBuf,
    args: Vec<OsString>,
    timeout: Duration,
}

/// Keeps a few decoder children and gives each picture to one of them. A child that takes too long, dies or
/// talks nonsense is killed and replaced; the caller gets an error for that picture alone. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DecoderPool {
    settings: Arc<Settings>,
    idle: Arc<Mutex<Vec<Worker>>>,
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    pictures: u32,
}

impl DecoderPool {
    /// `children` at a time, each started as `program args…` when first needed; four times as many requests
    /// may wait. A picture that takes longer than `timeout` is given up.
    pub fn new(program: PathBuf, args: Vec<OsString>, children: usize, timeout: Duration) -> Self {
        DecoderPool {
            settings: Arc::new(Settings { program, args, timeout }),
            idle: Arc::default(),
            working: Arc::new(Semaphore::new(children.max(1))),
            waiting: Arc::new(Semaphore::new(children.max(1) * 5)),
        }
    }

    /// The running program's own `decoder` subcommand.
    ///
    /// # Errors
    /// When the program's path cannot be found out.
    pub fn of_this_program(children: usize, timeout: Duration) -> std::io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, vec!["decoder".into()], children, timeout))
    }

    /// The picture that shows `offset_us` after the first sample of `media`: see [`super::decode_frame`].
    ///
    /// # Errors
    /// See [`FrameError`]. Dropping the future kills the child it was waiting for.
    pub async fn frame(&self, init: Bytes, media: Bytes, offset_us: i64, width: u32) -> Result<Jpeg, FrameError> {
        let request = Request { init_len: init.len(), media_len: media.len(), offset_us, width, small: false };
        if !request.is_bounded() {
            return Err(FrameError::TooLarge);
        }
        let _place = self.waiting.try_acquire().map_err(|_| FrameError::Busy)?;
        let _turn = self.working.acquire().await.map_err(|_| FrameError::Busy)?;
        let mut worker = self.take_idle().map_or_else(|| self.start(), Ok)?;
        let timeout = self.settings.timeout;
        let result = match tokio::time::timeout(timeout, worker.ask(&request, &init, &media)).await {
            Ok(result) => result,
            Err(_) => Err(FrameError::TimedOut(timeout)),
        };
        // After a crash or a time-out the child is dropped, which kills it.
        if matches!(result, Ok(_) | Err(FrameError::Undecodable(_))) && worker.pictures < PICTURES_PER_CHILD {
            self.lock().push(worker);
        }
        result
    }

    /// Lets go of the children that are not at work: nothing has been asked for a while.
    pub fn release_idle(&self) {
        self.lock().clear();
    }

    fn take_idle(&self) -> Option<Worker> {
        let mut idle = self.lock();
        while let Some(mut worker) = idle.pop() {
            // One that died meanwhile is no reason for an error.
            if matches!(worker.child.try_wait(), Ok(None)) {
                return Some(worker);
            }
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> Result<Worker, FrameError> {
        let Settings { program, args, .. } = &*self.settings;
        let child = Command::new(program)
            .args(args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| FrameError::Start { program: program.display().to_string(), source })?;
        Ok(Worker { child, pictures: 0 })
    }
}

impl Worker {
    async fn ask(&mut self, request: &Request, init: &[u8], media: &[u8]) -> Result<Jpeg, FrameError> {
        self.pictures += 1;
        let broken = || FrameError::Crashed(std::io::ErrorKind::BrokenPipe.into());
        let input = self.child.stdin.as_mut().ok_or_else(broken)?;
        let output = self.child.stdout.as_mut().ok_or_else(broken)?;
        for part in [&request.to_bytes()[..], init, media] {
            input.write_all(part).await.map_err(FrameError::Crashed)?;
        }
        input.flush().await.map_err(FrameError::Crashed)?;
        let mut header = [0; RESPONSE_BYTES];
        output.read_exact(&mut header).await.map_err(FrameError::Crashed)?;
        let response = Response::from_bytes(&header);
        if response.len > if response.is_picture { JPEG_MAX_BYTES } else { TEXT_MAX_BYTES } {
            return Err(FrameError::Crashed(std::io::ErrorKind::InvalidData.into()));
        }
        let mut bytes = vec![0; response.len];
        output.read_exact(&mut bytes).await.map_err(FrameError::Crashed)?;
        if !response.is_picture {
            return Err(FrameError::Undecodable(String::from_utf8_lossy(&bytes).into_owned()));
        }
        let Response { at_offset_us, width, height, .. } = response;
        Ok(Jpeg { bytes: bytes.into(), at_offset_us, width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(script: &str, timeout_ms: u64) -> DecoderPool {
        let args = vec!["-c".into(), script.into()];
        DecoderPool::new("/bin/sh".into(), args, 1, Duration::from_millis(timeout_ms))
    }

    async fn ask(pool: &DecoderPool) -> Result<Jpeg, FrameError> {
        pool.frame(Bytes::from_static(b"init"), Bytes::from_static(b"media"), 0, 0).await
    }

    #[tokio::test]
    async fn a_child_that_dies_costs_one_picture() {
        let pool = pool("exit 3", 10_000);
        assert!(matches!(ask(&pool).await, Err(FrameError::Crashed(_))));
        assert!(matches!(ask(&pool).await, Err(FrameError::Crashed(_))));
        assert!(pool.lock().is_empty());
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_given_up() {
        assert!(matches!(ask(&pool("exec /bin/sleep 1000", 50)).await, Err(FrameError::TimedOut(_))));
    }

    #[tokio::test]
    async fn a_child_that_talks_nonsense_is_not_believed() {
        let noise = "while :; do echo 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz'; done";
        assert!(matches!(ask(&pool(noise, 10_000)).await, Err(FrameError::Crashed(_))));
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let pool = DecoderPool::new("/nowhere/decoder".into(), Vec::new(), 1, Duration::from_secs(1));
        assert!(ask(&pool).await.unwrap_err().to_string().contains("/nowhere/decoder"));
    }
}
