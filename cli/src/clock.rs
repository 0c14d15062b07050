//! The wall clock: the only file of the command that reads it. No run ever sees it.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "measures runs from outside")]

use std::time::{Duration, Instant};

/// Measures how long something takes.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits a little, between two looks at another process.
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
