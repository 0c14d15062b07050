//! Virtual time: the world's clock, and the clocks that processes read.
//!
//! Three kinds of time that must never be mixed up are three types: [`Time`] is known to the world alone;
//! [`LocalTime`] is what a process may measure durations with; the wall clock, which jumps, is a plain number
//! handed out by `Env::wall`.

use core::fmt;

/// Virtual microseconds since the run began. No process ever sees one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

/// A process's monotonic clock, in microseconds. It runs at the process's own rate and never goes backwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LocalTime(pub u64);

impl Time {
    /// When the run begins.
    pub const START: Time = Time(0);
    /// The end of all time: 2^48 microseconds, close to nine years. Nothing is scheduled beyond it.
    pub const END: Time = Time((1 << 48) - 1);

    /// The moment `duration_us` later, at most [`Time::END`].
    #[must_use]
    pub fn after(self, duration_us: u64) -> Time {
        Time(self.0.saturating_add(duration_us).min(Time::END.0))
    }

    /// How long ago `earlier` was; zero where it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl LocalTime {
    /// The moment `duration_us` later.
    #[must_use]
    pub fn after(self, duration_us: u64) -> LocalTime {
        LocalTime(self.0.saturating_add(duration_us))
    }

    /// How long ago `earlier` was; zero where it lies ahead.
    #[must_use]
    pub fn since(self, earlier: LocalTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Prints seconds with six digits, as in `12.034567s`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Prints seconds with six digits, as in `12.034567s`.
impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Time(self.0).fmt(f)
    }
}
