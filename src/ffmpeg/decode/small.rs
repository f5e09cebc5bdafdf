//! One decoder child of a process that has threads instead of tasks: small pictures, one after the other.
//!
//! The child runs at a low priority and ends with the thread that started it.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::child::{JPEG_MAX_BYTES, RESPONSE_BYTES, Request, Response};
use super::{FrameError, Jpeg};
use crate::clock::SharedClock;

/// As for the other children: what libavcodec leaks stays bounded.
const PICTURES_PER_CHILD: u32 = 1000;
/// An error's text is a sentence.
const TEXT_MAX_BYTES: usize = 4096;
/// A third of what others get where all is busy: pictures may be late, but must come. At 19 a machine under load never made any.
const NICE: i32 = 5;

/// Makes small pictures in a child process. A child that takes too long, dies or talks nonsense is killed, and the next picture
/// gets a new one.
#[derive(Debug)]
pub struct SmallPictures {
    program: PathBuf,
    args: Vec<OsString>,
    timeout: Duration,
    clock: SharedClock,
    in_a_hurry: bool,
    child: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    pictures: u32,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl SmallPictures {
    /// Children are started as `program args…` when first needed, by the thread that asks: it must live as long as this.
    pub fn new(program: PathBuf, args: Vec<OsString>, timeout: Duration, clock: SharedClock) -> Self {
        SmallPictures { program, args, timeout, clock, in_a_hurry: false, child: None }
    }

    /// The running program's own `decoder` subcommand.
    ///
    /// # Errors
    /// When the program's path cannot be found out.
    pub fn of_this_program(timeout: Duration, clock: SharedClock) -> std::io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, vec!["decoder".into()], timeout, clock))
    }

    /// Somebody waits for the pictures: children that are started from now on are of the priority of this process.
    pub fn hurry(&mut self) {
        self.in_a_hurry = true;
    }

    /// See [`super::decode_small`].
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn make(&mut self, init: &[u8], media: &[u8], width: u32) -> Result<Jpeg, FrameError> {
        let request = Request { init_len: init.len(), media_len: media.len(), offset_us: 0, width, small: true };
        if !request.is_bounded() {
            return Err(FrameError::TooLarge);
        }
        match self.child.take() {
            // One that died since its last picture is no reason to go without this one.
            Some(known) => match self.ask_child(known, &request, [init, media]) {
                Err(FrameError::Crashed(_)) => self.ask_child(self.start()?, &request, [init, media]),
                made => made,
            },
            None => self.ask_child(self.start()?, &request, [init, media]),
        }
    }

    fn ask_child(&mut self, mut running: Running, request: &Request, parts: [&[u8]; 2]) -> Result<Jpeg, FrameError> {
        running.pictures += 1;
        let until = self.clock.monotonic() + self.timeout;
        let made = self.ask(&mut running, request, parts, until);
        // After a crash or a time-out the child is dropped, which kills it.
        if matches!(made, Ok(_) | Err(FrameError::Undecodable(_))) && running.pictures < PICTURES_PER_CHILD {
            self.child = Some(running);
        }
        made
    }

    fn start(&self) -> Result<Running, FrameError> {
        let wrong = |source| FrameError::Start { program: self.program.display().to_string(), source };
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let in_a_hurry = self.in_a_hurry;
        // SAFETY: two system calls, which is all that may happen between fork and exec.
        unsafe {
            command.pre_exec(move || {
                // Both only make a better neighbour of it.
                let _ = set_parent_process_death_signal(Some(Signal::KILL));
                let _ = if in_a_hurry { Ok(()) } else { rustix::process::nice(NICE).map(drop) };
                Ok(())
            })
        };
        let mut child = command.spawn().map_err(wrong)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(wrong(std::io::Error::other("no pipes to it")));
        };
        for pipe in [input.as_fd(), output.as_fd()] {
            rustix::io::ioctl_fionbio(pipe, true).map_err(|e| wrong(e.into()))?;
        }
        Ok(Running { child, input, output, pictures: 0 })
    }

    fn ask(&self, running: &mut Running, request: &Request, parts: [&[u8]; 2], until: Duration) -> Result<Jpeg, FrameError> {
        for part in [&request.to_bytes()[..], parts[0], parts[1]] {
            self.write(running.input.as_fd(), part, until)?;
        }
        let mut header = [0; RESPONSE_BYTES];
        self.read(running.output.as_fd(), &mut header, until)?;
        let response = Response::from_bytes(&header);
        if response.len > if response.is_picture { JPEG_MAX_BYTES } else { TEXT_MAX_BYTES } {
            return Err(FrameError::Crashed(std::io::ErrorKind::InvalidData.into()));
        }
        let mut bytes = vec![0; response.len];
        self.read(running.output.as_fd(), &mut bytes, until)?;
        if !response.is_picture {
            return Err(FrameError::Undecodable(String::from_utf8_lossy(&bytes).into_owned()));
        }
        let Response { at_offset_us, width, height, .. } = response;
        Ok(Jpeg { bytes: Bytes::from(bytes), at_offset_us, width, height })
    }

    fn write(&self, to: BorrowedFd<'_>, mut bytes: &[u8], until: Duration) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            match rustix::io::write(to, bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::AGAIN) => self.wait(to, PollFlags::OUT, until)?,
                Err(Errno::INTR) => {}
                Err(e) => return Err(FrameError::Crashed(e.into())),
            }
        }
        Ok(())
    }

    fn read(&self, from: BorrowedFd<'_>, mut bytes: &mut [u8], until: Duration) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            match rustix::io::read(from, &mut *bytes) {
                Ok(0) => return Err(FrameError::Crashed(std::io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => bytes = &mut bytes[n..],
                Err(Errno::AGAIN) => self.wait(from, PollFlags::IN, until)?,
                Err(Errno::INTR) => {}
                Err(e) => return Err(FrameError::Crashed(e.into())),
            }
        }
        Ok(())
    }

    fn wait(&self, pipe: BorrowedFd<'_>, event: PollFlags, until: Duration) -> Result<(), FrameError> {
        let left = until.saturating_sub(self.clock.monotonic());
        if left.is_zero() {
            return Err(FrameError::TimedOut(self.timeout));
        }
        let left = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut [PollFd::from_borrowed_fd(pipe, event)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(FrameError::Crashed(e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;

    fn make(script: &str, timeout_ms: u64, media_len: usize) -> Vec<FrameError> {
        let args = vec!["-c".into(), script.into()];
        let mut pictures = SmallPictures::new("/bin/sh".into(), args, Duration::from_millis(timeout_ms), Arc::new(SystemClock));
        (0..2).map(|_| pictures.make(b"init", &vec![0; media_len], 160).unwrap_err()).collect()
    }

    #[test]
    fn a_child_that_dies_hangs_or_talks_nonsense_costs_one_picture() {
        assert!(make("exit 3", 10_000, 1 << 20).iter().all(|e| matches!(e, FrameError::Crashed(_))));
        assert!(make("exec /bin/sleep 1000", 50, 1 << 20).iter().all(|e| matches!(e, FrameError::TimedOut(_))));
        // It answers with the question.
        assert!(make("exec /bin/cat", 10_000, 10).iter().all(|e| matches!(e, FrameError::Crashed(_))));
    }
}
