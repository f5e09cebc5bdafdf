//! 200 live streams of 1 Mbit/s pushed over HTTP into one process group: no gap, and what a stream costs.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::Connection;
use crate::service::Service;
use crate::{Bench, Figure, cpu};

const STREAMS: usize = 200;
/// Long enough for 15 segments of every stream, and for memory to settle.
const SECONDS: u32 = 60;

pub fn run(bench: &Bench) -> Vec<Figure> {
    let body = fs::read(megabit_stream(&bench.dir)).expect("just written");
    let service = Service::start(bench, &bench.dir.join("live"));
    for n in 0..STREAMS {
        service.run(&["streams", "add", &format!("live{n}"), "push:"]);
    }
    let idle = memory(&service);
    let cpu_before: f64 = cpu::family(service.pid()).into_iter().map(cpu::seconds).sum();
    let began = Instant::now();
    push_all(&service, &body, began);
    let cpu_after: f64 = cpu::family(service.pid()).into_iter().map(cpu::seconds).sum();
    let loaded = memory(&service);

    let auth = format!("Authorization: Bearer {}\r\n", service.token);
    let mut connection = Connection::open(service.address);
    let (mut gaps, mut seconds) = (0, 0.0);
    for n in 0..STREAMS {
        let (status, _, body) = connection.get(&format!("/v1/streams/live{n}/coverage?start=-3600&end=now"), &auth, true);
        assert_eq!(status, 200);
        let coverage: serde_json::Value = serde_json::from_slice(&body).expect("coverage is JSON");
        let runs = coverage["runs"].as_array().expect("runs are listed");
        gaps += runs.len().saturating_sub(1) + usize::from(runs.is_empty());
        seconds += runs.iter().map(|r| (r["end_us"].as_f64().unwrap_or(0.0) - r["start_us"].as_f64().unwrap_or(0.0)) / 1e6).sum::<f64>();
    }
    let per_stream = |bytes: u64| bytes as f64 / STREAMS as f64 / 1e6;
    vec![
        Figure {
            what: format!("{STREAMS} pushed streams of 1 Mbit/s, gaps"),
            ours: gaps.to_string(),
            peer: format!("{:.1} of {SECONDS} s of each stored", seconds / STREAMS as f64),
            within: Some(gaps == 0),
        },
        Figure {
            what: "  resident memory a stream, MB (private, above idle)".into(),
            ours: format!("{:.2}", per_stream(loaded.saturating_sub(idle))),
            peer: "ffmpeg 57–61, Moonfire NVR 4".into(),
            within: None,
        },
        Figure {
            what: "  CPU a stream, ms per second".into(),
            ours: format!("{:.2}", (cpu_after - cpu_before) * 1e3 / f64::from(SECONDS) / STREAMS as f64),
            peer: "ffmpeg 3.2–3.5 at 4 Mbit/s".into(),
            within: None,
        },
    ]
}

fn memory(service: &Service) -> u64 {
    cpu::family(service.pid()).into_iter().map(cpu::private_bytes).sum()
}

/// A minute of 1 Mbit/s H.264 and AAC.
fn megabit_stream(dir: &Path) -> PathBuf {
    let path = dir.join("megabit.ts");
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
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("ffmpeg is installed").success());
    path
}

/// One thread feeds all connections at the pace of the file: a constant bit rate makes time and bytes agree.
fn push_all(service: &Service, body: &[u8], began: Instant) {
    let mut senders: Vec<TcpStream> = (0..STREAMS)
        .map(|n| {
            let mut stream = TcpStream::connect(service.address).expect("the service listens");
            let token = &service.token;
            write!(
                stream,
                "POST /v1/streams/live{n}/ingest HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: video/mp2t\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .expect("the connection stands");
            stream
        })
        .collect();
    let total = Duration::from_secs(SECONDS.into());
    let mut sent = 0;
    while sent < body.len() {
        let due = (body.len() as f64 * (began.elapsed().as_secs_f64() / total.as_secs_f64())) as usize;
        let due = due.clamp(sent, body.len());
        for sender in &mut senders {
            sender.write_all(&body[sent..due]).expect("the service takes what comes");
        }
        sent = due;
        std::thread::sleep(Duration::from_millis(100));
    }
    // The answer comes when the last segment is stored.
    for mut sender in senders {
        let mut answer = [0; 12];
        std::io::Read::read_exact(&mut sender, &mut answer).expect("the service answers");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
