//! What a scenario is made of, as far as it can be taken away; and in which heaps.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::choice::{DrawKey, Purpose};
use crate::scenario::Scenario;

/// One thing that can be taken out of a scenario.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Piece {
    /// A fault, by its number.
    Fault(u32),
    /// A parameter, by its section and its key.
    Parameter(String, String),
    /// A decision, by its event and its field.
    Decision(DrawKey, Cow<'static, str>),
}

/// Pieces that go together.
pub(super) type Heap = Vec<Piece>;

/// Which decisions go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DecisionHeap {
    /// All for one purpose: everything about disks, say.
    Purpose,
    /// All for one purpose and one link, client or process.
    Identity,
    /// All fields of that name for one purpose: every delay, say.
    Field,
    /// Those on one event.
    Event,
    /// Each by itself.
    Single,
}

/// From the largest to the smallest.
pub(super) const HEAPS: [DecisionHeap; 5] = [
    DecisionHeap::Purpose,
    DecisionHeap::Identity,
    DecisionHeap::Field,
    DecisionHeap::Event,
    DecisionHeap::Single,
];

/// What decisions of one heap have in common; an absent word does not matter.
type HeapKey<'a> = (Purpose, Option<u64>, Option<u64>, Option<&'a str>);

pub(super) fn faults(scenario: &Scenario) -> Vec<Heap> {
    scenario.events.iter().map(|event| vec![Piece::Fault(event.id)]).collect()
}

/// The parameters of each section.
pub(super) fn sections(scenario: &Scenario) -> Vec<Heap> {
    let heap = |section: &crate::scenario::Section| {
        let keys = section.values.iter().map(|(key, _)| key.clone());
        keys.map(|key| Piece::Parameter(section.name.clone(), key)).collect()
    };
    scenario.sections.iter().map(heap).collect()
}

/// Each parameter by itself.
pub(super) fn parameters(scenario: &Scenario) -> Vec<Heap> {
    sections(scenario).into_iter().flatten().map(|piece| vec![piece]).collect()
}

pub(super) fn decisions(scenario: &Scenario, heap: DecisionHeap) -> Vec<Heap> {
    let mut heaps: BTreeMap<HeapKey<'_>, Heap> = BTreeMap::new();
    for decision in &scenario.decisions {
        let DrawKey { purpose, a, b } = decision.key;
        let field = &*decision.field;
        let key = match heap {
            DecisionHeap::Purpose => (purpose, None, None, None),
            DecisionHeap::Identity => (purpose, Some(a), None, None),
            DecisionHeap::Field => (purpose, None, None, Some(field)),
            DecisionHeap::Event => (purpose, Some(a), Some(b), None),
            DecisionHeap::Single => (purpose, Some(a), Some(b), Some(field)),
        };
        heaps.entry(key).or_default().push(Piece::Decision(decision.key, decision.field.clone()));
    }
    heaps.into_values().collect()
}

/// The scenario without these.
pub(super) fn without(scenario: &Scenario, pieces: &BTreeSet<&Piece>) -> Scenario {
    let mut left = Scenario {
        notes: scenario.notes.clone(),
        sections: scenario.sections.clone(),
        events: Vec::new(),
        decisions: Vec::new(),
        steps: scenario.steps.clone(),
        expected: scenario.expected.clone(),
        hash: scenario.hash,
    };
    let stays = |piece: &Piece| !pieces.contains(piece);
    left.events.extend(scenario.events.iter().filter(|event| stays(&Piece::Fault(event.id))).cloned());
    left.decisions.extend(
        scenario
            .decisions
            .iter()
            .filter(|decision| stays(&Piece::Decision(decision.key, decision.field.clone())))
            .cloned(),
    );
    for section in &mut left.sections {
        let name = &section.name;
        section.values.retain(|(key, _)| stays(&Piece::Parameter(name.clone(), key.clone())));
    }
    left.sections.retain(|section| !section.values.is_empty());
    left
}

/// Every piece that it has.
pub(super) fn all(scenario: &Scenario) -> BTreeSet<Piece> {
    let decisions = scenario.decisions.iter();
    let decisions = decisions.map(|decision| Piece::Decision(decision.key, decision.field.clone()));
    faults(scenario).into_iter().chain(sections(scenario)).flatten().chain(decisions).collect()
}
