//! Counters that libFuzzer takes for coverage beside that of the code: it finds them by the name of their section.

#![expect(unsafe_code, reason = "the section of a static can only be named so")]

use std::sync::atomic::{AtomicU8, Ordering};

/// How many there are: what is counted is hashed into them.
pub(super) const COUNTERS: usize = 1 << 16;

/// Nobody here reads it, and an optimiser that knew would leave it out.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = "__libfuzzer_extra_counters"))]
static STATES: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

/// This state was seen in the present run. libFuzzer empties the counters before the next one.
pub(super) fn reached(state: u64) {
    let place = usize::try_from(state % COUNTERS as u64).expect("a place among the counters");
    STATES[place].store(1, Ordering::Relaxed);
}
