//! The threads on which runs are run, one world each.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::exit::Refusal;

/// So many threads are enough for any machine; more are a slip of the finger, and bring a small one to a halt.
pub(crate) const MAX: u16 = 1_024;

/// So many threads.
pub(crate) fn pool(jobs: u16) -> Result<ThreadPool, Refusal> {
    assert!((1..=MAX).contains(&jobs), "{jobs} threads");
    let pool = ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build();
    pool.map_err(|error| Refusal::harness(format!("the threads cannot be started: {error}")))
}

/// How many cores this machine lends us.
pub(crate) fn cores() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u16::try_from(cores).unwrap_or(MAX).min(MAX)
}
