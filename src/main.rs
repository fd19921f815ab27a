//! The `verdmarc` command.

fn main() -> std::process::ExitCode {
    verdmarc::cli::main()
}
