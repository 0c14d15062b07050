//! How long a cluster is without service, over 10,000 seeds: after its leader died, and while its office is handed over.

#[path = "../it/failover.rs"]
mod failover;
#[path = "../it/worlds.rs"]
#[expect(dead_code, reason = "it makes other worlds for other tests")]
mod worlds;

fn main() {
    let (crashes, transfers) = failover::measure(0..10_000);
    let mut restarts: Vec<u64> = (0..10_000).map(failover::without_an_answer_while_restarting_us).collect();
    restarts.sort_unstable();
    let in_timeouts = |us: u64| us as f64 / failover::TIMEOUT_US as f64;
    for (name, sorted) in [
        ("after a leader's crash", &crashes),
        ("around a planned transfer", &transfers),
        ("around a planned restart", &restarts),
    ] {
        let of = |percent| in_timeouts(failover::percentile(sorted, percent));
        println!(
            "{name}: without service for {:.2} T in the median, {:.2} T in the 99th percentile, {:.2} T at most, of {} seeds",
            of(50),
            of(99),
            of(100),
            sorted.len()
        );
    }
    failover::check(&crashes, &transfers);
}
