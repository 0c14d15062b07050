//! From bytes to a plan: a small cluster on calm links, or what a profile draws, and a few blows. Each of these stands for itself, so that a mutation
//! changes one thing.

use squall_replica::SnapshotPolicy;
use squall_scenarios::profile::{self, Plan, Profile};
use squall_scenarios::server::DEEDS;
use squall_scenarios::{milestones, script};
use squall_sim::anchor::{Anchor, Turn};
use squall_sim::fault::{CrashKind, CrashWhen, Cut, Fault, FaultEvent, PausedClock, Target};
use squall_sim::scenario::{Scenario, Section};
use squall_sim::{Choice, Link, ProcessId, ProcessSet, Ratio, Time};
use xxhash_rust::xxh3::xxh3_64;

use super::input::{Blow, Size, World};

/// How many voters a cluster begins with, at most, where no profile says it.
const VOTERS_MAX: u8 = 5;

/// From this value of `Blow::kind` on a blow changes one of the faults that a profile drew.
const CHANGES_FROM: u8 = 160;

/// A request takes so long, and so does its answer: a busy client hides the little that happens.
const CLIENT_DELAY_US: u64 = 40_000;

/// The times that a byte counts in: when a blow strikes, how long it lasts, how long after what it waited for it comes.
const STEP_US: u64 = 16_000;
const DELAY_US: u64 = 1_000;

/// From this value of `Blow::waits` on a blow waits for something; from the second on it waits for another blow.
pub(super) const WAITS_FROM: u8 = 96;
const WAITS_FOR_BLOW_FROM: u8 = 176;

/// The length of a run, at least, and by how much each 16 of a byte make it longer.
const LENGTH_US: u64 = 1_500_000;
const LONGER_US: u64 = 250_000;

/// Bits of `Size::traits`.
const WITHOUT_PRE_VOTE: u8 = 1;
const LEASES: u8 = 2;
const SNAPSHOTS: u8 = 4;
const FORWARDS: u8 = 8;
pub(super) const WEATHER: u8 = 16;

/// In bad weather the mean delay of a message is so many times the rest of `Size::length`.
const DELAY_MEAN_US: u64 = 2_000;

impl World {
    /// What the bytes say before the run begins.
    pub(super) fn plan(&self, profile: Option<&Profile>) -> Plan {
        let mut plan = profile.map_or_else(|| self.small(), |profile| self.drawn(profile));
        let Plan { setup, parameters, faults, .. } = &mut plan;
        // What was drawn is changed first: a blow may wait for it.
        let (changes, blows): (Vec<Blow>, Vec<Blow>) =
            self.blows.iter().partition(|blow| profile.is_some() && blow.kind >= CHANGES_FROM);
        changes.iter().for_each(|change| change.apply(faults));
        let free = faults.iter().map(|event| event.id + 1).max().unwrap_or(0);
        for (blow, id) in blows.iter().zip(free..) {
            let event = blow.event(id, setup.servers, faults);
            faults.push(event);
        }
        // Leases are told how far clocks drift: that they let a stale read through where one goes wrong is no fault of the cluster's.
        let drift_ppm = profile::drift_ppm(&parameters.clocks, faults);
        setup.raft.lease_drift_ppm = setup.raft.lease_drift_ppm.and(drift_ppm);
        if setup.raft.validate().is_err() {
            setup.raft.lease_drift_ppm = None;
        }
        parameters.limits.liveness_us = 0;
        plan
    }

    /// What a profile draws, of a seed that the bytes of the size make.
    fn drawn(&self, profile: &Profile) -> Plan {
        let Size { voters, spares, seed, traits, loss, clients, length } = self.size;
        let bytes = [voters, spares, seed, traits, loss, clients, length];
        profile.resolve(&mut Choice::from_seed(xxh3_64(&bytes)))
    }

    /// A small cluster.
    fn small(&self) -> Plan {
        let Size { voters, spares, seed, traits, loss, clients, length } = self.size;
        let voters = u32::from(voters % VOTERS_MAX + 1);
        let clients = u32::from(clients % 3) + 1;
        let servers = voters + u32::from(spares % 3);
        let mut plan =
            script::plan_of(&silent(servers, clients)).expect("numbers of processes are a scenario");
        let setup = &mut plan.setup;
        setup.voters = voters;
        setup.raft.seed = seed.into();
        setup.raft.pre_vote = traits & WITHOUT_PRE_VOTE == 0;
        setup.raft.lease_drift_ppm = (traits & LEASES != 0).then_some(0);
        setup.forwards = traits & FORWARDS != 0;
        let policy = SnapshotPolicy { every_entries: 8, keep_entries: 2, ..SnapshotPolicy::default() };
        setup.snapshots = (traits & SNAPSHOTS != 0).then_some(policy);
        plan.parameters.clients.delay_us_min = CLIENT_DELAY_US;
        plan.parameters.network.loss = Ratio::new(u32::from(loss.saturating_sub(128)), 256);
        if traits & WEATHER != 0 {
            plan.parameters.network.delay_us_mean = u64::from(length % 16) * DELAY_MEAN_US;
        }
        plan.parameters.limits.safety_us = LENGTH_US + u64::from(length / 16) * LONGER_US;
        plan.workload.kinds = [0, 4, 2, 2, 1];
        plan.workload.reads = Ratio::new(1, 4);
        plan
    }
}

/// A scenario that states nothing but how many there are.
fn silent(servers: u32, clients: u32) -> Scenario {
    let section = |name: &str, count: u32| Section::new(name).with("count", &count);
    Scenario {
        sections: vec![section("processes", servers), section("clients", clients)],
        ..Scenario::default()
    }
}

impl Blow {
    /// Leaves out one of the faults, or has it strike at another time.
    fn apply(self, faults: &mut Vec<FaultEvent>) {
        let Some(place) = usize::from(self.first).checked_rem(faults.len()) else { return };
        if self.second.is_multiple_of(2) {
            faults.remove(place);
        } else {
            faults[place].at = Time(u64::from(self.at) * STEP_US);
        }
    }

    fn event(self, id: u32, servers: u32, before: &[FaultEvent]) -> FaultEvent {
        let (after, unit_us) = match self.waits {
            0..WAITS_FROM => (None, STEP_US),
            WAITS_FROM..WAITS_FOR_BLOW_FROM => (Some(self.milestone(servers, before)), DELAY_US),
            WAITS_FOR_BLOW_FROM..=255 => (self.turn(before).map(Anchor::Turned), DELAY_US),
        };
        let unit_us = if after.is_none() { STEP_US } else { unit_us };
        FaultEvent { id, after, at: Time(u64::from(self.at) * unit_us), fault: self.fault(servers) }
    }

    fn milestone(self, servers: u32, before: &[FaultEvent]) -> Anchor {
        let milestone = milestones::NAMES[usize::from(self.waits_for) % milestones::NAMES.len()].to_owned();
        let process = (self.waits < 160).then(|| process(self.waits, servers));
        let since =
            if self.waits_for < 128 { None } else { before.last().map(|event| Turn::Begins(event.id)) };
        Anchor::Passed { milestone, process, nth: 1, since }
    }

    /// The beginning or the end of a blow before this one.
    fn turn(self, before: &[FaultEvent]) -> Option<Turn> {
        let other = &before[usize::from(self.waits_for).checked_rem(before.len())?];
        let ends = self.waits % 2 == 1 && other.fault.has_end();
        Some(if ends { Turn::Ends(other.id) } else { Turn::Begins(other.id) })
    }

    fn target(self, servers: u32) -> Target {
        match self.target {
            0..64 => Target::MostProminent,
            64..=255 => Target::Process(process(self.target, servers)),
        }
    }

    fn fault(self, servers: u32) -> Fault {
        let target = self.target(servers);
        let (one, other) = (process(self.first, servers), process(self.second, servers));
        let duration_us = (u64::from(self.lasting) + 1) * STEP_US;
        let cut = |cut| Fault::Partition { cut, duration_us };
        let crash =
            |kind| Fault::Crash { process: target, kind, when: CrashWhen::Now, outage_us: duration_us };
        match self.kind % 20 {
            0..4 => cut(Cut::Split(side(self.first, servers))),
            4 => cut(Cut::Isolate(target)),
            5 => cut(Cut::Inbound(target)),
            6 => cut(Cut::Outbound(target)),
            7 | 8 if one == other => cut(Cut::Outbound(Target::Process(one))),
            7 => cut(Cut::Links(vec![Link { from: one, to: other }])),
            8 => cut(Cut::Links(vec![Link { from: one, to: other }, Link { from: other, to: one }])),
            9 => Fault::Clog { cut: Cut::Split(side(self.first, servers)), duration_us },
            10..15 => {
                let server = u64::from(self.second) % u64::from(servers);
                Fault::Administer { process: target, command: (u64::from(self.first) % DEEDS) << 8 | server }
            }
            15 => crash(CrashKind::Process),
            16 => crash(CrashKind::PowerLoss),
            17 => Fault::Pause { process: target, duration_us, clock: PausedClock::Running },
            18 => Fault::DiskStall { process: target, duration_us },
            19 => Fault::ClockFreeze { process: one, duration_us },
            20.. => unreachable!("a remainder of 20"),
        }
    }
}

fn process(number: u8, servers: u32) -> ProcessId {
    ProcessId(u32::from(number) % servers)
}

fn side(mask: u8, servers: u32) -> ProcessSet {
    let is_in = |number: &u32| mask >> number & 1 == 1;
    (0..servers.min(8)).filter(is_in).fold(ProcessSet::EMPTY, |side, number| side.with(ProcessId(number)))
}
