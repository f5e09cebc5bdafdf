//! What an account has at a moment, grant by grant.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Zone;
use crate::media::{TimeRange, Timestamp};
use crate::plans::{Grant, Period, Plan, key};

/// The answer to "may they, and how much".
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Entitlement {
    /// Whether it can be had now: granted, and not used up.
    pub has_access: bool,
    /// `boolean`, `static`, `metered`.
    pub kind: &'static str,
    /// Of a static grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Of a metered grant; missing: as many as wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// What is left; missing: no end of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<u64>,
    /// When a metered grant is full again.
    #[serde(rename = "resets_at_us", skip_serializing_if = "Option::is_none", serialize_with = "micros")]
    pub resets_at: Option<Timestamp>,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn micros<S: serde::Serializer>(t: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    t.map(Timestamp::as_micros).serialize(to)
}

/// Everything that `plan` grants at `now`. `lapsed`: the subscription has ended, and only footage is left of it. `used`: uses of
/// metered grants in the period of `now`, see [`period`].
pub fn entitlements(plan: &Plan, lapsed: bool, zone: &Zone, used: &BTreeMap<String, u64>, now: Timestamp) -> BTreeMap<String, Entitlement> {
    let one = |(name, grant): (&String, &Grant)| {
        let alive = !lapsed || name == key::WINDOW;
        (name.clone(), entitlement(grant, alive, zone, used.get(name).copied().unwrap_or(0), now))
    };
    plan.grants.iter().map(one).collect()
}

fn entitlement(grant: &Grant, alive: bool, zone: &Zone, used: u64, now: Timestamp) -> Entitlement {
    let bare = |has_access, kind| Entitlement { has_access, kind, value: None, limit: None, used: None, balance: None, resets_at: None };
    match grant {
        Grant::Boolean { granted } => bare(alive && *granted, "boolean"),
        Grant::Static { value } => Entitlement { value: Some(value.clone()), ..bare(alive, "static") },
        Grant::Metered { limit, per } => {
            let balance = limit.map(|limit| limit.saturating_sub(used));
            let resets_at = Some(period(*per, zone, now).end());
            let has_access = alive && balance != Some(0);
            Entitlement { limit: *limit, used: Some(used), balance, resets_at, ..bare(has_access, "metered") }
        }
    }
}

/// The period that `now` lies in.
pub(super) fn period(per: Period, zone: &Zone, now: Timestamp) -> TimeRange {
    match per {
        Period::Month => zone.month_of(now),
    }
}
