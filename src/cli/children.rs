//! `retroview worker` and `retroview decoder`, hidden: what `serve` starts as child processes.

use crate::ffmpeg::decoder_main;
use crate::ingest::worker;

use super::failure::Exit;

/// Reads sources. Talks to the supervisor over stdin and stdout.
pub(super) fn run_worker() -> ! {
    worker::main()
}

/// Makes pictures. Answers requests on stdin until that ends.
pub(super) fn run_decoder() -> anyhow::Result<Exit> {
    decoder_main()?;
    Ok(Exit::Ok)
}
