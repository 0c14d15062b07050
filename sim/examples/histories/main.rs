//! What it costs to judge long histories: with the true order as a witness, and by the search alone.
//!
//! It prints figures and decides nothing. Each line is a history of 100,000 operations, by 16 clients unless it says
//! otherwise. A part of a line's name, as an argument, selects it.

#![expect(clippy::disallowed_types, reason = "it measures real time")]

mod workload;

use std::time::Instant;

use squall_sim::history::{Budget, Verdict, check_witness, measure};

use workload::{Happened, Lists, Workload};

fn main() {
    let only = std::env::args().nth(1);
    let hot = Workload::default();
    let blind = [0, 3, 1, 2];
    let workloads = [
        ("one key", hot),
        ("one key, quiet at times", Workload { think: 3_000, ..hot }),
        ("16 keys", Workload { keys: 16, ..hot }),
        ("1,000 keys", Workload { keys: 1_000, ..hot }),
        ("one key, 1 % unknown", Workload { unknown_permille: 10, ..hot }),
        ("one key, 10 % unknown", Workload { unknown_permille: 100, ..hot }),
        ("16 keys, 10 % unknown", Workload { keys: 16, unknown_permille: 100, ..hot }),
        ("one key, four values", Workload { values: 4, ..hot }),
        ("one key, four values, 1 % unknown", Workload { values: 4, unknown_permille: 10, ..hot }),
        ("one key, no reads", Workload { kinds: blind, ..hot }),
        ("one key, half appends", Workload { kinds: [8, 1, 10, 1], ..hot }),
        ("one key, 64 clients", Workload { clients: 64, ..hot }),
    ];
    for (name, workload) in workloads {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let happened = workload.happen(1);
        print(name, &happened);
        if workload.values == 0 && workload.kinds[0] > 0 {
            for (place, from) in
                [("at the beginning", 100), ("in the middle", 50_000), ("at the end", 99_900)]
            {
                let mut spoilt = happened.clone();
                let number = spoilt.spoil(from);
                print(&format!("  stale {place} ({number})"), &spoilt);
            }
        }
    }
}

fn print(name: &str, happened: &Happened) {
    let begin = Instant::now();
    let witness = check_witness(&Lists, &happened.history, &happened.order);
    let witness_us = begin.elapsed().as_micros();
    let begin = Instant::now();
    let budget = Budget { explanation_steps_max: 0, ..Budget::default() };
    let (verdict, cost) = measure(&Lists, &happened.history, budget);
    let search_ms = begin.elapsed().as_millis();
    let words = match &verdict {
        Verdict::Linearizable => "linearizable".to_owned(),
        Verdict::Violation(_) => explained(happened),
        Verdict::Budget(exhausted) => exhausted.to_string(),
    };
    println!(
        "{name:36} witness {:7} {:3}.{:01} ms; search {search_ms:6} ms {:9} steps {:7} KiB: {words}",
        if witness.is_ok() { "accepts" } else { "refuses" },
        witness_us / 1000,
        witness_us % 1000 / 100,
        cost.steps,
        cost.memory_bytes_peak / 1024,
    );
}

/// How many operations it takes to explain a violation, and how long to find them.
fn explained(happened: &Happened) -> String {
    let begin = Instant::now();
    let (verdict, _) = measure(&Lists, &happened.history, Budget::default());
    let ms = begin.elapsed().as_millis();
    match verdict {
        Verdict::Violation(explanation) => {
            let fewest = if explanation.is_minimal { "" } else { ", perhaps fewer" };
            format!(
                "violation, by {} operations{fewest}; with explanation {ms} ms",
                explanation.conflict.len()
            )
        }
        Verdict::Linearizable | Verdict::Budget(_) => "found and not explained".to_owned(),
    }
}
