//! The `verdmarc` command.

#[global_allocator]
static ALLOCATOR: verdmarc::Allocator = verdmarc::Allocator;

fn main() {
    verdmarc::cli::main()
}
