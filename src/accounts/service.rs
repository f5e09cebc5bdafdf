//! Accounts in rows: reads, decides, writes with the audit record.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::change::{choose, label, last_term, reference, running, term_fee, upgrade_line};
use super::entitlements::period;
use super::{AccountsError, Entitlement, QUOTE_GOOD_FOR, Quote, Settled, Term, Zone, entitlements, quote, settle};
use crate::audit::{Act, Event};
use crate::db::{AccountRow, Db, LedgerLine, PlanRow, PlanSince, SubscriptionChange, SubscriptionRow, WrittenRequest};
use crate::media::{AccountId, PlanHistory, PlanSpan, Timestamp, Window};
use crate::plans::{Catalogue, Grant, Plan};

/// Longest name of an account, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Longest written request, in characters.
const WORDS_CHARS_MAX: usize = 10_000;
/// Ten years.
const TERM_MONTHS_MAX: u32 = 120;

/// Who changes something, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// As in the audit log.
    pub actor: String,
    pub now: Timestamp,
}

/// What is asked for when an account is added.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub id: AccountId,
    pub name: String,
    pub zone: String,
    pub language: String,
    pub release_needs_second: bool,
    /// The version sold today.
    pub plan: String,
    pub term_months: u32,
    pub renews: bool,
}

/// A change of plan that somebody agrees to, in writing.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Of the subscription that they saw.
    pub version: u64,
    pub words: String,
}

/// A subscription at a moment.
#[derive(Clone, Debug)]
pub struct SubscriptionView {
    /// With what has happened up to this moment, written or not.
    pub row: SubscriptionRow,
    /// The last term that has begun.
    pub term: Term,
    /// It did not renew, and its last term is over.
    pub lapsed: bool,
    pub plan: Plan,
}

/// Everything there is to do with accounts.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// An account's rows, and what they need to be understood.
struct Known {
    account: AccountRow,
    zone: Zone,
    catalogue: Catalogue,
    settled: Settled,
    /// Terms in the ledger before it was settled.
    stored_terms: u32,
}

impl Known {
    fn plan(&self) -> Result<&Plan, AccountsError> {
        let plan = &self.settled.row.plan;
        Ok(self.catalogue.get(&plan.name, plan.version)?)
    }
}

impl Accounts {
    pub fn new(db: Db) -> Self {
        Accounts { db }
    }

    /// By id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<Vec<AccountRow>, AccountsError> {
        Ok(self.db.accounts().await?)
    }

    /// # Errors
    /// [`AccountsError::Unknown`].
    pub async fn account(&self, id: &AccountId) -> Result<AccountRow, AccountsError> {
        self.db.account(id).await?.ok_or_else(|| AccountsError::Unknown(id.clone()))
    }

    /// Adds an account whose first term begins now.
    ///
    /// # Errors
    /// [`AccountsError::Exists`], or what is wrong with zone, language, name, term or plan.
    pub async fn add(&self, by: &By, new: NewAccount) -> Result<AccountRow, AccountsError> {
        let account = AccountRow {
            id: new.id,
            name: new.name.trim().to_owned(),
            zone: new.zone,
            language: new.language,
            created_at: by.now,
            release_needs_second: new.release_needs_second,
        };
        check_account(&account)?;
        if !(1..=TERM_MONTHS_MAX).contains(&new.term_months) {
            return Err(AccountsError::TermMonths(new.term_months));
        }
        let catalogue = self.catalogue().await?;
        let plan = catalogue.sold(&new.plan)?;
        let row = SubscriptionRow {
            account: account.id.clone(),
            plan: reference(plan),
            start: by.now,
            term_months: new.term_months,
            renews: new.renews,
            settled_terms: 1,
            scheduled: None,
            version: 1,
        };
        let history = vec![PlanSince { from: by.now, plan: row.plan.clone() }];
        let ledger = term_fee(plan, new.term_months, by.now).into_iter().collect();
        let first = SubscriptionChange { row, history, ledger, request: None };
        let event = event(by, &account.id, Act("account.added"))
            .with("name", account.name.as_str())
            .with("zone", account.zone.as_str())
            .with("plan", plan.name.as_str())
            .with("plan_version", plan.version)
            .with("term_months", new.term_months);
        self.db.recording(event).add_account(&account, &first).await?;
        Ok(account)
    }

    /// Changes name, zone, language or the rule for releases.
    ///
    /// # Errors
    /// [`AccountsError::Unknown`], [`AccountsError::ZoneWhileScheduled`], or what is wrong with a value.
    pub async fn change(&self, by: &By, changed: AccountRow) -> Result<(), AccountsError> {
        check_account(&changed)?;
        let known = self.known(&changed.id, by.now).await?;
        if known.account.zone != changed.zone && known.settled.row.scheduled.is_some() {
            return Err(AccountsError::ZoneWhileScheduled);
        }
        let event = event(by, &changed.id, Act("account.changed"))
            .with("name", changed.name.as_str())
            .with("zone", changed.zone.as_str())
            .with("language", changed.language.as_str())
            .with("release_needs_second", changed.release_needs_second);
        Ok(self.db.recording(event).change_account(&changed).await?)
    }

    /// Built-in plans, and those that operators added.
    ///
    /// # Errors
    /// The database does not answer, or holds a plan that does not read back.
    pub async fn catalogue(&self) -> Result<Catalogue, AccountsError> {
        let mut catalogue = Catalogue::default();
        for row in self.db.added_plans().await? {
            let damaged = |e: serde_json::Error| crate::db::DbError::Damaged { what: "a plan", detail: e.to_string() };
            catalogue.add(serde_json::from_str(&row.definition).map_err(damaged)?)?;
        }
        Ok(catalogue)
    }

    /// Adds a plan, or the next version of one. Who has an older version keeps it.
    ///
    /// # Errors
    /// [`AccountsError::Plan`].
    pub async fn add_plan(&self, by: &By, plan: &Plan) -> Result<(), AccountsError> {
        self.catalogue().await?.add(plan.clone())?;
        let definition = serde_json::to_string(plan).expect("a plan is made of text, numbers and JSON");
        let row = PlanRow { plan: reference(plan), definition, created_at: by.now };
        let event =
            Event::system(by.now, Act("plan.added")).by(&*by.actor).with("plan", plan.name.as_str()).with("plan_version", plan.version);
        match self.db.recording(event).add_plan(&row).await {
            // Somebody else was faster.
            Err(crate::db::DbError::Exists { .. }) => {
                Err(crate::plans::PlanError::VersionTaken { name: plan.name.clone(), version: plan.version }.into())
            }
            other => Ok(other?),
        }
    }

    /// # Errors
    /// [`AccountsError::Unknown`].
    pub async fn subscription(&self, id: &AccountId, now: Timestamp) -> Result<SubscriptionView, AccountsError> {
        let known = self.known(id, now).await?;
        let term = last_term(&known.settled.row, &known.zone);
        let plan = known.plan()?.clone();
        Ok(SubscriptionView { lapsed: now >= term.range.end(), row: known.settled.row, term, plan })
    }

    /// What the upgrade would cost now. Nothing is kept: the quote is taken by naming its version and its moment.
    ///
    /// # Errors
    /// As [`quote`]; [`AccountsError::Unknown`].
    pub async fn quote(&self, id: &AccountId, plan: &str, version: Option<u32>, now: Timestamp) -> Result<Quote, AccountsError> {
        let known = self.known(id, now).await?;
        let to = choose(&known.catalogue, plan, version)?;
        quote(&known.settled.row, to, &known.catalogue, &known.zone, now)
    }

    /// Upgrades at once, for what was quoted at `quoted_at`. A downgrade that was scheduled is not any more.
    ///
    /// # Errors
    /// As [`quote`]; [`AccountsError::Changed`], [`AccountsError::QuoteOutdated`], [`AccountsError::Words`],
    /// [`AccountsError::PastDated`].
    pub async fn upgrade(
        &self,
        by: &By,
        id: &AccountId,
        plan: &str,
        version: Option<u32>,
        quoted_at: Timestamp,
        agreement: &Agreement,
    ) -> Result<Quote, AccountsError> {
        let mut known = self.known(id, by.now).await?;
        let to = choose(&known.catalogue, plan, version)?.clone();
        let act = Act("subscription.upgraded");
        let request = known.agree(by, agreement, act)?;
        let good = (0..=QUOTE_GOOD_FOR.as_micros()).contains(&u128::try_from(by.now.micros_since(quoted_at)).unwrap_or(u128::MAX));
        let term = running(&known.settled.row, &known.zone, by.now)?;
        if !good || quoted_at < term.range.start().min(by.now) {
            return Err(AccountsError::QuoteOutdated);
        }
        let quote = quote(&known.settled.row, &to, &known.catalogue, &known.zone, quoted_at)?;
        self.not_past_dated(id, by.now).await?;
        let settled = &mut known.settled;
        settled.row.plan = reference(&to);
        let cancelled = settled.row.scheduled.take();
        settled.history.push(PlanSince { from: by.now, plan: reference(&to) });
        settled.ledger.push(upgrade_line(&quote, by.now));
        let event = event(by, id, act)
            .with("from", quote.from.name.as_str())
            .with("to", to.name.as_str())
            .with("plan_version", to.version)
            .with("charge_minor", quote.charge_minor)
            .with("currency", quote.currency.as_str())
            .with("cancelled_downgrade", cancelled.is_some());
        self.write(known, event, Some(request)).await?;
        Ok(quote)
    }

    /// Schedules a downgrade for the end of the term, whose moment is the answer.
    ///
    /// # Errors
    /// [`AccountsError::AlreadyScheduled`], [`AccountsError::NotDowngrade`], [`AccountsError::SamePlan`],
    /// [`AccountsError::Lapsed`], [`AccountsError::Changed`], [`AccountsError::Words`].
    pub async fn schedule_downgrade(
        &self,
        by: &By,
        id: &AccountId,
        plan: &str,
        version: Option<u32>,
        agreement: &Agreement,
    ) -> Result<PlanSince, AccountsError> {
        let mut known = self.known(id, by.now).await?;
        let act = Act("subscription.downgrade_scheduled");
        let request = known.agree(by, agreement, act)?;
        let (from, to) = (known.plan()?, choose(&known.catalogue, plan, version)?);
        match to.compare(from) {
            Ordering::Less => {}
            Ordering::Equal => return Err(AccountsError::SamePlan),
            Ordering::Greater => return Err(AccountsError::NotDowngrade { from: label(from), to: label(to) }),
        }
        if let Some(there) = &known.settled.row.scheduled {
            return Err(AccountsError::AlreadyScheduled { plan: there.plan.name.clone(), at: there.from });
        }
        let at = running(&known.settled.row, &known.zone, by.now)?.range.end();
        let scheduled = PlanSince { from: at, plan: reference(to) };
        let event = event(by, id, act)
            .with("from", from.name.as_str())
            .with("to", to.name.as_str())
            .with("plan_version", to.version)
            .with("takes_effect_us", at.as_micros());
        known.settled.row.scheduled = Some(scheduled.clone());
        self.write(known, event, Some(request)).await?;
        Ok(scheduled)
    }

    /// # Errors
    /// [`AccountsError::NothingScheduled`], [`AccountsError::Changed`], [`AccountsError::Words`].
    pub async fn cancel_downgrade(&self, by: &By, id: &AccountId, agreement: &Agreement) -> Result<(), AccountsError> {
        let mut known = self.known(id, by.now).await?;
        let act = Act("subscription.downgrade_cancelled");
        let request = known.agree(by, agreement, act)?;
        let cancelled = known.settled.row.scheduled.take().ok_or(AccountsError::NothingScheduled)?;
        let event = event(by, id, act).with("to", cancelled.plan.name).with("would_take_effect_us", cancelled.from.as_micros());
        self.write(known, event, Some(request)).await
    }

    /// Whether the subscription goes on when its term ends. One that has lapsed begins again, now.
    ///
    /// # Errors
    /// [`AccountsError::Changed`], [`AccountsError::Words`].
    pub async fn set_renewal(&self, by: &By, id: &AccountId, renews: bool, agreement: &Agreement) -> Result<(), AccountsError> {
        let mut known = self.known(id, by.now).await?;
        let act = Act("subscription.renewal_changed");
        let request = known.agree(by, agreement, act)?;
        let lapsed = running(&known.settled.row, &known.zone, by.now).is_err();
        if renews && lapsed {
            let fee = term_fee(known.plan()?, known.settled.row.term_months, by.now);
            known.settled.ledger.extend(fee);
            (known.settled.row.start, known.settled.row.settled_terms) = (by.now, 1);
        }
        known.settled.row.renews = renews;
        let event = event(by, id, act).with("renews", renews).with("began_again", renews && lapsed);
        self.write(known, event, Some(request)).await
    }

    /// Writes what the passing of time has done to every account: roll-overs and downgrades that are due. Can be run at any
    /// time and as often as one likes; what others write at the same moment settles it as well. How many accounts changed.
    ///
    /// # Errors
    /// The first that went wrong. The other accounts are settled all the same: one that is damaged stands in nobody's way.
    pub async fn settle_all(&self, now: Timestamp) -> Result<usize, AccountsError> {
        let (mut changed, mut failed) = (0, None);
        for account in self.db.accounts().await? {
            match self.settle_one(&account.id, now).await {
                Ok(true) => changed += 1,
                // Whoever changed it has settled it.
                Ok(false) | Err(AccountsError::Changed) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(changed), Err)
    }

    /// Whether there was anything to write.
    async fn settle_one(&self, id: &AccountId, now: Timestamp) -> Result<bool, AccountsError> {
        let known = self.known(id, now).await?;
        let by = By { actor: "system".into(), now };
        if known.settled.history.is_empty() && known.settled.row.settled_terms == known.stored_terms {
            return Ok(false);
        }
        let mut event = event(&by, id, Act("subscription.rolled_over")).with("terms", known.settled.row.settled_terms);
        if let Some(since) = known.settled.history.last() {
            event = event.with("plan", since.plan.name.as_str()).with("plan_version", since.plan.version);
        }
        self.write(known, event, None).await?;
        Ok(true)
    }

    /// What the account has now, by key.
    ///
    /// # Errors
    /// [`AccountsError::Unknown`].
    pub async fn entitlements(&self, id: &AccountId, now: Timestamp) -> Result<BTreeMap<String, Entitlement>, AccountsError> {
        let known = self.known(id, now).await?;
        let plan = known.plan()?;
        let mut used = BTreeMap::new();
        for (name, grant) in &plan.grants {
            if let Grant::Metered { per, .. } = grant {
                used.insert(name.clone(), self.db.used(id, name, period(*per, &known.zone, now).start()).await?);
            }
        }
        let lapsed = running(&known.settled.row, &known.zone, now).is_err();
        Ok(entitlements(plan, lapsed, &known.zone, &used, now))
    }

    /// Counts one use of a metered grant. What is used now.
    ///
    /// # Errors
    /// [`AccountsError::UsedUp`], [`AccountsError::NotIncluded`], [`AccountsError::NotMetered`], [`AccountsError::Lapsed`].
    pub async fn use_one(&self, by: &By, id: &AccountId, grant: &str) -> Result<u64, AccountsError> {
        let known = self.known(id, by.now).await?;
        running(&known.settled.row, &known.zone, by.now)?;
        let (limit, per) = match known.plan()?.grants.get(grant) {
            Some(Grant::Metered { limit, per }) => (*limit, *per),
            Some(_) => return Err(AccountsError::NotMetered(grant.into())),
            None => return Err(AccountsError::NotIncluded(grant.chars().take(64).collect())),
        };
        let period = period(per, &known.zone, by.now);
        let event = event(by, id, Act("usage.counted")).with("grant", grant);
        let used = self.db.recording(event).count_use(id, grant, period.start(), limit).await?;
        let used_up = || AccountsError::UsedUp { grant: grant.into(), limit: limit.unwrap_or(0), resets_at: period.end() };
        used.ok_or_else(used_up)
    }

    /// Every plan the account had, and the downgrade that is scheduled. A plan that is not in the catalogue keeps everything.
    ///
    /// # Errors
    /// [`AccountsError::Unknown`].
    pub async fn plan_history(&self, id: &AccountId) -> Result<PlanHistory, AccountsError> {
        self.account(id).await?;
        let catalogue = self.catalogue().await?;
        let scheduled = self.db.subscription(id).await?.and_then(|s| s.scheduled);
        let span = |since: PlanSince| PlanSpan {
            from: since.from,
            window: catalogue.get(&since.plan.name, since.plan.version).map_or(Window::Unlimited, Plan::window),
            plan: since.plan.name,
            version: since.plan.version,
        };
        Ok(PlanHistory::new(self.db.plan_history(id).await?.into_iter().chain(scheduled).map(span).collect()))
    }

    /// # Errors
    /// [`AccountsError::Unknown`].
    pub async fn ledger(&self, id: &AccountId) -> Result<Vec<LedgerLine>, AccountsError> {
        self.account(id).await?;
        Ok(self.db.ledger(id).await?)
    }

    /// # Errors
    /// [`AccountsError::Unknown`].
    pub async fn written_requests(&self, id: &AccountId) -> Result<Vec<WrittenRequest>, AccountsError> {
        self.account(id).await?;
        Ok(self.db.written_requests(id).await?)
    }

    async fn known(&self, id: &AccountId, now: Timestamp) -> Result<Known, AccountsError> {
        let account = self.account(id).await?;
        let zone = Zone::named(&account.zone)?;
        let catalogue = self.catalogue().await?;
        let stored = self.db.subscription(id).await?.ok_or_else(|| AccountsError::Unknown(id.clone()))?;
        let settled = settle(&stored, &catalogue, &zone, now)?;
        Ok(Known { account, zone, catalogue, settled, stored_terms: stored.settled_terms })
    }

    async fn not_past_dated(&self, id: &AccountId, now: Timestamp) -> Result<(), AccountsError> {
        match self.db.plan_history(id).await?.last() {
            Some(last) if now < last.from => Err(AccountsError::PastDated(last.from)),
            _ => Ok(()),
        }
    }

    async fn write(&self, known: Known, event: Event, request: Option<WrittenRequest>) -> Result<(), AccountsError> {
        let Settled { row, history, ledger } = known.settled;
        self.db.recording(event).change_subscription(&SubscriptionChange { row, history, ledger, request }).await?;
        Ok(())
    }
}

impl Known {
    /// Whether what was agreed to is what is there.
    fn agree(&self, by: &By, agreement: &Agreement, act: Act) -> Result<WrittenRequest, AccountsError> {
        if agreement.version != self.settled.row.version {
            return Err(AccountsError::Changed);
        }
        let words = agreement.words.trim();
        if words.is_empty() || words.chars().count() > WORDS_CHARS_MAX {
            return Err(AccountsError::Words);
        }
        Ok(WrittenRequest { at: by.now, actor: by.actor.clone(), act: act.0.into(), words: words.into() })
    }
}

fn check_account(account: &AccountRow) -> Result<(), AccountsError> {
    Zone::named(&account.zone)?;
    if !["en", "fr"].contains(&account.language.as_str()) {
        return Err(AccountsError::Language(account.language.chars().take(32).collect()));
    }
    if account.name.trim().is_empty() || account.name.chars().count() > NAME_CHARS_MAX {
        return Err(AccountsError::Name);
    }
    Ok(())
}

fn event(by: &By, account: &AccountId, act: Act) -> Event {
    Event::system(by.now, act).by(&*by.actor).of_account(account)
}
