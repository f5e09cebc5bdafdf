//! What each segment request pays before a byte is read: whose address it is, what of the stream is there to be seen at this
//! moment, and whether the segment is. Three plans behind the account, a hundred holds on the stream.
//!
//! `cargo bench --bench permission`. The promise is at most ten microseconds.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use tokio::runtime::Runtime;

use retroview::audit::{Act, Event};
use retroview::clock::ManualClock;
use retroview::db::{Db, DbResult, NewHold, NewStream, sqlite};
use retroview::entitlement::{Access, AccessSettings, Principal, Verb, Verbs, Windows};
use retroview::media::{AccountId, PlanHistory, PlanSpan, StreamId, TimeRange, Timestamp, Window};
use retroview::retention::{AccountRules, Plans, Visibility};

const CHECK_MAX: Duration = Duration::from_micros(10);
const CHECKS: u32 = 200_000;
const HOLDS: i64 = 100;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
const NOW: Timestamp = Timestamp(1_777_816_800_000_000);

struct ThreePlans(AccountRules);

#[async_trait]
impl Plans for ThreePlans {
    async fn rules(&self, _: &AccountId) -> DbResult<AccountRules> {
        Ok(self.0.clone())
    }
}

/// Three months, then everything, then six months; months are counted where clocks change.
fn three_plans() -> ThreePlans {
    let spans = [(700, Window::Months(3)), (400, Window::Unlimited), (100, Window::Months(6))];
    let span = |(days, window)| PlanSpan { from: ago(days * DAY_US), plan: "plan".into(), version: 1, window };
    let history = PlanHistory::new(spans.map(span).into());
    ThreePlans(AccountRules { zone: TimeZone::get("Europe/Paris").expect("a zone"), history })
}

fn ago(us: i64) -> Timestamp {
    NOW.saturating_add_micros(-us)
}

fn range(start: Timestamp, us: i64) -> TimeRange {
    TimeRange::new(start, start.saturating_add_micros(us)).expect("it has a length")
}

fn door() -> StreamId {
    "door".parse().expect("a name")
}

async fn place_holds(db: &Db) {
    let new = NewStream { id: door(), account: AccountId::main(), title: "door".into(), source: "push:".into(), credentials: None };
    db.add_stream(&new, ago(800 * DAY_US)).await.expect("a stream");
    for n in 0..HOLDS {
        let hold = NewHold {
            account: AccountId::main(),
            streams: vec![door()],
            range: range(ago((n + 2) * 3 * DAY_US), HOUR_US),
            margin_before_us: HOUR_US,
            margin_after_us: HOUR_US,
            case: format!("2026-{n}"),
            reason: "a fall at the door".into(),
            author: "user admin".into(),
            expires_at: Some(NOW.saturating_add_micros(DAY_US)),
        };
        db.place_hold(&hold, ago(DAY_US), Event::system(NOW, Act("hold.placed"))).await.expect("a hold");
    }
}

/// What stands between a request and its segment.
struct Door {
    access: Access,
    visibility: Visibility,
    token: String,
    segment: TimeRange,
}

impl Door {
    async fn open(folder: &std::path::Path) -> Door {
        let db = sqlite::open(&folder.join("retroview.db")).await.expect("a database");
        place_holds(&db).await;
        let clock = ManualClock::at(NOW);
        let visibility = Visibility::new(Arc::clone(&db), Arc::new(three_plans()), clock.clone());
        let access = Access::open(db, clock, AccessSettings::default()).await.expect("a key");
        let visible = visibility.visible(&door(), NOW).await.expect("rows").expect("the stream");
        assert_eq!(visible.held.len(), HOLDS as usize);
        let operator = Principal::command_line(AccountId::main());
        let (asked, expires_at) = (range(ago(30 * DAY_US), 2 * DAY_US), NOW.saturating_add_micros(DAY_US));
        let (token, _) = access.sign(&operator, &visible, asked, Verbs::ALL, expires_at).await.expect("it may be signed");
        Door { access, visibility, token, segment: range(ago(29 * DAY_US), 4_000_000) }
    }

    /// As playback asks: for the stream, then for the segment it has found.
    async fn check(&self) -> bool {
        let who = self.access.by_signed(&self.token).await.expect("we signed it");
        let visible = self.visibility.visible(&door(), NOW).await.expect("it is remembered").expect("the stream");
        who.permit(Verb::View, TimeRange::ALL, &visible).expect("some of it");
        who.permit(Verb::View, self.segment, &visible).expect("all of it").shows(self.segment)
    }
}

fn check(c: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let dir = tempfile::tempdir().expect("a folder");
    let door = runtime.block_on(Door::open(dir.path()));
    let began = Instant::now();
    runtime.block_on(async {
        for _ in 0..CHECKS {
            assert!(black_box(door.check().await));
        }
    });
    let took = began.elapsed() / CHECKS;
    println!("a segment request is permitted in {took:.2?} (≤ {CHECK_MAX:?}: {})", if took <= CHECK_MAX { "within" } else { "beyond" });

    let mut group = c.benchmark_group("permission");
    group.bench_function("a segment request", |b| b.iter(|| runtime.block_on(door.check())));
    group.bench_function("its address alone", |b| b.iter(|| runtime.block_on(door.access.by_signed(&door.token)).expect("ours")));
    group.bench_function("what is to be seen alone", |b| {
        b.iter(|| runtime.block_on(door.visibility.visible(&self::door(), NOW)).expect("it is remembered"));
    });
    // Once a second and stream: what applies may have changed in another process.
    group.bench_function("the rows behind it", |b| {
        b.iter(|| {
            door.visibility.forget();
            runtime.block_on(door.visibility.visible(&self::door(), NOW)).expect("rows")
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).without_plots();
    targets = check
}
criterion_main!(benches);
