//! A worker that dies takes nothing with it but the segments in flight.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Service, camera, eventually, ffmpeg_plays};
use crate::servers;

/// Pids of the service's worker processes.
fn workers(service: &Service) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", service.pid())).unwrap_or_default();
    let mut children: Vec<u32> = text.split_whitespace().filter_map(|p| p.parse().ok()).collect();
    for task in std::fs::read_dir(format!("/proc/{}/task", service.pid())).unwrap().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(text.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
    }
    children.sort_unstable();
    children.dedup();
    let is_worker = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|word| word == b"worker")
    };
    children.into_iter().filter(is_worker).collect()
}

#[tokio::test]
async fn a_worker_killed_by_sigsegv_is_back_within_five_seconds_and_the_gap_says_so() {
    let service = Service::builder().set("ingest.workers", "2").announce("worker").start().await;
    let client = service.client().await;
    let file = camera().seconds(30).file();
    let ids = ["cam0", "cam1", "cam2"];
    let mut senders = Vec::new();
    for id in ids {
        let port = servers::free_udp_port();
        client.add_stream(id, &format!("udp://127.0.0.1:{port}")).await;
        senders.push(servers::send(&file, "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316")));
    }
    for id in ids {
        client.wait_for_segments(id, 3).await;
    }
    let before: Vec<u64> = segments(&service, &ids).await;
    let pids = workers(&service);
    assert_eq!(pids.len(), 2, "two workers were asked for");

    let killed = rustix::process::Pid::from_raw(i32::try_from(pids[0]).unwrap()).unwrap();
    rustix::process::kill_process(killed, rustix::process::Signal::SEGV).unwrap();
    let began = Instant::now();

    // Playback goes on meanwhile.
    let stream = client.stream("cam0").await;
    let start = stream["first_start_us"].as_i64().unwrap() as f64 / 1e6;
    let url = service.url(&format!("/v1/streams/cam0/media.m3u8?start={start}&end={}", start + 2.0));
    let auth = format!("Authorization: Bearer {}\r\n", client.token());
    assert!(ffmpeg_plays(&url, &["-headers", &auth]).video_frames >= 25);

    eventually("all streams record again", async || {
        let mut all = true;
        for id in ids {
            all &= client.stream(id).await["state"] == json!("recording");
        }
        (all && workers(&service).len() == 2 && !workers(&service).contains(&pids[0])).then_some(())
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    for (id, before) in ids.iter().zip(&before) {
        client.wait_for_segments(id, before + 3).await;
    }
    let mut broken = 0;
    for id in ids {
        let coverage = client.coverage(id).await;
        let runs = coverage["runs"].as_array().unwrap().len();
        let gaps = coverage["gaps"].as_array().unwrap();
        match runs {
            1 => assert!(gaps.is_empty(), "{id} was in the other worker: {coverage}"),
            2 => {
                broken += 1;
                assert_eq!(gaps.len(), 1, "{coverage}");
                assert_eq!(gaps[0]["cause"], json!("worker_crashed"), "{coverage}");
            }
            _ => panic!("{id}: {coverage}"),
        }
    }
    assert!((1..3).contains(&broken), "the killed worker had some of the streams, not all: {broken}");
}

async fn segments(service: &Service, ids: &[&str]) -> Vec<u64> {
    let mut all = Vec::new();
    for id in ids {
        all.push(service.client().await.stream(id).await["segments"].as_u64().unwrap());
    }
    all
}

#[tokio::test]
async fn a_source_that_comes_and_goes_gives_runs_and_gaps_that_never_overlap() {
    let service = Service::builder().set("ingest.silence_timeout", "1s").announce("cam").start().await;
    let client = service.client().await;
    let port = servers::free_port();
    let file = camera().seconds(20).file();
    client.add_stream("cam", &format!("srt://127.0.0.1:{port}")).await;
    for round in 1..=3usize {
        let _sender = servers::srt_listener(&file, port);
        eventually("the next run has begun", async || {
            let stream = client.stream("cam").await;
            (client.coverage("cam").await["runs"].as_array().unwrap().len() >= round && stream["state"] == json!("recording")).then_some(())
        })
        .await;
        let have = client.stream("cam").await["segments"].as_u64().unwrap();
        client.wait_for_segments("cam", have + 2).await;
    }
    let coverage = client.coverage("cam").await;
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for kind in ["runs", "gaps"] {
        for part in coverage[kind].as_array().unwrap() {
            parts.push((part["start_us"].as_i64().unwrap(), part["end_us"].as_i64().unwrap()));
        }
    }
    parts.sort_unstable();
    for pair in parts.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "every moment is in exactly one run or gap: {coverage}");
    }
    assert!(coverage["runs"].as_array().unwrap().len() >= 3);
}
