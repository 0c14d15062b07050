//! The faults that wait for something to happen: what has come of that so far, and when they strike.
//!
//! A world without such faults pays one comparison for each event in which a process passes a milestone.

use core::fmt;

use super::World;
use crate::anchor::{Anchor, Turn};
use crate::fault::FaultEvent;
use crate::ids::ProcessId;
use crate::milestone::{Milestone, Milestones};
use crate::process::{Oracle, Process, Workload};
use crate::queue::Event;

/// The faults of a plan that wait, and how far each has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Anchors {
    waiting: Vec<Waiting>,
    /// Every milestone that one of them names.
    named: Milestones,
}

/// A fault that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Waiting {
    /// The fault's place in the plan.
    place: u32,
    awaited: Awaited,
    progress: Progress,
}

/// What it waits for, as the world compares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaited {
    Passed { milestone: Milestone, process: Option<ProcessId>, nth: u32 },
    Turned(Turn),
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    /// What it counts from has not come yet.
    Closed(Turn),
    /// What it waits for has come so many times.
    Counting(u32),
    /// It has come, in this step, and the fault is on its way.
    Reached { step: u64 },
    /// The fault has struck.
    Struck,
}

/// A fault that never struck, for what it waited for did not come, or came too shortly before the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missed {
    /// The event's number.
    pub event: u32,
    /// What it waited for.
    pub anchor: Anchor,
    /// How far that came.
    pub why: MissedWhy,
}

/// Why a fault did not strike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissedWhy {
    /// What it counts from did not come.
    NotCounted,
    /// What it waits for came only so many times.
    Counted(u32),
    /// It came, and by the time that the fault was due nothing struck any more.
    TooLate,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missed { event, anchor, why } = self;
        write!(f, "e{event} did not strike: `{anchor}` ")?;
        match why {
            MissedWhy::NotCounted => f.write_str("was not reached, for what it is counted from did not come"),
            MissedWhy::Counted(0) => f.write_str("was not reached"),
            MissedWhy::Counted(1) => f.write_str("was not reached; it came once"),
            MissedWhy::Counted(times) => write!(f, "was not reached; it came {times} times"),
            MissedWhy::TooLate => {
                f.write_str("was reached, and before it was due the safety phase, or the run, was over")
            }
        }
    }
}

impl Anchors {
    /// The faults of a checked plan that wait.
    pub(super) fn new(plan: &[FaultEvent], names: &[&str]) -> Anchors {
        let mut anchors = Anchors::default();
        for (place, event) in (0..).zip(plan) {
            let Some(anchor) = &event.after else { continue };
            let (awaited, since) = match anchor {
                Anchor::Passed { milestone, process, nth, since } => {
                    let milestone = Milestone::named(names, milestone);
                    anchors.named.add(milestone);
                    (Awaited::Passed { milestone, process: *process, nth: *nth }, *since)
                }
                Anchor::Turned(turn) => (Awaited::Turned(*turn), None),
            };
            let progress = since.map_or(Progress::Counting(0), Progress::Closed);
            anchors.waiting.push(Waiting { place, awaited, progress });
        }
        anchors
    }

    /// The step in which a fault's turn came: now it strikes. 0 for one that waited for nothing.
    pub(super) fn strikes(&mut self, place: u32) -> u64 {
        let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.place == place) else { return 0 };
        let Progress::Reached { step } = waiting.progress else {
            panic!("fault {place} of the plan strikes, and its anchor is {:?}", waiting.progress);
        };
        waiting.progress = Progress::Struck;
        step
    }

    /// Which faults never struck, by their numbers.
    pub(super) fn missed(&self, plan: &[FaultEvent]) -> Vec<Missed> {
        let missed = |waiting: &Waiting| {
            let why = match waiting.progress {
                Progress::Closed(_) => MissedWhy::NotCounted,
                Progress::Counting(times) => MissedWhy::Counted(times),
                Progress::Reached { .. } => MissedWhy::TooLate,
                Progress::Struck => return None,
            };
            let event = &plan[waiting.place as usize];
            Some(Missed { event: event.id, anchor: event.after.clone()?, why })
        };
        let mut all: Vec<Missed> = self.waiting.iter().filter_map(missed).collect();
        all.sort_by_key(|missed| missed.event);
        all
    }
}

impl Waiting {
    /// Counts a process that passed these; whether what it waits for has come.
    fn hears(&mut self, id: ProcessId, passed: Milestones) -> bool {
        let Progress::Counting(times) = &mut self.progress else { return false };
        match self.awaited {
            Awaited::Passed { milestone, process, nth } => {
                let counts = passed.has(milestone) && process.is_none_or(|process| process == id);
                *times += u32::from(counts);
                counts && *times == nth
            }
            Awaited::Turned(_) => false,
        }
    }

    /// Notes another fault's turn; whether what it waits for has come.
    fn notes(&mut self, turn: Turn) -> bool {
        if self.progress == Progress::Closed(turn) {
            self.progress = Progress::Counting(0);
        }
        self.awaited == Awaited::Turned(turn) && self.progress == Progress::Counting(0)
    }
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// Takes what a process passed in the event that it was just given.
    #[inline]
    pub(super) fn hear_milestones(&mut self, id: ProcessId) {
        if self.effects.passed.is_empty() {
            return;
        }
        let passed = core::mem::take(&mut self.effects.passed);
        if passed.meets(self.anchors.named) && self.is_stormy() {
            self.reach(|waiting| waiting.hears(id, passed));
        }
    }

    /// A fault has begun, or has ended.
    pub(super) fn turn(&mut self, turn: Turn) {
        if let Some(event) = self.plan.iter().find(|event| event.id == turn.event()) {
            self.oracle.fault_turned(self.now, turn, event);
        }
        self.reach(|waiting| waiting.notes(turn));
    }

    fn reach(&mut self, mut comes: impl FnMut(&mut Waiting) -> bool) {
        for waiting in &mut self.anchors.waiting {
            if comes(waiting) {
                waiting.progress = Progress::Reached { step: self.step };
                let delay = self.plan[waiting.place as usize].at;
                self.queue.push(self.now.after(delay.0), Event::Fault(waiting.place));
            }
        }
    }
}
