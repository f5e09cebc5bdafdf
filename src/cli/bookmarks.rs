//! `retroview bookmarks list|add|remove`: moments and ranges that people want to find again.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::bookmarks::{BookmarkError, Bookmarks, Draft};
use crate::clock::{Clock, SystemClock};
use crate::db::{BookmarkRow, Db, StreamRow};
use crate::entitlement::Principal;
use crate::media::{AccountId, StreamId, Timestamp};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output;
use super::retention::moment;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview bookmarks add door 2026-05-03T14:00:00Z 'A parcel'
  retroview bookmarks list")]
pub(super) struct BookmarksArgs {
    #[command(subcommand)]
    command: BookmarksCommand,
}

#[derive(Debug, Subcommand)]
enum BookmarksCommand {
    /// The newest first, at most 1,000.
    #[command(after_help = "Examples:
  retroview bookmarks list --search parcel
  retroview bookmarks list --account acme --before 4711 --json")]
    List {
        #[arg(long, default_value = "main")]
        account: AccountId,
        /// Words that are in title or note
        #[arg(long, default_value = "")]
        search: String,
        /// Only those with a smaller number: the next page
        #[arg(long)]
        before: Option<i64>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Mark a moment, or a range.
    #[command(after_help = "Times are RFC 3339, Unix seconds, or seconds before now (-3600).

Examples:
  retroview bookmarks add door -3600 'A parcel' --note 'Left at the neighbours'
  retroview bookmarks add door 2026-05-03T14:00:00Z 'Delivery' --to 2026-05-03T14:05:00Z")]
    Add {
        stream: StreamId,
        #[arg(allow_hyphen_values = true)]
        at: String,
        title: String,
        /// Where the range ends [default: a moment]
        #[arg(long, allow_hyphen_values = true)]
        to: Option<String>,
        #[arg(long, default_value = "")]
        note: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a bookmark. Its footage stays as long as it would have.
    #[command(after_help = "Examples:
  retroview bookmarks remove 12")]
    Remove { bookmark: i64 },
}

pub(super) fn run(args: BookmarksArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let bookmarks = Bookmarks::new(database.db.clone());
        let (now, who) = (SystemClock.now(), Principal::command_line(AccountId::main()));
        match args.command {
            BookmarksCommand::List { account, search, before, json } => {
                list(bookmarks.of(&who, &account, &search, before).await.map_err(failure)?, json)
            }
            BookmarksCommand::Add { stream, at, title, to, note, json } => {
                let end = to.map(|t| moment(&t, now)).transpose()?;
                let draft = Draft { at: moment(&at, now)?, end, title, note };
                let row = find_stream(&database.db, &stream).await?;
                let made = bookmarks.add(&who, now, &row, draft).await.map_err(failure)?;
                if json {
                    output::print_json(&view(made))?;
                } else {
                    output::print_line(&format!("bookmark {}", made.id));
                }
                Ok(Exit::Ok)
            }
            BookmarksCommand::Remove { bookmark } => {
                let missing = || failure(BookmarkError::Unknown(bookmark));
                let found = database.db.bookmark(bookmark).await?.ok_or_else(missing)?;
                let row = find_stream(&database.db, &found.bookmark.stream).await?;
                bookmarks.remove(&who, now, &row, bookmark).await.map_err(failure)?;
                Ok(Exit::Ok)
            }
        }
    })
}

async fn find_stream(db: &Db, stream: &StreamId) -> anyhow::Result<StreamRow> {
    let missing = || Failure::new(Exit::NotFound, format!("there is no stream `{stream}`")).hint("retroview streams list --removed");
    Ok(db.stream(stream).await?.ok_or_else(missing)?)
}

fn failure(error: BookmarkError) -> Failure {
    match error {
        BookmarkError::Unknown(_) => Failure::new(Exit::NotFound, error.to_string()).hint("retroview bookmarks list"),
        BookmarkError::Value(_) => Failure::new(Exit::Usage, error.to_string()).hint("retroview bookmarks add --help"),
        other => Failure::from_error(other.into()),
    }
}

fn list(rows: Vec<BookmarkRow>, json: bool) -> anyhow::Result<Exit> {
    let lines: Vec<BookmarkLine> = rows.into_iter().map(view).collect();
    if json {
        output::print_json(&lines)?;
        return Ok(Exit::Ok);
    }
    let moment = |us: i64| Timestamp::from_micros(us).to_rfc3339(0);
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|l| vec![l.id.to_string(), l.stream, moment(l.at_us), l.end_us.map(moment).unwrap_or_default(), l.author, l.title])
        .collect();
    output::print(&output::table(&["BOOKMARK", "STREAM", "FROM", "TO", "BY", "TITLE"], &rows));
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct BookmarkLine {
    id: i64,
    account: String,
    stream: String,
    at_us: i64,
    /// Null: it is about a moment.
    end_us: Option<i64>,
    title: String,
    note: String,
    author: String,
    created_at_us: i64,
}

fn view(row: BookmarkRow) -> BookmarkLine {
    let bookmark = row.bookmark;
    BookmarkLine {
        id: row.id,
        account: bookmark.account.to_string(),
        stream: bookmark.stream.to_string(),
        at_us: bookmark.at.as_micros(),
        end_us: bookmark.end.map(Timestamp::as_micros),
        title: bookmark.title,
        note: bookmark.note,
        author: bookmark.author,
        created_at_us: row.created_at.as_micros(),
    }
}
