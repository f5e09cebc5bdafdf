//! `retroview demo`: two synthetic cameras that record live, and hours of history, to have something to look at.
//!
//! Nothing here is a short cut: the cameras are child processes whose bytes are pushed over HTTP like anyone's, and the
//! history is filmed by the same camera and brought in by the import that `retroview import` uses. Started again on the
//! same data it goes on; the time in between is a gap.

mod history;
mod push;

use std::path::PathBuf;

use clap::Args;

use crate::app::{self, Opened, Signals};
use crate::config::Config;
use crate::db::{Db, DbError, NewStream};
use crate::entitlement::{Directory, NewToken, Principal, Rights, Scope, readable_password, set_password};
use crate::media::{AccountId, StreamId, Timestamp};
use crate::telemetry;

use super::context::{Context, start_failure};
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
#[command(
    after_help = "Data lies in .demo/ unless --data-dir says otherwise; remove the folder to begin anew. The system's configuration file is not
read.

Examples:
  retroview demo
  retroview demo --listen 127.0.0.1:9090"
)]
pub(super) struct DemoArgs {
    /// Address and port of web app and API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

/// What the token of the cameras is called; it is made anew at each start.
const TOKEN_NAME: &str = "demo cameras";
const MINUTE_US: i64 = 60_000_000;

/// One synthetic camera and its past.
struct DemoCamera {
    id: &'static str,
    title: &'static str,
    label: &'static str,
    /// Recorded ranges in minutes before now; what lies between them is a gap.
    history: &'static [(i64, i64)],
}

const CAMERAS: [DemoCamera; 2] = [
    // Two hours and ten minutes of footage with twenty minutes missing: somebody pulled a plug.
    DemoCamera { id: "harbour", title: "Harbour", label: "HARBOUR", history: &[(150, 70), (50, 0)] },
    DemoCamera { id: "lobby", title: "Lobby", label: "LOBBY", history: &[(30, 0)] },
];

pub(super) fn run(args: DemoArgs, context: &Context) -> anyhow::Result<Exit> {
    let config = context.demo_config(&[("server.listen", args.listen)])?;
    telemetry::start_logging(&config.log);
    context.runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let claim = app::claim(&config).await.map_err(start_failure)?;
        let opened = app::open(&config, claim).await.map_err(start_failure)?;
        let password = password(&config, &opened).await?;
        add_streams(&opened).await?;
        // The history takes seconds; Ctrl-C must not wait for it.
        tokio::select! {
            made = history::make(&opened, &config, &CAMERAS) => made?,
            () = signals.stop_again() => return Ok(Exit::Ok),
        }
        let token = cameras_token(opened.db(), opened.clock.now()).await?;
        let service = app::start(&config, opened).await.map_err(start_failure)?;
        let cameras: Vec<_> = CAMERAS.iter().map(|camera| push::start(camera, service.address(), &token)).collect();
        output::print(&welcome(&config.server.base_url_at(service.address()), &password, &config));
        service.run(signals).await;
        drop(cameras);
        Ok(Exit::Ok)
    })
}

/// The administrator's password stays in a file of the demo's folder, so that it can be shown again.
async fn password(config: &Config, opened: &Opened) -> anyhow::Result<String> {
    let file = config.data_dir.join("password");
    if opened.new_admin_password.is_none()
        && let Ok(known) = std::fs::read_to_string(&file)
    {
        return Ok(known.trim().to_owned());
    }
    let password = match &opened.new_admin_password {
        Some(password) => password.clone(),
        None => {
            let fresh = readable_password()?;
            set_password(opened.db(), opened.clock.now(), "admin", &fresh).await?;
            fresh
        }
    };
    std::fs::write(&file, format!("{password}\n"))?;
    Ok(password)
}

async fn add_streams(opened: &Opened) -> anyhow::Result<()> {
    for camera in &CAMERAS {
        let new = NewStream {
            id: stream_id(camera),
            account: AccountId::main(),
            title: camera.title.into(),
            source: "push:".into(),
            credentials: None,
        };
        match opened.db().add_stream(&new, opened.clock.now()).await {
            Ok(_) | Err(DbError::Exists { .. }) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// A token for the cameras, in place of the last start's.
async fn cameras_token(db: &Db, now: Timestamp) -> anyhow::Result<String> {
    let (directory, who) = (Directory::new(db.clone()), Principal::command_line(AccountId::main()));
    for old in directory.tokens(&who, None).await?.into_iter().filter(|t| t.name == TOKEN_NAME) {
        directory.revoke_token(&who, now, &old.id).await?;
    }
    let new = NewToken {
        account: AccountId::main(),
        name: TOKEN_NAME.into(),
        rights: Rights::Scopes([Scope::Ingest].into_iter().collect()),
        streams: CAMERAS.iter().map(stream_id).collect(),
        expires_at: None,
    };
    Ok(directory.make_token(&who, now, new).await?.1)
}

fn stream_id(camera: &DemoCamera) -> StreamId {
    camera.id.parse().expect("our own names are ids")
}

fn welcome(address: &str, password: &str, config: &Config) -> String {
    let data = std::fs::canonicalize(&config.data_dir).unwrap_or_else(|_| PathBuf::from(&config.data_dir));
    output::boxed(&[
        "Retroview is running.".into(),
        String::new(),
        format!("open      {address}"),
        "user      admin".into(),
        format!("password  {password}"),
        String::new(),
        format!("Ctrl-C stops it; its data stays in {}", data.display()),
    ])
}
