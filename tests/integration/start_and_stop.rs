//! What is in the way of a start is named, and the end is quick.

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
    // The recorder looks at the rows every second.
    eventually("a push is taken again", async || (client.push("door", "video/mp2t", camera().bytes()).await.status == 200).then_some(()))
        .await;
}

#[tokio::test]
async fn a_rebuild_leaves_a_running_service_alone() {
    let service = Service::start().await;
    let out = service.try_run(&["index", "rebuild"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(5) && said.contains(&format!("(process {})", service.pid())), "{said}");
}
