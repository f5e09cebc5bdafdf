//! One history: an installation lives for some years, and everything that can happen to it does.

use std::collections::VecDeque;

use anyhow::Context;
use retroview::accounts::{By, NewAccount};
use retroview::audit::{Act, Chain, Event};
use retroview::db::NewStream;
use retroview::media::{AccountId, StreamId, Timestamp};
use retroview::retention::{RetentionError, RunReport, Settings, Stop};

use crate::calendar::{self, DAY_US};
use crate::dice::Dice;
use crate::model::{Customer, Fate, Model, Months, Stream};
use crate::sabotage::{self, Obstacle, Switch};
use crate::tally::Tally;
use crate::world::{Template, World};
use crate::{Outcome, steps};

/// 2026-01-01, a Thursday: histories begin within two years from here.
const EARLIEST: i64 = 1_767_225_600;
pub const PLANS: [(&str, Months); 4] = [("month", Some(1)), ("basic", Some(3)), ("extended", Some(6)), ("premium", None)];
/// They set their clocks by an hour, by half an hour, far from UTC on either side, and not at all.
const ZONES: [&str; 5] = ["Europe/Paris", "Pacific/Auckland", "Australia/Lord_Howe", "America/St_Johns", "UTC"];
/// From this seed on the dice fall for more than they did at first. Seeds below it keep the history they had when they were
/// written down.
pub const SECOND_COURSE: u64 = 1 << 63;
/// Lines of the log that are kept.
const LOG_MAX: usize = 400;
/// A run may stop for the clock, and once for each account; each is confirmed.
const STOPS_MAX: usize = 6;

pub struct History {
    pub dice: Dice,
    pub now: Timestamp,
    pub model: Model,
    pub tally: Tally,
    pub log: VecDeque<String>,
    /// As far as the audit log has been verified.
    pub chain: Chain,
    /// It has stopped, and nobody has confirmed that yet.
    pub stopped: bool,
    /// So much of an account may go without a forecast.
    pub share_percent: u64,
    world: Option<World>,
    /// Something has happened since the last look.
    pub changed: bool,
    /// The power may go in this step.
    armed: bool,
    /// See [`SECOND_COURSE`].
    pub second_course: bool,
}

impl History {
    pub fn new(seed: u64) -> History {
        let mut dice = Dice::new(seed);
        let now = Timestamp::from_secs(EARLIEST + dice.between(0, 730 * 86_400));
        History {
            dice,
            now,
            model: Model::default(),
            tally: Tally::default(),
            log: VecDeque::new(),
            chain: Chain::default(),
            stopped: false,
            share_percent: 100,
            world: None,
            changed: false,
            armed: false,
            second_course: seed >= SECOND_COURSE,
        }
    }

    /// The moment at which plans were put on sale: before any history.
    pub fn opening() -> Timestamp {
        Timestamp::from_secs(EARLIEST)
    }

    pub fn world(&self) -> &World {
        self.world.as_ref().expect("it is there from begin on")
    }

    pub fn say(&mut self, what: impl std::fmt::Display) {
        if self.log.len() == LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(format!("{}  {what}", calendar::show(self.now)));
        self.changed = true;
    }

    pub fn event(&self, act: &'static str) -> Event {
        Event::system(self.now, Act(act))
    }
    pub fn by(&self) -> By {
        By { actor: "user op".into(), now: self.now }
    }

    /// All of it.
    pub async fn live(&mut self, template: &Template) -> Outcome {
        self.begin(template).await?;
        for _ in 0..self.length() {
            self.armed = self.dice.percent(15);
            if self.armed {
                let spare = self.dice.below(40);
                self.power().arm(Some(u32::try_from(spare)?)).await?;
                self.say(format!("(the power will go at statement {spare})"));
            }
            steps::take(self).await?;
            self.disarm().await?;
            if std::mem::take(&mut self.changed) {
                self.look().await?;
            }
        }
        self.end().await
    }

    /// In steps. Most bugs need a few blocks and one thing that happens to them, so most histories are short; some take what others
    /// have left behind.
    fn length(&mut self) -> i64 {
        if !self.second_course {
            return self.dice.between(12, 24);
        }
        let long = self.dice.percent(10);
        if long { self.dice.between(24, 48) } else { self.dice.between(8, 16) }
    }

    fn power(&mut self) -> &mut Switch {
        &mut self.world.as_mut().expect("it is there from begin on").power
    }

    async fn begin(&mut self, template: &Template) -> Outcome {
        let grace_us = self.dice.pick(&[DAY_US, 3 * DAY_US, 7 * DAY_US]).unwrap_or(DAY_US);
        self.share_percent = if self.dice.percent(30) { 20 } else { 100 };
        self.model.grace_us = grace_us;
        let settings = Settings {
            grace: std::time::Duration::from_micros(grace_us.unsigned_abs()),
            share_percent: self.share_percent,
            sweep_max: 1 + u32::try_from(self.dice.below(4))?,
            rest: std::time::Duration::ZERO,
            erase: retroview::retention::EraseSettings::alone(),
        };
        self.world = Some(World::new(template, settings).await?);
        for c in 0..1 + self.dice.below(2) {
            self.add_customer(c).await?;
        }
        self.enforce().await
    }

    async fn add_customer(&mut self, c: usize) -> Outcome {
        let id: AccountId = ["acme", "bolt"][c].parse()?;
        let (plan, months) = PLANS[self.dice.below(PLANS.len())];
        let zone = ZONES[self.dice.below(ZONES.len())];
        let new = NewAccount {
            id: id.clone(),
            name: id.to_string(),
            zone: zone.into(),
            language: "en".into(),
            release_needs_second: self.dice.percent(50),
            plan: plan.into(),
            term_months: 1 + u32::try_from(self.dice.below(3))?,
            renews: true,
        };
        let customer = Customer {
            id: id.clone(),
            zone: jiff::tz::TimeZone::get(zone)?,
            start: self.now,
            settled: self.now,
            term_months: new.term_months,
            two_people: new.release_needs_second,
            plans: vec![(self.now, months)],
            scheduled: None,
        };
        self.say(format!("account {id} in {zone} on {plan}, terms of {} months", new.term_months));
        self.world().accounts.add(&self.by(), new).await?;
        self.model.customers.push(customer);
        for s in 0..1 + self.dice.below(2) {
            let stream: StreamId = format!("{id}-{s}").parse()?;
            let new =
                NewStream { id: stream.clone(), account: id.clone(), title: String::new(), source: "push:".into(), credentials: None };
            self.world().db.add_stream(&new, self.now).await?;
            let (caps, end) = (Vec::new(), self.now);
            self.model.streams.push(Stream { id: stream, customer: c, caps, end, next_run: 0, next_sequence: 0 });
        }
        Ok(())
    }

    /// What came of something that the power may have cut short; `None`: it was, and nothing of it happened.
    pub async fn survive<T, E: Into<anyhow::Error>>(&mut self, what: &str, result: Result<T, E>) -> Outcome<Option<T>> {
        let error: anyhow::Error = match result {
            Ok(done) => return Ok(Some(done)),
            Err(e) => e.into(),
        };
        match sabotage::step_of(&format!("{error:#}")) {
            Some(step) => {
                self.say(format!("{what}: the power went at {step}"));
                self.tally.count(format!("crash at {step}"));
                self.crash().await?;
                Ok(None)
            }
            None => Err(error.context(what.to_owned())),
        }
    }

    pub async fn disarm(&mut self) -> Outcome {
        if std::mem::take(&mut self.armed) {
            self.power().arm(None).await?;
        }
        Ok(())
    }

    /// The process is gone, and another one starts.
    pub async fn crash(&mut self) -> Outcome {
        self.disarm().await?;
        let world = self.world.take().expect("it is there from begin on");
        self.world = Some(world.restart().await?);
        self.tally.count("restart");
        // From its beginning.
        self.chain = Chain::default();
        self.observe().await.map(drop)
    }

    /// A run of the enforcer, with an operator at hand who confirms what it stops for.
    pub async fn enforce(&mut self) -> Outcome {
        for _ in 0..STOPS_MAX {
            let jumped = self.model.clock_jumped(self.now) || self.stopped;
            let Some(report) = self.run().await? else {
                if self.second_course && self.dice.percent(50) {
                    steps::hold_too_late(self).await?;
                }
                continue;
            };
            let Some(stop) = &report.stopped else { return Ok(()) };
            let by_clock = matches!(stop, Stop::ClockForward { .. } | Stop::ClockBackward { .. });
            anyhow::ensure!(by_clock && jumped || matches!(stop, Stop::TooMuch { .. }) && self.share_percent < 100, "it stopped: {stop}");
            self.confirm().await?;
        }
        anyhow::bail!("it stops again and again, whatever the operator confirms")
    }

    pub async fn confirm(&mut self) -> Outcome {
        let confirmed = self.world().db.confirm_retention(self.event("retention.confirmed")).await;
        if let Some(confirmed) = self.survive("confirm", confirmed).await? {
            anyhow::ensure!(confirmed, "there was nothing to confirm");
            self.tally.count("stop confirmed");
            self.stopped = false;
        }
        Ok(())
    }

    /// One run; `None`: it was cut short.
    pub async fn run(&mut self) -> Outcome<Option<RunReport>> {
        let obstacle = self.obstruct()?;
        let now = self.now;
        for erasure in self.model.erasures.iter_mut().filter(|e| !e.finished) {
            erasure.latest = erasure.latest.max(now);
        }
        let confirmed = !self.world().db.retention_state().await?.confirmed.is_empty();
        let result = self.world().enforcer.run_once(self.now, false).await;
        let at_file = obstacle.is_some() && matches!(&result, Err(RetentionError::Store(_)));
        obstacle.map(Obstacle::clear).transpose()?;
        if at_file {
            self.say("run: the power went while files were deleted");
            self.tally.count("crash at deleting files");
            self.model.ran_in_part(self.now);
            self.crash().await?;
            return Ok(None);
        }
        let before = self.model.clock_jumped(self.now);
        if result.is_err() {
            self.model.ran_in_part(self.now);
        }
        let Some(report) = self.survive("run", result).await? else { return Ok(None) };
        anyhow::ensure!(!before || confirmed || report.stopped.is_some(), "the clock jumped, and it went on");
        self.note(&report).await?;
        Ok(Some(report))
    }

    async fn note(&mut self, report: &RunReport) -> Outcome {
        let blocks =
            |amounts: &std::collections::BTreeMap<_, retroview::retention::Amount>| amounts.values().map(|a| a.blocks).sum::<u64>();
        let (marked, swept) = (blocks(&report.marked), blocks(&report.swept));
        for (what, n) in [("run", 1), ("block marked", marked), ("block swept", swept), ("mark taken off by a run", report.rescued)] {
            if n > 0 {
                self.tally.add(what, n);
            }
        }
        self.follow_erasures().await?;
        if let Some(stop) = &report.stopped {
            let kind = match stop {
                Stop::ClockForward { .. } => "stop: clock forward",
                Stop::ClockBackward { .. } => "stop: clock backward",
                Stop::TooMuch { .. } => "stop: too much",
                Stop::ForeignFolder { .. } => "stop: foreign folder",
            };
            self.tally.count(kind);
            self.stopped = true;
            self.say(format!("{kind}: {stop}"));
            if matches!(stop, Stop::TooMuch { .. }) {
                self.model.ran_in_part(self.now);
            } else {
                anyhow::ensure!(marked + swept == 0, "it marked or swept although the clock had jumped");
            }
            return self.observe().await.map(drop);
        }
        self.say(format!("run: marked {marked}, took {} marks off, swept {swept}", report.rescued));
        self.model.ran(self.now);
        let rows = self.observe().await?;
        self.look_through(&rows).await
    }

    /// Each run goes on with what people asked to be erased, also one that stops.
    async fn follow_erasures(&mut self) -> Outcome {
        for i in 0..self.model.erasures.len() {
            let erasure = &self.model.erasures[i];
            if erasure.finished {
                continue;
            }
            let taken = self.model.blocks.iter().any(|b| b.fate == Fate::Taken && b.segments.iter().any(|s| erasure.touches(b, s)));
            let waits = taken || erasure.latest > self.now || self.model.is_held_at_its_edge(erasure, self.now);
            let row = self.world().db.erasure(erasure.id).await?.context("an erasure is forgotten")?;
            if row.finished_at.is_none() {
                anyhow::ensure!(waits, "erasure {} does not come to its end", erasure.id);
                continue;
            }
            let (segments, whole) = self.model.erasure_finished(row.id);
            self.say(format!("erasure {} is over: {segments} segments, {whole} whole blocks", row.id));
            for (what, n) in [("segment erased", segments), ("block erased whole", whole)] {
                if n > 0 {
                    self.tally.add(what, n);
                }
            }
        }
        Ok(())
    }

    /// Now and then a folder stands where a file is to be deleted.
    fn obstruct(&mut self) -> Outcome<Option<Obstacle>> {
        // What is erased meanwhile would stumble over it too.
        if !self.dice.percent(12) || self.model.erasures.iter().any(|e| !e.finished) {
            return Ok(None);
        }
        let starts = self.model.window_starts(self.now);
        let due: Vec<_> = self.model.blocks.iter().filter(|b| self.model.may_be_swept(b, &starts, self.now) && b.path.is_file()).collect();
        let chosen = due.get(self.dice.below(due.len())).map(|b| b.path.clone());
        chosen.map(|path| Obstacle::put(&path)).transpose()
    }
}
