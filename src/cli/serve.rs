//! `retroview serve`: the service itself.

use clap::Args;

use crate::app::{self, Signals};
use crate::telemetry;

use super::context::{Context, start_failure};
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
#[command(
    after_help = "The first start prints the password of `admin`, once. SIGTERM and Ctrl-C stop it within two seconds, a second one at
once; SIGHUP looks at the streams again.

Examples:
  retroview serve --data-dir ./data
  retroview serve --listen 0.0.0.0:8080 --media-root /srv/footage --log-format json"
)]
pub(super) struct ServeArgs {
    /// Address and port of web app and API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where footage lies [default: media in the data directory]
    #[arg(long, value_name = "DIR")]
    media_root: Option<String>,
}

pub(super) fn run(args: ServeArgs, context: &Context) -> anyhow::Result<Exit> {
    let config = context.config(&[("server.listen", args.listen), ("media.root", args.media_root)])?;
    telemetry::start_logging(&config.log);
    context.runtime()?.block_on(async {
        let signals = Signals::listen()?;
        let claim = app::claim(&config).await.map_err(start_failure)?;
        let opened = app::open(&config, claim).await.map_err(start_failure)?;
        if let Some(password) = &opened.new_admin_password {
            output::print(&password_box(&config.server.base_url_at(opened.address()), password));
        }
        let service = app::start(&config, opened).await.map_err(start_failure)?;
        service.run(signals).await;
        Ok(Exit::Ok)
    })
}

/// What is printed once. It goes to stdout, away from the log, because a log is kept and read by others.
fn password_box(address: &str, password: &str) -> String {
    let lines = [
        "This is the first start. Sign in with:".to_owned(),
        format!("address   {address}"),
        "user      admin".into(),
        format!("password  {password}"),
        "It is shown this once. Lost? retroview users reset-password".into(),
    ];
    output::boxed(&lines)
}
