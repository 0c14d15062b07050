//! Looks ahead: which states must still come.
//!
//! An answer may tell the one state in which it was given. While it is not explained, an order in which that state
//! can come no more is a dead end, and is given up at once, not where the answer's turn comes. Where clients write
//! values that are unique, this leaves the search few choices.

use super::problem::{Claim, Problem};
use super::table::{Interner, Sets};
use super::{Effect, Model};

/// Who needs which state, and who makes it. States are named by their numbers.
#[derive(Debug, Default)]
pub(super) struct Needs {
    states: Vec<Need>,
    /// For each required operation, the state that its answer was given in.
    seen: Vec<Option<u32>>,
    /// For each required operation, the state that it leads to if it is known.
    made: Vec<Option<u32>>,
    /// Required operations with [`Effect::Any`], in the order of their returns.
    any_required: Vec<u32>,
    /// Optional operations with [`Effect::Any`].
    any_optional: Vec<u32>,
}

/// How far the search has come, as far as needs are concerned.
pub(super) struct View<'v, M: Model> {
    pub(super) model: &'v M,
    pub(super) problem: &'v Problem<'v, M>,
    pub(super) states: &'v Interner<M::State>,
    pub(super) sets: &'v Sets,
    /// The first required operation that has not taken effect, by return.
    pub(super) base: u32,
    /// Whether a required operation has taken effect.
    pub(super) is_done: &'v dyn Fn(u32) -> bool,
    /// The optional operations that have.
    pub(super) used: u32,
}

/// So many answers ahead are looked at for states that an operation with [`Effect::Any`] may lead to.
const FORESIGHT: u32 = 64;

/// Lists of required operations are in the order of their returns.
#[derive(Clone, Debug, Default)]
struct Need {
    /// Required operations whose answer can be given in this state only.
    seen_by: Vec<u32>,
    /// Required operations that may lead to it.
    made_by: Vec<u32>,
    /// Optional operations that may lead to it.
    perhaps_made_by: Vec<u32>,
    /// Whether those with [`Effect::Any`] are among them: they are asked one by one, and only if it matters.
    has_asked_any: bool,
}

impl Needs {
    /// Collects the needs of the required operations before `limit`, and numbers the states that are named.
    pub(super) fn new<M: Model>(
        model: &M,
        problem: &Problem<'_, M>,
        limit: u32,
        states: &mut Interner<M::State>,
    ) -> Self {
        let mut needs = Self::default();
        for (index, operation) in (0_u32..limit).zip(&problem.required) {
            let seen = match operation.claim {
                Claim::Answered(output) => model.state_seen(operation.input, output),
                Claim::AnsweredAnythingBut(_) | Claim::MayHaveHappened => None,
            };
            let seen = seen.map(|seen| states.intern(seen).0);
            if let Some(seen) = seen {
                needs.of(seen).seen_by.push(index);
            }
            needs.seen.push(seen);
        }
        for (index, operation) in (0_u32..).zip(&problem.required) {
            let made = match model.effect(operation.input) {
                Effect::Sets(made) | Effect::MaySet(made) => Some(states.intern(made).0),
                Effect::Any => None,
            };
            match made {
                Some(made) => needs.of(made).made_by.push(index),
                None if operation.is_read => {}
                None => needs.any_required.push(index),
            }
            needs.made.push(made);
        }
        for (member, operation) in (0_u32..).zip(&problem.optional) {
            match model.effect(operation.input) {
                Effect::Sets(made) | Effect::MaySet(made) => {
                    needs.of(states.intern(made).0).perhaps_made_by.push(member);
                }
                Effect::Any => needs.any_optional.push(member),
            }
        }
        needs
    }

    /// Whether a state is needed that can come no more, now that one required operation has led from one state
    /// to another.
    pub(super) fn are_unmet<M: Model>(&mut self, taken: u32, from: u32, to: u32, view: &View<'_, M>) -> bool {
        if from != to && self.is_lost(from, view) {
            return true;
        }
        match self.made[taken as usize] {
            Some(made) => made != to && self.is_lost(made, view),
            None if view.problem.required[taken as usize].is_read => false,
            None => self.is_lost_by_any(taken, to, view),
        }
    }

    /// Whether an operation with [`Effect::Any`] was the last that could have led to a state seen soon after.
    fn is_lost_by_any<M: Model>(&mut self, taken: u32, to: u32, view: &View<'_, M>) -> bool {
        let input = view.problem.required[taken as usize].input;
        let end = self.seen.len().min((view.base + FORESIGHT) as usize);
        (view.base as usize..end).any(|index| {
            let Some(seen) = self.seen[index] else { return false };
            seen != to && view.model.may_make(input, view.states.value(seen)) && self.is_lost(seen, view)
        })
    }

    /// Whether an answer that is still to be explained was given in this state.
    pub(super) fn is_needed<M: Model>(&self, state: u32, view: &View<'_, M>) -> bool {
        self.states.get(state as usize).is_some_and(|need| !view.are_done(&need.seen_by))
    }

    /// Whether a state that is not the present one is still needed and can come no more.
    pub(super) fn is_lost<M: Model>(&mut self, state: u32, view: &View<'_, M>) -> bool {
        if !self.is_needed(state, view) {
            return false;
        }
        let need = &mut self.states[state as usize];
        if !std::mem::replace(&mut need.has_asked_any, true) {
            let View { model, problem, states, .. } = view;
            let state = states.value(state);
            let makes = |index: &&u32| model.may_make(problem.required[**index as usize].input, state);
            need.made_by.extend(self.any_required.iter().filter(makes));
            need.made_by.sort_unstable();
            let makes = |member: &&u32| model.may_make(problem.optional[**member as usize].input, state);
            need.perhaps_made_by.extend(self.any_optional.iter().filter(makes));
        }
        view.are_done(&need.made_by)
            && need.perhaps_made_by.iter().all(|&member| view.sets.contains(view.used, member))
    }

    fn of(&mut self, state: u32) -> &mut Need {
        let len = self.states.len().max(state as usize + 1);
        self.states.resize_with(len, Need::default);
        &mut self.states[state as usize]
    }
}

impl<M: Model> View<'_, M> {
    /// Whether all of these have taken effect; they are sorted, and what stands before the base has.
    fn are_done(&self, sorted: &[u32]) -> bool {
        sorted.iter().rev().take_while(|&&index| index >= self.base).all(|&index| (self.is_done)(index))
    }
}
