//! What a recorder meets in the field: broken bodies, silent and absent sources, full disks, foreign folders.

use std::time::Duration;

use retroview::ffmpeg::camera::{CameraFormat, CameraVideo};
use serde_json::json;

use crate::harness::{Service, SmallDisk, camera, eventually};
use crate::random::Random;
use crate::servers;

/// Waits until the stream has given up for now, and tells cause and words.
async fn failure(service: &Service, id: &str) -> (String, String) {
    let client = service.client().await;
    eventually("the stream says why it does not record", async || {
        let stream = client.stream(id).await;
        let state = stream["state"].as_str().unwrap_or("").to_owned();
        let detail = stream["state_detail"].as_str().unwrap_or("").to_owned();
        (["backing_off", "stalled"].contains(&state.as_str()) && !detail.is_empty()).then_some((state, detail))
    })
    .await
}

/// Bodies pushed in all, spread over the streams below.
const MUTANTS: usize = 2_000;
/// Side by side, because a body is recorded no faster than it plays.
const STREAMS: usize = 64;
/// A broken body may say that it plays for up to 40 s, and is then not recorded faster; more is a hang.
const HANG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_thousand_broken_bodies_crash_nothing_and_hang_nothing() {
    let service = Service::builder().announce("mutant").start().await;
    let client = service.client().await;
    let small = || camera().seconds(2).size(128, 72);
    let good = [
        ("video/mp2t", small().bytes()),
        ("video/mp2t", small().video(CameraVideo::H265).b_frames(2).bytes()),
        ("video/mp4", small().format(CameraFormat::FragmentedMp4).bytes()),
    ];
    for n in 0..STREAMS {
        client.add_stream(&format!("mutant{n}"), "push:").await;
    }
    let good = &good;
    let lanes = (0..STREAMS).map(|lane| async move {
        let mut refused = 0;
        for case in (lane..MUTANTS).step_by(STREAMS) {
            let (content_type, body) = &good[case % good.len()];
            let body = mutate(body, &mut Random(case as u64));
            let pushed = tokio::time::timeout(HANG, client.push(&format!("mutant{lane}"), content_type, body)).await;
            let answer = pushed.unwrap_or_else(|_| panic!("case {case} hangs"));
            assert!(answer.status.as_u16() < 500, "case {case}: {} {}", answer.status, answer.text());
            refused += usize::from(answer.status.is_client_error());
        }
        refused
    });
    let refused: usize = futures_util::future::join_all(lanes).await.into_iter().sum();
    assert!(refused < MUTANTS, "some of them still hold something playable");

    // And the service is as well as before.
    client.add_stream("sound", "push:").await;
    client.push("sound", "video/mp2t", camera().bytes()).await.expect(200);
    for n in 0..STREAMS {
        let coverage = client.coverage(&format!("mutant{n}")).await;
        let mut end = 0;
        for run in coverage["runs"].as_array().unwrap() {
            assert!(run["start_us"].as_i64().unwrap() >= end, "{coverage}");
            end = run["end_us"].as_i64().unwrap();
        }
        for gap in coverage["gaps"].as_array().unwrap() {
            assert!(!["unknown", "worker_crashed"].contains(&gap["cause"].as_str().unwrap()), "{coverage}");
        }
    }
}

fn mutate(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut body = good.to_vec();
    for _ in 0..=random.below(3) {
        let len = body.len().max(2);
        let (from, size) = (random.below(len), 1 + random.below(len / 4));
        let to = (from + size).min(body.len());
        match random.below(7) {
            0 => body.truncate(from),
            1 => drop(body.drain(from.min(to)..to)),
            2 => body[from.min(to)..to].fill(0),
            3 => {
                let copy = body[from.min(to)..to].to_vec();
                let at = random.below(body.len().max(1)).min(body.len());
                body.splice(at..at, copy);
            }
            4 => {
                let noise: Vec<u8> = (0..size.min(4096)).map(|_| random.next() as u8).collect();
                let at = from.min(body.len());
                body.splice(at..at, noise);
            }
            _ => {
                for _ in 0..=random.below(64) {
                    let at = random.below(body.len());
                    if let Some(byte) = body.get_mut(at) {
                        *byte ^= 1 << random.below(8);
                    }
                }
            }
        }
    }
    body
}

#[tokio::test]
async fn sources_that_are_absent_silent_or_garbage_are_told_apart() {
    let service = Service::builder()
        .set("ingest.connect_timeout", "2s")
        .set("ingest.silence_timeout", "2s")
        .announce("absent")
        .announce("silent")
        .announce("garbage")
        .start()
        .await;
    let client = service.client().await;
    let (absent, silent, garbage) = (servers::free_port(), servers::free_port(), servers::free_port());
    let listener = std::net::TcpListener::bind(("127.0.0.1", silent)).unwrap();
    let folder = service.scratch().join("garbage");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("noise.ts"), (0..1u32 << 20).map(|n| (u64::from(n) * 7919 % 251) as u8).collect::<Vec<u8>>()).unwrap();
    let _files = servers::files(&folder, "127.0.0.1", garbage);

    client.add_stream("absent", &format!("rtsp://127.0.0.1:{absent}/cam")).await;
    client.add_stream("silent", &format!("http://127.0.0.1:{silent}/live.ts")).await;
    client.add_stream("garbage", &format!("http://127.0.0.1:{garbage}/noise.ts")).await;
    let mut words = Vec::new();
    for id in ["absent", "silent", "garbage"] {
        words.push(failure(&service, id).await.1);
    }
    drop(listener);
    words.dedup();
    assert_eq!(words.len(), 3, "three faults, three sentences: {words:?}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_is_refused_with_what_to_write_instead() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("taken", "push:").await;
    for (body, status, word) in [
        (json!({ "id": "a b", "source": "push:" }), 400, "a-z"),
        (json!({ "id": "taken", "source": "push:" }), 409, "taken"),
        (json!({ "id": "x", "source": "rtps://cam/1" }), 422, "rtsp"),
        (json!({ "id": "x", "source": "" }), 422, "source"),
        (json!({ "id": "x", "sorce": "push:" }), 422, "source"),
        (json!({ "id": "x", "source": "file:///etc/passwd" }), 422, "file_roots"),
    ] {
        let answer = client.post("/v1/streams", body.clone()).await;
        let refused = [status, 400].contains(&answer.status.as_u16());
        assert!(refused, "{body}: {} {}", answer.status, answer.text());
        assert!(answer.text().contains(word), "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_foreign_media_folder_is_refused_and_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let media = scratch.path().join("media");
    std::fs::create_dir(&media).unwrap();
    std::fs::write(media.join("holiday.mp4"), b"not ours").unwrap();
    let mut service = Service::builder().set("media.root", media.to_str().unwrap()).announce("media").launch();
    let status = wait_for_end(&mut service).await;
    assert!(!status.success());
    assert!(service.log_text().contains("media"), "{}", service.log_text());
    let left: Vec<_> = std::fs::read_dir(&media).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["holiday.mp4"]);
    service.announce("");
}

#[tokio::test]
async fn a_port_in_use_is_told_at_once() {
    let service = Service::start().await;
    let data = tempfile::tempdir().unwrap();
    let listen = service.address().to_string();
    let mut command = service.command(&["serve", "--listen", &listen]);
    let out = command.env("RETROVIEW_DATA_DIR", data.path()).env("RETROVIEW_LOG_FORMAT", "text").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains(&listen) && said.contains("in use"), "{said}");

    let mut second = service.command(&["serve", "--listen", "127.0.0.1:0"]);
    let out = second.env("RETROVIEW_LOG_FORMAT", "text").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains(service.data().to_str().unwrap()), "one service per data folder: {said}");
}

async fn wait_for_end(service: &mut Service) -> std::process::ExitStatus {
    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    loop {
        if let Some(status) = service.ended() {
            return status;
        }
        assert!(std::time::Instant::now() < deadline, "it goes on all the same");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_full_disk_stops_recording_with_a_cause_and_goes_on_by_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let media = scratch.path().join("media");
    let Some(_disk) = SmallDisk::mount(&media, 8) else {
        println!("not root: no file system of our own to fill");
        return;
    };
    let service = Service::builder().set("media.root", media.to_str().unwrap()).announce("disk").announce("full").start().await;
    let client = service.client().await;
    let port = servers::free_udp_port();
    client.add_stream("cam", &format!("udp://127.0.0.1:{port}")).await;
    let _sender = servers::send(&camera().seconds(20).file(), "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316"));
    client.wait_for_segments("cam", 2).await;

    let filler = media.join(".filler");
    eventually("the disk is full", async || {
        let mut file = std::fs::File::options().create(true).append(true).open(&filler).unwrap();
        std::io::Write::write_all(&mut file, &[0; 1 << 16]).is_err().then_some(())
    })
    .await;
    let (state, detail) = failure(&service, "cam").await;
    assert_eq!(state, "stalled", "{detail}");
    assert!(detail.contains("disk") || detail.contains("room"), "{detail}");
    let before = client.segments_of("/v1/streams/cam/media.m3u8?start=1&end=now").await;
    for uri in &before {
        client.get(&format!("/v1/streams/cam/{uri}")).await.expect(200);
    }

    std::fs::remove_file(&filler).unwrap();
    client.wait_for_segments("cam", before.len() as u64 + 3).await;
    let coverage = client.coverage("cam").await;
    assert!(coverage["gaps"].as_array().unwrap().iter().any(|g| g["cause"] == json!("disk_full")), "{coverage}");
    let after = client.segments_of("/v1/streams/cam/media.m3u8?start=1&end=now").await;
    assert_eq!(after[..before.len()], before, "nothing stored was harmed");
}
