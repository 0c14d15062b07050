//! What a search is made of: where it is, where it begins, and what it has cost.

use super::problem::{Problem, Required};
use super::{Budget, Model, Resource};

/// How far the search has come: everything before `base`, and of those under way at its return what `done` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Configuration {
    pub(super) base: u32,
    /// Invariant: only slots of operations that are under way when `base` returns, and not its own.
    pub(super) done: u128,
    pub(super) state: u32,
    /// The set of optional operations that have taken effect.
    pub(super) used: u32,
}

/// Counts what a search costs.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) budget: Budget,
    pub(super) steps: u64,
    glances: u64,
    pub(super) memory_bytes_peak: u64,
    /// Held by a search that has paused.
    memory_bytes_beside: u64,
}

impl Configuration {
    /// Whether a required operation stands in the order already.
    pub(super) fn has_taken<M: Model>(&self, index: u32, problem: &Problem<'_, M>) -> bool {
        if index <= self.base {
            return index < self.base;
        }
        let operation = &problem.required[index as usize];
        operation.call <= problem.required[self.base as usize].at && self.done & slot_bit(operation) != 0
    }

    /// The latest call of a required operation that has taken effect: what returned before it can do so no more.
    pub(super) fn latest_call<M: Model>(&self, problem: &Problem<'_, M>) -> u64 {
        let before = problem.latest_call(self.base);
        if self.done == 0 {
            return before;
        }
        let open = problem.open(self.base).iter().map(|&index| &problem.required[index as usize]);
        let done = open.filter(|operation| self.done & slot_bit(operation) != 0);
        done.map(|operation| operation.call).fold(before, u64::max)
    }

    /// Puts a required operation next in the order.
    pub(super) fn take<M: Model>(&mut self, index: u32, problem: &Problem<'_, M>) {
        if index > self.base {
            self.done |= slot_bit(&problem.required[index as usize]);
            return;
        }
        assert_eq!(index, self.base, "what lies before the base is done");
        self.base += 1;
        while let Some(next) = problem.required.get(self.base as usize)
            && self.done & slot_bit(next) != 0
        {
            self.done &= !slot_bit(next);
            self.base += 1;
        }
    }
}

pub(super) fn slot_bit<I, O>(operation: &Required<'_, I, O>) -> u128 {
    1 << operation.slot
}

impl Meter {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, steps: 0, glances: 0, memory_bytes_peak: 0, memory_bytes_beside: 0 }
    }

    pub(super) fn step(&mut self) -> Result<(), Resource> {
        self.steps += 1;
        if self.steps > self.budget.steps_max {
            return Err(Resource::Steps { max: self.budget.steps_max });
        }
        Ok(())
    }

    /// Counts what is less than a step: so many of them take about the time of one.
    pub(super) fn glance(&mut self, count: u64) -> Result<(), Resource> {
        const PER_STEP: u64 = 16;
        self.glances += count;
        if self.glances >= PER_STEP {
            self.steps += self.glances / PER_STEP - 1;
            self.glances %= PER_STEP;
            self.step()?;
        }
        Ok(())
    }

    pub(super) fn check_memory(&mut self, memory_bytes: u64) -> Result<(), Resource> {
        let memory_bytes = memory_bytes + self.memory_bytes_beside;
        self.memory_bytes_peak = self.memory_bytes_peak.max(memory_bytes);
        if memory_bytes > self.budget.memory_bytes_max {
            return Err(Resource::Memory { max: self.budget.memory_bytes_max });
        }
        Ok(())
    }

    /// Whether no step is left.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps >= self.budget.steps_max
    }

    /// Goes on for a search beside one that has paused, and holds so much memory.
    pub(super) fn beside(&self, memory_bytes: u64) -> Self {
        Self { memory_bytes_beside: self.memory_bytes_beside + memory_bytes, ..self.clone() }
    }

    /// Goes on with at most so many steps more.
    pub(super) fn limited(&self, steps: u64) -> Self {
        let steps_max = self.budget.steps_max.min(self.steps.saturating_add(steps));
        Self { budget: Budget { steps_max, ..self.budget }, ..self.clone() }
    }

    /// Takes over what one that went on has counted.
    pub(super) fn come_back(&mut self, other: &Self) {
        let Self { budget: _, steps, glances, memory_bytes_peak, memory_bytes_beside: _ } = other;
        (self.steps, self.glances, self.memory_bytes_peak) = (*steps, *glances, *memory_bytes_peak);
    }
}
