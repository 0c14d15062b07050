//! The simulator's own speed: `cargo run --release -p squall-bench --bin simulate [seeds per profile]`
//!
//! Every oracle is on. The time is the thread's own, so that what else the machine does falls on nobody.

use rustix::time::{ClockId, clock_gettime};
use squall_scenarios::profile;
use squall_scenarios::run::{RunOptions, run_seed};

#[path = "../../../sim/examples/ping/process.rs"]
mod ping;

const PING_SECONDS: u64 = 10_000;

fn main() {
    let seeds: u64 = std::env::args().nth(1).map_or(20, |text| text.parse().expect("a number of seeds"));
    println!("{:<8} {:>14} {:>18} {:>24}", "world", "events", "events/s", "virtual s per CPU s");
    for name in ["calm", "lite", "storm"] {
        let profile = profile::load(name).expect("it comes with the crate");
        report(name, || {
            let outcomes = (1..=seeds).map(|seed| run_seed(&profile, seed, &RunOptions::default()));
            outcomes.fold((0, 0), |(events, us), outcome| (events + outcome.events, us + outcome.virtual_us))
        });
    }
    report("ping", || (ping::world(PING_SECONDS, 1).run().events, PING_SECONDS * 1_000_000));
}

/// Runs something, and prints the events and virtual microseconds that it returns against the time it took.
fn report(name: &str, run: impl FnOnce() -> (u64, u64)) {
    let began = thread_seconds();
    let (events, virtual_us) = run();
    let took = thread_seconds() - began;
    let (per_second, virtual_seconds) = (events as f64 / took, virtual_us as f64 / 1e6 / took);
    println!("{name:<8} {events:>14} {per_second:>18.0} {virtual_seconds:>24.0}");
}

fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
