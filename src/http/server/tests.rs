//! Over real sockets on loopback.

use axum::routing::get;
use futures_util::stream;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::*;
use crate::store::BlockFile;
use crate::store::testing;

/// A server on a free port.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(router: Router, limits: ServeLimits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Running { address, stop, server }
    }
}

/// A mapped block of about four megabytes.
fn mapped_block() -> (tempfile::TempDir, Bytes) {
    let (dir, root) = testing::root();
    let run = testing::run_info(&testing::stream("cam1"), testing::T0, 0);
    let (mut writer, mut block) = testing::writer(&root, &run, testing::T0, 0);
    for _ in 0..4 {
        block.size_bytes += u64::from(testing::try_append(&mut writer, 4, 1_000_000).unwrap().stored_bytes());
    }
    let file = BlockFile::open(&root, &block).unwrap();
    (dir, file.slice(0..block.size_bytes).unwrap())
}

/// Mapped and other bytes in one body, with pieces on either side of every bound.
fn pieces(mapped: &Bytes) -> Vec<Bytes> {
    let other = |n: usize, fill: u8| Bytes::from(vec![fill; n]);
    vec![
        other(10, 1),
        mapped.slice(7..3_000_001),
        other(40_000, 2),
        mapped.slice(100..200),
        mapped.slice(100..100 + 16 * 1024),
        mapped.slice(100..100 + 16 * 1024 - 1),
        other(1, 3),
        other(1, 4),
        mapped.slice(2_000_000..),
    ]
}

fn mixed_router(pieces: Vec<Bytes>) -> Router {
    let body = move || async move { Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>))) };
    Router::new().route("/", get(body))
}

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new().build_recorder()
}

fn sent_by_kernel(recorder: &PrometheusRecorder) -> u64 {
    let text = recorder.handle().render();
    let line = text.lines().find(|l| l.starts_with(metric::HTTP_SENDFILE_BYTES)).unwrap_or("x 0");
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn every_byte_arrives_in_order_and_mapped_ones_are_sent_by_the_kernel() {
    let recorder = recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let (_dir, mapped) = mapped_block();
    let pieces = pieces(&mapped);
    let expected = pieces.concat();
    let running = Running::start(mixed_router(pieces), ServeLimits::default()).await;
    let client = reqwest::Client::builder().build().unwrap();
    for _ in 0..3 {
        let body = client.get(format!("http://{}/", running.address)).send().await.unwrap().bytes().await.unwrap();
        assert!(body == expected);
    }
    let by_kernel = 3 * (2_999_994 + 16 * 1024 + mapped.len() as u64 - 2_000_000);
    assert_eq!(sent_by_kernel(&recorder), by_kernel);
    running.stop.cancel();
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_reader_with_a_small_buffer_that_dawdles_gets_the_same_bytes() {
    let (_dir, mapped) = mapped_block();
    let pieces = pieces(&mapped);
    let expected = pieces.concat();
    let running = Running::start(mixed_router(pieces), ServeLimits::default()).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(running.address).await.unwrap();
    // HTTP/1.0: no chunks, the body is what follows the head until the end.
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let (mut got, mut buffer, mut size) = (Vec::new(), vec![0; 70_000], 1);
    loop {
        let n = stream.read(&mut buffer[..size]).await.unwrap();
        if n == 0 {
            break;
        }
        got.extend_from_slice(&buffer[..n]);
        size = (size * 7 + 3) % buffer.len() + 1;
        tokio::task::yield_now().await;
    }
    let head = got.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert!(got[head..] == expected);
}

#[tokio::test]
async fn http2_without_tls_is_spoken_to_those_who_begin_with_it() {
    let (_dir, mapped) = mapped_block();
    let pieces = pieces(&mapped);
    let expected = pieces.concat();
    let running = Running::start(mixed_router(pieces), ServeLimits::default()).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://retroview/").body(Body::empty()).unwrap();
    let response = send.send_request(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert!(body == expected);
}

#[tokio::test]
async fn a_request_under_way_is_finished_after_the_shutdown_began_and_no_new_one_is_taken() {
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let released = Arc::new(tokio::sync::Mutex::new(Some(released)));
    let (began, mut has_begun) = tokio::sync::mpsc::channel(1);
    let slow = move || async move {
        let released = released.lock().await.take().unwrap();
        began.send(()).await.unwrap();
        released.await.unwrap();
        "done"
    };
    let limits = ServeLimits { drain_timeout: Duration::from_secs(60), ..ServeLimits::default() };
    let running = Running::start(Router::new().route("/", get(slow)), limits).await;
    let url = format!("http://{}/", running.address);
    let answer = tokio::spawn(async move { reqwest::get(url).await.unwrap().text().await.unwrap() });
    has_begun.recv().await.unwrap();
    running.stop.cancel();
    // The listener is closed before anything is waited for.
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert_eq!(answer.await.unwrap(), "done");
    running.server.await.unwrap();
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_off() {
    static DROPPED: AtomicBool = AtomicBool::new(false);
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            DROPPED.store(true, Ordering::SeqCst);
        }
    }
    let (began, mut has_begun) = tokio::sync::mpsc::channel(1);
    let endless = move || async move {
        let _guard = Guard;
        began.send(()).await.unwrap();
        std::future::pending::<()>().await;
    };
    let limits = ServeLimits { drain_timeout: Duration::from_millis(10), ..ServeLimits::default() };
    let running = Running::start(Router::new().route("/", get(endless)), limits).await;
    let url = format!("http://{}/", running.address);
    let answer = tokio::spawn(reqwest::get(url));
    has_begun.recv().await.unwrap();
    running.stop.cancel();
    running.server.await.unwrap();
    assert!(DROPPED.load(Ordering::SeqCst));
    assert!(answer.await.unwrap().is_err());
}

#[tokio::test]
async fn beyond_the_limit_connections_wait_for_a_place() {
    let limits = ServeLimits { connections_max: 1, ..ServeLimits::default() };
    let running = Running::start(Router::new().route("/", get(|| async { "here" })), limits).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    drop(first);
    second.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"H");
}

#[tokio::test]
async fn who_sends_a_head_drop_by_drop_is_disconnected() {
    let limits = ServeLimits { head_timeout: Duration::from_millis(20), ..ServeLimits::default() };
    let running = Running::start(Router::new().route("/", get(|| async { "here" })), limits).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn who_is_refused_in_the_middle_of_a_body_reads_why() {
    let refuse = axum::routing::post(|| async { (axum::http::StatusCode::CONFLICT, "somebody sends already") });
    let running = Running::start(Router::new().route("/", refuse), ServeLimits::default()).await;
    for _ in 0..20 {
        let mut client = TcpStream::connect(running.address).await.unwrap();
        client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n").await.unwrap();
        for _ in 0..40 {
            client.write_all(&[0; 100_000]).await.expect("the rest of the body is taken");
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("no reset");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.starts_with("HTTP/1.1 409") && answer.ends_with("somebody sends already"), "{answer}");
    }
    running.stop.cancel();
    running.server.await.unwrap();
}
