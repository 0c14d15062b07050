//! Stopping on request: the first interrupt, or the word of a supervisor that ends a process (SIGTERM), ends a sweep early but in
//! good order, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::output;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The exit code of a shell's job that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// From here on an interrupt asks for a report instead of ending the process.
pub(crate) fn listen() {
    let outcome = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    });
    if let Err(error) = outcome {
        output::say(&format!("squall: an interrupt will end this without a report: {error}"));
    }
}

/// Whether somebody asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
