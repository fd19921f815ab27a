//! The `verdmarc` command.

#[global_allocator]
static ALLOCATOR: verdmarc::Allocator = verdmarc::Allocator;

fn main() -> std::process::ExitCode {
    verdmarc::cli::main()
}
