//! `retroview streams add|list|show|pause|resume|remove`.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::accounts::Accounts;
use crate::app::Announcement;
use crate::audit::{Act, Event, acts};
use crate::clock::{Clock, SystemClock};
use crate::db::{Db, DbError, NewStream, StreamRow, StreamTotals};
use crate::entitlement::Principal;
use crate::ingest::{SourcePolicy, SourceSpec};
use crate::media::{AccountId, Gap, StreamId, TimeRange, Timestamp};

use super::context::{Context, Database};
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview streams add door 'rtsp://viewer:secret@192.0.2.7/stream1'
  retroview streams list")]
pub(super) struct StreamsArgs {
    #[command(subcommand)]
    command: StreamsCommand,
}

#[derive(Debug, Subcommand)]
enum StreamsCommand {
    /// Record one more source. A running service begins within a second.
    #[command(after_help = "Sources: rtsp:// rtmp:// srt:// http:// https:// (MPEG-TS or HLS) udp:// rtp:// file:/// and push:,
which waits for someone to send. Credentials in the URL are kept apart and never shown again.

Examples:
  retroview streams add door 'rtsp://viewer:secret@192.0.2.7/stream1' --title 'Front door'
  retroview streams add studio push:")]
    Add {
        /// Its name in URLs and folders: a-z, 0-9, `-` and `_`
        id: StreamId,
        /// Where its bytes come from
        source: String,
        /// What people call it [default: the id]
        #[arg(long)]
        title: Option<String>,
        /// Whose it is
        #[arg(long, default_value = "main")]
        account: AccountId,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect to a source without recording it: what it sends, or why nothing comes.
    #[command(after_help = "Examples:
  retroview streams probe 'rtsp://viewer:secret@192.0.2.7/stream1'
  retroview streams probe rtsp://192.0.2.7/stream1 --picture first.jpg")]
    Probe(super::probe::ProbeArgs),
    /// All streams with what is stored of them.
    #[command(after_help = "Examples:
  retroview streams list
  retroview streams list --json | jq -r '.[].id'")]
    List {
        /// Also those that were removed but have footage
        #[arg(long)]
        removed: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One stream, with its latest gaps.
    #[command(after_help = "Examples:
  retroview streams show door")]
    Show {
        id: StreamId,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop recording for now. What is stored stays and can be played.
    #[command(after_help = "Examples:
  retroview streams pause door")]
    Pause { id: StreamId },
    /// Go on recording, also a stream that was removed.
    #[command(after_help = "Examples:
  retroview streams resume door")]
    Resume { id: StreamId },
    /// Stop recording for good. Footage stays until its time is up.
    #[command(after_help = "Examples:
  retroview streams remove door")]
    Remove { id: StreamId },
}

/// How many of the latest gaps `show` lists: what fits a terminal.
const GAPS_SHOWN: usize = 10;

pub(super) fn run(args: StreamsArgs, context: &Context) -> anyhow::Result<Exit> {
    let begins = matches!(args.command, StreamsCommand::Add { .. });
    let work = async |database: Database| {
        let db = &database.db;
        match args.command {
            StreamsCommand::Add { id, source, title, account, json } => add(&database, id, &source, title, account, json).await,
            StreamsCommand::Probe(args) => super::probe::run(&database, args).await,
            StreamsCommand::List { removed, json } => list(&database, removed, json).await,
            StreamsCommand::Show { id, json } => show(&database, &id, json).await,
            StreamsCommand::Pause { id } => {
                let row = recorded(db, &id).await?;
                db.recording(act(acts::STREAM_PAUSED, &row.account, &id)).set_stream_paused(&id, true).await?;
                Ok(Exit::Ok)
            }
            StreamsCommand::Resume { id } => {
                let row = existing(db, &id).await?;
                let db = db.recording(act(acts::STREAM_RESUMED, &row.account, &id));
                if row.removed_at.is_some() {
                    db.set_stream_removed(&id, None).await?;
                }
                db.set_stream_paused(&id, false).await?;
                Ok(Exit::Ok)
            }
            StreamsCommand::Remove { id } => {
                let row = recorded(db, &id).await?;
                db.recording(act(acts::STREAM_REMOVED, &row.account, &id)).set_stream_removed(&id, Some(SystemClock.now())).await?;
                Ok(Exit::Ok)
            }
        }
    };
    if begins { context.with_new_database(work) } else { context.with_database(work) }
}

/// What the person at the machine does to a stream.
fn act(act: Act, account: &AccountId, stream: &StreamId) -> Event {
    let event = Event::system(SystemClock.now(), act).of_account(account).on_stream(stream);
    event.by(Principal::command_line(account.clone()).label())
}

async fn add(
    database: &Database,
    id: StreamId,
    source: &str,
    title: Option<String>,
    account: AccountId,
    json: bool,
) -> anyhow::Result<Exit> {
    Accounts::new(database.db.clone()).account(&account).await.map_err(Failure::from)?;
    let wrong = |e: String| Failure::new(Exit::Usage, e).hint("retroview streams add --help");
    let spec = SourceSpec::parse(source).map_err(|e| wrong(e.to_string()))?;
    let ingest = &database.config.ingest;
    let policy = SourcePolicy::new(&ingest.forbidden_networks, &ingest.file_roots).map_err(|e| wrong(e.to_string()))?;
    policy.check(&spec).map_err(|e| wrong(e.to_string()))?;
    let new = NewStream {
        title: title.unwrap_or_else(|| id.to_string()),
        account,
        source: spec.to_string(),
        credentials: spec.credentials_text(),
        id,
    };
    let added = act(acts::STREAM_ADDED, &new.account, &new.id).with("source", new.source.clone());
    let row = match database.db.recording(added).add_stream(&new, SystemClock.now()).await {
        Ok(row) => row,
        Err(e @ DbError::Exists { .. }) => {
            let known = database.db.stream(&new.id).await?;
            let hint = match known {
                Some(row) if row.removed_at.is_some() => format!("retroview streams resume {}, which brings it back", row.id),
                _ => format!("another id, or retroview streams show {}", new.id),
            };
            return Err(Failure::new(Exit::Conflict, e.to_string()).hint(hint).into());
        }
        Err(e) => return Err(e.into()),
    };
    if json {
        output::print_json(&StreamLine::of(&row, StreamTotals::default()))?;
    }
    Ok(Exit::Ok)
}

async fn list(database: &Database, removed: bool, json: bool) -> anyhow::Result<Exit> {
    let (db, service) = (&database.db, Announcement::read(&database.config));
    let mut lines = Vec::new();
    for row in db.streams(removed).await? {
        let totals = db.totals(&row.id).await?;
        lines.push(StreamLine::of(&row, totals).with_news(service.as_ref()));
    }
    if json {
        output::print_json(&lines)?;
        return Ok(Exit::Ok);
    }
    if lines.is_empty() {
        eprintln!("No streams yet. Try: retroview streams add door rtsp://camera.example/stream");
        return Ok(Exit::Ok);
    }
    let moment = |t: Option<i64>| t.map_or_else(|| "-".into(), |us| Timestamp::from_micros(us).to_rfc3339(0));
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|l| {
            let (first, last) = (moment(l.first_start_us), moment(l.last_end_us));
            vec![l.id.clone(), l.recording.into(), l.state_words(), first, last, output::size(l.bytes), l.source.clone(), l.title.clone()]
        })
        .collect();
    output::print(&output::table(&["ID", "RECORDING", "STATE", "FROM", "TO", "STORED", "SOURCE", "TITLE"], &rows));
    Ok(Exit::Ok)
}

async fn show(database: &Database, id: &StreamId, json: bool) -> anyhow::Result<Exit> {
    let (db, service) = (&database.db, Announcement::read(&database.config));
    let row = existing(db, id).await?;
    let line = StreamLine::of(&row, db.totals(id).await?).with_news(service.as_ref());
    let gaps = latest_gaps(db, id, &line).await?;
    if json {
        output::print_json(&StreamPage { line, gaps })?;
        return Ok(Exit::Ok);
    }
    let moment = |t: Option<i64>| t.map_or_else(|| "nothing yet".into(), |us| Timestamp::from_micros(us).to_rfc3339(3));
    let facts = [
        ("id", line.id.clone()),
        ("title", line.title.clone()),
        ("source", line.source.clone()),
        ("recording", line.recording.into()),
        ("state", line.state_words()),
        ("from", moment(line.first_start_us)),
        ("to", moment(line.last_end_us)),
        ("stored", format!("{} in {} segments and {} blocks", output::size(line.bytes), line.segments, line.blocks)),
    ];
    for (name, value) in facts {
        output::print_line(&format!("{name:<10} {value}"));
    }
    for gap in gaps {
        let end = gap.end.map_or_else(|| "still".into(), |t| t.to_rfc3339(3));
        let detail = if gap.detail.is_empty() { String::new() } else { format!(": {}", gap.detail) };
        output::print_line(&format!("{:<10} {} to {end}, {}{detail}", "gap", gap.start.to_rfc3339(3), gap.cause.as_str()));
    }
    Ok(Exit::Ok)
}

/// The latest gaps since the first footage, oldest first.
async fn latest_gaps(db: &Db, id: &StreamId, line: &StreamLine) -> anyhow::Result<Vec<Gap>> {
    let Some(first) = line.first_start_us.map(Timestamp::from_micros) else { return Ok(Vec::new()) };
    let mut shown: Vec<Gap> = Vec::new();
    let mut from = first;
    // Pages forward because gaps are read in time order; a bounded number is kept.
    while let Ok(rest) = TimeRange::new(from, Timestamp::MAX) {
        let page = db.gaps_in(id, rest, 1000).await?;
        let Some(next) = page.last().and_then(|g| g.end).filter(|end| *end > from) else {
            shown.extend(page);
            break;
        };
        let full = page.len() == 1000;
        shown.extend(page);
        shown = shown.split_off(shown.len().saturating_sub(GAPS_SHOWN));
        if !full {
            break;
        }
        from = next;
    }
    Ok(shown.split_off(shown.len().saturating_sub(GAPS_SHOWN)))
}

async fn existing(db: &Db, id: &StreamId) -> anyhow::Result<StreamRow> {
    let missing = || Failure::new(Exit::NotFound, format!("there is no stream `{id}`")).hint("retroview streams list --removed");
    Ok(db.stream(id).await?.ok_or_else(missing)?)
}

/// One that was not removed.
async fn recorded(db: &Db, id: &StreamId) -> anyhow::Result<StreamRow> {
    let row = existing(db, id).await?;
    if row.removed_at.is_some() {
        let failure = Failure::new(Exit::NotFound, format!("the stream `{id}` was removed"));
        return Err(failure.hint(format!("retroview streams resume {id}, which brings it back")).into());
    }
    Ok(row)
}

/// A stream as lists show it.
#[derive(Debug, Serialize)]
struct StreamLine {
    id: String,
    title: String,
    source: String,
    /// `yes`, `paused` or `removed`: what was asked for.
    recording: &'static str,
    /// What comes of it, as the running service says; null when none runs.
    state: Option<String>,
    state_detail: Option<String>,
    created_at_us: i64,
    first_start_us: Option<i64>,
    last_end_us: Option<i64>,
    segments: u64,
    blocks: u64,
    bytes: u64,
}

impl StreamLine {
    fn of(row: &StreamRow, totals: StreamTotals) -> Self {
        StreamLine {
            id: row.id.to_string(),
            title: row.title.clone(),
            source: row.source.clone(),
            recording: match (row.removed_at, row.paused) {
                (Some(_), _) => "removed",
                (None, true) => "paused",
                (None, false) => "yes",
            },
            state: None,
            state_detail: None,
            created_at_us: row.created_at.as_micros(),
            first_start_us: totals.first_start.map(Timestamp::as_micros),
            last_end_us: totals.last_end.map(Timestamp::as_micros),
            segments: totals.segments,
            blocks: totals.blocks,
            bytes: totals.bytes,
        }
    }

    fn with_news(mut self, service: Option<&Announcement>) -> Self {
        if let Some(news) = service.and_then(|s| s.streams.get(&self.id)) {
            self.state = Some(news.state.clone());
            self.state_detail = Some(news.detail.clone()).filter(|d| !d.is_empty());
        }
        self
    }

    fn state_words(&self) -> String {
        match (&self.state, &self.state_detail) {
            (None, _) => "no service runs".into(),
            // While it records, the detail is what: that is for the page.
            (Some(state), Some(detail)) if state != "recording" => format!("{}: {detail}", state.replace('_', " ")),
            (Some(state), _) => state.replace('_', " "),
        }
    }
}

#[derive(Debug, Serialize)]
struct StreamPage {
    #[serde(flatten)]
    line: StreamLine,
    gaps: Vec<Gap>,
}
