//! Milestones: what a process says of itself that a fault of a scenario may wait for (`crate::anchor`).
//!
//! The simulator knows no protocol, so the process names its milestones, in `Process::MILESTONES`, and tells through
//! its `Env` when it passes one. Unlike a mark, which tells of a whole run what occurred in it, a milestone is heard at
//! once and each time. Nothing depends on it where no fault waits for one.

use crate::mark;

/// The most milestones that a process may name.
pub const MILESTONES_MAX: usize = 64;

/// A milestone: its place among those that the process names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Milestone(u8);

/// The milestones that were passed in one event; or those that somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Milestones(u64);

impl Milestone {
    /// The milestone of this name. In a `const`, a name that is not among `names` fails to compile.
    ///
    /// # Panics
    /// When the name is not among the first [`MILESTONES_MAX`] of them.
    #[must_use]
    pub const fn named(names: &[&str], name: &str) -> Milestone {
        match mark::place_of(names, name) {
            Some(place) if place < MILESTONES_MAX => Milestone(place as u8),
            Some(_) | None => panic!("no such milestone is named"),
        }
    }
}

impl Milestones {
    #[inline]
    pub(crate) fn add(&mut self, milestone: Milestone) {
        self.0 |= 1 << milestone.0;
    }

    pub(crate) fn has(self, milestone: Milestone) -> bool {
        self.0 >> milestone.0 & 1 == 1
    }

    pub(crate) fn meets(self, others: Milestones) -> bool {
        self.0 & others.0 != 0
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Tells that a milestone is passed: `passes!(env, NAMES, "leads", condition)`.
#[macro_export]
macro_rules! passes {
    ($env:expr, $names:expr, $name:literal, $condition:expr $(,)?) => {{
        const MILESTONE: $crate::milestone::Milestone = $crate::milestone::Milestone::named($names, $name);
        if $condition {
            $env.pass(MILESTONE);
        }
    }};
}
