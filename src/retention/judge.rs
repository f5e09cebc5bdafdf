//! Whether footage stays, and why. Pure.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::window_start::{DAY_US, window_start};
use crate::media::{PlanHistory, TimeRange, Timestamp, Window};

/// What an account's plans say, and on which calendar.
#[derive(Clone, Debug)]
pub struct AccountRules {
    pub zone: TimeZone,
    pub history: PlanHistory,
}

impl Default for AccountRules {
    /// Nothing is known: nothing goes.
    fn default() -> Self {
        AccountRules { zone: TimeZone::UTC, history: PlanHistory::default() }
    }
}

/// A stream's own limit. It shortens the plan's window where it is shorter, and does nothing where it is longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Cap {
    /// At least one. Hours, because privacy rules speak of 72 hours.
    pub hours: u32,
}

impl Cap {
    fn start(self, now: Timestamp) -> Timestamp {
        now.saturating_add_micros(-i64::from(self.hours) * 3_600_000_000).max(Timestamp::MIN)
    }
}

/// What one hold keeps of a stream, margins included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HeldRange {
    pub hold: i64,
    pub range: TimeRange,
}

/// All that is held of a stream at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// By start, each with the latest end up to here: a search need not go back further.
    ranges: Vec<(HeldRange, Timestamp)>,
}

impl Held {
    pub fn new(mut holds: Vec<HeldRange>) -> Self {
        holds.sort_unstable_by_key(|h| (h.range.start(), h.hold));
        let mut latest = Timestamp::MIN;
        let with_latest = |h: HeldRange| {
            latest = latest.max(h.range.end());
            (h, latest)
        };
        Held { ranges: holds.into_iter().map(with_latest).collect() }
    }
    /// All holds that `range` touches, the latest to begin first.
    pub fn over(&self, range: TimeRange) -> impl Iterator<Item = HeldRange> + '_ {
        let before = self.ranges.partition_point(|(h, _)| h.range.start() < range.end());
        let near = self.ranges[..before].iter().rev().take_while(move |(_, latest)| *latest > range.start());
        near.map(|(h, _)| *h).filter(move |h| h.range.overlaps(range))
    }
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
    /// The same time in ranges that do not touch, in order.
    pub fn merged(&self) -> Vec<TimeRange> {
        TimeRange::merged(self.ranges.iter().map(|(h, _)| h.range).collect())
    }
}

/// Why footage stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Keep {
    /// The plan has no end, or nothing is known of it.
    Unlimited,
    /// It ends inside the window.
    Window,
    /// It is outside the window, and this hold touches it.
    Hold { hold: i64 },
}

/// Why footage goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Prune {
    /// The plan's window has passed over it.
    Plan { months: u32 },
    /// The plan would still keep it; the stream's cap does not.
    Cap { hours: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    Keep(Keep),
    Prune(Prune),
}

impl Verdict {
    pub fn keeps(self) -> bool {
        matches!(self, Verdict::Keep(_))
    }
}

/// Judges one stream's footage at one moment. The calendar is asked once, so judging itself is two comparisons.
#[derive(Clone, Debug)]
pub struct Judge {
    plan: Window,
    plan_start: Option<Timestamp>,
    cap: Option<(Cap, Timestamp)>,
    held: Held,
}

impl Judge {
    /// What is known at `now`, which may be any moment: the plan is the one that holds, held or will hold then.
    pub fn at(now: Timestamp, rules: &AccountRules, cap: Option<Cap>, held: Held) -> Judge {
        let plan = rules.history.window_at(now);
        Judge { plan, plan_start: window_start(plan, &rules.zone, now), cap: cap.map(|cap| (cap, cap.start(now))), held }
    }

    /// The moment before which nothing is served, holds apart; `None`: everything is.
    pub fn window_start(&self) -> Option<Timestamp> {
        self.plan_start.max(self.cap.map(|(_, start)| start))
    }

    /// [`Judge::window_start`], and what would be said of footage that ended before.
    pub fn limit(&self) -> Option<(Timestamp, Prune)> {
        let start = self.window_start()?;
        match (self.plan, self.cap) {
            (Window::Months(months), _) if self.plan_start == Some(start) => Some((start, Prune::Plan { months })),
            (_, cap) => cap.map(|(cap, _)| (start, Prune::Cap { hours: cap.hours })),
        }
    }

    /// `range`: of a segment or a block. Its end decides; holds keep whatever they touch.
    pub fn judge(&self, range: TimeRange) -> Verdict {
        let gone = |start: Option<Timestamp>| start.is_some_and(|start| range.end() <= start);
        let prune = match (self.plan, self.cap) {
            (Window::Months(months), _) if gone(self.plan_start) => Prune::Plan { months },
            (_, Some((cap, start))) if gone(Some(start)) => Prune::Cap { hours: cap.hours },
            (Window::Unlimited, None) => return Verdict::Keep(Keep::Unlimited),
            _ => return Verdict::Keep(Keep::Window),
        };
        match self.held.over(range).next() {
            Some(held) => Verdict::Keep(Keep::Hold { hold: held.hold }),
            None => Verdict::Prune(prune),
        }
    }
}

/// The first moment, not before `from`, at which footage that ends at `end` is outside the window, holds apart; `None`: it
/// never is, as far as plans are decided. An upgrade later on may bring back what is only marked by then: that is no
/// matter here.
pub fn leaves_at(end: Timestamp, from: Timestamp, rules: &AccountRules, cap: Option<Cap>) -> Option<Timestamp> {
    let out = |t: Timestamp| Judge::at(t, rules, cap, Held::default()).window_start().is_some_and(|start| end <= start);
    let turns = rules.history.spans().iter().map(|s| s.from).filter(|t| *t > from);
    let begins: Vec<Timestamp> = std::iter::once(from).chain(turns).collect();
    for (i, begin) in begins.iter().enumerate() {
        if out(*begin) {
            return Some(*begin);
        }
        // Under one plan the window's start only moves forward, so there is one moment at which it passes.
        let before_next = begins.get(i + 1).map_or(Timestamp::MAX, |next| next.saturating_add_micros(-1));
        if out(before_next) {
            return Some(first_between(*begin, before_next, out));
        }
    }
    None
}

/// The first moment after `no` at which `is` holds; it holds at `yes`, and stays once it does.
fn first_between(mut no: Timestamp, mut yes: Timestamp, is: impl Fn(Timestamp) -> bool) -> Timestamp {
    while yes.micros_since(no) > 1 {
        let middle = no.saturating_add_micros(yes.micros_since(no) / 2);
        if is(middle) { yes = middle } else { no = middle }
    }
    yes
}

/// How many days of footage `to` would keep that `from` does not, at `now`; `None`: no end to it.
pub fn days_gained(from: Window, to: Window, zone: &TimeZone, now: Timestamp) -> Option<i64> {
    let length = |window| window_start(window, zone, now).map(|start| now.micros_since(start));
    Some((length(to)? - length(from).unwrap_or(i64::MAX)).max(0) / DAY_US)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::PlanSpan;

    const HOUR_US: i64 = 3_600_000_000;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp::MIN).unwrap()
    }
    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange::new(Timestamp(from), Timestamp(to)).unwrap()
    }
    fn plan(from: Timestamp, window: Window) -> PlanSpan {
        PlanSpan { from, plan: format!("{window:?}"), version: 1, window }
    }
    fn rules(spans: Vec<PlanSpan>) -> AccountRules {
        AccountRules { history: PlanHistory::new(spans), ..AccountRules::default() }
    }
    fn basic() -> AccountRules {
        rules(vec![plan(Timestamp::MIN, Window::Months(3))])
    }

    /// One letter a day, the last of them today: recorded, and what stays of it at noon. Held days are marked `h`.
    fn kept(rules: &AccountRules, cap: Option<Cap>, days: i64, held: &str, now: Timestamp) -> String {
        let day = |i: i64| {
            let end = now.saturating_add_micros((i + 1 - days) * DAY_US);
            TimeRange::new(end.saturating_add_micros(-DAY_US), end).unwrap()
        };
        let holds = held.char_indices().filter(|(_, c)| *c == 'h');
        let holds = holds.map(|(i, _)| HeldRange { hold: 1, range: day(days - held.len() as i64 + i as i64) });
        let judge = Judge::at(now, rules, cap, Held::new(holds.collect()));
        let letter = |verdict| match verdict {
            Verdict::Keep(Keep::Unlimited | Keep::Window) => 'k',
            Verdict::Keep(Keep::Hold { .. }) => 'h',
            Verdict::Prune(Prune::Plan { .. }) => 'p',
            Verdict::Prune(Prune::Cap { .. }) => 'c',
        };
        (0..days).map(|i| letter(judge.judge(day(i)))).collect()
    }

    #[test]
    fn footage_goes_when_its_end_has_left_the_window() {
        let now = at("2026-11-23T12:00:00Z");
        let start = at("2026-08-23T12:00:00Z").as_micros();
        let judge = Judge::at(now, &basic(), None, Held::default());
        assert_eq!(judge.window_start(), Some(Timestamp(start)));
        assert_eq!(judge.judge(range(start - 600, start)), Verdict::Prune(Prune::Plan { months: 3 }));
        assert_eq!(judge.judge(range(start - 600, start + 1)), Verdict::Keep(Keep::Window), "the block straddles the start");
    }

    #[test]
    fn caps_shorten_and_never_lengthen() {
        let now = at("2026-11-23T12:00:00Z");
        let days = |d: u32| Some(Cap { hours: 24 * d });
        assert_eq!(kept(&basic(), None, 94, "", now), "pp".to_owned() + &"k".repeat(92));
        assert_eq!(kept(&basic(), days(90), 94, "", now), "ppcc".to_owned() + &"k".repeat(90));
        assert_eq!(kept(&basic(), days(1000), 94, "", now), "pp".to_owned() + &"k".repeat(92));
        assert_eq!(kept(&rules(vec![]), days(3), 6, "", now), "ccckkk");
        assert_eq!(kept(&rules(vec![]), None, 6, "", now), "kkkkkk");
    }

    #[test]
    fn holds_keep_what_they_touch() {
        let now = at("2026-11-23T12:00:00Z");
        let cap = Some(Cap { hours: 48 });
        assert_eq!(kept(&basic(), cap, 6, ".h.h.h", now), "chchkk", "inside the window it is the window that keeps");
        let held = Held::new(vec![
            HeldRange { hold: 1, range: range(10, 90) },
            HeldRange { hold: 2, range: range(20, 30) },
            HeldRange { hold: 3, range: range(95, 99) },
        ]);
        let over = |from, to| held.over(range(from, to)).map(|h| h.hold).collect::<Vec<_>>();
        assert_eq!(over(25, 26), [2, 1]);
        assert_eq!(over(0, 10), [] as [i64; 0]);
        assert_eq!(over(89, 96), [3, 1]);
        assert_eq!(over(90, 95), [] as [i64; 0]);
    }

    #[test]
    fn the_plan_of_the_moment_decides() {
        let (upgrade, downgrade) = (at("2026-06-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        let history =
            rules(vec![plan(Timestamp::MIN, Window::Months(3)), plan(upgrade, Window::Unlimited), plan(downgrade, Window::Months(6))]);
        let verdict = |end: &str, now| {
            let end = at(end).as_micros();
            Judge::at(now, &history, None, Held::default()).judge(range(end - 4, end))
        };
        let spring = "2026-02-20T00:00:00Z";
        assert_eq!(verdict(spring, at("2026-05-31T00:00:00Z")), Verdict::Prune(Prune::Plan { months: 3 }));
        assert_eq!(verdict(spring, upgrade), Verdict::Keep(Keep::Unlimited), "an upgrade rescues at once");
        assert_eq!(verdict(spring, downgrade), Verdict::Prune(Prune::Plan { months: 6 }));
        assert_eq!(verdict("2026-07-01T00:00:00Z", downgrade), Verdict::Keep(Keep::Window));
    }

    #[test]
    fn when_footage_leaves_is_known_beforehand() {
        let leaves = |end: &str, rules: &AccountRules, cap| leaves_at(at(end), at(end), rules, cap).map(|t| t.to_rfc3339(0));
        assert_eq!(leaves("2026-08-23T12:00:00Z", &basic(), None).unwrap(), "2026-11-23T12:00:00Z");
        // Of the last day of February all is kept to the last day of May.
        assert_eq!(leaves("2026-02-28T18:00:00Z", &basic(), None).unwrap(), "2026-05-31T18:00:00Z");
        assert_eq!(leaves("2026-08-23T12:00:00Z", &basic(), Some(Cap { hours: 72 })).unwrap(), "2026-08-26T12:00:00Z");
        assert_eq!(leaves("2026-08-23T12:00:00Z", &rules(vec![]), None), None);
        let downgrade = at("2026-10-01T00:00:00Z");
        let coming = rules(vec![plan(Timestamp::MIN, Window::Unlimited), plan(downgrade, Window::Months(1))]);
        assert_eq!(leaves("2026-08-23T12:00:00Z", &coming, None).unwrap(), "2026-10-01T00:00:00Z");
        assert_eq!(leaves("2026-09-23T12:00:00Z", &coming, None).unwrap(), "2026-10-23T12:00:00Z");
    }

    #[test]
    fn an_upgrade_says_how_much_it_gains() {
        let now = at("2026-11-23T12:00:00Z");
        let gained = |from, to| days_gained(from, to, &TimeZone::UTC, now);
        assert_eq!(gained(Window::Months(3), Window::Months(6)), Some(92));
        assert_eq!(gained(Window::Months(6), Window::Months(3)), Some(0));
        assert_eq!(gained(Window::Months(3), Window::Unlimited), None);
        assert_eq!(gained(Window::Unlimited, Window::Months(3)), Some(0));
    }

    fn any_window() -> impl Strategy<Value = Window> {
        prop_oneof![1 => Just(Window::Unlimited), 4 => (1u32..14).prop_map(Window::Months)]
    }
    fn any_rules() -> impl Strategy<Value = AccountRules> {
        let zones = prop_oneof![Just("UTC"), Just("Europe/Paris"), Just("America/New_York"), Just("Pacific/Apia")];
        let spans = proptest::collection::vec((1_600_000_000i64..1_900_000_000, any_window()), 0..5);
        (zones, spans).prop_map(|(zone, spans)| AccountRules {
            zone: TimeZone::get(zone).unwrap(),
            history: PlanHistory::new(spans.into_iter().map(|(from, w)| plan(Timestamp::from_secs(from), w)).collect()),
        })
    }
    fn any_cap() -> impl Strategy<Value = Option<Cap>> {
        proptest::option::of((1u32..5000).prop_map(|hours| Cap { hours }))
    }
    fn any_moment() -> impl Strategy<Value = Timestamp> {
        (1_600_000_000i64..1_900_000_000).prop_map(Timestamp::from_secs)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn what_leaves_has_not_left_a_moment_before(rules in any_rules(), cap in any_cap(), end in any_moment(), later in 0i64..400) {
            let from = end.saturating_add_micros(later * DAY_US);
            let out = |t| !Judge::at(t, &rules, cap, Held::default()).judge(range(end.as_micros() - 9, end.as_micros())).keeps();
            match leaves_at(end, from, &rules, cap) {
                None => prop_assert!(!out(Timestamp::MAX) && !out(from)),
                Some(t) => {
                    prop_assert!(t >= from && out(t));
                    prop_assert!(t == from || !out(t.saturating_add_micros(-1)));
                }
            }
        }

        #[test]
        fn a_cap_takes_only_away_and_a_hold_only_adds(
            rules in any_rules(), cap in any_cap(), now in any_moment(), back_h in 0i64..20_000, held_h in 0i64..20_000
        ) {
            let end = now.saturating_add_micros(-back_h * HOUR_US);
            let block = range(end.as_micros() - HOUR_US / 6, end.as_micros());
            let from = now.as_micros() - held_h * HOUR_US;
            let held = Held::new(vec![HeldRange { hold: 7, range: range(from, from + 50 * HOUR_US) }]);
            let judge = |cap, held| Judge::at(now, &rules, cap, held).judge(block);
            let (plain, capped) = (judge(None, Held::default()), judge(cap, Held::default()));
            prop_assert!(plain.keeps() || !capped.keeps());
            prop_assert!(!capped.keeps() || judge(cap, held.clone()).keeps());
            let touched = held.over(block).next().is_some();
            prop_assert_eq!(judge(cap, held).keeps(), capped.keeps() || touched);
        }
    }
}
