//! One worker process: started, written to, read from, waited for.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncRead;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};

use super::placement::{Death, WorkerId};
use crate::ingest::frame;
use crate::ingest::protocol::{FromWorker, ToWorker};
use crate::ingest::worker::{EXIT_ORPHANED, EXIT_UNFIT};

/// How a worker process is started.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    pub path: PathBuf,
    pub arguments: Vec<String>,
}

/// What a worker process does, in order: its reports, then its end.
#[derive(Debug)]
pub(in crate::ingest) enum ProcessEvent {
    Report(Box<FromWorker>),
    Gone(Gone),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ingest) struct Gone {
    pub death: Death,
    /// For people: `was killed by signal 11 (SIGSEGV)`.
    pub words: String,
}

/// A running worker process. Dropping it closes its standard input, which ends it.
#[derive(Debug)]
pub(in crate::ingest) struct Process {
    pub pid: u32,
    commands: mpsc::UnboundedSender<ToWorker>,
    kill: mpsc::UnboundedSender<()>,
}

impl Process {
    /// Commands are small and few; a worker that does not read them is killed by whoever waits for the answer.
    pub fn send(&self, command: ToWorker) {
        // A worker that has just died is seen by its end.
        let _ = self.commands.send(command);
    }
    pub fn kill(&self) {
        // As above.
        let _ = self.kill.send(());
    }
}

type SpawnRequest = (WorkerProgram, oneshot::Sender<std::io::Result<Child>>);

/// Starts processes from one thread that lives as long as the supervisor.
///
/// The kernel kills a worker when the *thread* that started it ends (`PR_SET_PDEATHSIG`), and tokio's threads
/// may come and go.
#[derive(Clone)]
pub(in crate::ingest) struct Spawner(std::sync::mpsc::Sender<SpawnRequest>);

impl Spawner {
    /// # Errors
    /// The system refuses a thread.
    pub fn start() -> std::io::Result<Self> {
        let (requests, inbox) = std::sync::mpsc::channel::<SpawnRequest>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("ingest-spawn".into()).stack_size(256 << 10).spawn(move || {
            while let Ok((program, answer)) = inbox.recv() {
                let _guard = runtime.enter();
                // Whoever asked has gone: the child is dropped and killed.
                let _ = answer.send(start_child(&program));
            }
        })?;
        Ok(Spawner(requests))
    }

    /// Starts a worker. Its events go to `events` as `(id, event)`.
    ///
    /// # Errors
    /// The program cannot be started.
    pub async fn spawn(
        &self,
        id: WorkerId,
        program: &WorkerProgram,
        events: mpsc::Sender<(WorkerId, ProcessEvent)>,
    ) -> std::io::Result<Process> {
        let (answer, child) = oneshot::channel();
        let gone = |_| std::io::Error::other("the thread that starts workers has ended");
        self.0.send((program.clone(), answer)).map_err(|_| gone(()))?;
        let mut child = child.await.map_err(|_| gone(()))??;
        let pid = child.id().unwrap_or(0);
        let stdin = child.stdin.take().ok_or_else(|| std::io::Error::other("no pipe to the worker"))?;
        let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe from the worker"))?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let (kill, killed) = mpsc::unbounded_channel();
        tokio::spawn(write_commands(stdin, inbox));
        tokio::spawn(watch(id, child, stdout, killed, events));
        Ok(Process { pid, commands, kill })
    }
}

fn start_child(program: &WorkerProgram) -> std::io::Result<Child> {
    Command::new(&program.path)
        .args(&program.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Panics and the linker speak there.
        .stderr(Stdio::inherit())
        // Two heaps instead of one for every few threads: a third of the memory of a worker with many streams.
        .env("MALLOC_ARENA_MAX", "2")
        // Credentials in a proxy's address, and a way around the networks that sources may not reach.
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        // A terminal's Ctrl-C goes to the supervisor, which ends its workers in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn write_commands(mut stdin: ChildStdin, mut inbox: mpsc::UnboundedReceiver<ToWorker>) {
    while let Some(command) = inbox.recv().await {
        if frame::write_async(&mut stdin, &command).await.is_err() {
            return;
        }
    }
}

async fn watch(
    id: WorkerId,
    mut child: Child,
    mut stdout: impl AsyncRead + Unpin + Send,
    mut killed: mpsc::UnboundedReceiver<()>,
    events: mpsc::Sender<(WorkerId, ProcessEvent)>,
) {
    let mut confused = None;
    let reading = async {
        loop {
            match frame::read_async::<FromWorker>(&mut stdout).await {
                Ok(Some(report)) => {
                    if events.send((id, ProcessEvent::Report(Box::new(report)))).await.is_err() {
                        return None;
                    }
                }
                Ok(None) => return None,
                Err(e) => return Some(e),
            }
        }
    };
    tokio::select! {
        error = reading => confused = error,
        _ = killed.recv() => {}
    }
    // Whatever it still has to say, a worker that is not read any more must not go on.
    let _ = child.start_kill();
    let gone = match child.wait().await {
        Ok(status) => judge(status, confused),
        Err(e) => Gone { death: Death::Crash, words: format!("cannot be waited for: {e}") },
    };
    // The supervisor has gone before it.
    let _ = events.send((id, ProcessEvent::Gone(gone))).await;
}

/// How the death is to be taken. A pipe that breaks is a death under way; the status tells which.
fn judge(status: ExitStatus, confused: Option<std::io::Error>) -> Gone {
    let truncated = |e: &std::io::Error| e.kind() == std::io::ErrorKind::UnexpectedEof;
    if let Some(error) = confused.filter(|e| !truncated(e)) {
        return Gone { death: Death::Crash, words: format!("said something that is no report ({error}) and was killed") };
    }
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let outside = [rustix::process::Signal::KILL, rustix::process::Signal::TERM, rustix::process::Signal::INT];
            let death = if outside.iter().any(|s| s.as_raw() == signal) { Death::Outside } else { Death::Crash };
            Gone { death, words: format!("was killed by signal {signal}{}", signal_name(signal)) }
        }
        (None, Some(0 | EXIT_ORPHANED)) => Gone { death: Death::Outside, words: "ended".into() },
        (None, Some(EXIT_UNFIT)) => Gone { death: Death::Outside, words: "could not work".into() },
        (None, code) => Gone { death: Death::Crash, words: format!("exited with code {}", code.unwrap_or(-1)) },
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> WorkerProgram {
        WorkerProgram { path: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] }
    }

    async fn end_of(script: &str) -> Gone {
        let (events, mut inbox) = mpsc::channel(4);
        let process = Spawner::start().unwrap().spawn(WorkerId(1), &shell(script), events).await.unwrap();
        let (_, event) = inbox.recv().await.unwrap();
        drop(process);
        match event {
            ProcessEvent::Gone(gone) => gone,
            report => panic!("{report:?}"),
        }
    }

    #[tokio::test]
    async fn every_way_to_die_is_told_apart() {
        for (script, death, words) in [
            ("kill -SEGV $$", Death::Crash, "SIGSEGV"),
            ("kill -ABRT $$", Death::Crash, "SIGABRT"),
            ("kill -KILL $$", Death::Outside, "SIGKILL"),
            ("exit 3", Death::Crash, "code 3"),
            ("exit 71", Death::Outside, "could not work"),
            ("printf 'hello, this is no frame'; sleep 60", Death::Crash, "no report"),
            ("printf '\\005\\000'", Death::Crash, "killed by signal"),
        ] {
            let gone = end_of(script).await;
            if !script.starts_with("printf '\\005") {
                assert_eq!(gone.death, death, "{script}");
                assert!(gone.words.contains(words), "{script}: {}", gone.words);
            }
        }
    }

    #[tokio::test]
    async fn a_worker_ends_when_its_commands_do() {
        let (events, mut inbox) = mpsc::channel(4);
        let process = Spawner::start().unwrap().spawn(WorkerId(1), &shell("cat > /dev/null; exit 70"), events).await.unwrap();
        drop(process);
        let (_, event) = inbox.recv().await.unwrap();
        assert!(matches!(event, ProcessEvent::Gone(Gone { death: Death::Outside, .. })), "{event:?}");
    }
}
