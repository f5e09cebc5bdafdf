//! `retroview serve` as a process group of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::http::Client;
use super::log;
use crate::servers::free_port;

pub const BINARY: &str = env!("CARGO_BIN_EXE_retroview");

/// How a service is to be set up.
#[derive(Default)]
pub struct ServiceBuilder {
    settings: Vec<(String, String)>,
    announced: Vec<String>,
    data: Option<PathBuf>,
}

impl ServiceBuilder {
    /// A setting as its environment variable has it: `("ingest.workers", "1")`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((format!("RETROVIEW_{}", key.replace('.', "_").to_uppercase()), value.into()));
        self
    }
    /// Warnings and errors that hold this text are part of the test.
    pub fn announce(mut self, text: &str) -> Self {
        self.announced.push(text.into());
        self
    }
    /// A data folder that outlives this service.
    pub fn data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_path_buf());
        self
    }
    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Service {
        let service = self.launch();
        service.ready().await;
        service
    }
    /// Starts it and does not wait.
    pub fn launch(self) -> Service {
        let scratch = tempfile::tempdir().expect("the temporary folder is writable");
        let data = self.data.clone().unwrap_or_else(|| scratch.path().join("data"));
        let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        let mut service = Service {
            scratch,
            data,
            address,
            settings: self.settings,
            announced: Mutex::new(self.announced),
            child: None,
            client: tokio::sync::OnceCell::new(),
        };
        service.spawn();
        service
    }
}

/// A running service. Goes with everything it started when the value goes; a test that went well until then fails
/// when the log holds a warning or error nobody announced.
pub struct Service {
    scratch: TempDir,
    data: PathBuf,
    address: SocketAddr,
    settings: Vec<(String, String)>,
    announced: Mutex<Vec<String>>,
    child: Option<Child>,
    client: tokio::sync::OnceCell<Client>,
}

impl Service {
    /// With quick reconnects and no reserve of free disk, so that tests are not slowed by patience meant for the field.
    pub fn builder() -> ServiceBuilder {
        ServiceBuilder::default()
            .set("ingest.backoff_min", "100ms")
            .set("ingest.backoff_max", "1s")
            .set("media.segment_target", "1s")
            .set("media.min_free", "0MiB")
    }
    pub async fn start() -> Service {
        Self::builder().start().await
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the scratch folder is writable");
        let out = File::options().create(true).append(true).open(self.scratch.path().join("stdout")).expect("as above");
        let child = self.command(&["serve", "--listen", &self.address.to_string()]).stdout(out).stderr(log).process_group(0).spawn();
        self.child = Some(child.expect("the binary starts"));
    }

    /// The product's command line on this service's data.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).stdin(Stdio::null()).env("RETROVIEW_DATA_DIR", &self.data).env("RETROVIEW_LOG_FORMAT", "json");
        command.envs(self.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        command
    }
    /// Runs a command to its end.
    pub fn try_run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }
    /// Runs a command that must succeed and gives what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        let out = self.try_run(args);
        assert!(out.status.success(), "retroview {args:?}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("we print UTF-8")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
    pub fn data(&self) -> &Path {
        &self.data
    }
    pub fn media(&self) -> PathBuf {
        self.data.join("media")
    }
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it is running").id()
    }
    pub fn log_path(&self) -> PathBuf {
        self.scratch.path().join("log")
    }
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
    pub fn stdout_text(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("stdout")).unwrap_or_default()
    }
    /// From now on, warnings and errors that hold this text are part of the test.
    pub fn announce(&self, text: &str) {
        self.announced.lock().expect("no test panics holding it").push(text.into());
    }

    /// Waits for `/readyz`.
    pub async fn ready(&self) {
        super::eventually("the service is ready", async || {
            // A zombie is a service that ended by itself: waiting on would only hide why.
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
            assert!(!stat.contains(") Z "), "the service ended instead of getting ready:\n{}", self.log_text());
            let answer = reqwest::get(self.url("/readyz")).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// A client with an administrator's token.
    pub async fn client(&self) -> &Client {
        self.client
            .get_or_init(async || {
                let made = self.run(&["tokens", "create", "tests", "--scopes", "admin,view,ingest", "--json"]);
                let made: serde_json::Value = serde_json::from_str(&made).expect("`--json` prints JSON");
                Client::new(self.address, made["token"].as_str().expect("it is shown once"))
            })
            .await
    }

    /// Users and tokens are others from now on.
    pub fn forget_client(&mut self) {
        self.client = tokio::sync::OnceCell::new();
    }

    /// Asks it to stop and waits; the time it took.
    pub fn stop(&mut self) -> Duration {
        let mut child = self.child.take().expect("it is running");
        let began = Instant::now();
        kill_process(Pid::from_child(&child), Signal::TERM).expect("it is ours");
        let status = child.wait().expect("it is ours");
        assert!(status.success(), "a stop that was asked for ends with {status}\n{}", self.log_text());
        began.elapsed()
    }
    /// Kills the whole process group, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
        }
    }
    /// Starts it again on the same data, and waits until it is ready.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "stop or kill it first");
        self.spawn();
        self.ready().await;
    }
    /// Whether the process has ended by itself, and how.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().expect("it is ours")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        let announced = self.announced.lock().map(|a| a.clone()).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("--- log of the service, answered requests left out\n{}", log::without_requests(&self.log_text()));
            return;
        }
        let unannounced = log::unannounced(&self.log_path(), &announced);
        assert!(unannounced.is_empty(), "the service warned:\n{}", unannounced.join("\n"));
    }
}
