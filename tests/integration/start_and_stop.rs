//! What is in the way of a start is named, the end is quick, and a lost index comes back.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Service, camera, eventually};
use crate::servers;

#[tokio::test]
async fn another_disk_than_the_one_the_index_belongs_to_is_refused() {
    let mut service = Service::start().await;
    service.stop();
    std::fs::rename(service.media(), service.scratch().join("unmounted")).unwrap();
    std::fs::create_dir(service.media()).unwrap();
    let out = service.try_run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(1) && said.contains("Is the disk mounted?") && said.contains("Try:"), "{said}");
    assert_eq!(std::fs::read_dir(service.media()).unwrap().count(), 0, "nothing was written to it");
}

#[tokio::test]
async fn ctrl_c_ends_it_within_two_seconds_while_it_records() {
    let mut service = Service::start().await;
    let port = servers::free_udp_port();
    service.client().await.add_stream("cam", &format!("udp://127.0.0.1:{port}")).await;
    let _sender = servers::send(&camera().seconds(20).file(), "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316"));
    service.client().await.wait_for_segments("cam", 2).await;
    let began = Instant::now();
    kill_process(Pid::from_raw(i32::try_from(service.pid()).unwrap()).unwrap(), Signal::INT).unwrap();
    let status = loop {
        if let Some(status) = service.ended() {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(2), "it goes on for more than two seconds");
        std::thread::yield_now();
    };
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn the_first_password_is_printed_once_and_can_be_replaced() {
    let mut service = Service::start().await;
    let printed = service.stdout_text();
    let password = printed.lines().find_map(|l| l.split_once("password  ")).map(|(_, rest)| rest.trim_matches([' ', '│']).to_owned());
    sign_in(&service, &password.expect("a password was printed"), 200).await;
    service.stop();
    service.restart().await;
    assert_eq!(service.stdout_text(), printed, "printed once, not twice");
    assert!(!service.log_text().contains("password"), "and never logged");

    let fresh = service.run(&["users", "reset-password"]);
    sign_in(&service, fresh.trim(), 200).await;
    sign_in(&service, "not the password", 401).await;
}

async fn sign_in(service: &Service, password: &str, status: u16) {
    let body = json!({ "user": "admin", "password": password });
    let answer = reqwest::Client::new().post(service.url("/v1/session")).header("X-Retroview", "1").json(&body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), status, "{:?}", answer.text().await);
}

#[tokio::test]
async fn the_command_line_steers_a_running_service() {
    let service = Service::start().await;
    service.run(&["streams", "add", "door", "push:", "--title", "Front door"]);
    let client = service.client().await;
    eventually("the new stream", async || (client.get("/v1/streams/door").await.status == 200).then_some(())).await;
    assert_eq!(client.stream("door").await["title"], "Front door");
    service.run(&["streams", "pause", "door"]);
    eventually("the pause", async || (client.stream("door").await["state"] == "disabled").then_some(())).await;
    client.push("door", "video/mp2t", camera().bytes()).await.expect(409);
    service.run(&["streams", "resume", "door"]);
    eventually("the end of the pause", async || (client.stream("door").await["state"] == "connecting").then_some(())).await;
    client.push("door", "video/mp2t", camera().bytes()).await.expect(200);
}

#[tokio::test]
async fn an_index_made_anew_gives_the_same_playlists_byte_for_byte() {
    let mut service = Service::builder().set("media.block_max", "10s").start().await;
    service.client().await.add_stream("door", "push:").await;
    // Two connections: two runs, and a gap between them.
    for _ in 0..2 {
        service.client().await.push("door", "video/mp2t", camera().seconds(30).bytes()).await.expect(200);
    }
    let before = documents(&service).await;
    assert!(before[1].contains("#EXT-X-DISCONTINUITY\n"), "{}", before[1]);
    service.stop();
    for name in ["retroview.db", "retroview.db-wal", "retroview.db-shm"] {
        // What SQLite has tidied away already is lost, too.
        let _ = std::fs::remove_file(service.data().join(name));
    }
    service.run(&["index", "rebuild"]);
    service.restart().await;
    let token = service.run(&["tokens", "create", "again", "--scopes", "view"]);
    assert_eq!(documents_with(&service, token.trim()).await, before);
}

#[tokio::test]
async fn a_rebuild_leaves_a_running_service_alone() {
    let service = Service::start().await;
    let out = service.try_run(&["index", "rebuild"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(5) && said.contains(&format!("(process {})", service.pid())), "{said}");
}

async fn documents(service: &Service) -> Vec<String> {
    let token = service.client().await.token().to_owned();
    documents_with(service, &token).await
}

/// Playlists and coverage over all that is stored.
async fn documents_with(service: &Service, token: &str) -> Vec<String> {
    let http = reqwest::Client::new();
    let get = async |path: &str| {
        let answer = http.get(service.url(&format!("/v1/streams/door{path}"))).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let stream: serde_json::Value = serde_json::from_str(&get("").await).unwrap();
    let second = |key: &str| stream[key].as_i64().unwrap() as f64 / 1e6;
    let range = format!("start={:.6}&end={:.6}", second("first_start_us"), second("last_end_us"));
    let mut found = Vec::new();
    for name in ["playlist.m3u8", "media.m3u8", "iframes.m3u8"] {
        found.push(get(&format!("/{name}?{range}")).await);
    }
    let mut coverage: serde_json::Value = serde_json::from_str(&get(&format!("/coverage?{range}")).await).unwrap();
    // The moment of asking is in the answer.
    coverage.as_object_mut().unwrap().remove("now_us");
    found.push(coverage.to_string());
    found
}
