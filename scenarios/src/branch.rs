//! Branching: a run that comes into a rare situation is sent on many ways from there.
//!
//! Random seeds seldom come into a rare situation, and each of them goes on in one way. Here the world is copied where one of its marks
//! is reached that few runs reach, and every copy goes on by a seed of its own, under other faults. What was rare is the beginning now.
//! A branch is named by its seed, the mark and its number, and is as repeatable as a seed.

use std::slice;

use squall_sim::fault::{Fault, FaultEvent};
use squall_sim::scenario::Section;
use squall_sim::world::World;
use squall_sim::{Choice, mark};

use crate::log::Detail;
use crate::oracles::Oracles;
use crate::profile::{self, Profile};
use crate::run::{self, Outcome, RunOptions};
use crate::server::Server;
use crate::workload::Clients;
use crate::{marks, script};

/// The marks are looked at once in so many events.
const EVENTS_BETWEEN_LOOKS: u64 = 32;

/// Where a run branches off, and in which way it goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Branch {
    /// The seed of what comes before.
    pub seed: u64,
    /// The mark, by its place in [`marks::all`], that is reached for the first time.
    pub mark: usize,
    /// The way that is taken from there, from 1.
    pub way: u64,
}

impl Branch {
    /// The seed of what comes after.
    fn later_seed(self) -> u64 {
        let word = (self.mark as u64) << 32 | self.way;
        self.seed ^ word.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// Runs a seed, and from where it first reaches one of these marks so many ways. What came of the seed itself comes first.
///
/// # Panics
/// As [`run::run_seed`].
#[must_use]
pub fn run_branches(
    profile: &Profile,
    seed: u64,
    rare: &[usize],
    ways: u64,
    options: &RunOptions,
) -> (Outcome, Vec<(Branch, Outcome)>) {
    let mut outcomes = Vec::new();
    let trunk = walk(profile, seed, rare, options, |mark, trunk| {
        let branches = (1..=ways).map(|way| Branch { seed, mark, way });
        outcomes.extend(branches.map(|branch| (branch, trunk.follow(profile, branch, options))));
        true
    });
    (trunk.expect("nothing stopped it"), outcomes)
}

/// Runs one branch; nothing where its seed never reaches its mark.
///
/// # Panics
/// As [`run::run_seed`].
#[must_use]
pub fn run_branch(profile: &Profile, branch: Branch, options: &RunOptions) -> Option<Outcome> {
    let mut outcome = None;
    walk(profile, branch.seed, &[branch.mark], options, |_, trunk| {
        outcome = Some(trunk.follow(profile, branch, options));
        false
    });
    outcome
}

/// A run on its way, and what it was drawn as.
struct Trunk {
    world: World<Server, Oracles, Clients>,
    sections: Vec<Section>,
    servers: u32,
    /// How far its leases bear that a clock is off.
    lease_drift_ppm: Option<u32>,
}

/// Runs a seed, and shows the world where one of these marks is first reached. It goes on if it is told to.
fn walk(
    profile: &Profile,
    seed: u64,
    rare: &[usize],
    options: &RunOptions,
    mut reached: impl FnMut(usize, &Trunk) -> bool,
) -> Option<Outcome> {
    let mut choice = Choice::from_seed(seed);
    let plan = profile.resolve(&mut choice);
    if options.record {
        choice = choice.recording();
    }
    let sections = script::sections_of(&plan);
    let (setup, servers) = (plan.setup.clone(), plan.setup.servers);
    let lease_drift_ppm = setup.raft.lease_drift_ppm;
    let oracles = Oracles::new(&setup, Detail::Nothing).ignoring(options.ignored.as_slice().into());
    let world = run::build(plan, setup, oracles, choice, options);
    let mut trunk = Trunk { world, sections, servers, lease_drift_ppm };
    let mut awaited = rare.to_vec();
    let on = |world: &mut World<_, _, _>| (0..EVENTS_BETWEEN_LOOKS).all(|_| world.step());
    let result = loop {
        match run::go(&mut trunk.world, options, on) {
            Ok(true) => {}
            Ok(false) => break trunk.world.result(),
            Err(panicked) => break *panicked,
        }
        let has_come = trunk.marks();
        let (come, left): (Vec<usize>, Vec<usize>) = awaited.into_iter().partition(|mark| has_come[*mark]);
        awaited = left;
        if !come.into_iter().all(|mark| reached(mark, &trunk)) {
            return None;
        }
    };
    let Trunk { world, sections, .. } = trunk;
    let fired = world.oracle().fired();
    let mut outcome = run::outcome(world, result, fired, sections, options, &run::header(&profile.name));
    outcome.seed = seed;
    Some(outcome)
}

impl Trunk {
    /// For each of [`marks::all`] whether it was reached so far.
    fn marks(&self) -> Vec<bool> {
        let (framework, users) = self.world.marks();
        framework.reached(mark::FRAMEWORK).chain(users.reached(marks::NAMES)).collect()
    }

    /// A copy goes on by another seed and under other faults, but for clocks that this cluster's leases were not told to bear. What
    /// the operator does stays as it was planned: it fits this cluster.
    fn follow(&self, profile: &Profile, branch: Branch, options: &RunOptions) -> Outcome {
        let seed = branch.later_seed();
        let other = profile.resolve(&mut Choice::from_seed(seed));
        let is_operators = |event: &FaultEvent| matches!(event.fault, Fault::Administer { .. });
        let fits =
            |event: &FaultEvent| !is_operators(event) && fits(event, self.servers, self.lease_drift_ppm);
        let mut faults: Vec<FaultEvent> = other.faults.into_iter().filter(fits).collect();
        faults.extend(self.world.plan().iter().filter(|event| is_operators(event)).cloned());

        let mut world = self.world.clone();
        world.branch(seed, faults);
        let result = run::go(&mut world, options, World::run).unwrap_or_else(|panicked| *panicked);
        let fired = world.oracle().fired();
        let header = run::header(&profile.name);
        let outcome = run::outcome(world, result, fired, self.sections.clone(), options, &header);
        Outcome { seed: branch.seed, ..outcome }
    }
}

/// Whether a fault that was drawn for another cluster may strike in one of so many servers, whose leases bear clocks that are off by
/// so much. A profile draws leases with its clocks, and none where a clock stands still.
fn fits(event: &FaultEvent, servers: u32, lease_drift_ppm: Option<u32>) -> bool {
    let off_by_ppm = profile::drift_ppm(&[], slice::from_ref(event));
    let is_borne = lease_drift_ppm.is_none_or(|most| off_by_ppm.is_some_and(|ppm| ppm <= most));
    is_borne && event.check(servers).is_ok()
}

#[cfg(test)]
mod tests {
    use squall_sim::scenario;

    use super::*;

    /// It would be no fault of the cluster if such a lease let a stale read through.
    #[test]
    fn no_clock_goes_in_a_branch_as_its_leases_were_not_told_to_bear() {
        let text = "squall-scenario 1\n\
            processes count=5\n\
            e1 @1s clock-freeze n1 for=2s\n\
            e2 @1s pause n1 for=2s clock=frozen\n\
            e3 @1s clock-rate n1 rate=1001/1000\n\
            e4 @1s clock-rate n1 rate=5/4\n\
            e5 @1s pause n1 for=2s clock=running\n\
            e6 @1s rot n4\n";
        let events = scenario::parse(text, "clocks.scn").expect("it is right").events;
        let fitting = |servers, lease_drift_ppm| -> Vec<u32> {
            let fitting = events.iter().filter(|event| fits(event, servers, lease_drift_ppm));
            fitting.map(|event| event.id).collect()
        };
        assert_eq!(fitting(5, None), [1, 2, 3, 4, 5, 6]);
        assert_eq!(fitting(5, Some(1000)), [3, 5, 6]);
        assert_eq!(fitting(4, Some(999)), [5]);
    }
}
