//! The closed list of exit codes, and the mapping from errors to them.

use super::resolver::ResolverError;
use crate::config::ConfigError;
use std::io::{ErrorKind, Write as _};

/// The outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the command did what it was asked. A DMARC verdict of FAIL is not a failure of the
    /// command.
    Ok,
    /// 1: the command did what it was asked, and the answer is no: cases differ, or a verdict is
    /// not as expected.
    Differs,
    /// 2: usage, settings or input are wrong; nothing was done.
    Usage,
    /// 3: the verdict is PROCESSING_FAILED (`verify`).
    ProcessingFailed,
    /// 4: Kafka cannot be reached or failed for good.
    Kafka,
    /// 5: the program contradicts itself, or the machine refuses what the program needs: files,
    /// streams, sockets, threads.
    Internal,
    /// 6: another process with the same instance name took this one's place, or holds it.
    Fenced,
    /// 7: it is unknown whether the last transaction was committed. After a restart the program
    /// continues from what the brokers know.
    AmbiguousCommit,
    /// 8: the state of the aggregate role cannot be read or does not fit the group's position, or
    /// something that a group has committed cannot be read. Nothing is read until it is repaired.
    State,
    /// 9: not every message that was sent had its verdict in time (`send --wait`).
    NoVerdict,
    /// 130: a second signal ended the process at once.
    Interrupted,
}

/// Text below the help that lists the exit codes.
pub(super) const HELP: &str = "Exit codes: 0 done, 1 done and the answer is no, 2 wrong usage, settings or input, \
3 the verdict is PROCESSING_FAILED (verify), 4 Kafka failed, 5 internal or I/O error, 6 another process \
has its instance name and its place, 7 the outcome of a transaction is unknown, 8 the state and the group's position \
do not fit (aggregate), or what a group committed cannot be read, 9 a verdict did not come in time (send --wait), 130 ended at once by a second signal.";

impl Exit {
    /// Ends the process without the clean-up of C libraries. Threads of librdkafka may still run,
    /// say of a client that waits for brokers, and OpenSSL's clean-up would take away under them
    /// what they use: the process would end by a signal, and not with its exit code.
    pub(super) fn leave(self) -> ! {
        #[expect(unsafe_code, reason = "the C library's function has no safe wrapper")]
        // SAFETY: the call has no preconditions. Nothing is left to flush: standard output was
        // flushed, and standard error has no buffer.
        unsafe {
            nix::libc::_exit(self.code().into())
        }
    }

    /// Returns the number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Differs => 1,
            Self::Usage => 2,
            Self::ProcessingFailed => 3,
            Self::Kafka => 4,
            Self::Internal => 5,
            Self::Fenced => 6,
            Self::AmbiguousCommit => 7,
            Self::State => 8,
            Self::NoVerdict => 9,
            Self::Interrupted => 130,
        }
    }
}

/// The reason why a command ended early, with the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// A text that says what happened and what to do, one problem per line.
    pub message: String,
}

impl Failure {
    /// Returns a failure with its message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Returns a failure because of wrong usage, settings or input.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Returns a silent end for a closed standard output. Its reader has seen enough, as `head`
    /// does, so it is not a failure.
    fn reader_gone() -> Self {
        Self::new(Exit::Ok, "")
    }

    pub(super) fn print(&self) {
        let error = anstyle::AnsiColor::Red.on_default().bold();
        for line in self.message.lines() {
            say(format_args!("{error}error{error:#}: {line}"));
        }
    }
}

/// Writes a line to standard error. If that fails, there is nowhere to report it.
pub(super) fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Writes a warning to standard error.
pub(super) fn warn(message: &str) {
    let warning = anstyle::AnsiColor::Yellow.on_default().bold();
    say(format_args!("{warning}warning{warning:#}: {message}"));
}

impl Exit {
    /// Returns the exit code of an I/O error. A file that was named and does not exist, or holds no
    /// text, is wrong input. The machine is to blame for all other errors.
    fn of_io(kind: ErrorKind) -> Self {
        use ErrorKind as Kind;
        match kind {
            Kind::NotFound | Kind::NotADirectory | Kind::IsADirectory | Kind::InvalidData | Kind::AddrNotAvailable => Self::Usage,
            _ => Self::Internal,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(exit_of_settings(&error), error.to_string())
    }
}

fn exit_of_settings(error: &ConfigError) -> Exit {
    match error {
        ConfigError::File { reason, .. } => Exit::of_io(reason.kind()),
        ConfigError::Invalid(_) | ConfigError::Contradictory(_) => Exit::Usage,
    }
}

impl From<ResolverError> for Failure {
    fn from(error: ResolverError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<crate::telemetry::FilterError> for Failure {
    fn from(error: crate::telemetry::FilterError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<crate::telemetry::ExportError> for Failure {
    fn from(error: crate::telemetry::ExportError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<crate::telemetry::StartError> for Failure {
    fn from(error: crate::telemetry::StartError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<crate::telemetry::health::ListenError> for Failure {
    fn from(error: crate::telemetry::health::ListenError) -> Self {
        Self::new(Exit::of_io(error.reason.kind()), error.to_string())
    }
}

impl From<crate::claim_check::SetUp> for Failure {
    fn from(error: crate::claim_check::SetUp) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<crate::kafka::Error> for Failure {
    fn from(error: crate::kafka::Error) -> Self {
        use crate::kafka::Error;
        let exit = match &error {
            Error::PropertyFile { reason, .. } => Exit::of_io(reason.kind()),
            Error::Client(_) | Error::Topics(_) | Error::FormerGroup { .. } => Exit::Usage,
            Error::Fenced(_) | Error::Occupied { .. } => Exit::Fenced,
            Error::AmbiguousCommit(_) => Exit::AmbiguousCommit,
            Error::State { .. } | Error::Gone(_) | Error::Metadata { .. } => Exit::State,
            Error::Inconsistent(_) | Error::Embedded(_) => Exit::Internal,
            _ => Exit::Kafka,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<crate::aggregate::Missing> for Failure {
    fn from(error: crate::aggregate::Missing) -> Self {
        Self::usage(error.to_string())
    }
}

/// A command that does not use Kafka fails because of its input, or because of the machine.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.chain().find_map(io_kind) {
            Some(ErrorKind::BrokenPipe) => Self::reader_gone(),
            // An error about a file has the name of the file as its context. One without context is
            // about standard output.
            Some(_) if error.chain().nth(1).is_none() => of_standard_output(&error),
            Some(kind) => Self::new(Exit::of_io(kind), format!("{error:#}")),
            None => {
                let exit = error.chain().find_map(|error| error.downcast_ref().map(exit_of_settings));
                Self::new(exit.unwrap_or(Exit::Usage), format!("{error:#}"))
            }
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::reader_gone() } else { of_standard_output(&error) }
    }
}

fn of_standard_output(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, format!("cannot write to standard output: {error}"))
}

/// Returns the kind of an I/O error. The only pipe that commands write to is standard output, and
/// sockets have error types of their own.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    let plain = error.downcast_ref().map(std::io::Error::kind);
    plain.or_else(|| error.downcast_ref().and_then(serde_json::Error::io_error_kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    struct Closed;

    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_a_silent_end() {
        let by_json = serde_json::to_writer(Closed, "x").unwrap_err();
        for failure in [
            Failure::from(Error::from(ErrorKind::BrokenPipe)),
            Failure::from(anyhow::Error::from(Error::from(ErrorKind::BrokenPipe)).context("writing")),
            Failure::from(anyhow::Error::from(by_json)),
        ] {
            assert_eq!((failure.exit, failure.message.as_str()), (Exit::Ok, ""));
        }
    }

    #[test]
    fn an_io_error_is_5_wherever_it_comes_from_unless_what_was_named_is_not_there() {
        let named = |kind: ErrorKind| anyhow::Error::from(Error::from(kind)).context("cannot read x");
        let settings = |kind: ErrorKind| ConfigError::File { path: "x".into(), reason: kind.into() };
        let property =
            |kind: ErrorKind| crate::kafka::Error::PropertyFile { property: "p".into(), path: "x".into(), reason: kind.into() };
        for (kind, expected) in [
            (ErrorKind::PermissionDenied, Exit::Internal),
            (ErrorKind::StorageFull, Exit::Internal),
            (ErrorKind::Other, Exit::Internal),
            (ErrorKind::NotFound, Exit::Usage),
            (ErrorKind::IsADirectory, Exit::Usage),
        ] {
            for failure in [
                Failure::from(named(kind)),
                Failure::from(settings(kind)),
                Failure::from(anyhow::Error::from(settings(kind))),
                Failure::from(property(kind)),
            ] {
                assert_eq!(failure.exit, expected, "{kind}: {}", failure.message);
            }
        }
        for failure in
            [Failure::from(Error::from(ErrorKind::StorageFull)), anyhow::Error::from(Error::from(ErrorKind::StorageFull)).into()]
        {
            assert_eq!(failure.exit, Exit::Internal);
            assert!(failure.message.starts_with("cannot write to standard output: "), "{}", failure.message);
        }
        assert_eq!(Failure::from(anyhow::anyhow!("x")).exit, Exit::Usage);
    }
}
