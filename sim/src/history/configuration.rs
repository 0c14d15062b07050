//! What a search is made of: where it is, where it begins, and what it has cost.

use super::problem::{Problem, Required};
use super::{Budget, Exhausted, Model};

/// A state to search from, and the numbers of the operations that are part of it.
#[derive(Clone, Debug)]
pub(super) struct Start<S> {
    pub(super) state: S,
    pub(super) taken: Vec<u32>,
}

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
    budget: Budget,
    pub(super) steps: u64,
}

impl<S> Start<S> {
    /// Before all operations.
    pub(super) fn initial(state: S) -> Self {
        Self { state, taken: Vec::new() }
    }
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
        Self { budget, steps: 0 }
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget
    }

    pub(super) fn step(&mut self) -> Result<(), Exhausted> {
        self.steps += 1;
        if self.steps > self.budget.steps_max {
            return Err(Exhausted::Steps { max: self.budget.steps_max });
        }
        Ok(())
    }

    /// So many comparisons take about the time of a step.
    pub(super) fn compare(&mut self, count: usize) -> Result<(), Exhausted> {
        self.steps += count as u64 / 64;
        self.step()
    }

    pub(super) fn check_memory(&self, memory_bytes: u64) -> Result<(), Exhausted> {
        if memory_bytes > self.budget.memory_bytes_max {
            return Err(Exhausted::Memory { max: self.budget.memory_bytes_max });
        }
        Ok(())
    }
}
