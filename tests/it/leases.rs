//! Leases and clocks: reads by lease are linearizable wherever no clock is off by more than is stated, and are seen to be stale
//! where clocks are off by more (docs/protocol.md, "Reads").

use squall_scenarios::profile::{self, Profile};
use squall_scenarios::{marks, script};
use squall_sim::profile::{Between, Probability, Rate};
use squall_sim::{Choice, Verdict, mark, scenario};

use crate::worlds::cluster;

/// The profile `reads`, with leases in every run, and with clocks that are all off by a quarter, one way or the other.
fn profile() -> Profile {
    let mut profile = profile::load("reads").expect("the profile is built in and right");
    let (never, always) = (Probability::new(0, 1), Probability::new(1, 1));
    profile.cluster.leases = always;
    profile.cluster.voters = vec![3];
    profile.swarm.clock_drift = always;
    profile.swarm.wild_clock = never;
    profile.swarm.clock_freeze = never;
    profile.clock.drift = Between { low: Rate::new(3, 4), high: Rate::new(5, 4) };
    profile
}

/// What came of a seed, and whether a lease served a read.
fn run(seed: u64) -> (Verdict, bool) {
    let mut choice = Choice::from_seed(seed);
    let plan = profile().resolve(&mut choice);
    let result = cluster(plan, choice).run();
    let names = mark::FRAMEWORK.len()..;
    let reached: Vec<bool> =
        result.marks.reached(mark::FRAMEWORK).chain(result.user_marks.reached(marks::NAMES)).collect();
    let place = marks::NAMES.iter().position(|name| *name == "a lease served a read").expect("it is a mark");
    (result.verdict, reached[names][place])
}

#[test]
fn within_the_stated_drift_no_lease_read_is_stale() {
    let mut served = 0;
    for seed in 0..40 {
        let (verdict, by_lease) = run(seed);
        assert_eq!(verdict, Verdict::Passed, "seed {seed}");
        served += u32::from(by_lease);
    }
    assert!(served > 20, "leases served reads in {served} runs of 40 only");
}

/// Three servers, whose clocks run at these rates from the moment on at which n0 is cut off, for two seconds; clients go on
/// asking everybody. A tenth is stated.
fn run_with_rates(seed: u64, of_n0: &str, of_others: &str) -> Verdict {
    let text = format!(
        "squall-scenario 1
processes count=3
clients count=6 delay_min=100us delay_mean=1ms loss=0/1
network delay_min=100us delay_mean=500us
cluster tick_us=1ms election_timeout=100 heartbeat_interval=20 leases=yes lease_drift_ppm=100000 seed={seed}
workload keys=1 think_mean=2ms timeout=50ms stray=1/10 reads=1/2 reads_anywhere=1/1
limits safety=4s liveness=10s core_size=3 liveness_operations=2
e1 @2s clock-rate n0 rate={of_n0}
e2 @2s clock-rate n1 rate={of_others}
e3 @2s clock-rate n2 rate={of_others}
e4 @2s partition isolate=n0 for=2s
"
    );
    let scenario = scenario::parse(&text, "leases").expect("it can be read");
    let plan = script::plan_of(&scenario).expect("it makes sense");
    cluster(plan, Choice::from_seed(seed)).run().verdict
}

fn stale_runs(of_n0: &str, of_others: &str) -> usize {
    let is_stale = |seed: &u64| match run_with_rates(*seed, of_n0, of_others) {
        Verdict::Passed => false,
        Verdict::Failed(violation) => {
            assert_eq!(violation.class, "StaleRead", "seed {seed}: {}", violation.message);
            true
        }
        Verdict::Inconclusive(reason) => panic!("seed {seed}: {reason}"),
    };
    (0..RUNS).filter(is_stale).count()
}

const RUNS: u64 = 12;

#[test]
fn a_lease_read_is_stale_beyond_the_stated_drift_and_only_there() {
    for (of_n0, of_others) in
        [("1", "1"), ("9/10", "11/10"), ("9/10", "1"), ("1", "11/10"), ("11/10", "9/10")]
    {
        assert_eq!(stale_runs(of_n0, of_others), 0, "n0 runs at {of_n0}, the others at {of_others}");
    }
    let stale = stale_runs("1/2", "3/2");
    println!("clocks off by a half, where a tenth is stated: stale reads in {stale} runs of {RUNS}");
    assert!(stale > 0, "clocks that are off by a half, where a tenth is stated, did no harm");
}
