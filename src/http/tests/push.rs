//! Pushing, with a worker that is only a socket.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::entitlement::Scope;
use crate::http::HttpSettings;
use crate::http::testing::{Answer, FakeWorker, TestApp, request};
use crate::ingest::protocol::PushFormat;
use crate::ingest::{PublishError, PublishReport};
use crate::media::GapCause;

const URI: &str = "/v1/streams/in/ingest";

async fn app() -> (TestApp, String) {
    let app = TestApp::with_settings(HttpSettings { ingest_idle_timeout: Duration::from_millis(50), ..HttpSettings::default() }).await;
    app.add_stream("in", "push:").await;
    let token = format!("Bearer {}", app.token(&[Scope::Ingest], &["in"]).await);
    (app, token)
}

fn push(token: &str, kind: Option<&str>, body: Body) -> Request<Body> {
    let mut headers = vec![("authorization", token)];
    headers.extend(kind.map(|kind| ("content-type", kind)));
    request(Method::POST, URI, &headers, body)
}

/// Packets of MPEG-TS, at least by their first bytes.
fn ts(packets: usize) -> Bytes {
    let mut bytes = vec![0xff; packets * 188];
    bytes.iter_mut().step_by(188).for_each(|b| *b = 0x47);
    bytes.into()
}

fn report(segments: u64, bytes: u64, cause: GapCause, detail: &str) -> PublishReport {
    PublishReport { segments, bytes, cause, detail: detail.into() }
}

/// A worker that takes everything, then reports.
async fn take_all(mut worker: FakeWorker) -> (PushFormat, Vec<u8>) {
    let mut got = Vec::new();
    worker.socket.read_to_end(&mut got).await.unwrap();
    worker.ended.send(report(3, got.len() as u64, GapCause::NoPublisher, "")).unwrap();
    (worker.format, got)
}

#[tokio::test]
async fn what_is_sent_reaches_the_worker_byte_for_byte_and_is_accounted_for() {
    let (app, token) = app().await;
    for (kind, body, format) in [
        (Some("video/mp2t"), ts(50_000), PushFormat::MpegTs),
        (None, ts(5), PushFormat::MpegTs),
        (Some("application/octet-stream"), ts(5), PushFormat::MpegTs),
        (Some("video/mp4"), Bytes::from_static(b"\0\0\0\x10ftypiso5...."), PushFormat::FragmentedMp4),
        (None, Bytes::from_static(b"\0\0\0\x10ftypiso5...."), PushFormat::FragmentedMp4),
    ] {
        let worker = app.recorder.next_publisher();
        // In pieces of odd sizes, as the network has it.
        let pieces: Vec<_> = body.chunks(1317).map(|c| Ok::<_, std::io::Error>(Bytes::copy_from_slice(c))).collect();
        let sent = push(&token, kind, Body::from_stream(stream::iter(pieces)));
        let (answer, taken) = tokio::join!(app.send(sent), async { take_all(worker.await.unwrap()).await });
        assert_eq!(answer.status, 200, "{kind:?} {:?}", answer.body);
        assert_eq!(answer.json(), serde_json::json!({ "segments": 3, "bytes": body.len() }));
        assert!(taken == (format, body.to_vec()), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_no_media_is_refused_before_anybody_is_kept_out() {
    let (app, token) = app().await;
    app.recorder.refuse_publishers(|| panic!("nobody asked for a publisher"));
    for (kind, body) in [
        (Some("text/html"), Bytes::from_static(b"x")),
        (None, Bytes::from_static(b"GIF89a")),
        (None, Bytes::new()),
        (Some("application/octet-stream"), Bytes::from(vec![0; 4096])),
    ] {
        let answer = app.send(push(&token, kind, Body::from(body))).await;
        assert_eq!((answer.status, &*answer.code()), (415, "unsupported_media_type"), "{kind:?}");
    }
}

#[tokio::test]
async fn who_may_not_send_is_told_why() {
    let (app, token) = app().await;
    let id = || "in".parse().unwrap();
    type Why = fn(crate::media::StreamId) -> PublishError;
    let table: [(Why, u16, &str); 5] = [
        (PublishError::PublisherPresent, 409, "publisher_present"),
        (PublishError::Paused, 409, "paused"),
        (PublishError::NotPush, 409, "not_push"),
        (PublishError::UnknownStream, 404, "unknown_stream"),
        (PublishError::NotReady, 503, "unavailable"),
    ];
    for (why, status, code) in table {
        app.recorder.refuse_publishers(move || why(id()));
        let answer = app.send(push(&token, Some("video/mp2t"), Body::from(ts(1)))).await;
        assert_eq!((answer.status, &*answer.code()), (status, code));
    }
    let viewer = format!("Bearer {}", app.token(&[Scope::View], &[]).await);
    assert_eq!(app.send(push(&viewer, None, Body::empty())).await.code(), "missing_scope");
    let other = format!("Bearer {}", app.token(&[Scope::Ingest], &["cam1"]).await);
    assert_eq!(app.send(push(&other, None, Body::empty())).await.code(), "stream_not_covered");
}

#[tokio::test]
async fn a_sender_that_tells_its_credentials_only_when_asked_is_asked() {
    let (app, _) = app().await;
    let asked = |answer: Answer| answer.headers.get_all("www-authenticate").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
    let challenges: Vec<String> = asked(app.ask(Method::POST, URI, &[]).await);
    assert_eq!(challenges, ["Bearer realm=\"retroview\"", "Basic realm=\"retroview\""]);
    // A browser would ask its user with a box of its own.
    let challenges: Vec<String> = asked(app.ask(Method::GET, "/v1/streams", &[]).await);
    assert_eq!(challenges, ["Bearer realm=\"retroview\""]);
}

/// A body that goes on for as long as the channel does.
fn endless() -> (mpsc::UnboundedSender<Result<Bytes, std::io::Error>>, Body) {
    let (send, receive) = mpsc::unbounded_channel();
    let chunks = stream::unfold(receive, |mut receive| async { Some((receive.recv().await?, receive)) });
    (send, Body::from_stream(chunks.boxed()))
}

#[tokio::test]
async fn a_sender_from_whom_nothing_comes_makes_room_for_others() {
    let (app, token) = app().await;
    let worker = app.recorder.next_publisher();
    let (send, body) = endless();
    send.send(Ok(ts(10))).unwrap();
    let (answer, taken) = tokio::join!(app.send(push(&token, Some("video/mp2t"), body)), async { take_all(worker.await.unwrap()).await });
    assert_eq!((answer.status, &*answer.code()), (408, "idle_timeout"));
    assert_eq!(answer.json()["segments"], 3);
    assert_eq!(taken.1, ts(10));
    drop(send);
}

#[tokio::test]
async fn a_recording_that_ends_first_tells_the_sender_at_once_and_why() {
    let table = [
        (GapCause::Paused, "", 409, "paused"),
        (GapCause::SourceInvalid, "no video or audio was found", 422, "invalid_media"),
        (GapCause::DiskFull, "", 507, "storage_full"),
        (GapCause::ServiceStopped, "", 503, "unavailable"),
    ];
    for (cause, detail, status, code) in table {
        let (app, token) = app().await;
        let worker = app.recorder.next_publisher();
        let (send, body) = endless();
        send.send(Ok(ts(10))).unwrap();
        let end = async {
            let worker = worker.await.unwrap();
            worker.ended.send(report(1, 1880, cause, detail)).unwrap();
            drop(worker.socket);
        };
        let (answer, ()) = tokio::join!(app.send(push(&token, Some("video/mp2t"), body)), end);
        assert_eq!((answer.status, &*answer.code()), (status, code));
        assert_eq!(answer.json()["bytes"], 1880);
        assert!(answer.json()["detail"].as_str().unwrap().contains(detail));
        drop(send);
    }
}

#[tokio::test]
async fn a_worker_that_dies_is_no_mystery_to_the_sender() {
    let (app, token) = app().await;
    let worker = app.recorder.next_publisher();
    let (answer, ()) = tokio::join!(app.send(push(&token, Some("video/mp2t"), Body::from(ts(10)))), async { drop(worker.await) });
    assert_eq!((answer.status, &*answer.code()), (503, "unavailable"));
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_the_recording_in_order() {
    let (app, token) = app().await;
    let worker = app.recorder.next_publisher();
    let pieces = [Ok(ts(10)), Err(std::io::Error::other("connection reset"))];
    let sent = push(&token, Some("video/mp2t"), Body::from_stream(stream::iter(pieces)));
    let (answer, taken) = tokio::join!(app.send(sent), async { take_all(worker.await.unwrap()).await });
    assert_eq!(answer.code(), "invalid_body");
    assert_eq!(taken.1, ts(10));
}

#[tokio::test]
async fn a_worker_that_is_slow_slows_the_sender_down() {
    let (app, token) = app().await;
    let worker = app.recorder.next_publisher();
    // Far more than a socket holds; made only when asked for.
    let made = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = made.clone();
    let pieces = stream::iter(0..4096).map(move |_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok::<_, std::io::Error>(ts(100))
    });
    let sent = app.send(push(&token, Some("video/mp2t"), Body::from_stream(pieces)));
    let take = async {
        let worker = worker.await.unwrap();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let before = made.load(std::sync::atomic::Ordering::SeqCst);
        assert!(before < 1024, "{before} pieces of 18,800 bytes were read for a worker that takes none");
        take_all(worker).await
    };
    let (answer, taken) = tokio::join!(sent, take);
    assert_eq!((answer.status, taken.1.len()), (200, 4096 * 18_800));
}
