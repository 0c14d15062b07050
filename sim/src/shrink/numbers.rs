//! The faults that are left are numbered from 1 on, as if there had never been others.
//!
//! A fault is known by its number to those that wait for it, and to the draws of how a disk rots. These get the new numbers with it, and the
//! order of the faults stays: what is numbered anew runs as before, but for its hash.

use std::collections::BTreeMap;

use crate::anchor::{Anchor, Turn};
use crate::choice::Purpose;
use crate::scenario::Scenario;

/// Numbers the faults.
pub(super) fn renumber(scenario: &mut Scenario) {
    let mut ids: Vec<u32> = scenario.events.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    let new: BTreeMap<u32, u32> = ids.into_iter().zip(1..).collect();
    let turned = |turn: &mut Turn| match turn {
        Turn::Begins(event) | Turn::Ends(event) => *event = new[event],
    };
    for event in &mut scenario.events {
        event.id = new[&event.id];
        match &mut event.after {
            Some(Anchor::Passed { since, .. }) => since.iter_mut().for_each(turned),
            Some(Anchor::Turned(turn)) => turned(turn),
            None => {}
        }
    }
    scenario.decisions.retain_mut(|decision| {
        if decision.key.purpose != Purpose::Rot {
            return true;
        }
        let fault = u32::try_from(decision.key.b).ok().and_then(|fault| new.get(&fault));
        decision.key.b = fault.map_or(0, |fault| u64::from(*fault));
        fault.is_some()
    });
    scenario.sort_decisions();
}
