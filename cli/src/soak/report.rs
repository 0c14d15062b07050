//! What a person reads of a soak: what was run, what failed, and the command that shows each failure again.

use std::fmt::Write as _;
use std::time::Duration;

use super::state::{Doubt, DoubtKind, Finding, Ledger, State};
use crate::args::Shard;
use crate::report::{self, line};
use crate::summary::replay_command;
use crate::words::{self, thousands};

/// The report of a state.
pub(super) fn soak(state: &State) -> String {
    let mut out = String::new();
    line!(out, "soak: {} from {} on{}", words::count(state.seeds(), "seed"), state.start, shards(state));
    line!(out);
    let width = state.profiles.iter().map(|ledger| ledger.profile.len()).max().unwrap_or(0).max(10);
    for ledger in &state.profiles {
        line!(out, "  {:width$}  {}", ledger.profile, totals(ledger));
    }
    let marks = state.marks();
    report::excuses(&mut out, &marks);
    report::situations(&mut out, &marks);
    line!(out);
    for ledger in &state.profiles {
        ledger.doubts.iter().for_each(|doubt| tell_doubt(&mut out, &ledger.profile, doubt));
        ledger.findings.iter().for_each(|finding| tell_finding(&mut out, &ledger.profile, finding));
    }
    if state.profiles.iter().all(|ledger| ledger.doubts.is_empty() && ledger.findings.is_empty()) {
        let held = match state.seeds() {
            0 => "Nothing was run.",
            _ if state.missing_shards().0.is_empty() => "All invariants held.",
            _ => "All invariants held in what is here.",
        };
        line!(out, "{held}");
    }
    out
}

/// Which shards the runs are of, and which are missing.
fn shards(state: &State) -> String {
    let shards = state.shards();
    let of = shards[0].of;
    if of == 1 {
        return String::new();
    }
    let list = |shards: &[Shard]| {
        shards.iter().map(|shard| (shard.index + 1).to_string()).collect::<Vec<_>>().join(", ")
    };
    let (missing, more) = state.missing_shards();
    if missing.is_empty() {
        return format!(", all {of} shards");
    }
    let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
    format!(", of {of} shards only {}; not here: {}{more}", list(&shards), list(&missing))
}

fn totals(ledger: &Ledger) -> String {
    let mut text = format!("{}: {} passed", words::count(ledger.seeds(), "seed"), thousands(ledger.passed));
    if ledger.failed() > 0 {
        write!(text, ", {} FAILED", thousands(ledger.failed())).expect("a string takes all");
    }
    if ledger.inconclusive() > 0 {
        write!(text, ", {} without a verdict", thousands(ledger.inconclusive())).expect("a string takes all");
    }
    let [life, busy] =
        [ledger.virtual_us, ledger.busy_us].map(|us| words::duration(Duration::from_micros(us)));
    let events = words::count(ledger.events, "event");
    write!(text, "; {life} of a cluster's life, {events}, in {busy} of a core; hash {}", ledger.hash)
        .expect("a string takes all");
    text
}

fn tell_doubt(out: &mut String, profile: &str, doubt: &Doubt) {
    let seeds = words::count(doubt.seeds, "seed");
    let again = replay_command(profile, doubt.seed, "");
    let (what, again) = match doubt.kind {
        DoubtKind::Inconclusive => ("NO VERDICT", again),
        DoubtKind::NotRepeatable => ("NOT REPEATABLE", format!("{again} --check-determinism")),
    };
    line!(out, "{profile}: {what}, {seeds}, first seed {}:", doubt.seed);
    doubt.reason.lines().for_each(|text| line!(out, "  {text}"));
    line!(out, "See it again:");
    line!(out, "  {again}");
    line!(out);
}

fn tell_finding(out: &mut String, profile: &str, finding: &Finding) {
    let (seeds, events) = (words::count(finding.seeds, "seed"), words::count(finding.events, "event"));
    let seed = finding.fastest;
    line!(out, "{profile}: FAILED {}, {seeds}; seed {seed} is the fastest, after {events}:", finding.class);
    finding.message.lines().for_each(|text| line!(out, "  {text}"));
    if let Some(small) = &finding.shrunk {
        let left = words::faults_and_decisions(small.events);
        let end = if small.complete { "" } else { "; with more time perhaps fewer" };
        line!(out, "Small, {left}{end}:");
        line!(out, "  {} replay {}", words::program(), words::quoted(&small.file));
    } else {
        line!(out, "Make it small:");
        let again = replay_command(profile, seed, "").replacen(" run ", " shrink ", 1);
        line!(out, "  {again} -o {}.scn", finding.class);
    }
    line!(out, "See it again:");
    line!(out, "  {}", replay_command(profile, seed, ""));
    line!(out);
}
