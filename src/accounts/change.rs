//! What a change of plan costs, and what the passing of time does to a subscription. Pure.

use std::cmp::Ordering;
use std::time::Duration;

use serde_json::json;

use super::{AccountsError, Term, Zone};
use crate::db::{LedgerLine, PlanRef, PlanSince, SubscriptionRow};
use crate::media::Timestamp;
use crate::plans::{Catalogue, Plan, PlanError};

/// Long enough to read a page and decide; with twice as much, a quote from yesterday evening would still be charged.
pub const QUOTE_GOOD_FOR: Duration = Duration::from_secs(3600);

/// What an upgrade would cost, and what that was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub from: PlanRef,
    pub to: PlanRef,
    pub term: Term,
    /// The moment for which it was computed.
    pub at: Timestamp,
    /// Of the subscription that was seen.
    pub version: u64,
    /// For the whole term, minor units.
    pub old_fee_minor: i64,
    pub new_fee_minor: i64,
    pub remaining_us: i64,
    /// To be paid now, minor units; negative is a credit.
    pub charge_minor: i64,
    pub currency: String,
}

/// Quotes the upgrade of a settled subscription to `to`, at `at`.
///
/// # Errors
/// [`AccountsError::SamePlan`], [`AccountsError::NotUpgrade`], [`AccountsError::Currency`], [`AccountsError::Lapsed`],
/// [`AccountsError::Plan`] when the plan is unknown.
pub fn quote(row: &SubscriptionRow, to: &Plan, catalogue: &Catalogue, zone: &Zone, at: Timestamp) -> Result<Quote, AccountsError> {
    let from = catalogue.get(&row.plan.name, row.plan.version)?;
    match to.compare(from) {
        Ordering::Greater => {}
        Ordering::Equal => return Err(AccountsError::SamePlan),
        Ordering::Less => return Err(AccountsError::NotUpgrade { from: label(from), to: label(to) }),
    }
    let term = running(row, zone, at)?;
    let (old_fee_minor, new_fee_minor) = (from.fee_for(row.term_months), to.fee_for(row.term_months));
    if from.currency != to.currency && old_fee_minor != 0 && new_fee_minor != 0 {
        let (old, new) = (from.currency.clone(), to.currency.clone());
        return Err(AccountsError::Currency { from: label(from), to: label(to), old, new });
    }
    let remaining_us = term.range.end().micros_since(at.max(term.range.start()));
    Ok(Quote {
        from: row.plan.clone(),
        to: reference(to),
        term,
        at,
        version: row.version,
        old_fee_minor,
        new_fee_minor,
        remaining_us,
        charge_minor: prorate(new_fee_minor - old_fee_minor, remaining_us, term.range.micros()),
        currency: if new_fee_minor == 0 { from.currency.clone() } else { to.currency.clone() },
    })
}

/// `amount × part ÷ whole`, to the nearest unit, halves away from zero. `whole` is positive.
fn prorate(amount: i64, part: i64, whole: i64) -> i64 {
    let (product, whole) = (i128::from(amount) * i128::from(part), i128::from(whole));
    let rounded = (product.abs() * 2 + whole) / (whole * 2);
    let result = if product < 0 { -rounded } else { rounded };
    // The part is never more than the whole, so the result is never more than the amount.
    i64::try_from(result).unwrap_or(amount)
}

/// The term a settled subscription is in.
///
/// # Errors
/// [`AccountsError::Lapsed`] when it did not renew.
pub(super) fn running(row: &SubscriptionRow, zone: &Zone, now: Timestamp) -> Result<Term, AccountsError> {
    let term = last_term(row, zone);
    if now >= term.range.end() { Err(AccountsError::Lapsed(term.range.end())) } else { Ok(term) }
}

/// The last term that has begun; of a settled subscription the present one, unless it has lapsed.
pub(super) fn last_term(row: &SubscriptionRow, zone: &Zone) -> Term {
    Term::nth(row.start, row.term_months, zone, row.settled_terms.saturating_sub(1))
}

/// A subscription as it is at a moment, and what has happened since it was last written.
#[derive(Clone, Debug)]
pub struct Settled {
    /// With the version that is stored.
    pub row: SubscriptionRow,
    pub history: Vec<PlanSince>,
    pub ledger: Vec<LedgerLine>,
}

/// Lets time pass: terms that end roll over, a downgrade that is due takes its place. The same whether it is asked every hour
/// or once in ten years.
///
/// # Errors
/// [`AccountsError::Plan`] when the plan is not in the catalogue.
pub fn settle(stored: &SubscriptionRow, catalogue: &Catalogue, zone: &Zone, now: Timestamp) -> Result<Settled, AccountsError> {
    let mut settled = Settled { row: stored.clone(), history: Vec::new(), ledger: Vec::new() };
    let present = Term::at(stored.start, stored.term_months, zone, now).number;
    // The first term is always begun, whoever's clock says what; the others only where the subscription renews.
    let last = if stored.renews { present } else { stored.settled_terms.saturating_sub(1).min(present) };
    for number in stored.settled_terms..=last {
        let begins = Term::nth(stored.start, stored.term_months, zone, number).range.start();
        take_scheduled(&mut settled, begins);
        let plan = catalogue.get(&settled.row.plan.name, settled.row.plan.version)?;
        settled.ledger.extend(term_fee(plan, settled.row.term_months, begins));
        settled.row.settled_terms = number + 1;
    }
    take_scheduled(&mut settled, now);
    Ok(settled)
}

fn take_scheduled(settled: &mut Settled, now: Timestamp) {
    if let Some(due) = settled.row.scheduled.take_if(|s| s.from <= now) {
        settled.row.plan = due.plan.clone();
        settled.history.push(due);
    }
}

/// The ledger's line for a term that begins; none when it costs nothing.
pub(super) fn term_fee(plan: &Plan, months: u32, at: Timestamp) -> Option<LedgerLine> {
    let amount_minor = plan.fee_for(months);
    let details = json!({ "plan": plan.name, "plan_version": plan.version, "term_months": months });
    let line = LedgerLine { at, amount_minor, currency: plan.currency.clone(), kind: "term".into(), details };
    (amount_minor != 0).then_some(line)
}

/// The ledger's line for an upgrade; written even when it costs nothing.
pub(super) fn upgrade_line(quote: &Quote, now: Timestamp) -> LedgerLine {
    let details = json!({
        "from": quote.from.name, "from_version": quote.from.version,
        "to": quote.to.name, "to_version": quote.to.version,
        "old_fee_minor": quote.old_fee_minor, "new_fee_minor": quote.new_fee_minor,
        "remaining_us": quote.remaining_us, "term_us": quote.term.range.micros(),
        "quoted_at_us": quote.at.as_micros(),
    });
    LedgerLine { at: now, amount_minor: quote.charge_minor, currency: quote.currency.clone(), kind: "upgrade".into(), details }
}

pub(super) fn reference(plan: &Plan) -> PlanRef {
    PlanRef { name: plan.name.clone(), version: plan.version }
}

pub(super) fn label(plan: &Plan) -> String {
    format!("{} (version {})", plan.title.en, plan.version)
}

/// The plan that is asked for: a version of it, or the one sold today.
pub(super) fn choose<'a>(catalogue: &'a Catalogue, name: &str, version: Option<u32>) -> Result<&'a Plan, PlanError> {
    version.map_or_else(|| catalogue.sold(name), |v| catalogue.get(name, v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_to_the_nearest_unit_halves_away_from_zero() {
        let cases = [(100, 1, 3, 33), (100, 2, 3, 67), (1, 1, 2, 1), (3, 1, 2, 2), (-1, 1, 2, -1), (-3, 1, 2, -2), (-100, 1, 3, -33)];
        for (amount, part, whole, expected) in cases {
            assert_eq!(prorate(amount, part, whole), expected, "{amount} × {part} ÷ {whole}");
        }
        assert_eq!([prorate(i64::MAX, i64::MAX, i64::MAX), prorate(i64::MAX, 0, 1)], [i64::MAX, 0]);
    }
}
