//! `retroview url`: a signed address for players that cannot send headers.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::audit::{Event, acts};
use crate::clock::{Clock, SystemClock};
use crate::entitlement::{Access, AccessSettings, Principal, Verb, Visible};
use crate::media::{StreamId, TimeRange, Timestamp};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::{output, values};

#[derive(Debug, Args)]
#[command(after_help = "Times are RFC 3339, Unix seconds, or seconds before now (-3600).

Examples:
  retroview url door --start -3600
  mpv \"$(retroview url door --start 2026-05-03T14:00:00Z --end 2026-05-03T15:00:00Z)\"
  curl -o clip.mp4 \"$(retroview url door --start -120 --end -60 --clip)\"")]
pub(super) struct UrlArgs {
    /// What is to be played
    stream: StreamId,
    /// From when on it may be played
    #[arg(long, allow_hyphen_values = true)]
    start: String,
    /// Until when [default: growing, up to when the address expires]
    #[arg(long, allow_hyphen_values = true)]
    end: Option<String>,
    /// How long the address is good
    #[arg(long, default_value = "1h", value_parser = values::span)]
    expires: Duration,
    /// One MP4 file instead of a playlist
    #[arg(long, requires = "end")]
    clip: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct SignedUrl {
    url: String,
    token: String,
    expires_at_us: i64,
}

pub(super) fn run(args: UrlArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let now = SystemClock.now();
        let wrong = |e: String| Failure::new(Exit::Usage, e).hint("retroview url --help");
        let moment = |text: &str| Timestamp::parse(text, now).map_err(|e| wrong(e.to_string()));
        let expires_at = now + args.expires;
        let start = moment(&args.start)?;
        let end = args.end.as_deref().map(moment).transpose()?;
        let range = TimeRange::new(start, end.unwrap_or(expires_at)).map_err(|e| wrong(e.to_string()))?;
        let unknown = || Failure::new(Exit::NotFound, format!("there is no stream `{}`", args.stream)).hint("retroview streams list");
        let stream = database.db.stream(&args.stream).await?.ok_or_else(unknown)?;
        let access = Access::open(database.db.clone(), Arc::new(SystemClock), AccessSettings::default()).await?;
        let who = Principal::command_line(stream.account.clone());
        let visible = Arc::new(Visible::all(stream.id, stream.account));
        let verbs = if args.clip { [Verb::Export].into_iter().collect() } else { [Verb::View, Verb::Thumbnail].into_iter().collect() };
        let (token, granted) = access.sign(&who, &visible, range, verbs, expires_at).await?;
        let shared = Event::system(now, acts::RANGE_SHARED).by(who.label()).of_account(&granted.account).on_stream(&granted.stream);
        database.db.audit(shared.over(range).with("expires_at_us", expires_at.as_micros())).await?;
        let file = if args.clip { "clip.mp4" } else { "playlist.m3u8" };
        let until = end.map_or_else(String::new, |end| format!("&end={}", end.to_rfc3339(6)));
        let base = database.base_url();
        let url = format!("{base}/v1/streams/{}/{file}?start={}{until}&token={token}", args.stream, start.to_rfc3339(6));
        if args.json {
            output::print_json(&SignedUrl { url, token, expires_at_us: expires_at.as_micros() })?;
        } else {
            output::print_line(&url);
        }
        Ok(Exit::Ok)
    })
}
