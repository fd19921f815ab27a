//! Places at which a test can have this process die or freeze, and rules that a test can switch off to see another test fail.
//!
//! Both exist in builds with the feature `failpoints` only. `FAILPOINTS=after-produce=3*off->1*return(kill)` (see the crate
//! `fail`) kills the process at the fourth time it gets there; `return(stop)` freezes it as SIGSTOP does; `return(panic)` panics.
//! `VERDMARC_MUTANT=NAME` switches a rule off.

/// A rule that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// An old batch is sent under new membership.
    RefreshedMembership,
    /// Membership that the brokers would not check is sent.
    UncheckedMembership,
    /// The position committed is one too far.
    FrontierPlusOne,
    /// A transaction is committed without its offsets.
    NoOffsets,
    /// A restore ends where a reader of committed records stops.
    CommittedTarget,
    /// A state is taken for the group's whatever position it was written with.
    UncheckedMarker,
    /// What a row grew by is written, not what it came to.
    Deltas,
    /// A batch is committed whichever topic has the name by now.
    UnconfirmedLog,
    /// What was assigned to a member that the group has removed is kept when it is taken in again.
    FormerMember,
    /// A record that is to be read again is passed as if nothing stood there.
    PassedRetry,
    /// The position of an idle partition is committed without the marker of its state.
    UnmarkedIdle,
}

impl Mutant {
    /// Whether this process runs with the rule switched off.
    #[cfg(feature = "failpoints")]
    pub fn is_on(self) -> bool {
        let name = match self {
            Self::RefreshedMembership => "refreshed-membership",
            Self::UncheckedMembership => "unchecked-membership",
            Self::FrontierPlusOne => "frontier-plus-one",
            Self::NoOffsets => "no-offsets",
            Self::CommittedTarget => "committed-target",
            Self::UncheckedMarker => "unchecked-marker",
            Self::Deltas => "deltas",
            Self::UnconfirmedLog => "unconfirmed-log",
            Self::FormerMember => "former-member",
            Self::PassedRetry => "passed-retry",
            Self::UnmarkedIdle => "unmarked-idle",
        };
        std::env::var_os("VERDMARC_MUTANT").is_some_and(|on| on == name)
    }

    /// Never, in this build.
    #[cfg(not(feature = "failpoints"))]
    #[inline]
    pub fn is_on(self) -> bool {
        false
    }
}

/// Arms the failpoints that the environment names; they stay armed until the process ends.
#[cfg(feature = "failpoints")]
pub fn arm() {
    // A scenario holds a lock of the whole process, which is why it is set up once.
    static ARMED: std::sync::Once = std::sync::Once::new();
    ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
}

/// Nothing, in this build.
#[cfg(not(feature = "failpoints"))]
pub fn arm() {}

/// Does at `place` what the test asked for.
///
/// # Panics
/// When the test asked for that.
#[cfg(feature = "failpoints")]
pub fn reached(place: &str) {
    let act = |what: Option<String>| {
        use nix::sys::signal::Signal;
        use nix::sys::signal::raise;
        let what = what.unwrap_or_default();
        tracing::error!(place, what, "failpoint");
        // A signal to oneself does not fail.
        let _ = match what.as_str() {
            "kill" => raise(Signal::SIGKILL),
            "stop" => raise(Signal::SIGSTOP),
            _ => Ok(()),
        };
        assert!(what != "panic", "failpoint {place}");
    };
    (|| fail::fail_point!(place, act))();
}

/// Nothing, in this build.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn reached(_: &str) {}

/// Whether the test wants `place` to pretend that what it is named after has happened.
#[cfg(feature = "failpoints")]
pub fn pretends(place: &str) -> bool {
    (|| {
        fail::fail_point!(place, |_| true);
        false
    })()
}

/// Never, in this build.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn pretends(_: &str) -> bool {
    false
}

/// Does at `place` what the test asked for while the caller goes on, until the result is dropped.
#[cfg(feature = "failpoints")]
pub fn during(place: &'static str) -> impl Drop {
    struct Guard(Option<std::thread::JoinHandle<()>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.take().map(std::thread::JoinHandle::join);
        }
    }
    Guard(std::thread::Builder::new().spawn(move || reached(place)).ok())
}

/// What [`during`] returns in a build without failpoints.
#[cfg(not(feature = "failpoints"))]
#[derive(Debug)]
pub struct Nothing;

/// Nothing, in this build.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn during(_: &'static str) -> Nothing {
    Nothing
}
