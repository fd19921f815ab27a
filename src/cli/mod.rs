//! The command line. Each command has a file, which reads its arguments, calls the library and
//! prints.

mod aggregate;
mod cgroup;
mod config;
pub mod conformance;
mod dead_letters;
mod demo;
mod envelope;
mod exit;
pub mod explain;
mod files;
mod fold;
mod options;
pub mod replay;
mod reports;
mod resolver;
mod role;
mod run;
mod runtime;
pub mod schema;
mod send;
pub mod setup;
mod shown;
mod tail;
mod topics;
pub mod verify;
mod windows;

pub use exit::{Exit, Failure};

use clap::{Parser, Subcommand};
use options::{Settings, time};
use runtime::runtime;
use std::io::Write as _;

/// DMARC verdicts for mail on Kafka: raw messages in, annotated verdicts and failures out.
#[derive(Debug, Parser)]
#[command(name = "verdmarc", version, max_term_width = 120, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run roles: mail.raw to verdicts and failures, failures to aggregate reports.
    Run(run::Arguments),
    /// Write messages to mail.raw.
    Send(send::Arguments),
    /// Show verdicts, failures or dead letters as they are written.
    Tail(tail::Arguments),
    /// See it work: a broker, DNS and some sixty messages in this process.
    Demo(demo::Arguments),
    /// Check messages from files and explain the verdicts.
    Verify(verify::Verify),
    /// Check conformance cases.
    #[command(hide = true)]
    Conformance(conformance::Conformance),
    /// Evaluate a verdict again from its evidence.
    Replay(replay::Replay),
    /// Print the JSON Schemas of the events.
    Schema(schema::Schema),
    /// Print or check the settings.
    #[command(subcommand)]
    Config(config::Command),
    /// Make, check, grow or print the topics.
    #[command(subcommand)]
    Topics(topics::Command),
    /// List, show and put back refused records.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// List, show and export aggregate reports.
    #[command(subcommand)]
    Reports(reports::Command),
    /// List what is being counted, and close it early.
    #[command(subcommand)]
    Windows(windows::Command),
    /// Repair the aggregate role's positions.
    #[command(subcommand)]
    Aggregate(aggregate::Command),
}

/// Runs the command that the process's arguments name.
pub fn main() -> ! {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let printed = error.print();
            let asked_for = !error.use_stderr();
            if asked_for { end(printed.map(|()| Exit::Ok).map_err(Failure::from)) } else { Exit::Usage.leave() }
        }
    };
    end(arguments.command.run())
}

/// Ends the process with an exit code. It flushes standard output first: otherwise the last text in
/// the buffer could be lost without an error.
fn end(ended: Result<Exit, Failure>) -> ! {
    match ended.and_then(|exit| Ok(std::io::stdout().flush().map(|()| exit)?)) {
        Ok(exit) => exit.leave(),
        Err(failure) => {
            failure.print();
            failure.exit.leave()
        }
    }
}

impl Command {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Run(arguments) => run::run(&arguments),
            Self::Send(arguments) => send::run(&arguments),
            Self::Tail(arguments) => tail::run(&arguments),
            Self::Demo(arguments) => demo::run(&arguments),
            Self::Verify(verify) => Ok(runtime()?.block_on(verify.run())?),
            Self::Conformance(conformance) => Ok(runtime()?.block_on(conformance.run())?),
            Self::Replay(replay) => Ok(runtime()?.block_on(replay.run())?),
            Self::Schema(schema) => Ok(schema.run()?),
            Self::Config(command) => config::run(&command),
            Self::Topics(command) => topics::run(&command),
            Self::DeadLetters(command) => dead_letters::run(&command),
            Self::Reports(command) => reports::run(&command),
            Self::Windows(command) => windows::run(&command),
            Self::Aggregate(command) => aggregate::run(&command),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
