//! A running service for the benches: started on a free port, stopped with its whole process group.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Bench;

/// `retroview serve` with a folder of its own.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
    data: PathBuf,
    retroview: PathBuf,
}

impl Service {
    pub fn start(bench: &Bench, data: &Path) -> Service {
        Service::with(bench, data, &[])
    }

    /// With settings by the names they have in the environment.
    pub fn with(bench: &Bench, data: &Path, settings: &[(&str, &str)]) -> Service {
        let address = free_address();
        let child = Command::new(&bench.retroview)
            .args(["serve", "--listen", &address.to_string()])
            .env("RETROVIEW_DATA_DIR", data)
            .envs(settings.iter().map(|(name, value)| (format!("RETROVIEW_{name}"), *value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        wait_for(address);
        let mut service = Service { child, address, token: String::new(), data: data.to_path_buf(), retroview: bench.retroview.clone() };
        let made = service.run(&["tokens", "create", "bench", "--scopes", "admin,view,ingest", "--json"]);
        let made: serde_json::Value = serde_json::from_str(&made).expect("`--json` prints JSON");
        service.token = made["token"].as_str().expect("a token is shown once").to_owned();
        service
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a command of the product on the same data and returns what it prints.
    pub fn run(&self, args: &[&str]) -> String {
        let out = Command::new(&self.retroview).args(args).env("RETROVIEW_DATA_DIR", &self.data).output().expect("the binary starts");
        assert!(out.status.success(), "retroview {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("we print UTF-8")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    listener.local_addr().expect("it is bound")
}

pub fn wait_for(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {address} after 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}
