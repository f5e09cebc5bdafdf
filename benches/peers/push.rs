//! Streams pushed over HTTP at the pace of the file, from one thread.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::service::Service;

/// Length of [`megabit_stream`]: 15 segments, and long enough for memory to settle.
pub const SECONDS: u32 = 60;
const TICK: Duration = Duration::from_millis(100);

/// Connections that are being fed.
pub struct Pushing {
    enough: Arc<AtomicBool>,
    feeder: JoinHandle<()>,
}

impl Pushing {
    /// Pushes the minute to each of the streams, over and over.
    pub fn start(service: &Service, names: &[String], minute: &[u8]) -> Pushing {
        let senders = connect(service, names);
        let (enough, minute) = (Arc::new(AtomicBool::new(false)), minute.to_vec());
        let told = Arc::clone(&enough);
        Pushing { enough, feeder: std::thread::spawn(move || feed(senders, &minute, None, &told)) }
    }
    /// Ends all of them in order.
    pub fn stop(self) {
        self.enough.store(true, Ordering::Relaxed);
        self.feeder.join().expect("the service takes what comes");
    }
}

/// Pushes the minute once to each of the streams; returns when the last segment is stored.
pub fn push_once(service: &Service, names: &[String], minute: &[u8]) {
    feed(connect(service, names), minute, Some(minute.len()), &AtomicBool::new(false));
}

fn connect(service: &Service, names: &[String]) -> Vec<TcpStream> {
    let open = |name: &String| {
        let mut stream = TcpStream::connect(service.address).expect("the service listens");
        let token = &service.token;
        write!(
            stream,
            "POST /v1/streams/{name}/ingest HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        .expect("the connection stands");
        stream
    };
    names.iter().map(open).collect()
}

/// A constant bit rate makes time and bytes agree.
fn feed(mut senders: Vec<TcpStream>, minute: &[u8], end: Option<usize>, enough: &AtomicBool) {
    let began = Instant::now();
    let mut sent = 0;
    while end.is_none_or(|end| sent < end) && !enough.load(Ordering::Relaxed) {
        let due = (minute.len() as f64 * began.elapsed().as_secs_f64() / f64::from(SECONDS)) as usize;
        let due = due.min(end.unwrap_or(usize::MAX));
        while sent < due {
            let from = sent % minute.len();
            let to = minute.len().min(from + due - sent);
            let chunk = [format!("{:x}\r\n", to - from).as_bytes(), &minute[from..to], b"\r\n"].concat();
            senders.iter_mut().for_each(|sender| sender.write_all(&chunk).expect("the service takes what comes"));
            sent += to - from;
        }
        std::thread::sleep(TICK);
    }
    for sender in &mut senders {
        sender.write_all(b"0\r\n\r\n").expect("the service takes what comes");
    }
    // The answer comes when the last segment is stored.
    for mut sender in senders {
        let mut answer = [0; 12];
        sender.read_exact(&mut answer).expect("the service answers");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

/// A minute of 1 Mbit/s H.264 and AAC.
pub fn megabit_stream(dir: &Path) -> Vec<u8> {
    let path: PathBuf = dir.join("megabit.ts");
    if !path.exists() {
        encode(&path);
    }
    fs::read(path).expect("just written")
}

fn encode(path: &Path) {
    let seconds = SECONDS.to_string();
    let status = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=640x360:r=25,noise=alls=10:allf=t",
            "-f",
            "lavfi",
            "-i",
            "sine=440:r=48000",
        ])
        .args([
            "-t",
            &seconds,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "50",
            "-b:v",
            "900k",
            "-maxrate",
            "900k",
            "-bufsize",
            "900k",
        ])
        .args(["-muxrate", "1100k", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("ffmpeg is installed").success());
}
