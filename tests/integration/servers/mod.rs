//! Real senders and servers on loopback, from Debian's packages: what our sources connect to in tests.
//!
//! Each is a child process in a process group of its own, killed with all it started when the value goes.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A child process and everything it started; killed on drop.
pub struct Server {
    child: Child,
}

impl Server {
    pub fn start(command: &mut Command) -> Server {
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn();
        Server { child: child.unwrap_or_else(|e| panic!("start {command:?}: {e}")) }
    }
    fn group(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(self.group(), rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A TCP port nobody listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback is there").port()
}

pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("loopback is there").port()
}

/// An RTSP camera that loops `file`; `login` is `user:password`. Returns once it listens.
pub fn rtsp(file: &Path, port: u16, login: Option<&str>) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/servers/rtsp.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(file).arg(port.to_string()).args(login).stdout(Stdio::piped());
    let mut server = Server::start(&mut command);
    let mut line = String::new();
    let out = server.child.stdout.take().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("the server speaks");
    assert_eq!(line.trim(), "ready", "gst-rtsp-server did not start; packages: gir1.2-gst-rtsp-server-1.0 python3-gi");
    server
}

/// nginx with the RTMP module: publish and play at `rtmp://127.0.0.1:PORT/live/NAME`.
pub fn rtmp(dir: &Path, port: u16) -> Server {
    let (d, config) = (dir.display(), dir.join("nginx-rtmp.conf"));
    let module = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
    let text = format!(
        "load_module {module}; daemon off; worker_processes 1; pid {d}/rtmp.pid; error_log {d}/rtmp.log;\n\
         events {{ worker_connections 64; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n"
    );
    std::fs::write(&config, text).expect("the scratch folder is ours");
    let server = Server::start(Command::new("nginx").arg("-c").arg(&config).arg("-e").arg(dir.join("rtmp.log")));
    wait_for_port(port);
    server
}

/// ffmpeg sends `file` in real time, over and over, without recoding, to `url` as `format`.
pub fn send(file: &Path, format: &str, url: &str) -> Server {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(file).args(["-c", "copy", "-f", format, url]);
    Server::start(command.stdout(Stdio::null()))
}

/// An SRT camera in listener mode that survives reconnects.
pub fn srt_listener(file: &Path, port: u16) -> Server {
    let loop_forever = "while :; do ffmpeg -v error -re -stream_loop -1 -i \"$0\" -c copy -f mpegts \"$1\"; done";
    let url = format!("srt://127.0.0.1:{port}?mode=listener&latency=120000");
    Server::start(Command::new("sh").args(["-c", loop_forever]).arg(file).arg(url).stdout(Stdio::null()))
}

/// An endless MPEG-TS over HTTP, one client at a time.
pub fn http_ts(file: &Path, port: u16) -> Server {
    let loop_forever = "while :; do ffmpeg -v error -re -stream_loop -1 -i \"$0\" -c copy -f mpegts -listen 1 \"$1\"; done";
    let url = format!("http://127.0.0.1:{port}/live.ts");
    Server::start(Command::new("sh").args(["-c", loop_forever]).arg(file).arg(url).stdout(Stdio::null()))
}

/// A folder that fills with a live HLS of `file`, and a web server over it at `http://127.0.0.1:PORT/`.
pub fn hls(file: &Path, dir: &Path, port: u16) -> (Server, Server) {
    let playlist: PathBuf = dir.join("live.m3u8");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(file).args(["-c", "copy", "-f", "hls", "-hls_time", "2"]);
    command.args(["-hls_list_size", "6", "-hls_flags", "delete_segments"]).arg(&playlist).stdout(Stdio::null());
    (Server::start(&mut command), files(dir, "127.0.0.1", port))
}

/// A plain web server over a folder.
pub fn files(dir: &Path, address: &str, port: u16) -> Server {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-m", "http.server", "--bind", address, "--directory"]).arg(dir).arg(port.to_string()).stdout(Stdio::null());
    let server = Server::start(&mut command);
    wait_for_address(&format!("{address}:{port}"));
    server
}

pub fn wait_for_port(port: u16) {
    wait_for_address(&format!("127.0.0.1:{port}"));
}

fn wait_for_address(address: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::net::TcpStream::connect(address).is_err() {
        assert!(std::time::Instant::now() < deadline, "nothing listens on {address} after 20 s");
        std::thread::yield_now();
    }
}

/// Like [`send`], and tries again until somebody takes it.
pub fn send_until_taken(file: &Path, format: &str, url: &str) -> Server {
    let loop_forever = "while :; do ffmpeg -v error -re -stream_loop -1 -i \"$0\" -c copy -f \"$1\" \"$2\"; done";
    Server::start(Command::new("sh").args(["-c", loop_forever]).arg(file).args([format, url]).stdout(Stdio::null()))
}

/// ffmpeg pushes `file` in real time, over and over, as an endless MPEG-TS body.
pub fn push(file: &Path, url: &str, token: &str) -> Server {
    let auth = format!("Authorization: Bearer {token}\r\nContent-Type: video/mp2t\r\n");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(file);
    command.args(["-c", "copy", "-f", "mpegts", "-method", "POST", "-headers", &auth, url]);
    Server::start(command.stdout(Stdio::null()))
}
