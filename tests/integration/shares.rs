//! A range shown to somebody without an account.

use serde_json::{Value, json};

use crate::harness::{Client, Service, camera, eventually, ffmpeg_plays};

/// 2026-05-03 14:00:00 UTC, where the test camera begins.
const T: i64 = 1_777_816_800;

async fn recorded() -> Service {
    let service = Service::start().await;
    service.client().await.add_stream("door", "push:").await;
    service.run(&["import", "door", camera().seconds(20).file().to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
    service
}

/// Somebody's browser, after it has opened the link.
struct Visitor<'a> {
    service: &'a Service,
    cookie: String,
    token: String,
}

impl Visitor<'_> {
    async fn open<'a>(service: &'a Service, url: &str) -> Visitor<'a> {
        let secret = url.split_once("/#/share/").expect("behind the fragment").1;
        let answer = reqwest::Client::new().post(service.url("/v1/shares/open")).json(&json!({ "secret": secret })).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let open: Value = answer.json().await.unwrap();
        Visitor { service, cookie, token: open["token"].as_str().unwrap().to_owned() }
    }
    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::Client::new().get(self.service.url(path)).header("Cookie", &self.cookie).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
    }
    fn playlist(&self) -> String {
        format!("/v1/streams/door/playlist.m3u8?start={}&end={}&token={}", T + 5, T + 15, self.token)
    }
}

async fn share(client: &Client) -> Value {
    let body = json!({ "streams": ["door"], "start": (T + 5).to_string(), "end": (T + 15).to_string(),
        "expires_at": retroview::media::Timestamp::from_secs(4_000_000_000).to_rfc3339(0) });
    // Beyond a year, as it should be.
    client.post("/v1/shares", body.clone()).await.expect(422);
    let mut body = body;
    body["expires_at"] = json!(tomorrow());
    client.post("/v1/shares", body).await.expect(201).json()
}

fn tomorrow() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    (now + 86_400).to_string()
}

#[tokio::test]
async fn a_link_plays_its_range_without_an_account_until_it_is_revoked_and_the_log_says_what_was_seen() {
    let mut service = recorded().await;
    let client = service.client().await;
    let made = share(client).await;
    let (id, path) = (made["id"].as_str().unwrap().to_owned(), format!("/v1/shares/{}", made["id"].as_str().unwrap()));
    let visitor = Visitor::open(&service, made["url"].as_str().unwrap()).await;
    let headers = format!("Cookie: {}\r\n", visitor.cookie);
    let played = ffmpeg_plays(service.url(&visitor.playlist()), &["-headers", &headers]);
    assert!(played.video_frames.abs_diff(250) <= 25, "{played:?}");
    let segment = |second: i64| format!("/v1/streams/door/segments/{}.m4s?token={}", (T + second) * 1_000_000, visitor.token);
    assert_eq!(visitor.get(&segment(10)).await.0, 200);
    assert_eq!(visitor.get(&segment(2)).await.0, 403, "outside its range");
    assert_eq!(visitor.get("/v1/streams/door/clip.mp4?start=-60&end=-30").await.0, 403);

    client.send(client.request(reqwest::Method::DELETE, &path)).await.expect(204);
    assert_eq!(visitor.get(&segment(10)).await.0, 401, "in the middle of playing");
    service.stop();
    let listed = service.run(&["audit", "list", "--json", "--act", "footage.watched"]);
    let watched: Value = serde_json::from_str(listed.lines().next().expect("it was watched")).unwrap();
    assert_eq!((watched["actor"].as_str(), watched["stream"].as_str()), (Some(&*format!("share {id}")), Some("door")));
    let log = format!("{}{}", service.log_text(), service.run(&["audit", "list", "--json"]));
    for secret in [made["secret"].as_str().unwrap(), visitor_secret(&headers)] {
        assert!(!log.contains(secret), "no log has it");
    }
}

fn visitor_secret(headers: &str) -> &str {
    headers.trim().rsplit_once('=').unwrap().1
}

#[tokio::test]
async fn what_the_command_line_revokes_ends_within_two_seconds() {
    let service = recorded().await;
    let (from, to) = ((T + 5).to_string(), (T + 15).to_string());
    let url = service.run(&["shares", "create", "door", "--from", &from, "--to", &to, "--note", "For the insurance"]);
    let visitor = Visitor::open(&service, url.trim()).await;
    assert_eq!(visitor.get(&visitor.playlist()).await.0, 200);
    let listed: Value = serde_json::from_str(&service.run(&["shares", "list", "--json"])).unwrap();
    assert_eq!((&listed[0]["opens"], &listed[0]["note"]), (&json!(1), &json!("For the insurance")));
    service.run(&["shares", "revoke", listed[0]["id"].as_str().unwrap()]);
    let began = std::time::Instant::now();
    eventually("the share has ended", async || (visitor.get(&visitor.playlist()).await.0 == 401).then_some(())).await;
    assert!(began.elapsed() < std::time::Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(service.try_run(&["shares", "revoke", listed[0]["id"].as_str().unwrap()]).status.code(), Some(5));
}
