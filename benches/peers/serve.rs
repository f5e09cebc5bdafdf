//! Random 1 MiB ranges and whole segments: our serving process beside one nginx worker with sendfile, the same
//! block files, the same client, in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::ingest::transport_stream;
use crate::load::{self, Connection};
use crate::service::{Service, free_address, wait_for};
use crate::{Bench, Figure, cpu, median};

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 8;
/// Requests of each connection in one round: 8 × 100 MiB are enough for the accounts' resolution.
const REQUESTS: usize = 100;
/// The most that may be: our CPU seconds per GB at most this much of nginx's.
const RATIO_MAX: f64 = 1.2;
const MIB: u64 = 1 << 20;

pub fn run(bench: &Bench) -> Vec<Figure> {
    let data = bench.dir.join("serve");
    let source = transport_stream(&bench.dir, 15);
    let prepare = |args: &[&str]| {
        let status = Command::new(&bench.retroview).args(args).env("RETROVIEW_DATA_DIR", &data).stdout(Stdio::null()).status();
        assert!(status.expect("the binary starts").success(), "retroview {args:?}");
    };
    prepare(&["streams", "add", "bench", "push:"]);
    prepare(&["import", "bench", source.to_str().expect("our own path is UTF-8"), "--start", "2026-01-01T00:00:00Z"]);
    let service = Service::start(bench, &data);
    let nginx = Nginx::start(bench, &data.join("media"));
    let auth = format!("Authorization: Bearer {}\r\n", service.token);

    let blocks = blocks(&data.join("media"));
    let segments = segments(&service, &auth);
    let segment_mib = segments.1 as f64 / segments.0.len() as f64 / MIB as f64;

    let ranges = |base: &dyn Fn(&Block) -> String, headers: &str| {
        let picks: Vec<(String, String)> = picks(CONNECTIONS * REQUESTS)
            .map(|n| {
                let b = &blocks[(n % blocks.len() as u64) as usize];
                let from = (n >> 16) % (b.size - MIB);
                (base(b), format!("{headers}Range: bytes={from}-{}\r\n", from + MIB - 1))
            })
            .collect();
        picks
    };
    let ours_ranges = ranges(&|b| format!("/v1/streams/bench/blocks/{}.mp4", b.id), &auth);
    let nginx_ranges = ranges(&|b| format!("/{}", b.path), "");
    let ours_segments: Vec<(String, String)> =
        picks(CONNECTIONS * REQUESTS).map(|n| (segments.0[n as usize % segments.0.len()].clone(), auth.clone())).collect();
    // nginx sends the same number of bytes from the same files: ranges as long as the mean segment.
    let mean = segments.1 / segments.0.len() as u64;
    let nginx_segments: Vec<(String, String)> = picks(CONNECTIONS * REQUESTS)
        .map(|n| {
            let b = &blocks[(n % blocks.len() as u64) as usize];
            let from = (n >> 16) % (b.size - mean);
            (format!("/{}", b.path), format!("Range: bytes={from}-{}\r\n", from + mean - 1))
        })
        .collect();

    vec![
        compare("random 1 MiB ranges, CPU s/GB", &service, &nginx, &ours_ranges, &nginx_ranges),
        compare(&format!("whole segments ({segment_mib:.1} MiB), CPU s/GB"), &service, &nginx, &ours_segments, &nginx_segments),
    ]
}

fn compare(what: &str, service: &Service, nginx: &Nginx, ours: &[(String, String)], theirs: &[(String, String)]) -> Figure {
    let round = |address, pid, requests: &[(String, String)]| {
        let before = cpu::scheduled_seconds(pid);
        let bytes = load::run(address, CONNECTIONS, REQUESTS, |c, r| requests[c * REQUESTS + r].clone());
        (cpu::scheduled_seconds(pid) - before) / (bytes as f64 / 1e9)
    };
    let (mut a, mut b, mut ratio) = (vec![], vec![], vec![]);
    for n in 0..=ROUNDS {
        let x = round(service.address, service.pid(), ours);
        let y = round(nginx.address, nginx.worker, theirs);
        // The first round warms page cache and connections.
        if n > 0 {
            a.push(x);
            b.push(y);
            ratio.push(x / y);
        }
    }
    let r = median(&ratio);
    Figure {
        what: what.into(),
        ours: format!("{:.3}", median(&a)),
        peer: format!("nginx {:.3}  ratio {r:.2} (≤ {RATIO_MAX})", median(&b)),
        within: Some(r <= RATIO_MAX),
    }
}

/// The same pseudo-random numbers in every run (splitmix64).
fn picks(count: usize) -> impl Iterator<Item = u64> {
    (1..=count as u64).map(|i| {
        let mut z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

struct Block {
    id: String,
    path: String,
    size: u64,
}

/// Every block file below the media root that is larger than the ranges asked for.
fn blocks(root: &Path) -> Vec<Block> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the media folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let size = entry.metadata().expect("it is there").len();
            let name = entry.file_name().into_string().expect("our names are ASCII");
            let id = name.strip_suffix(".mp4").and_then(|n| n.rsplit_once('-')).map(|(_, id)| id.to_owned());
            if let (Some(id), true) = (id, size > 4 * MIB) {
                let path = path.strip_prefix(root).expect("it is below").to_str().expect("our names are ASCII").to_owned();
                found.push(Block { id, path, size });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no block files below {}", root.display());
    found
}

/// The segment URLs of the playlist, and their bytes in all.
fn segments(service: &Service, auth: &str) -> (Vec<String>, u64) {
    let mut connection = Connection::open(service.address);
    let query = "start=2026-01-01T00:00:00Z&end=2026-01-01T00:10:00Z";
    let (status, _, body) = connection.get(&format!("/v1/streams/bench/media.m3u8?{query}"), auth, true);
    assert_eq!(status, 200);
    let urls: Vec<String> = String::from_utf8(body)
        .expect("playlists are UTF-8")
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(|l| format!("/v1/streams/bench/{l}"))
        .collect();
    let bytes = urls.iter().map(|u| connection.get(u, auth, false).1).sum();
    (urls, bytes)
}

struct Nginx {
    child: Child,
    worker: u32,
    address: std::net::SocketAddr,
}

impl Nginx {
    fn start(bench: &Bench, root: &Path) -> Nginx {
        let address = free_address();
        let dir: PathBuf = bench.dir.join("nginx");
        fs::create_dir_all(&dir).expect("the scratch folder is ours");
        let (d, r) = (dir.display(), root.display());
        let config = format!(
            "daemon off; user root; worker_processes 1; pid {d}/pid; error_log {d}/error;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush off; keepalive_requests 1000000; client_body_temp_path {d}; proxy_temp_path {d};\n\
             fastcgi_temp_path {d}; uwsgi_temp_path {d}; scgi_temp_path {d};\n\
             server {{ listen {address}; location / {{ root {r}; }} }} }}\n"
        );
        let file = dir.join("nginx.conf");
        fs::write(&file, config).expect("the scratch folder is ours");
        let child = Command::new("nginx").arg("-c").arg(&file).arg("-e").arg(dir.join("error")).spawn().expect("nginx is installed");
        wait_for(address);
        let worker = cpu::family(child.id()).last().copied().expect("nginx has a worker");
        Nginx { child, worker, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
