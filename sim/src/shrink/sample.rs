//! Small worlds: the same kinds of faults, fewer of them, at round times, among few processes on calm links.
//!
//! Delta debugging goes only downhill, and a long storm has many small dents in which it stays. Another run that fails in the same
//! class is as good a witness, and one that was small from the beginning shrinks to a few lines. So before anything is
//! taken out such runs are looked for: faults are sampled from those that struck, decisions are left to their
//! defaults or drawn anew.

use super::limits::{populate, population, state, stated};
use super::{Drawn, Ends, Judge, Shrinker, Size};
use crate::choice::{Choice, Purpose};
use crate::fault::FaultEvent;
use crate::scenario::{Scenario, is_parameter_section, value};
use crate::time::Time;

/// A scenario with no more events is small enough.
const EVENTS_ENOUGH: u64 = 12;

/// How many small worlds of each kind are tried before the next kind is.
const SAMPLES: u64 = 12;

/// How often each kind has its turn in one round.
const BATCHES: u64 = 12;

/// One event in so many is decided by a draw, all others by default.
const SPARSE: [u64; 4] = [256, 64, 16, 4];

/// A small world has so many faults at most.
const FAULTS_MAX: u64 = 6;

/// A small world's storm is no longer.
const SAFETY_US_MAX: u64 = 3_000_000;

/// Faults of a small world begin at a multiple of this.
const STEP_US: u64 = 100_000;

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
        for batch in round * BATCHES..(round + 1) * BATCHES {
            for (frame, one_in) in frames.iter().flat_map(|frame| SPARSE.map(|one_in| (frame, one_in))) {
                let seeds = batch * SAMPLES..(batch + 1) * SAMPLES;
                let worlds =
                    seeds.map(|seed| (small_world(frame, &faults, seed), Some(Drawn { seed, one_in })));
                if self.try_first_drawn(worlds).is_some() {
                    return;
                }
            }
        }
    }

    /// The kinds of small worlds, the simplest first.
    fn frames(&self) -> Vec<Scenario> {
        let (processes, _) = population(&self.origin);
        let few = PROCESSES_FEW.min(processes);
        let kinds = [
            (Kept::Nothing, few),
            (Kept::Users, few),
            (Kept::Nothing, processes),
            (Kept::Users, processes),
            (Kept::Links, processes),
            (Kept::Everything, processes),
        ];
        kinds.into_iter().map(|(kept, processes)| self.frame(kept, processes)).collect()
    }

    /// What the small worlds of one kind have in common.
    fn frame(&self, kept: Kept, processes: u32) -> Scenario {
        let mut frame = Scenario { events: Vec::new(), decisions: Vec::new(), ..self.origin.clone() };
        let clients = if kept == Kept::Everything { population(&self.origin).1 } else { CLIENTS_FEW };
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
        populate(&mut frame, processes, clients, &*self.judge);
        if frame.section("clients").is_none_or(|clients| clients.get("delay_min").is_none()) {
            // A client whose pauses are left to their default is busy, and hides the little that happens.
            state(&mut frame, "clients", "delay_min", value::Duration(CLIENT_DELAY_US).to_string());
        }
        frame
    }
}

/// A small world with a few of these faults.
fn small_world(frame: &Scenario, faults: &[FaultEvent], seed: u64) -> Scenario {
    let mut world = frame.clone();
    let (processes, clients) = population(frame);
    let safety_us = stated(frame, "limits", "safety", value::duration_us).expect("a frame states its length");
    let mut choice = Choice::from_seed(seed);
    let count = choice.draw(Purpose::User, 0, 0).range("faults", 0, FAULTS_MAX);
    for number in 1..=count.min(faults.len() as u64) {
        let mut draw = choice.draw(Purpose::User, 0, number);
        let fault = &faults[draw.range("fault", 0, faults.len() as u64 - 1) as usize];
        let at = Time(draw.range("at", 0, safety_us / STEP_US) * STEP_US);
        world.events.push(FaultEvent { id: number as u32, after: None, at, fault: fault.fault.clone() });
    }
    world.events.sort_by_key(|event| event.at);
    world.retain_for(processes, clients);
    world
}
