//! A limit on failed sign-ins and links that open nothing, by user name and by address.
//!
//! Both are counted because either alone is weak: one address trying many names, many addresses trying one
//! name. A person who mistypes a few times never notices. The table is bounded: when it is full of recent
//! failures, the oldest are forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Failures within [`WINDOW`] after which the next attempt waits. 10 in 5 minutes is 2,880 guesses a day.
const FAILURES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(300);
/// So many closed doors an hour are written into the audit log, from whatever number of addresses. Records stay for ever: more
/// would let strangers fill the disk (this is 100 MB a year at the worst), half would hide who else was tried on a bad day.
const NOTED_MAX: u32 = 60;
const NOTED_WINDOW: Duration = Duration::from_secs(3600);
/// Names and addresses remembered; about 100 bytes each.
const KEYS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Duration,
    count: u32,
}

/// Counts failures by key over a sliding start of [`WINDOW`]. `now` is monotonic time.
#[derive(Debug, Default)]
pub(super) struct SignInLimiter {
    failures: Mutex<HashMap<String, Failures>>,
    noted: Mutex<Option<Failures>>,
}

impl SignInLimiter {
    /// How long to wait before the next attempt with any of `keys`; `None`: go on.
    pub(super) fn wait(&self, keys: &[String], now: Duration) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter()
            .filter_map(|key| failures.get(key))
            .filter(|f| f.count >= FAILURES_MAX)
            .filter_map(|f| (f.since + WINDOW).checked_sub(now).filter(|left| !left.is_zero()))
            .max()
    }

    /// Counts a failure. The keys whose door it closed, as far as they shall be noted.
    pub(super) fn failed(&self, keys: &[String], now: Duration) -> Vec<String> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() + keys.len() > KEYS_MAX {
            make_room(&mut failures, now);
        }
        let mut closed = Vec::new();
        for key in keys {
            let entry = failures.entry(key.clone()).or_insert(Failures { since: now, count: 0 });
            if entry.since + WINDOW <= now {
                *entry = Failures { since: now, count: 0 };
            }
            entry.count += 1;
            if entry.count == FAILURES_MAX {
                closed.push(key.clone());
            }
        }
        drop(failures);
        closed.retain(|_| self.may_note(now));
        closed
    }

    fn may_note(&self, now: Duration) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let this = noted.filter(|n| now < n.since + NOTED_WINDOW).unwrap_or(Failures { since: now, count: 0 });
        *noted = Some(Failures { count: this.count.saturating_add(1), ..this });
        this.count < NOTED_MAX
    }

    pub(super) fn succeeded(&self, user_key: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(user_key);
    }
}

/// Drops what has run out, and if that is little, the older half.
fn make_room(failures: &mut HashMap<String, Failures>, now: Duration) {
    failures.retain(|_, f| f.since + WINDOW > now);
    if failures.len() > KEYS_MAX / 2 {
        let mut ages: Vec<Duration> = failures.values().map(|f| f.since).collect();
        ages.sort_unstable();
        let middle = ages[ages.len() / 2];
        failures.retain(|_, f| f.since > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(user: &str, address: &str) -> Vec<String> {
        vec![format!("user {user}"), format!("address {address}")]
    }
    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn the_tenth_failure_of_a_name_or_an_address_closes_the_door_for_five_minutes() {
        let limiter = SignInLimiter::default();
        for i in 0..10 {
            assert_eq!(limiter.wait(&keys("ann", "::1"), S(i)), None);
            limiter.failed(&keys("ann", "::1"), S(i));
        }
        assert_eq!(limiter.wait(&keys("ann", "::2"), S(10)), Some(S(290)), "the name is blocked from anywhere");
        assert_eq!(limiter.wait(&keys("bob", "::1"), S(10)), Some(S(290)), "the address is blocked for any name");
        assert_eq!(limiter.wait(&keys("bob", "::2"), S(10)), None);
        assert_eq!(limiter.wait(&keys("ann", "::1"), S(300)), None);
    }

    #[test]
    fn a_door_that_closes_is_noted_once_and_so_many_an_hour() {
        let limiter = SignInLimiter::default();
        let attack = |name: &str, at: u64| (0..12).flat_map(|_| limiter.failed(&[format!("user {name}")], S(at))).collect::<Vec<_>>();
        assert_eq!(attack("ann", 0), ["user ann"]);
        let noted: usize = (0..100).map(|n| attack(&n.to_string(), 1).len()).sum();
        assert_eq!(noted, 59);
        assert_eq!(attack("bob", 3599).len(), 0);
        assert_eq!(attack("carl", 3600).len(), 1);
    }

    #[test]
    fn a_flood_of_names_does_not_grow_the_table_without_bound() {
        let limiter = SignInLimiter::default();
        for i in 0..30_000u64 {
            limiter.failed(&keys(&i.to_string(), "::1"), Duration::from_millis(i));
        }
        assert!(limiter.failures.lock().unwrap().len() <= KEYS_MAX);
    }
}
