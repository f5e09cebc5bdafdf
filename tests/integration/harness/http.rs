//! A client that speaks the product's API.

use std::net::SocketAddr;

use bytes::Bytes;
use reqwest::header::{HeaderMap, RANGE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// Carries a bearer token.
pub struct Client {
    base: String,
    token: String,
    http: reqwest::Client,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// # Panics
    /// When the body is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
    /// # Panics
    /// When the status is another.
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }
}

impl Client {
    pub fn new(address: SocketAddr, token: &str) -> Client {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("no TLS to set up");
        Client { base: format!("http://{address}"), token: token.into(), http }
    }
    pub fn token(&self) -> &str {
        &self.token
    }
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.expect("the service answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().await.expect("the whole body comes") }
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }
    pub async fn get_range(&self, path: &str, range: &str) -> Answer {
        self.send(self.request(Method::GET, path).header(RANGE, range)).await
    }
    pub async fn head(&self, path: &str) -> Answer {
        self.send(self.request(Method::HEAD, path)).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Adds a stream.
    pub async fn add_stream(&self, id: &str, source: &str) {
        self.post("/v1/streams", serde_json::json!({ "id": id, "source": source })).await.expect(201);
    }
    pub async fn stream(&self, id: &str) -> Value {
        self.get(&format!("/v1/streams/{id}")).await.expect(200).json()
    }
    /// Coverage of all time up to now.
    pub async fn coverage(&self, id: &str) -> Value {
        self.get(&format!("/v1/streams/{id}/coverage?start=0&end=now")).await.expect(200).json()
    }
    /// Waits until a playlist has its end: a body pushed faster than it plays reaches into the future, and a range
    /// stays open for a while after its end, because footage may still be on its way.
    pub async fn wait_for_end_of(&self, playlist: &str) {
        super::eventually("the playlist has its end", async || {
            self.get(playlist).await.expect(200).text().contains("#EXT-X-ENDLIST").then_some(())
        })
        .await;
    }
    /// Pushes a whole body and waits for the answer.
    pub async fn push(&self, id: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = self.request(Method::POST, &format!("/v1/streams/{id}/ingest")).header("Content-Type", content_type).body(body);
        self.send(request).await
    }
    /// Waits until the stream has at least so many segments.
    pub async fn wait_for_segments(&self, id: &str, count: u64) {
        super::eventually(&format!("{id} has {count} segments"), async || {
            (self.stream(id).await["segments"].as_u64().unwrap_or(0) >= count).then_some(())
        })
        .await;
    }
    /// The URIs a playlist names, in order.
    pub async fn segments_of(&self, path: &str) -> Vec<String> {
        let playlist = self.get(path).await.expect(200).text();
        playlist.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect()
    }
}
