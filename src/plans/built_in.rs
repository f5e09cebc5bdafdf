//! The three plans that every installation has.

use serde_json::{Value, json};

use super::grant::{Grant, Period, key};
use super::{Plan, Text};
use crate::media::Window;

/// Version 1 of Basic, Extended and Premium. A later release that sells them differently adds versions and leaves these.
pub(super) fn plans() -> [Plan; 3] {
    let basic = plan("basic", ["Basic", "Essentiel"], 10, Window::Months(3), Some(4), json!({ "critical": { "business_days": 1 } }), &[]);
    let extended_response = json!({
        "critical": { "hours": 4 },
        "high": { "business_days": 1 },
        "medium": { "business_days": 1 },
        "low": { "business_days": 1 },
    });
    let extended = plan("extended", ["Extended", "Étendu"], 20, Window::Months(6), None, extended_response, &[key::SUPPORT_CHAT]);
    let premium_response = json!({ "critical": { "hours": 2 }, "high": { "hours": 6 }, "medium": { "hours": 12 }, "low": { "hours": 12 } });
    let premium = plan("premium", ["Premium", "Premium"], 30, Window::Unlimited, None, premium_response, &SWITCHES);
    [basic, extended, premium]
}

/// Every boolean grant. A plan names those it does not give as well, so that a comparison has no holes.
const SWITCHES: [&str; 5] = [key::SUPPORT_CHAT, key::WEEKLY_REPORTS, key::SUPPORT_PROACTIVE, key::GRAPHICAL_EMAIL, key::BACKUP_RESTORE];

fn plan(
    name: &str,
    [en, fr]: [&str; 2],
    rank: u32,
    window: Window,
    requests_per_month: Option<u64>,
    first_response: Value,
    switched_on: &[&str],
) -> Plan {
    let switches = SWITCHES.map(|k| (k.to_owned(), Grant::Boolean { granted: switched_on.contains(&k) }));
    let mut grants: std::collections::BTreeMap<_, _> = switches.into_iter().collect();
    grants.insert(key::WINDOW.into(), Grant::Static { value: json!(window) });
    grants.insert(key::FIRST_RESPONSE.into(), Grant::Static { value: first_response });
    grants.insert(key::SUPPORT_REQUESTS.into(), Grant::Metered { limit: requests_per_month, per: Period::Month });
    Plan { name: name.into(), version: 1, title: Text { en: en.into(), fr: fr.into() }, rank, fee_minor: 0, currency: "EUR".into(), grants }
}
