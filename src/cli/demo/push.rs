//! A camera that pushes: a child process whose output goes into the service over HTTP, as `curl -T -` would do it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::DemoCamera;

/// Before a camera that lost its connection tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// One write of the camera is a few packets; this is several.
const CHUNK_BYTES: usize = 16 * 1024;

/// A camera that is live. It stops when this is dropped, its process included.
pub(super) struct Push(JoinHandle<()>);

impl Drop for Push {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn start(camera: &DemoCamera, service: SocketAddr, token: &str) -> Push {
    let (id, label) = (camera.id, camera.label);
    let token = token.to_owned();
    Push(tokio::spawn(async move {
        loop {
            if let Err(error) = push(id, label, service, &token).await {
                tracing::debug!(camera = id, %error, "the camera's connection ended; it connects again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }))
}

/// One connection, until either side ends it.
async fn push(id: &str, label: &str, service: SocketAddr, token: &str) -> std::io::Result<()> {
    let mut camera = Command::new(std::env::current_exe()?)
        .args(["camera", "--realtime", "--label", label, "--fps", "15", "--gop", "30", "--size", "960x540"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut film = camera.stdout.take().expect("stdout is piped");
    let mut socket = TcpStream::connect(service).await?;
    let head = format!(
        "POST /v1/streams/{id}/ingest HTTP/1.1\r\nHost: {service}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await?;
    let (mut answers, mut requests) = socket.split();
    let send = async {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let count = film.read(&mut buffer).await?;
            if count == 0 {
                return requests.write_all(b"0\r\n\r\n").await;
            }
            requests.write_all(format!("{count:x}\r\n").as_bytes()).await?;
            requests.write_all(&buffer[..count]).await?;
            requests.write_all(b"\r\n").await?;
        }
    };
    // An answer before the end of the body is a refusal, or the service is stopping.
    let mut answer = [0; 512];
    let answered = async {
        let count = answers.read(&mut answer).await?;
        let said = String::from_utf8_lossy(&answer[..count]);
        Err(std::io::Error::other(said.lines().next().unwrap_or("closed").to_owned()))
    };
    tokio::select! {
        sent = send => sent,
        refused = answered => refused,
    }
}
