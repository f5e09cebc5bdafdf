//! Plans by name and version.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::built_in;
use super::grant::{Grant, key};
use crate::media::Window;

/// Longest window in months that is not "unlimited": a century. Beyond it calendars, not plans, are the limit.
const MONTHS_MAX: u32 = 1200;
/// Highest fee for a month. Multiplied by a term of ten years and by its microseconds it stays far inside 128 bits.
const FEE_MINOR_MAX: i64 = 1_000_000_000_000;
/// Grants of one plan: what a page can list.
const GRANTS_MAX: usize = 100;
/// Longest name of a plan or key.
const NAME_CHARS_MAX: usize = 64;

/// Why a plan cannot be sold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no plan `{name}`{}", version.map_or(String::new(), |v| format!(" of version {v}")))]
    Unknown { name: String, version: Option<u32> },
    #[error("`{0}` cannot name a plan or a grant: use 1 to {NAME_CHARS_MAX} of a-z, 0-9, `-`, `_` and `.`, starting with a letter")]
    Name(String),
    #[error("plan `{name}` has version {version} already, and a version never changes: give the next one")]
    VersionTaken { name: String, version: u32 },
    #[error("the next version of plan `{name}` is {next}, not {version}")]
    VersionSkipped { name: String, version: u32, next: u32 },
    #[error(
        "plan `{plan}` needs the static grant `{}` with the value \"unlimited\" or {{\"months\": N}}, N from 1 to {MONTHS_MAX}",
        key::WINDOW
    )]
    Window { plan: String },
    #[error("plan `{plan}` needs a title in English and in French")]
    Title { plan: String },
    #[error("the fee of plan `{plan}` must be 0 to {FEE_MINOR_MAX} minor units a month")]
    Fee { plan: String },
    #[error("`{0}` is not a currency: give three capital letters (ISO 4217), such as EUR")]
    Currency(String),
    #[error("plan `{plan}` has more than {GRANTS_MAX} grants")]
    TooManyGrants { plan: String },
}

/// The same words in the languages of the product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub en: String,
    pub fr: String,
}

/// One version of something that can be bought.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub name: String,
    /// From 1, without holes.
    pub version: u32,
    pub title: Text,
    /// Of two plans with the same window the higher rank is the upgrade.
    pub rank: u32,
    /// For one month, in minor units of the currency (cents). Never negative.
    #[serde(default)]
    pub fee_minor: i64,
    /// ISO 4217.
    #[serde(default = "euro")]
    pub currency: String,
    pub grants: BTreeMap<String, Grant>,
}

fn euro() -> String {
    "EUR".into()
}

impl Plan {
    /// How long footage stays. Of a plan that went through [`Catalogue::add`] it is what the plan says; anything else keeps
    /// everything, because nothing may be deleted on the word of something that cannot be read.
    pub fn window(&self) -> Window {
        self.checked_window().unwrap_or(Window::Unlimited)
    }

    fn checked_window(&self) -> Option<Window> {
        let Some(Grant::Static { value }) = self.grants.get(key::WINDOW) else { return None };
        match Window::deserialize(value).ok()? {
            Window::Months(n) if !(1..=MONTHS_MAX).contains(&n) => None,
            window => Some(window),
        }
    }

    /// What a term of so many months costs, in minor units.
    pub fn fee_for(&self, months: u32) -> i64 {
        self.fee_minor.saturating_mul(i64::from(months))
    }

    /// Whether going from this plan to `other` takes anything away. A shorter window always does, whatever the ranks say:
    /// footage is only ever lost at the end of a term.
    pub fn compare(&self, other: &Plan) -> Ordering {
        let months = |w| match w {
            Window::Months(n) => n,
            Window::Unlimited => u32::MAX,
        };
        // A newer version of the same plan with the same window is an upgrade: it is what the plan has become.
        let key = |p: &Plan| (months(p.window()), p.rank);
        let by_worth = key(self).cmp(&key(other));
        let same_name = self.name == other.name;
        by_worth.then_with(|| if same_name { self.version.cmp(&other.version) } else { self.name.cmp(&other.name) })
    }

    /// # Errors
    /// What keeps it from being sold; see [`PlanError`].
    pub fn check(&self) -> Result<(), PlanError> {
        let plan = || self.name.chars().take(NAME_CHARS_MAX).collect::<String>();
        if !is_name(&self.name) {
            return Err(PlanError::Name(plan()));
        }
        if self.title.en.trim().is_empty() || self.title.fr.trim().is_empty() {
            return Err(PlanError::Title { plan: plan() });
        }
        if !(0..=FEE_MINOR_MAX).contains(&self.fee_minor) {
            return Err(PlanError::Fee { plan: plan() });
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(PlanError::Currency(self.currency.chars().take(16).collect()));
        }
        if self.grants.len() > GRANTS_MAX {
            return Err(PlanError::TooManyGrants { plan: plan() });
        }
        if let Some(bad) = self.grants.keys().find(|k| !is_name(k)) {
            return Err(PlanError::Name(bad.chars().take(NAME_CHARS_MAX).collect()));
        }
        self.checked_window().map(drop).ok_or_else(|| PlanError::Window { plan: plan() })
    }
}

fn is_name(s: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    (1..=NAME_CHARS_MAX).contains(&s.len()) && s.bytes().all(ok) && s.as_bytes()[0].is_ascii_lowercase()
}

/// Every version of every plan, old ones included: who bought one keeps it until they change.
#[derive(Clone, Debug)]
pub struct Catalogue(BTreeMap<(String, u32), Plan>);

impl Default for Catalogue {
    /// The built-in plans.
    fn default() -> Self {
        Catalogue(built_in::plans().into_iter().map(|p| ((p.name.clone(), p.version), p)).collect())
    }
}

impl Catalogue {
    /// Takes a plan in: a new name with version 1, or the next version of one that is there.
    ///
    /// # Errors
    /// See [`PlanError`]; the catalogue is as it was then.
    pub fn add(&mut self, plan: Plan) -> Result<(), PlanError> {
        plan.check()?;
        let next = self.latest(&plan.name).map_or(1, |p| p.version + 1);
        let (name, version) = (plan.name.clone(), plan.version);
        match version.cmp(&next) {
            Ordering::Less => Err(PlanError::VersionTaken { name, version }),
            Ordering::Greater => Err(PlanError::VersionSkipped { name, version, next }),
            Ordering::Equal => {
                self.0.insert((name, version), plan);
                Ok(())
            }
        }
    }

    /// # Errors
    /// [`PlanError::Unknown`].
    pub fn get(&self, name: &str, version: u32) -> Result<&Plan, PlanError> {
        self.0.get(&(name.to_owned(), version)).ok_or_else(|| PlanError::Unknown { name: cut(name), version: Some(version) })
    }

    /// The version that is sold today; `None` when there is no such plan.
    pub fn latest(&self, name: &str) -> Option<&Plan> {
        self.0.range((name.to_owned(), 0)..=(name.to_owned(), u32::MAX)).next_back().map(|(_, p)| p)
    }

    /// Like [`Catalogue::latest`].
    ///
    /// # Errors
    /// [`PlanError::Unknown`].
    pub fn sold(&self, name: &str) -> Result<&Plan, PlanError> {
        self.latest(name).ok_or_else(|| PlanError::Unknown { name: cut(name), version: None })
    }

    /// All versions, the smallest plan first and the versions of one plan in order.
    pub fn plans(&self) -> Vec<&Plan> {
        let mut all: Vec<&Plan> = self.0.values().collect();
        all.sort_by(|a, b| (a.rank, &a.name, a.version).cmp(&(b.rank, &b.name, b.version)));
        all
    }
}

fn cut(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::grant::Period;
    use super::*;

    fn bronze(version: u32) -> Plan {
        serde_json::from_value(json!({
            "name": "bronze", "version": version, "title": { "en": "Bronze", "fr": "Bronze" }, "rank": 5,
            "grants": { "retroview.window": { "kind": "static", "value": { "months": 1 } } },
        }))
        .unwrap()
    }

    #[test]
    fn the_three_plans_are_what_is_sold() {
        let all = Catalogue::default();
        let of = |plan: &str, grant: &str| all.sold(plan).unwrap().grants[grant].clone();
        let on = |plan: &str, grant: &str| of(plan, grant) == Grant::Boolean { granted: true };
        let requests = |plan| match of(plan, key::SUPPORT_REQUESTS) {
            Grant::Metered { limit, per: Period::Month } => limit,
            other => panic!("{other:?}"),
        };
        let windows = ["basic", "extended", "premium"].map(|p| all.sold(p).unwrap().window());
        assert_eq!(windows, [Window::Months(3), Window::Months(6), Window::Unlimited]);
        assert_eq!(["basic", "extended", "premium"].map(requests), [Some(4), None, None]);
        assert_eq!(["basic", "extended", "premium"].map(|p| on(p, key::SUPPORT_CHAT)), [false, true, true]);
        for only_premium in [key::WEEKLY_REPORTS, key::SUPPORT_PROACTIVE, key::GRAPHICAL_EMAIL, key::BACKUP_RESTORE] {
            assert_eq!(["basic", "extended", "premium"].map(|p| on(p, only_premium)), [false, false, true], "{only_premium}");
        }
        let response = |plan| match of(plan, key::FIRST_RESPONSE) {
            Grant::Static { value } => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(response("basic"), json!({ "critical": { "business_days": 1 } }));
        assert_eq!(response("extended")["critical"], json!({ "hours": 4 }));
        assert_eq!(response("extended")["low"], json!({ "business_days": 1 }));
        let hours = ["critical", "high", "medium", "low"].map(|s| response("premium")[s]["hours"].as_u64().unwrap());
        assert_eq!(hours, [2, 6, 12, 12]);
        all.plans().iter().for_each(|p| p.check().unwrap());
        assert_eq!(all.plans().iter().map(|p| p.title.fr.as_str()).collect::<Vec<_>>(), ["Essentiel", "Étendu", "Premium"]);
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        for plan in Catalogue::default().plans() {
            let text = serde_json::to_string(plan).unwrap();
            assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }

    #[test]
    fn versions_follow_one_another_and_never_change() {
        let mut all = Catalogue::default();
        assert_eq!(all.add(bronze(2)), Err(PlanError::VersionSkipped { name: "bronze".into(), version: 2, next: 1 }));
        all.add(bronze(1)).unwrap();
        let dearer = Plan { fee_minor: 900, ..bronze(2) };
        all.add(dearer).unwrap();
        assert_eq!((all.get("bronze", 1).unwrap().fee_minor, all.sold("bronze").unwrap().fee_minor), (0, 900));
        assert_eq!(all.add(bronze(1)), Err(PlanError::VersionTaken { name: "bronze".into(), version: 1 }));
        let basic = Plan { name: "basic".into(), ..bronze(1) };
        assert!(matches!(all.add(basic), Err(PlanError::VersionTaken { .. })), "what is built in stays");
        assert!(matches!(all.sold("gold"), Err(PlanError::Unknown { .. })));
    }

    #[test]
    fn a_plan_that_says_nothing_sensible_is_refused() {
        let with = |change: &dyn Fn(&mut Plan)| {
            let mut plan = bronze(1);
            change(&mut plan);
            Catalogue::default().add(plan).unwrap_err()
        };
        let window = |value| move |p: &mut Plan| drop(p.grants.insert(key::WINDOW.into(), Grant::Static { value }));
        for value in [json!({ "months": 0 }), json!({ "months": 1201 }), json!({ "months": -1 }), json!("forever"), json!(3), json!(null)] {
            assert!(matches!(with(&|p| window(value.clone())(p)), PlanError::Window { .. }), "{value}");
        }
        assert!(matches!(with(&|p| p.grants.clear()), PlanError::Window { .. }));
        let metered = Grant::Metered { limit: Some(3), per: Period::Month };
        assert!(matches!(with(&|p| drop(p.grants.insert(key::WINDOW.into(), metered.clone()))), PlanError::Window { .. }));
        for name in ["", "Gold", "1st", "a b", "é", &"a".repeat(65)] {
            assert!(matches!(with(&|p| p.name = name.to_owned()), PlanError::Name(_)), "{name}");
        }
        assert!(matches!(with(&|p| p.title.fr = " ".into()), PlanError::Title { .. }));
        assert!(matches!(with(&|p| p.fee_minor = -1), PlanError::Fee { .. }));
        assert!(matches!(with(&|p| p.currency = "euro".into()), PlanError::Currency(_)));
        assert!(matches!(with(&|p| drop(p.grants.insert("A b".into(), metered.clone()))), PlanError::Name(_)));
    }

    #[test]
    fn a_shorter_window_is_a_downgrade_whatever_the_rank() {
        let all = Catalogue::default();
        let plan = |name| all.sold(name).unwrap();
        assert_eq!(plan("basic").compare(plan("extended")), Ordering::Less);
        assert_eq!(plan("premium").compare(plan("extended")), Ordering::Greater);
        let proud = Plan { rank: 99, ..bronze(1) };
        assert_eq!(proud.compare(plan("basic")), Ordering::Less);
        assert_eq!(bronze(1).compare(&bronze(2)), Ordering::Less);
        assert_eq!(bronze(1).compare(&bronze(1)), Ordering::Equal);
    }

    #[test]
    fn what_cannot_be_read_keeps_everything() {
        let mut damaged = bronze(1);
        damaged.grants.clear();
        assert_eq!(damaged.window(), Window::Unlimited);
    }
}
