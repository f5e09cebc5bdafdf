//! How far back footage is kept, as plans say it.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// How long a segment stays after its end. Calendar months are counted in the account's zone: see `retention`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RetentionWindow)]
pub enum Window {
    /// At least one.
    Months(u32),
    /// Not a large number: nothing ever leaves it.
    Unlimited,
}

/// From when on which plan held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanSpan {
    pub from: Timestamp,
    /// Name and version in the catalogue.
    pub plan: String,
    pub version: u32,
    pub window: Window,
}

/// All plans an account ever had, and those it will have as far as that is decided. What nothing is known of is unlimited:
/// nothing may be deleted because a row is missing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlanHistory(Vec<PlanSpan>);

impl PlanHistory {
    /// In any order; of two that begin at once the later in the list holds.
    pub fn new(mut spans: Vec<PlanSpan>) -> Self {
        spans.sort_by_key(|s| s.from);
        PlanHistory(spans)
    }
    pub fn spans(&self) -> &[PlanSpan] {
        &self.0
    }
    /// The plan that holds at `t`; `None` before the first.
    pub fn at(&self, t: Timestamp) -> Option<&PlanSpan> {
        self.0.iter().rev().find(|s| s.from <= t)
    }
    pub fn window_at(&self, t: Timestamp) -> Window {
        self.at(t).map_or(Window::Unlimited, |s| s.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_a_moment_is_the_last_that_began() {
        let span = |from, plan: &str, window| PlanSpan { from: Timestamp::from_micros(from), plan: plan.into(), version: 1, window };
        let history = PlanHistory::new(vec![span(20, "premium", Window::Unlimited), span(10, "basic", Window::Months(3))]);
        let at = |us| history.at(Timestamp::from_micros(us)).map(|s| s.plan.as_str());
        assert_eq!([at(9), at(10), at(19), at(20)], [None, Some("basic"), Some("basic"), Some("premium")]);
        assert_eq!(history.window_at(Timestamp::from_micros(9)), Window::Unlimited);
        assert_eq!(history.window_at(Timestamp::from_micros(10)), Window::Months(3));
    }
}
