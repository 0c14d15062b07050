//! The progress bar of a sweep: on standard error, and only where a person watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::Stopwatch;
use crate::{output, words};

/// Shows how far a sweep is, in seeds if their number is known, in time otherwise.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
    clock: Stopwatch,
    time: Option<Duration>,
}

impl Progress {
    /// A bar up to `seeds`, or up to `time` if their number is open. Silent if `quiet`, or if nobody watches.
    pub(crate) fn new(seeds: Option<u64>, time: Option<Duration>, quiet: bool) -> Progress {
        let time = if seeds.is_some() { None } else { time };
        let length = seeds.or_else(|| time.map(milliseconds)).unwrap_or(0);
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(length) };
        let style =
            ProgressStyle::with_template("{bar:40} {msg}").expect("the template is a constant and sound");
        bar.set_style(style);
        Progress { bar, quiet, clock: Stopwatch::start(), time }
    }

    /// `done` runs are over, of which `failed` failed.
    pub(crate) fn show(&self, done: u64, failed: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(if self.time.is_some() { milliseconds(self.clock.elapsed()) } else { done });
        self.bar.set_message(match failed {
            0 => words::count(done, "seed"),
            _ => format!("{}, {} failed", words::count(done, "seed"), words::thousands(failed)),
        });
    }

    /// Time goes by, and things stand so.
    pub(crate) fn tell(&self, message: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_position(milliseconds(self.clock.elapsed()));
            self.bar.set_message(message());
        }
    }

    /// Says a line above the bar; without a bar, too, for whoever reads the log of a machine.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| output::say(line));
        }
    }

    /// The sweep is over; the report takes the bar's place.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
