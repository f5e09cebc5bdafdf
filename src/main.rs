//! Hands over to [`retroview::cli`].

fn main() -> std::process::ExitCode {
    retroview::cli::main()
}
