//! Small worlds: the same kinds of faults, fewer of them, at round times, among few processes on calm links.
//!
//! Delta debugging goes only downhill, and a long storm has many small dents in which it stays. Another run that fails in the same
//! class is as good a witness, and one that was small from the beginning shrinks to a few lines. So before anything is
//! taken out such runs are looked for: faults are sampled from those that struck, decisions are left to their
//! defaults or drawn anew.

use std::collections::BTreeSet;

use super::limits::{populate, population, state, stated};
use super::{Drawn, Ends, Judge, Shrinker, Size};
use crate::choice::{Choice, Purpose, Sparsity};
use crate::fault::FaultEvent;
use crate::scenario::{Scenario, is_parameter_section, value};
use crate::time::Time;

/// A scenario with no more events is small enough.
const EVENTS_ENOUGH: u64 = 12;

/// How many small worlds of each kind are tried before the next kind is.
const SAMPLES: u64 = 12;

/// How often each kind has its turn in one round.
const BATCHES: u64 = 12;

/// Few events are decided by a draw, all others by default; what clients ask now and then by a draw throughout.
const SPARSE: [Sparsity; 6] = [
    sparsity(256, 256),
    sparsity(64, 64),
    sparsity(1, 256),
    sparsity(16, 16),
    sparsity(1, 64),
    sparsity(4, 4),
];

const fn sparsity(clients: u64, others: u64) -> Sparsity {
    Sparsity { clients, others }
}

/// A small world has so many faults at most.
const FAULTS_MAX: u64 = 6;

/// A small world's storm is no longer.
const SAFETY_US_MAX: u64 = 3_000_000;

/// Faults of a small world begin at a multiple of this.
const STEP_US: u64 = 100_000;

/// What comes soon after something else comes so much later.
const SOON_US: [u64; 7] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];

/// Links and disks of a small world as it is for the few messages and operations of which something is decided; all others are calm.
const ASTRAY: [(&str, &str, &str); 7] = [
    ("network", "delay_mean", "100ms"),
    ("network", "loss", "1/4"),
    ("network", "duplication", "1/4"),
    ("network", "duplicate_delay_mean", "300ms"),
    ("disk", "write_mean", "5ms"),
    ("disk", "sync_mean", "30ms"),
    ("disk", "latency_max", "500ms"),
];

/// So few processes are tried first.
const PROCESSES_FEW: u32 = 3;

/// So many clients a small world has.
const CLIENTS_FEW: u32 = 2;

/// Their requests and answers take so long.
const CLIENT_DELAY_US: u64 = 40_000;

/// What a small world takes over of the parameters; who takes part and when it ends is its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    /// Nothing.
    Nothing,
    /// What is the user's own.
    Users,
    /// That and the links.
    Links,
    /// Everything.
    Everything,
}

impl<J: Judge> Shrinker<'_, J> {
    /// Looks for a small world in which it fails, from the simplest kind on. Each round tries others.
    pub(super) fn sample(&mut self, round: u64) {
        if Size::of(&self.best).events <= EVENTS_ENOUGH {
            return;
        }
        let faults = self.origin.events.clone();
        let frames = self.frames();
        let events_max = Size::of(&self.best).events;
        for batch in round * BATCHES..(round + 1) * BATCHES {
            for (frame, sparsity) in frames.iter().flat_map(|frame| SPARSE.map(|sparsity| (frame, sparsity)))
            {
                let worlds = (batch * SAMPLES..(batch + 1) * SAMPLES).map(|seed| {
                    (small_world(frame, &faults, seed), Some(Drawn { seed, sparsity, events_max }))
                });
                if self.try_first_drawn(worlds).is_some() {
                    return;
                }
            }
        }
    }

    /// The kinds of small worlds, the simplest first.
    fn frames(&self) -> Vec<Scenario> {
        let (processes, clients) = population(&self.origin);
        let few = PROCESSES_FEW.min(processes);
        let kinds = [
            (Kept::Nothing, few, CLIENTS_FEW),
            (Kept::Users, few, CLIENTS_FEW),
            (Kept::Users, few, clients),
            (Kept::Nothing, processes, CLIENTS_FEW),
            (Kept::Users, processes, CLIENTS_FEW),
            (Kept::Links, processes, CLIENTS_FEW),
            (Kept::Everything, processes, clients),
        ];
        kinds.into_iter().map(|(kept, processes, clients)| self.frame(kept, processes, clients)).collect()
    }

    /// What the small worlds of one kind have in common.
    fn frame(&self, kept: Kept, processes: u32, clients: u32) -> Scenario {
        let mut frame = Scenario { events: Vec::new(), decisions: Vec::new(), ..self.origin.clone() };
        frame.sections.retain(|section| match section.name.as_str() {
            "limits" => true,
            "network" | "clients" => matches!(kept, Kept::Links | Kept::Everything),
            name if is_parameter_section(name) => kept == Kept::Everything,
            _ => kept != Kept::Nothing,
        });
        let safety_us = match self.ends {
            Ends::AtOnce => stated(&frame, "limits", "safety", value::duration_us).unwrap_or(SAFETY_US_MAX),
            Ends::AfterPhase { safety_us } => safety_us,
        };
        let safety = value::Duration(safety_us.min(SAFETY_US_MAX));
        state(&mut frame, "limits", "safety", safety.to_string());
        if matches!(kept, Kept::Nothing | Kept::Users) {
            ASTRAY
                .iter()
                .for_each(|(section, key, text)| state(&mut frame, section, key, (*text).to_owned()));
        }
        populate(&mut frame, processes, clients, &*self.judge);
        if frame.section("clients").is_none_or(|clients| clients.get("delay_min").is_none()) {
            // A client whose pauses are left to their default is busy, and hides the little that happens.
            state(&mut frame, "clients", "delay_min", value::Duration(CLIENT_DELAY_US).to_string());
        }
        frame
    }
}

/// A small world with a few of these faults, of any sort as likely. Two that are to meet mostly have to meet closely; so one in two comes
/// just when, or soon after, another does.
fn small_world(frame: &Scenario, faults: &[FaultEvent], seed: u64) -> Scenario {
    let mut world = frame.clone();
    let (processes, clients) = population(frame);
    let safety_us = stated(frame, "limits", "safety", value::duration_us).expect("a frame states its length");
    let kinds: BTreeSet<u8> = faults.iter().map(|event| event.fault.kind()).collect();
    let kinds: Vec<u8> = kinds.into_iter().collect();
    let mut choice = Choice::from_seed(seed);
    let count = choice.draw(Purpose::User, 0, 0).range("faults", 0, FAULTS_MAX);
    let mut at = Time::START;
    for number in 1..=if faults.is_empty() { 0 } else { count } {
        let mut draw = choice.draw(Purpose::User, 0, number);
        let kind = kinds[draw.range("kind", 0, kinds.len() as u64 - 1) as usize];
        let of_kind: Vec<&FaultEvent> = faults.iter().filter(|event| event.fault.kind() == kind).collect();
        let fault = of_kind[draw.range("fault", 0, of_kind.len() as u64 - 1) as usize].fault.clone();
        at = match draw.pick("when", &[2, 1, 1]) {
            0 => Time(draw.range("at", 0, safety_us / STEP_US) * STEP_US),
            1 => at,
            _ => at.after(SOON_US[draw.range("after", 0, SOON_US.len() as u64 - 1) as usize]),
        };
        world.events.push(FaultEvent { id: number as u32, after: None, at, fault });
    }
    world.events.sort_by_key(|event| event.at);
    world.retain_for(processes, clients);
    world
}
