//! What is left of a search's bounds in a state, and which nodes something has happened to.

use super::bounds::Bounds;
use super::model::Step;
use super::node::{Fate, Input};

/// What is left, and who was touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Left {
    elections: u8,
    proposals: u8,
    crashes: u8,
    changes: u8,
    heartbeats: u8,
    duplicates: u8,
    /// One bit for each node to which something has happened.
    touched: u8,
}

impl Left {
    /// All of it, and nobody touched.
    pub(super) fn of(bounds: &Bounds) -> Self {
        let Bounds { elections, proposals, crashes, changes, heartbeats, duplicates, .. } = *bounds;
        Self {
            elections,
            proposals,
            crashes,
            changes,
            heartbeats,
            duplicates: duplicates.unwrap_or(0),
            touched: 0,
        }
    }

    pub(super) fn words(self) -> [u32; 2] {
        let Self { elections, proposals, crashes, changes, heartbeats, duplicates, touched } = self;
        [
            u32::from_le_bytes([elections, proposals, crashes, changes]),
            u32::from_le_bytes([heartbeats, duplicates, touched, 0]),
        ]
    }

    pub(super) fn from_words(words: &[u32]) -> Self {
        let [elections, proposals, crashes, changes] = words[0].to_le_bytes();
        let [heartbeats, duplicates, touched, _] = words[1].to_le_bytes();
        Self { elections, proposals, crashes, changes, heartbeats, duplicates, touched }
    }

    pub(super) fn proposals(self) -> u8 {
        self.proposals
    }

    pub(super) fn may_crash(self) -> bool {
        self.crashes > 0
    }

    pub(super) fn is_touched(self, node: u8) -> bool {
        self.touched & 1 << node != 0
    }

    pub(super) fn touching(self, node: u8) -> Self {
        Self { touched: self.touched | 1 << node, ..self }
    }

    /// What is left after this step; `None` where there was too little. Where messages arrive `forever`, one that does so
    /// again costs nothing.
    pub(super) fn after(self, step: Step, forever: bool) -> Option<Self> {
        let mut left = self.touching(step.node);
        let is_crash = matches!(step.input, Input::Crash(_)) || matches!(step.fate, Fate::Lost(_));
        left.crashes = left.crashes.checked_sub(u8::from(is_crash))?;
        match step.input {
            Input::Campaign => left.elections = left.elections.checked_sub(1)?,
            Input::Heartbeat => left.heartbeats = left.heartbeats.checked_sub(1)?,
            Input::Propose(_) => left.proposals = left.proposals.checked_sub(1)?,
            Input::Remove(other) | Input::Add(other) => {
                left.changes = left.changes.checked_sub(1)?;
                left = left.touching(other);
            }
            Input::Deliver(_) => {
                let is_again = step.keeps && !forever;
                left.duplicates = left.duplicates.checked_sub(u8::from(is_again))?;
            }
            Input::Persisted | Input::Crash(_) => {}
        }
        Some(left)
    }
}
