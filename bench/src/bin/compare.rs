//! Prints how many commands each library commits in a second of processor time, how many allocations a commit
//! takes, and what a tick costs a follower at rest. Everything runs in one thread, whose own time is counted;
//! the libraries take turns, and the medians of their rounds are shown.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use squall_bench::allocations::{self, Counting};
use squall_bench::cluster::{self, Applied, Cluster};
use squall_bench::{ENTRIES_PER_COMPACTION, Load};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PAYLOADS_BYTES: [usize; 3] = [16, 256, 4096];
const OUTSTANDING: [u64; 3] = [1, 64, 256];
const ROUNDS: usize = 9;
const ROUND_MIN: Duration = Duration::from_millis(60);
const TICKS: u64 = 10_000_000;

/// What one load gave for one library.
struct Measured {
    commits_per_second: f64,
    allocations_per_commit: f64,
}

fn main() {
    let names: Vec<&str> = cluster::all(PAYLOADS_BYTES[0]).iter().map(|cluster| cluster.name()).collect();
    let mut commits = Table::new("commits per second", &names, true);
    let mut allocations = Table::new("allocations per commit, payload excluded", &names, false);
    for payload_bytes in PAYLOADS_BYTES {
        for outstanding in OUTSTANDING {
            let measured = compare(payload_bytes, outstanding);
            let label = format!("{payload_bytes:>5} bytes, {outstanding:>3} outstanding");
            commits.row(&label, &column(&measured, |measured| measured.commits_per_second));
            allocations.row(&label, &column(&measured, |measured| measured.allocations_per_commit));
        }
    }
    println!("{}\n{}\n{}", commits.text, allocations.text, idle_ticks(&names).text);
}

/// The time that this thread has had a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a thread's time is not negative")
}

fn column(measured: &[Measured], value: fn(&Measured) -> f64) -> Vec<f64> {
    measured.iter().map(value).collect()
}

/// Runs one load on all libraries, in turns.
fn compare(payload_bytes: usize, outstanding: u64) -> Vec<Measured> {
    let mut clusters = cluster::all(payload_bytes);
    let loads: Vec<Load> = clusters
        .iter_mut()
        .map(|cluster| warm_up(cluster.as_mut(), Load { payload_bytes, outstanding, commits: outstanding }))
        .collect();
    let mut rates = vec![Vec::with_capacity(ROUNDS); clusters.len()];
    for _ in 0..ROUNDS {
        for (position, cluster) in clusters.iter_mut().enumerate() {
            let seconds = time(cluster.as_mut(), loads[position]).as_secs_f64();
            rates[position].push(loads[position].commits as f64 / seconds);
        }
    }
    let measure = |((cluster, load), rates): ((&mut Box<dyn Cluster>, &Load), Vec<f64>)| {
        let before = allocations::count();
        cluster.run(*load);
        let allocations = (allocations::count() - before) as f64;
        Measured {
            commits_per_second: median(rates),
            allocations_per_commit: allocations / load.commits as f64,
        }
    };
    clusters.iter_mut().zip(&loads).zip(rates).map(measure).collect()
}

/// Doubles a load until it takes long enough to be timed, and covers some compactions.
fn warm_up(cluster: &mut dyn Cluster, mut load: Load) -> Load {
    while time(cluster, load) < ROUND_MIN || load.commits < 4 * ENTRIES_PER_COMPACTION as u64 {
        load.commits *= 2;
    }
    load
}

/// Runs a load, and makes sure that it was carried out.
fn time(cluster: &mut dyn Cluster, load: Load) -> Duration {
    let before = cluster.applied();
    let start = processor_time();
    cluster.run(load);
    let elapsed = processor_time() - start;
    let expected = Applied {
        commands: before.commands + load.commits,
        bytes: before.bytes + load.commits * load.payload_bytes as u64,
    };
    assert_eq!(cluster.applied(), expected, "{} applied another load", cluster.name());
    elapsed
}

fn idle_ticks(names: &[&str]) -> Table {
    let mut clusters = cluster::all(PAYLOADS_BYTES[0]);
    let mut nanoseconds = vec![Vec::with_capacity(ROUNDS); clusters.len()];
    for _ in 0..ROUNDS {
        for (position, cluster) in clusters.iter_mut().enumerate() {
            let start = processor_time();
            if cluster.tick_idle_follower(TICKS) {
                nanoseconds[position].push((processor_time() - start).as_nanos() as f64 / TICKS as f64);
            }
        }
    }
    let mut table = Table::new("nanoseconds per tick of a follower at rest", names, false);
    let medians: Vec<f64> = nanoseconds.into_iter().map(median).collect();
    table.row("", &medians);
    table
}

/// The middle value, or not a number where there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One table, whose first column of values is Squall's.
struct Table {
    text: String,
    /// Whether more is better, and Squall's ratio to each peer is shown.
    with_ratios: bool,
}

impl Table {
    fn new(title: &str, names: &[&str], with_ratios: bool) -> Self {
        let mut text = format!("{title:<42}");
        for name in names {
            text += &format!("{name:>22}");
        }
        if with_ratios {
            text += "   squall's ratio to each";
        }
        Self { text: text + "\n", with_ratios }
    }

    fn row(&mut self, label: &str, values: &[f64]) {
        self.text += &format!("{label:<42}");
        for value in values {
            self.text += &match value {
                value if value.is_nan() => format!("{:>22}", "-"),
                value if *value < 1_000.0 => format!("{value:>22.2}"),
                value => format!("{value:>22.0}"),
            };
        }
        if self.with_ratios {
            self.text += "  ";
            for peer in &values[1..] {
                self.text += &format!("{:>8.2}", values[0] / peer);
            }
        }
        self.text += "\n";
        eprint!("{}", self.text.lines().next_back().map(|line| format!("{line}\n")).unwrap_or_default());
    }
}
