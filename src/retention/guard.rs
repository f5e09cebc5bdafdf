//! What stops the enforcer: signs that the decision may be wrong, not the footage.

use serde::{Deserialize, Serialize};

use super::window_start::DAY_US;
use crate::media::{AccountId, Timestamp};

/// Why nothing goes until an operator has looked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "guard")]
#[schema(as = RetentionStop)]
pub enum Stop {
    /// More than a day passed since the last run: the service was off, or the clock was set.
    ClockForward { last_run_us: i64 },
    /// The clock is behind the last run.
    ClockBackward { last_run_us: i64 },
    /// More would go than the forecast of the day before and the permitted share allow. All accounts of which that is true, so that
    /// one look is enough.
    TooMuch { accounts: Vec<Unforeseen> },
    /// The media folder is not the one these rows belong to.
    ForeignFolder { detail: String },
}

/// What of an account would go although nobody could expect it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Unforeseen {
    #[schema(value_type = String)]
    pub account: AccountId,
    /// All that would go.
    pub bytes: u64,
    /// What the forecast of the day before said.
    pub forecast_bytes: u64,
    /// What may go beyond it without anyone looking.
    pub permitted_bytes: u64,
}

impl Unforeseen {
    /// Time went on while the operator looked: as much as would be let through unseen may be added.
    fn is_covered_by(&self, seen: &Unforeseen) -> bool {
        self.account == seen.account && self.bytes <= seen.bytes.saturating_add(self.permitted_bytes)
    }
}

impl Stop {
    /// As it was stored.
    pub(super) fn read(stored: serde_json::Value) -> Stop {
        serde_json::from_value(stored).unwrap_or(Stop::ForeignFolder { detail: "stopped by another version".into() })
    }

    /// What of this stop no operator has seen yet; none: a run may go past it. A foreign folder is never passed.
    pub(super) fn unseen(self, confirmed: &[Stop]) -> Option<Stop> {
        let any = |seen: fn(&Stop) -> bool| confirmed.iter().any(seen);
        match self {
            Stop::ClockForward { .. } if any(|s| matches!(s, Stop::ClockForward { .. })) => None,
            Stop::ClockBackward { .. } if any(|s| matches!(s, Stop::ClockBackward { .. })) => None,
            Stop::TooMuch { mut accounts } => {
                let seen: Vec<&Unforeseen> = confirmed.iter().flat_map(Stop::accounts).collect();
                accounts.retain(|a| !seen.iter().any(|s| a.is_covered_by(s)));
                (!accounts.is_empty()).then_some(Stop::TooMuch { accounts })
            }
            stop => Some(stop),
        }
    }

    fn accounts(&self) -> &[Unforeseen] {
        match self {
            Stop::TooMuch { accounts } => accounts,
            _ => &[],
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::ClockForward { last_run_us } => {
                write!(f, "the last retention run was at {}, more than a day ago; is the clock right?", Timestamp(*last_run_us))
            }
            Stop::ClockBackward { last_run_us } => {
                write!(f, "the clock is behind the last retention run, {}; is it right?", Timestamp(*last_run_us))
            }
            Stop::TooMuch { accounts } => {
                for (i, a) in accounts.iter().enumerate() {
                    let (bytes, forecast, permitted) = (size(a.bytes), size(a.forecast_bytes), size(a.permitted_bytes));
                    let (between, account) = (if i == 0 { "" } else { "; " }, &a.account);
                    write!(
                        f,
                        "{between}{bytes} of account {account} would go; the forecast of the day before said {forecast}, and {permitted} more are permitted"
                    )?;
                }
                Ok(())
            }
            Stop::ForeignFolder { detail } => f.write_str(detail),
        }
    }
}

/// For people: in the unit that fits, three digits that matter.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    let digits = if unit == "B" || value >= 100.0 { 0 } else { 1 };
    format!("{value:.digits$} {unit}")
}

pub(super) fn check_clock(last_run: Option<Timestamp>, now: Timestamp) -> Option<Stop> {
    let last = last_run?;
    let last_run_us = last.as_micros();
    match now.micros_since(last) {
        passed if passed < 0 => Some(Stop::ClockBackward { last_run_us }),
        passed if passed > DAY_US => Some(Stop::ClockForward { last_run_us }),
        _ => None,
    }
}

/// `total_bytes`: all footage of the account.
pub(super) fn check_amount(
    account: &AccountId,
    bytes: u64,
    forecast_bytes: u64,
    total_bytes: u64,
    share_percent: u64,
) -> Option<Unforeseen> {
    let permitted = u128::from(total_bytes) * u128::from(share_percent) / 100;
    let permitted_bytes = u64::try_from(permitted).unwrap_or(u64::MAX);
    let too_much = bytes > forecast_bytes.saturating_add(permitted_bytes);
    too_much.then(|| Unforeseen { account: account.clone(), bytes, forecast_bytes, permitted_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_stops_everything() {
        let last = Timestamp::from_secs(1_777_816_800);
        let check = |us: i64| check_clock(Some(last), last.saturating_add_micros(us));
        assert!(check(0).is_none() && check(DAY_US).is_none());
        assert!(matches!(check(-1), Some(Stop::ClockBackward { .. })));
        assert!(matches!(check(DAY_US + 1), Some(Stop::ClockForward { .. })));
        assert!(check_clock(None, last).is_none(), "the first run has nothing to compare with");
    }

    #[test]
    fn more_than_a_share_beyond_the_forecast_stops() {
        let main = AccountId::main();
        let stops = |bytes, forecast| check_amount(&main, bytes, forecast, 1000, 20).is_some();
        assert!(!stops(200, 0) && stops(201, 0));
        assert!(!stops(700, 500) && stops(701, 500));
    }

    #[test]
    fn what_was_confirmed_is_passed_and_nothing_else() {
        let of = |name: &str, bytes| Unforeseen { account: name.parse().unwrap(), bytes, forecast_bytes: 0, permitted_bytes: 10 };
        let too_much = |accounts: &[Unforeseen]| Stop::TooMuch { accounts: accounts.to_vec() };
        let seen = [too_much(&[of("a", 100)]), too_much(&[of("b", 50)])];
        assert_eq!(too_much(&[of("a", 105), of("b", 60)]).unseen(&seen), None);
        let rest = too_much(&[of("a", 111), of("b", 60), of("c", 1)]).unseen(&seen);
        assert_eq!(rest, Some(too_much(&[of("a", 111), of("c", 1)])), "only what nobody has seen");
        let forward = Stop::ClockForward { last_run_us: 1 };
        assert_eq!(forward.clone().unseen(&seen), Some(forward.clone()));
        assert_eq!(forward.clone().unseen(&[Stop::ClockForward { last_run_us: 2 }]), None);
        let foreign = Stop::ForeignFolder { detail: "not ours".into() };
        assert_eq!(foreign.clone().unseen(std::slice::from_ref(&foreign)), Some(foreign.clone()));
    }
}
