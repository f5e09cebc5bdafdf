//! A whole HTTP side for tests, without a network: a database in a folder of its own, a clock that stands still.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::recorder::Recorder;
use super::state::{AppState, HttpSettings, Installation, Services, ViewLog};
use crate::clock::{Clock, ManualClock};
use crate::db::{self, AuditVerifier, DbResult, NewStream};
use crate::entitlement::{self, Access, AccessSettings, Caller, NewToken, Principal, Rights, Scope};
use crate::exports::{ExportSettings, Exports};
use crate::index::Index;
use crate::ingest::protocol::{PushFormat, Sight};
use crate::ingest::{LookError, NotRecording, Publication, PublishError, PublishReport, SourcePolicy, SourceSpec, StreamStatus};
use crate::media::{AccountId, StreamId, Timestamp};
use crate::playback::Playback;
use crate::retention::{self, Retention};
use crate::store::{BlockCache, MediaRoot};

/// 2026-05-03T14:00:00Z.
pub const NOW: Timestamp = Timestamp(1_777_816_800_000_000);
pub const PASSWORD: &str = "correct horse battery";

pub struct TestApp {
    pub recorder: Arc<FakeRecorder>,
    pub state: AppState,
    pub clock: Arc<ManualClock>,
    pub router: Router,
    _dir: tempfile::TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }
    /// The problem's code; empty when it is none.
    pub fn code(&self) -> String {
        let problem = self.headers.get("content-type").is_some_and(|t| t == "application/problem+json");
        if problem { self.json()["code"].as_str().unwrap().to_owned() } else { String::new() }
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

impl TestApp {
    /// With the user `admin` and the stream `cam1`.
    pub async fn new() -> TestApp {
        Self::with_settings(HttpSettings::default()).await
    }

    pub async fn with_settings(settings: HttpSettings) -> TestApp {
        let app = Self::build(settings).await;
        app.add_stream("cam1", "rtsp://192.0.2.7/1").await;
        app
    }

    /// With the user `admin` and nothing else.
    pub async fn empty() -> TestApp {
        Self::build(HttpSettings::default()).await
    }

    async fn build(settings: HttpSettings) -> TestApp {
        let dir = tempfile::tempdir().unwrap();
        let db = db::sqlite::open(&dir.path().join("retroview.db")).await.unwrap();
        let clock = ManualClock::at(NOW);
        entitlement::set_password(&db, NOW, "admin", PASSWORD).await.unwrap();
        let access = Access::open(db.clone(), clock.clone(), AccessSettings::default()).await.unwrap();
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None).unwrap();
        let index = Index::new(db.clone(), root.clone());
        let files = Arc::new(BlockCache::new(root.clone()));
        let settings_of_retention = retention::Settings::default();
        let lock_file = dir.path().join("retention.lock");
        let installation = Installation { root: root.clone(), min_free_bytes: 1000, started_at: NOW };
        let retention = Retention::new(index.clone(), root, settings_of_retention, clock.clone(), &lock_file);
        let playback = Playback::within(retention.windows(), index, files, clock.clone());
        let settings_of_exports = ExportSettings {
            folder: dir.path().join("exports"),
            keep: Duration::from_secs(7 * 86_400),
            max_bytes: 1 << 30,
            min_free_bytes: 0,
        };
        let exports = Exports::new(db.clone(), clock.clone(), playback.clone(), settings_of_exports);
        let recorder = Arc::new(FakeRecorder {
            board: Mutex::default(),
            publish: Mutex::default(),
            reloads: AtomicU64::new(0),
            not_recording: Mutex::default(),
            look: Mutex::default(),
        });
        let sources = SourcePolicy::new(&["10.0.0.0/8"], &[] as &[&str]).unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let now = clock.clone();
        let verifier = AuditVerifier::new(db.clone(), move || now.now());
        let state = Arc::new(Services {
            db,
            clock: clock.clone(),
            access,
            playback,
            recorder: recorder.clone(),
            sources,
            metrics,
            settings,
            retention,
            exports,
            views: ViewLog::default(),
            verifier,
            installation,
        });
        let router = super::router(state.clone());
        TestApp { recorder, state, clock, router, _dir: dir }
    }

    pub async fn add_stream(&self, id: &str, source: &str) {
        let new = NewStream {
            id: id.parse().unwrap(),
            account: AccountId::main(),
            title: id.to_uppercase(),
            source: source.to_owned(),
            credentials: None,
        };
        self.state.db.add_stream(&new, NOW).await.unwrap();
    }

    /// A bearer token with these scopes, for these streams (none: all).
    pub async fn token(&self, scopes: &[Scope], streams: &[&str]) -> String {
        let new = NewToken {
            account: AccountId::main(),
            name: "test".into(),
            rights: Rights::Scopes(scopes.iter().copied().collect()),
            streams: streams.iter().map(|s| s.parse::<StreamId>().unwrap()).collect(),
            expires_at: None,
        };
        self.make_token(new).await.1
    }

    /// Id and token.
    pub async fn make_token(&self, new: NewToken) -> (String, String) {
        let who = Principal::command_line(AccountId::main());
        let (row, token) = self.state.access.directory().make_token(&who, NOW, new).await.unwrap();
        (row.id, token)
    }

    pub async fn admin(&self) -> String {
        self.token(&[Scope::Admin], &[]).await
    }

    /// The value of a `Cookie` header of someone signed in.
    pub async fn cookie(&self) -> String {
        let session = self.state.access.sign_in("admin", PASSWORD.into(), Caller { address: "", agent: "" }).await.unwrap();
        format!("{}={}", super::auth::SESSION_COOKIE, session.cookie)
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// A request without a body.
    pub async fn ask(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(method, uri, headers, Body::empty())).await
    }

    pub async fn get_with(&self, token: &str, uri: &str) -> Answer {
        self.ask(Method::GET, uri, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// A request with a JSON body and a bearer token.
    pub async fn json_with(&self, token: &str, method: Method, uri: &str, body: &Value) -> Answer {
        let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
        self.send(request(method, uri, &headers, Body::from(body.to_string()))).await
    }
}

pub fn request(method: Method, uri: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri).header("host", "retroview.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// A worker's end of a push: what comes out of the socket, and the way to say what was stored.
pub struct FakeWorker {
    pub format: PushFormat,
    pub socket: UnixStream,
    pub ended: oneshot::Sender<PublishReport>,
}

type Publish = Box<dyn FnMut(PushFormat) -> Result<Publication, PublishError> + Send>;

type Look = Box<dyn FnMut(&SourceSpec) -> Result<Sight, LookError> + Send>;

/// Records nothing; says what tests tell it to say.
pub struct FakeRecorder {
    board: Mutex<HashMap<StreamId, StreamStatus>>,
    publish: Mutex<Option<Publish>>,
    reloads: AtomicU64,
    not_recording: Mutex<Option<NotRecording>>,
    look: Mutex<Option<Look>>,
}

impl FakeRecorder {
    pub fn set_status(&self, stream: &str, status: StreamStatus) {
        self.board.lock().unwrap().insert(stream.parse().unwrap(), status);
    }
    pub fn cannot_record(&self, why: NotRecording) {
        *self.not_recording.lock().unwrap() = Some(why);
    }
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::SeqCst)
    }
    pub fn refuse_publishers(&self, mut why: impl FnMut() -> PublishError + Send + 'static) {
        *self.publish.lock().unwrap() = Some(Box::new(move |_| Err(why())));
    }
    /// What is to be seen of sources; until then nothing answers.
    pub fn let_see(&self, look: impl FnMut(&SourceSpec) -> Result<Sight, LookError> + Send + 'static) {
        *self.look.lock().unwrap() = Some(Box::new(look));
    }
    /// The next publisher ends up here.
    pub fn next_publisher(&self) -> oneshot::Receiver<FakeWorker> {
        let (give, worker) = oneshot::channel();
        let mut give = Some(give);
        *self.publish.lock().unwrap() = Some(Box::new(move |format| {
            let (ours, socket) = UnixStream::pair().unwrap();
            let (ended, report) = oneshot::channel();
            let _ = give.take().unwrap().send(FakeWorker { format, socket, ended });
            Ok(Publication::new(ours, report))
        }));
        worker
    }
}

#[async_trait]
impl Recorder for FakeRecorder {
    fn status(&self, stream: &StreamId) -> Option<StreamStatus> {
        self.board.lock().unwrap().get(stream).cloned()
    }
    fn statuses(&self) -> HashMap<StreamId, StreamStatus> {
        self.board.lock().unwrap().clone()
    }
    fn not_recording(&self) -> Option<NotRecording> {
        *self.not_recording.lock().unwrap()
    }
    async fn reload(&self) -> DbResult<()> {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    async fn publish(&self, stream: &StreamId, format: PushFormat) -> Result<Publication, PublishError> {
        match self.publish.lock().unwrap().as_mut() {
            Some(publish) => publish(format),
            None => Err(PublishError::NotReady(stream.clone())),
        }
    }
    async fn look(&self, source: &SourceSpec) -> Result<Sight, LookError> {
        self.look.lock().unwrap().as_mut().map_or(Err(LookError::TimedOut), |look| look(source))
    }
}
