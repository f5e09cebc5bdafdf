//! `retroview audit`: who did what, and the proof that nothing of it was changed.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::app;
use crate::audit::{BadCheckpoint, Broken, Checkpoint, Document, Record, Verifier};
use crate::clock::{Clock, SystemClock};
use crate::db::{AuditQuery, Db};
use crate::media::{StreamId, TimeRange, Timestamp};
use crate::retention::receipts::totals;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output;

/// Records read at a time: some megabytes.
const BATCH: u32 = 5_000;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview audit list --act stream
  retroview audit export --out audit.jsonl
  retroview audit checkpoint > checkpoint.json
  retroview audit verify audit.jsonl --checkpoint checkpoint.json
  retroview audit verify-receipt receipt-3.json")]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Records, newest last.
    #[command(after_help = "Examples:
  retroview audit list --stream door --from -86400
  retroview audit list --person ann
  retroview audit list --act stream.removed --json")]
    List {
        /// Only about this stream
        #[arg(long)]
        stream: Option<StreamId>,
        /// Only what this user, token or command line did, as the list shows them
        #[arg(long)]
        actor: Option<String>,
        /// Only what was done under names that hold this: users, tokens
        #[arg(long, value_name = "TEXT", conflicts_with = "actor")]
        person: Option<String>,
        /// Only this act (stream.paused) or all of its noun (stream)
        #[arg(long)]
        act: Option<String>,
        /// Only what happened from then on
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<String>,
        /// Only what happened before
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        to: Option<String>,
        /// At most so many, the newest ones
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// The whole log, one record a line, in the form that is hashed.
    #[command(after_help = "Examples:
  retroview audit export --out audit.jsonl
  retroview audit export | gzip > audit.jsonl.gz")]
    Export {
        /// Where to [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Sign how far the log reaches now. Keep the answer where the log is not.
    #[command(after_help = "Examples:
  retroview audit checkpoint > /mnt/elsewhere/checkpoint-$(date +%F).json")]
    Checkpoint,
    /// Whether a receipt or an attestation is what was signed. Needs neither service nor database.
    #[command(after_help = "Exit code 0: it is; 3: it is not, and why.

Examples:
  retroview audit verify-receipt receipt-3.json --key 3b6a27bc…")]
    VerifyReceipt {
        /// The JSON file
        file: PathBuf,
        /// The installation's public key, from where you wrote it down; without it only that somebody signed it is known
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Whether an export is whole and unchanged. Needs neither service nor database.
    #[command(after_help = "Exit code 0: whole and unchanged, as far as the checkpoints can tell; 3: it is not, and why.

Examples:
  retroview audit verify audit.jsonl --checkpoint checkpoint.json
  retroview audit verify audit.jsonl --checkpoint old.json --checkpoint new.json --key 3b6a27bc…")]
    Verify {
        /// The export
        file: PathBuf,
        /// A checkpoint that was kept; may be given more than once
        #[arg(long, value_name = "FILE", required = true)]
        checkpoint: Vec<PathBuf>,
        /// The installation's public key, as its checkpoints have it, from where you wrote it down
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: AuditArgs, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        AuditCommand::Verify { file, checkpoint, key, json } => verify(&file, &checkpoint, key.as_deref(), json),
        AuditCommand::VerifyReceipt { file, key, json } => verify_receipt(&file, key.as_deref(), json),
        AuditCommand::List { stream, actor, person, act, from, to, limit, json } => context.with_database(async |database| {
            let now = SystemClock.now();
            let wrong = |e: String| Failure::new(Exit::Usage, e).hint("retroview audit list --help");
            let moment =
                |text: &Option<String>, or| text.as_deref().map_or(Ok(or), |t| Timestamp::parse(t, now)).map_err(|e| wrong(e.to_string()));
            let range = TimeRange::new(moment(&from, Timestamp::MIN)?, moment(&to, Timestamp::MAX)?).map_err(|e| wrong(e.to_string()))?;
            let query = AuditQuery { account: None, stream, actor, person, act, range: Some(range) };
            list(&database.db, &query, limit, json).await
        }),
        AuditCommand::Export { out } => context.with_database(async |database| export(&database.db, out.as_deref()).await),
        AuditCommand::Checkpoint => context.with_database(async |database| checkpoint(&database.db).await),
    }
}

async fn list(db: &Db, query: &AuditQuery, limit: usize, json: bool) -> anyhow::Result<Exit> {
    let mut newest: Vec<Record> = Vec::new();
    let mut before = u64::MAX;
    while newest.len() < limit {
        let wanted = u32::try_from(limit - newest.len()).unwrap_or(BATCH).min(BATCH);
        let page = db.newest_audit_records(query, before, wanted).await?;
        let Some(last) = page.last() else { break };
        before = last.n;
        newest.extend(page);
    }
    newest.reverse();
    if json {
        newest.iter().for_each(|record| output::print_line(&record.to_line()));
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = newest.iter().map(row).collect();
    output::print(&output::table(&["N", "AT", "ACTOR", "ACT", "STREAM", "DETAILS"], &rows));
    Ok(Exit::Ok)
}

fn row(record: &Record) -> Vec<String> {
    let e = &record.event;
    let stream = e.stream.as_ref().map_or_else(|| "-".into(), ToString::to_string);
    let mut details: Vec<String> = e.details.iter().map(|(k, v)| format!("{k}={v}")).collect();
    if let Some(range) = e.range {
        details.insert(0, format!("{} to {}", range.start().to_rfc3339(0), range.end().to_rfc3339(0)));
    }
    vec![record.n.to_string(), e.at.to_rfc3339(0), e.actor.clone(), e.act.clone(), stream, details.join(" ")]
}

async fn export(db: &Db, out: Option<&Path>) -> anyhow::Result<Exit> {
    let mut sink: Box<dyn Write> = match out {
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(|e| cannot("write", path, &e))?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let mut after = 0;
    loop {
        let page = db.audit_records(&AuditQuery::default(), after, BATCH).await?;
        let Some(last) = page.last() else { break };
        after = last.n;
        for record in &page {
            writeln!(sink, "{}", record.to_line())?;
        }
    }
    sink.flush()?;
    Ok(Exit::Ok)
}

async fn checkpoint(db: &Db) -> anyhow::Result<Exit> {
    let signed = app::sign_checkpoint(db, "command line", SystemClock.now()).await?;
    output::print_line(&signed.to_json().to_string());
    Ok(Exit::Ok)
}

/// What a verification found.
#[derive(Serialize)]
struct Verdict {
    whole: bool,
    records: u64,
    /// What is wrong; null when nothing is.
    problem: Option<String>,
}

fn verify(file: &Path, checkpoints: &[PathBuf], key: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    File::open(file).map_err(|e| cannot("read", file, &e))?;
    if let Some(key) = key.filter(|k| k.len() != 64 || !k.bytes().all(|b| b.is_ascii_hexdigit())) {
        let failure = Failure::new(Exit::Usage, format!("`{key}` is no public key: it has 64 hexadecimal digits"));
        return Err(failure.hint("the `key` of a checkpoint that you trust").into());
    }
    let outcome = read_checkpoints(checkpoints, key)?.map_err(|e| e.to_string()).and_then(|kept| {
        let count = kept.len();
        follow(file, kept).map(|n| (n, count))
    });
    let verdict = match &outcome {
        Ok((records, _)) => Verdict { whole: true, records: *records, problem: None },
        Err(problem) => Verdict { whole: false, records: 0, problem: Some(problem.clone()) },
    };
    match (&verdict.problem, json) {
        (_, true) => output::print_json(&verdict)?,
        (Some(problem), false) => output::print_line(&format!("NOT whole: {problem}.")),
        (None, false) => output::print_line(&format!("Whole and unchanged: {} records.", verdict.records)),
    }
    Ok(if verdict.whole { Exit::Ok } else { Exit::Findings })
}

fn verify_receipt(file: &Path, key: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(file).map_err(|e| cannot("read", file, &e))?;
    let read = Document::read(&text, key).map_err(|e| e.to_string()).and_then(|document| sums_fit(&document).map(|()| document));
    match (&read, json) {
        (_, true) => output::print_json(&serde_json::json!({
            "genuine": read.is_ok(), "kind": read.as_ref().ok().map(Document::kind), "problem": read.as_ref().err(),
        }))?,
        (Ok(document), false) => {
            let trusted = if key.is_some() { "" } else { " Give --key to know by whom." };
            output::print_line(&format!("Genuine {}: as it was signed.{trusted}", document.kind()));
        }
        (Err(problem), false) => output::print_line(&format!("NOT genuine: {problem}.")),
    }
    Ok(if read.is_ok() { Exit::Ok } else { Exit::Findings })
}

/// A signature vouches for what is written, not that it adds up.
fn sums_fit(document: &Document) -> Result<(), String> {
    let members = document.members();
    let Some(blocks) = members.get("blocks").and_then(serde_json::Value::as_array) else { return Ok(()) };
    let fits = members.get("totals") == Some(&totals(blocks));
    if fits { Ok(()) } else { Err("its sums are not those of the blocks it lists".into()) }
}

fn read_checkpoints(paths: &[PathBuf], key: Option<&str>) -> anyhow::Result<Result<Vec<Checkpoint>, BadCheckpoint>> {
    let mut kept = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|e| cannot("read", path, &e))?;
        match Checkpoint::read(&text, key) {
            Ok(checkpoint) => kept.push(checkpoint),
            Err(bad) => return Ok(Err(bad)),
        }
    }
    Ok(Ok(kept))
}

fn follow(file: &Path, checkpoints: Vec<Checkpoint>) -> Result<u64, String> {
    let lines = BufReader::new(File::open(file).map_err(|e| format!("{}: {e}", file.display()))?).lines();
    let mut verifier = Verifier::new(checkpoints);
    let tell = |broken: Broken| broken.to_string();
    for line in lines {
        verifier.line(&line.map_err(|e| format!("{}: {e}", file.display()))?).map_err(tell)?;
    }
    verifier.end().map(|chain| chain.n).map_err(tell)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot {what} {}: {error}", path.display())).hint("another path")
}
