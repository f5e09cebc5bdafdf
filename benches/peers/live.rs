//! 200 live streams of 1 Mbit/s pushed over HTTP into one process group: no gap, and what a stream costs.

use crate::load::Connection;
use crate::push::{SECONDS, megabit_stream, push_once};
use crate::service::Service;
use crate::{Bench, Figure, cpu};

const STREAMS: usize = 200;

pub fn run(bench: &Bench) -> Vec<Figure> {
    let body = megabit_stream(&bench.dir);
    let service = Service::start(bench, &bench.dir.join("live"));
    let names: Vec<String> = (0..STREAMS).map(|n| format!("live{n}")).collect();
    for name in &names {
        service.run(&["streams", "add", name, "push:"]);
    }
    let idle = memory(&service);
    let cpu_before: f64 = cpu::family(service.pid()).into_iter().map(cpu::seconds).sum();
    push_once(&service, &names, &body);
    let cpu_after: f64 = cpu::family(service.pid()).into_iter().map(cpu::seconds).sum();
    let loaded = memory(&service);

    let auth = format!("Authorization: Bearer {}\r\n", service.token);
    let mut connection = Connection::open(service.address);
    let (mut gaps, mut seconds) = (0, 0.0);
    for name in &names {
        let (status, _, body) = connection.get(&format!("/v1/streams/{name}/coverage?start=-3600&end=now"), &auth, true);
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
