//! Places at which a test can have this process die or freeze.
//!
//! They exist only in builds with the feature `failpoints`.
//! `FAILPOINTS=after-produce=3*off->1*return(kill)` (see the crate `fail`) kills the process when
//! it reaches the place for the fourth time. `return(stop)` freezes the process as SIGSTOP does,
//! and `return(panic)` panics.

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

/// The result of [`during`] in a build without failpoints.
#[cfg(not(feature = "failpoints"))]
#[derive(Debug)]
pub struct Nothing;

/// Nothing, in this build.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn during(_: &'static str) -> Nothing {
    Nothing
}
