//! What a server tells of itself, so that faults may wait for it, does happen; and a fault that waits strikes then.

use squall_scenarios::milestones;
use squall_sim::anchor::Anchor;
use squall_sim::{Choice, Fault, FaultEvent, ProcessId, Time};

use crate::worlds::{cluster, storm};

/// A fault that changes nothing.
const NOTHING: Fault = Fault::ClockJump { process: ProcessId(0), wall_delta_us: 0 };

/// So many seeds pass all of them many times over.
const SEEDS: u64 = 8;

#[test]
fn every_milestone_is_passed_in_a_storm() {
    let mut unheard = milestones::NAMES.to_vec();
    for seed in 0..SEEDS {
        let mut choice = Choice::from_seed(seed);
        let mut plan = storm().resolve(&mut choice);
        let event = |(id, name): (u32, &&str)| {
            let milestone = (*name).to_owned();
            let after = Some(Anchor::Passed { milestone, process: None, nth: 1, since: None });
            FaultEvent { id, after, at: Time::START, fault: NOTHING }
        };
        plan.faults.extend((10_000..).zip(&unheard).map(event));
        let missed = cluster(plan, choice).run().missed;
        let is_missed = |place: usize| missed.iter().any(|missed| missed.event as usize == 10_000 + place);
        unheard = unheard
            .iter()
            .enumerate()
            .filter(|(place, _)| is_missed(*place))
            .map(|(_, name)| *name)
            .collect();
    }
    assert!(unheard.is_empty(), "no server of {SEEDS} seeds passed {unheard:?}");
}
