//! What a fault waits for, where it does not strike at a time of its own: a process that passes a milestone, or
//! another fault that begins or ends.
//!
//! A time says when something happened in the run that its author saw. An anchor says why it was then, and so a scenario
//! outlives a change that moves its elections by a few milliseconds. Anchors are data, as faults are; who waits for what
//! during a run stands in `world/anchors.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{Fault, FaultEvent};
use crate::ids::ProcessId;

/// What a fault waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// A process passes a milestone.
    Passed {
        /// Which one, by its name in `Process::MILESTONES`.
        milestone: String,
        /// Who passes it; whoever does, where none is named.
        process: Option<ProcessId>,
        /// For the how many-th time, from 1.
        nth: u32,
        /// From when on it is counted; from the beginning of the run, where nothing is named.
        since: Option<Turn>,
    },
    /// Another fault begins or ends.
    Turned(Turn),
}

/// The beginning or the end of a fault, by the number of its event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Turn {
    /// It strikes.
    Begins(u32),
    /// What it has under way is over; see `Fault::has_end`.
    Ends(u32),
}

/// What is wrong with an anchor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AnchorError {
    /// The event that has it.
    pub(crate) event: u32,
    /// Which part of it.
    pub(crate) of: Part,
    /// What stands there.
    pub(crate) what: String,
    /// What would be right.
    pub(crate) expected: String,
}

/// A part of an anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// The milestone, and who passes it.
    Milestone,
    /// The other event.
    Turn,
}

impl Turn {
    /// The event whose turn it is.
    #[must_use]
    pub fn event(self) -> u32 {
        match self {
            Turn::Begins(event) | Turn::Ends(event) => event,
        }
    }
}

impl Anchor {
    /// The turn of another fault that it depends on, if any.
    #[must_use]
    pub fn turn(&self) -> Option<Turn> {
        match self {
            Anchor::Passed { since, .. } => *since,
            Anchor::Turned(turn) => Some(*turn),
        }
    }
}

/// Says what of the events' anchors cannot be: an event that there is not or that has no end, a circle. Whether a milestone
/// is known, [`check_milestones`] says.
pub(crate) fn check(events: &[FaultEvent]) -> Result<(), AnchorError> {
    let waiting: BTreeMap<u32, Turn> =
        events.iter().filter_map(|event| Some((event.id, event.turn()?))).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let faults: BTreeMap<u32, &Fault> = events.iter().map(|event| (event.id, &event.fault)).collect();
    let mut sound = BTreeSet::new();
    for (&event, turn) in &waiting {
        let other = turn.event();
        let reject = |what, expected| Err(AnchorError { event, of: Part::Turn, what, expected });
        match (turn, faults.get(&other)) {
            (_, None) => {
                return reject(format!("there is no event e{other}"), "an event of this file".to_owned());
            }
            (Turn::Ends(_), Some(fault)) if !fault.has_end() => {
                let what = format!("e{other} is over as soon as it has struck ({})", fault.name());
                return reject(what, format!("`e{other}:begins`, and a delay"));
            }
            (Turn::Begins(_) | Turn::Ends(_), Some(_)) => {}
        }
        // Each event waits for one other at most; a walk that is longer than there are such events goes round.
        let mut walk = vec![event];
        while let Some(next) = walk.last().and_then(|last| waiting.get(last)).map(|turn| turn.event())
            && !sound.contains(&next)
        {
            if walk.len() > waiting.len() {
                let expected =
                    "anchors that lead back to a time, or to a milestone counted from the beginning";
                return reject(format!("e{event} waits for itself, by way of e{other}"), expected.to_owned());
            }
            walk.push(next);
        }
        sound.extend(walk);
    }
    Ok(())
}

/// Says which anchor names a milestone that there is not.
pub(crate) fn check_milestones(events: &[FaultEvent], known: &[&str]) -> Result<(), AnchorError> {
    for event in events {
        let Some(Anchor::Passed { milestone, .. }) = &event.after else { continue };
        if !known.contains(&milestone.as_str()) {
            let expected = match known {
                [] => "a time, since processes of this kind name no milestones".to_owned(),
                _ => format!("one of `{}`", known.join("`, `")),
            };
            let what = format!("no milestone is called `{milestone}`");
            return Err(AnchorError { event: event.id, of: Part::Milestone, what, expected });
        }
    }
    Ok(())
}
