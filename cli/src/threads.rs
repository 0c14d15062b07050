//! The threads on which runs are run, one world each.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::exit::Refusal;

/// So many threads.
pub(crate) fn pool(jobs: u16) -> Result<ThreadPool, Refusal> {
    let pool = ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build();
    pool.map_err(|error| Refusal::harness(format!("the threads cannot be started: {error}")))
}
