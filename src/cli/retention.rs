//! `retroview retention status|run|confirm|explain|forecast|cap`, and [`papers`]: how long footage stays, and how it leaves.

use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::accounts::By;
use crate::app::{self, DataDirLock};
use crate::clock::{Clock, SystemClock};
use crate::index::Index;
use crate::media::{AccountId, StreamId, Timestamp, Window};
use crate::retention::{
    AccountOverview, Amount, Change, Explanation, Forecast, Gone, Keep, Prune, Retention, RetentionError, RunReport, Status, Verdict,
};

use super::context::{Context, Database, start_failure};
use super::failure::{Exit, Failure};
use super::output;
use super::papers::{self, PapersCommand};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview retention status
  retroview retention explain door 2026-05-03T14:00:00Z")]
pub(super) struct RetentionArgs {
    #[command(subcommand)]
    command: RetentionCommand,
}

#[derive(Debug, Subcommand)]
enum RetentionCommand {
    /// Where retention stands, and each stream's footage: stored, outside its window, given up, held.
    #[command(after_help = "Examples:
  retroview retention status
  retroview retention status --account acme --json")]
    Status {
        /// Only this account
        #[arg(long)]
        account: Option<AccountId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give up what has left its window, and delete what is due. A running service also does it by itself.
    #[command(after_help = "Examples:
  retroview retention run --dry-run
  retroview retention run")]
    Run {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that what stopped retention was looked at: the next run goes past it.
    #[command(after_help = "Examples:
  retroview retention confirm")]
    Confirm,
    /// What applies, applied or will apply to a moment of a stream, and why.
    #[command(after_help = "Times are RFC 3339, Unix seconds, or seconds before now (-3600).

Examples:
  retroview retention explain door 2026-05-03T14:00:00Z
  retroview retention explain door 2026-05-03T14:00:00Z --now 2026-12-24T00:00:00Z")]
    Explain {
        stream: StreamId,
        /// The moment of the footage
        #[arg(allow_hyphen_values = true)]
        time: String,
        /// Asked as if it were then
        #[arg(long, allow_hyphen_values = true)]
        now: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What a change would remove and what it would rescue. Nothing is changed.
    #[command(after_help = "Examples:
  retroview retention forecast acme --plan extended
  retroview retention forecast acme --at 2027-01-01T00:00:00Z
  retroview retention forecast acme --stream door --cap-hours 72")]
    Forecast {
        account: AccountId,
        /// The moment that is spoken of [default: now]
        #[arg(long, allow_hyphen_values = true)]
        at: Option<String>,
        /// As if this plan held
        #[arg(long)]
        plan: Option<String>,
        /// As if this cap held
        #[arg(long)]
        cap_hours: Option<u32>,
        /// As if this hold were released
        #[arg(long)]
        released: Option<i64>,
        /// Only this stream
        #[arg(long)]
        stream: Option<StreamId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shorten one stream's window. It is never lengthened past the plan.
    #[command(after_help = "Examples:
  retroview retention cap lobby 72
  retroview retention cap lobby none")]
    Cap {
        stream: StreamId,
        /// Whole hours, or none
        hours: String,
    },
    #[command(flatten)]
    Paper(PapersCommand),
}

pub(super) fn run(args: RetentionArgs, context: &Context) -> anyhow::Result<Exit> {
    if let RetentionCommand::Paper(command) = args.command {
        return papers::run(command, context);
    }
    context.with_database(async |database| {
        let now = SystemClock.now();
        let desk = open(&database).await?;
        match args.command {
            RetentionCommand::Status { account, json } => status(&desk, account, now, json).await,
            RetentionCommand::Run { dry_run, json } => print_run(&make_run(&database, &desk, now, dry_run).await?, json),
            RetentionCommand::Confirm => {
                let stopped = desk.confirm(&by(now)).await.map_err(failure)?;
                output::print_line(&format!("Confirmed, and the next run goes past it: {}", stopped.why));
                Ok(Exit::Ok)
            }
            RetentionCommand::Explain { stream, time, now: asked_from, json } => {
                let at = moment(&time, now)?;
                let from = asked_from.map(|t| moment(&t, now)).transpose()?.unwrap_or(now);
                let explanation = desk.explain(&stream, at, from).await.map_err(failure)?;
                if json {
                    output::print_json(&explanation)?
                } else {
                    tell(&explanation)
                }
                Ok(Exit::Ok)
            }
            RetentionCommand::Forecast { account, at, plan, cap_hours, released, stream, json } => {
                let then = at.map(|t| moment(&t, now)).transpose()?.unwrap_or(now);
                let change = Change { plan, cap_hours, released, stream };
                let forecast = desk.forecast(&account, then, &change).await.map_err(failure)?;
                if json {
                    output::print_json(&forecast)?
                } else {
                    print_forecast(&forecast)
                }
                Ok(Exit::Ok)
            }
            RetentionCommand::Cap { stream, hours } => {
                let wrong = || Failure::new(Exit::Usage, format!("`{hours}` is no number of hours")).hint("retroview retention cap --help");
                let hours = if hours == "none" { None } else { Some(hours.parse().map_err(|_| wrong())?) };
                desk.set_cap(&by(now), &stream, hours).await.map_err(failure)?;
                Ok(Exit::Ok)
            }
            RetentionCommand::Paper(_) => unreachable!("handled above"),
        }
    })
}

/// Retention of this installation, for a command.
pub(super) async fn open(database: &Database) -> anyhow::Result<Retention> {
    let (db, root) = app::open_rows(&database.config).await.map_err(start_failure)?;
    let index = Index::for_command(db, root.clone());
    Ok(app::retention(&database.config, index, &root, Arc::new(SystemClock)))
}

pub(super) fn by(now: Timestamp) -> By {
    By { actor: "command line".into(), now }
}

pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    Timestamp::parse(text, now).map_err(|e| Failure::new(Exit::Usage, e.to_string()).hint("2026-05-03T14:00:00Z, or -3600 for an hour ago"))
}

/// What an error of retention means for the exit code.
pub(super) fn failure(error: RetentionError) -> Failure {
    use RetentionError as E;
    let (exit, hint) = match &error {
        E::Accounts(_) => {
            let E::Accounts(error) = error else { unreachable!("matched just now") };
            return error.into();
        }
        E::UnknownStream(_) => (Exit::NotFound, "retroview streams list --removed"),
        E::UnknownHold(_) => (Exit::NotFound, "retroview holds list"),
        E::Hold(_) => (Exit::Usage, "retroview holds place --help"),
        E::CapHours => (Exit::Usage, "retroview retention cap --help"),
        E::Running => (Exit::Conflict, "the same again in a moment"),
        E::NotStopped => (Exit::Conflict, "retroview retention status"),
        E::Unconfirmable { .. } => (Exit::Conflict, "mounting the right disk, or setting media.root"),
        E::ErasureAhead { .. } | E::ErasureWords => (Exit::Usage, "retroview erase --help"),
        E::Db(_) | E::Store(_) | E::Interrupted(_) | E::Lock { .. } => return Failure::from_error(error.into()),
    };
    Failure::from_error(error.into()).with(exit).hint(hint)
}

/// A running service does it itself: it knows what is being read, and its memory of the index stays true.
async fn make_run(database: &Database, desk: &Retention, now: Timestamp, dry_run: bool) -> anyhow::Result<RunReport> {
    let alone = if dry_run { None } else { DataDirLock::take(&database.config.lock_path()).ok() };
    let report = if dry_run || alone.is_some() { desk.run(now, dry_run).await } else { desk.ask_service(now).await };
    Ok(report.map_err(failure)?)
}

async fn status(desk: &Retention, account: Option<AccountId>, now: Timestamp, json: bool) -> anyhow::Result<Exit> {
    let status = desk.status().await.map_err(failure)?;
    let accounts = match account {
        Some(account) => vec![account],
        None => desk.account_ids().await.map_err(failure)?,
    };
    let mut overviews = Vec::new();
    for account in &accounts {
        overviews.push(desk.overview(account, now).await.map_err(failure)?);
    }
    if json {
        output::print_json(&serde_json::json!({ "status": status, "accounts": overviews }))?;
    } else {
        print_status(&status);
        overviews.iter().for_each(print_overview);
    }
    Ok(Exit::Ok)
}

fn print_status(status: &Status) {
    let last = status.last_run_us.map_or_else(|| "none yet".into(), |us| Timestamp::from_micros(us).to_rfc3339(0));
    output::print_line(&format!("last run   {last}"));
    output::print_line(&format!("grace      {}", span(status.grace_s)));
    match &status.stopped {
        None => output::print_line("state      runs"),
        Some(stop) => {
            let since = Timestamp::from_micros(stop.since_us).to_rfc3339(0);
            let then = if status.confirmed { "confirmed; the next run goes past it" } else { "look, then: retroview retention confirm" };
            output::print_line(&format!("state      stands still since {since}: {}", stop.why));
            output::print_line(&format!("           {then}"));
        }
    }
}

/// In the largest unit that says it exactly.
fn span(seconds: u64) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn print_overview(account: &AccountOverview) {
    let plan = account.plan.as_deref().unwrap_or("no plan");
    let window = match account.window {
        Window::Months(n) => format!("{n} months"),
        Window::Unlimited => "unlimited".into(),
    };
    output::print_line(&format!("\n{} ({plan}: {window}, {})", account.account, account.zone));
    let moment = |us: Option<i64>, none: &str| us.map_or_else(|| none.to_owned(), |us| Timestamp::from_micros(us).to_rfc3339(0));
    let rows: Vec<Vec<String>> = account
        .streams
        .iter()
        .map(|s| {
            let window = moment(s.window_start_us, "everything");
            let cap = s.cap_hours.map_or_else(|| "-".into(), |h| format!("{h} h"));
            let amounts = [s.stored, s.outside, s.marked, s.held].map(amount);
            let mut row = vec![s.stream.to_string(), window, cap];
            row.extend(amounts);
            row.push(moment(s.next_due_us, "-"));
            row
        })
        .collect();
    output::print(&output::table(&["STREAM", "SERVED FROM", "CAP", "STORED", "OUTSIDE", "GIVEN UP", "HELD", "NEXT DELETED"], &rows));
}

fn amount(amount: Amount) -> String {
    if amount.blocks == 0 { "-".into() } else { format!("{:.1} h, {}", amount.hours(), output::size(amount.bytes)) }
}

fn print_run(report: &RunReport, json: bool) -> anyhow::Result<Exit> {
    // Something has to be looked at: as with `check`.
    let exit = if report.stopped.is_some() { Exit::Findings } else { Exit::Ok };
    if json {
        output::print_json(report)?;
        return Ok(exit);
    }
    let (marked, swept) = if report.dry_run { ("would give up", "would delete") } else { ("given up", "deleted") };
    for (what, streams) in [(marked, &report.marked), (swept, &report.swept)] {
        for (stream, a) in streams {
            output::print_line(&format!("{what:<13} {stream}: {} segments, {}", a.segments, amount(*a)));
        }
    }
    if report.rescued > 0 {
        let what = if report.dry_run { "would rescue" } else { "rescued" };
        output::print_line(&format!("{what:<13} {} blocks", report.rescued));
    }
    if let Some(stop) = &report.stopped {
        let stop = stop.to_string();
        let end = if stop.ends_with('?') { "" } else { "." };
        eprintln!(
            "retroview: retention stands still and deletes nothing: {stop}{end} Try: looking into it, then retroview retention confirm"
        );
    } else if report.marked.is_empty() && report.swept.is_empty() && report.rescued == 0 {
        output::print_line("nothing to do");
    }
    Ok(exit)
}

fn print_forecast(forecast: &Forecast) {
    let told = |a: Amount| if a.blocks == 0 { "-".into() } else { format!("{} segments, {}", a.segments, amount(a)) };
    let rows: Vec<Vec<String>> = forecast.streams.iter().map(|s| vec![s.stream.to_string(), told(s.leaves), told(s.rescued)]).collect();
    output::print(&output::table(&["STREAM", "WOULD LEAVE", "WOULD BE RESCUED"], &rows));
    let gained = match forecast.days_gained {
        None => "without end".to_owned(),
        Some(0) => return,
        Some(days) => format!("{days} days longer"),
    };
    output::print_line(&format!("Footage would stay {gained}."));
}

fn tell(e: &Explanation) {
    let when = |t: Option<Timestamp>| t.map_or_else(|| "about to be done".to_owned(), |t| format!("on {}", t.to_rfc3339(0)));
    let gone = match e.gone {
        Some(Gone::Sweep { sweep, at_us }) => Some(format!("deleted by sweep {sweep}, {}", when(at_us))),
        Some(Gone::Erasure { erasure, at_us, .. }) => Some(format!("erased on request by erasure {erasure}, {}", when(at_us))),
        None => None,
    };
    let stands = match e.verdict {
        Verdict::Keep(Keep::Unlimited) => "kept: the plan has no end".to_owned(),
        Verdict::Keep(Keep::Window) => "kept: inside the window".to_owned(),
        Verdict::Keep(Keep::Hold { hold }) => format!("kept outside the window by hold {hold}"),
        Verdict::Prune(Prune::Plan { months }) => format!("not kept: the plan's window of {months} months has passed over it"),
        Verdict::Prune(Prune::Cap { hours }) => format!("not kept: the stream's cap of {hours} hours has passed over it"),
    };
    let moment = |t: Option<Timestamp>, none: &str| t.map_or_else(|| none.to_owned(), |t| t.to_rfc3339(0));
    let segment = e.segment.map(|s| format!("{} to {}", s.start().to_rfc3339(3), s.end().to_rfc3339(3)));
    let mut facts = vec![
        ("moment", e.at_us.to_rfc3339(3)),
        ("asked", e.now_us.to_rfc3339(0)),
        ("verdict", gone.unwrap_or(stands)),
        ("segment", segment.unwrap_or_else(|| "none is stored".into())),
        ("served from", moment(e.window_start_us, "everything is")),
        (if e.leaves_at_us.is_some_and(|t| t <= e.now_us) { "left" } else { "leaves" }, moment(e.leaves_at_us, "never")),
    ];
    facts.extend(e.plan.iter().map(|plan| ("plan", format!("{plan}, version {}", e.plan_version.unwrap_or(0)))));
    facts.extend(e.cap_hours.map(|h| ("cap", format!("{h} h"))));
    facts.extend((!e.holds.is_empty()).then(|| ("holds", e.holds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))));
    facts.extend(e.marked_at_us.map(|t| ("given up", t.to_rfc3339(0))));
    facts.extend(e.due_at_us.map(|t| ("deleted from", t.to_rfc3339(0))));
    facts.extend(e.sweep.map(|n| ("sweep", n.to_string())));
    facts.extend(e.rule.as_ref().map(|rule| ("rule", rule.to_string())));
    for (name, value) in facts {
        output::print_line(&format!("{name:<13} {value}"));
    }
}
