//! Looks ahead: which states must still come, and which are of use to anybody.
//!
//! An answer may tell the one state in which it was given. While it is not explained, an order in which that state
//! can come no more is a dead end, and is given up at once, not where the answer's turn comes. Where one operation
//! alone can lead to such a state, and from one state only, it was that other state's turn before: so one answer
//! can fix a chain of operations. Where clients write values that are unique, this leaves the search few choices.
//!
//! The same chains tell which optional operations are worth a try. In an order with as few of them as possible,
//! each is there for an answer: it leads to a state that was seen, or to one that leads there; or away from a state
//! in which an answer would have been another. All others are passed over.

use std::collections::BTreeMap;

use super::configuration::Meter;
use super::problem::{Claim, Problem};
use super::table::{Interner, Sets};
use super::{Effect, Model, Resource, Seen};

/// Who needs which state, and who makes it. States are named by their numbers.
#[derive(Debug, Default)]
pub(super) struct Needs {
    states: Vec<Need>,
    /// For each required operation, the state that it must be given in.
    seen: Vec<Option<u32>>,
    /// For each required operation, the state that it leads to if it is known.
    made: Vec<Option<u32>>,
    /// Required operations of which it is not known in which states they would have been answered so.
    unclear: Vec<u32>,
    /// The optional operations that may lead to a useful state.
    useful_optional: Vec<u32>,
    /// Whether it is not known of some useful state how one comes to it, so that all may be useful.
    are_all_useful: bool,
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
    /// The latest call of a required operation that has.
    pub(super) latest_call: u64,
}

/// So many answers ahead are looked at for states that an operation with [`Effect::Any`] may lead to.
const FORESIGHT: u32 = 64;

/// Lists of required operations are in the order of their returns.
#[derive(Clone, Debug, Default)]
struct Need {
    /// Required operations that can take effect in this state only.
    seen_by: Vec<u32>,
    /// Required operations that would have been answered otherwise in this state, and only in this one.
    refused_by: Vec<u32>,
    /// Required operations that may lead to it.
    made_by: Vec<u32>,
    /// Optional operations that may lead to it.
    perhaps_made_by: Vec<u32>,
    /// Whether it was seen, or leads to such a state.
    is_useful: bool,
    /// Whether it leads to another state in which somebody would have been answered otherwise.
    leads_to_refusal: bool,
    /// Whether what leads to it has been looked at, because it is useful or for a refusal's sake.
    is_closed: [bool; 2],
}

/// What leads where, for the closures.
struct Makers<'m, M: Model> {
    model: &'m M,
    problem: &'m Problem<'m, M>,
    /// Operations with [`Effect::Any`] and [`Effect::MaySet`], by the mark that they leave.
    any_required: BTreeMap<u64, Vec<u32>>,
    any_optional: BTreeMap<u64, Vec<u32>>,
}

impl Needs {
    /// Collects the needs of the required operations, and numbers the states that are named.
    pub(super) fn new<M: Model>(
        model: &M,
        problem: &Problem<'_, M>,
        initial: u32,
        states: &mut Interner<M::State>,
        meter: &mut Meter,
    ) -> Result<Self, Resource> {
        let mut needs = Self::default();
        let mut makers =
            Makers { model, problem, any_required: BTreeMap::new(), any_optional: BTreeMap::new() };
        let (mut seen_states, mut refused_states) = (Vec::new(), Vec::new());
        for (index, operation) in (0_u32..).zip(&problem.required) {
            let seen = match operation.claim {
                Claim::Answered(output) => model.seen(operation.input, output),
                Claim::AnsweredAnythingBut(_) | Claim::MayHaveHappened => Seen::Unclear,
            };
            let mut only = None;
            match seen {
                Seen::Only(state) => {
                    let state = states.intern(state).0;
                    needs.of(state).seen_by.push(index);
                    seen_states.push(state);
                    only = Some(state);
                }
                Seen::AllBut(state) => {
                    let state = states.intern(state).0;
                    needs.of(state).refused_by.push(index);
                    refused_states.push(state);
                }
                Seen::Every => {}
                Seen::Unclear => needs.unclear.push(index),
            }
            needs.seen.push(only);
        }
        for (index, operation) in (0_u32..).zip(&problem.required) {
            let made = match model.effect(operation.input) {
                Effect::Sets(made) | Effect::MaySet(made) => Some(states.intern(made).0),
                Effect::Any => None,
            };
            match made {
                _ if operation.is_read => {}
                Some(made) => needs.of(made).made_by.push(index),
                None => makers.any_required.entry(model.leaves(operation.input)).or_default().push(index),
            }
            needs.made.push(made);
        }
        for (member, operation) in (0_u32..).zip(&problem.optional) {
            match model.effect(operation.input) {
                Effect::Sets(made) | Effect::MaySet(made) => {
                    needs.of(states.intern(made).0).perhaps_made_by.push(member);
                }
                Effect::Any => {
                    makers.any_optional.entry(model.leaves(operation.input)).or_default().push(member);
                }
            }
        }
        needs.close(&makers, seen_states, Some(initial), states, meter)?;
        needs.close(&makers, refused_states, None, states, meter)?;
        needs.useful_optional.sort_unstable();
        needs.useful_optional.dedup();
        Ok(needs)
    }

    /// Marks these states, and all that lead to them; where `initial` is given, as useful.
    fn close<M: Model>(
        &mut self,
        makers: &Makers<'_, M>,
        mut left: Vec<u32>,
        initial: Option<u32>,
        states: &mut Interner<M::State>,
        meter: &mut Meter,
    ) -> Result<(), Resource> {
        let Makers { model, problem, .. } = makers;
        while let Some(state) = left.pop() {
            let need = self.of(state);
            if std::mem::replace(&mut need.is_closed[usize::from(initial.is_none())], true) {
                continue;
            }
            need.is_useful |= initial.is_some();
            if need.is_closed != [true; 2] {
                self.ask_any(makers, state, states.value(state), meter)?;
            }
            let need = &self.states[state as usize];
            let required = need.made_by.iter().map(|&index| problem.required[index as usize].input);
            let optional = need.perhaps_made_by.iter().map(|&member| problem.optional[member as usize].input);
            let mut before = Vec::new();
            for input in required.chain(optional) {
                match model.effect(input) {
                    Effect::Sets(_) => {}
                    Effect::MaySet(_) | Effect::Any => {
                        match model.states_before(input, states.value(state)) {
                            Some(some) => before.extend(some),
                            None => self.are_all_useful = true,
                        }
                    }
                }
            }
            let is_seen = initial.is_some_and(|initial| initial != state);
            let sole_maker = match (&need.made_by[..], &need.perhaps_made_by[..]) {
                (&[index], []) if is_seen && before.len() == 1 => Some(index),
                _ => None,
            };
            if initial.is_some() {
                self.useful_optional.extend_from_slice(&need.perhaps_made_by);
            }
            let must_come = !need.seen_by.is_empty();
            for before in before {
                let before = states.intern(before).0;
                self.of(before).leads_to_refusal |= initial.is_none();
                if let Some(index) = sole_maker
                    && must_come
                    && self.seen[index as usize].is_none()
                {
                    self.seen[index as usize] = Some(before);
                    let seen_by = &mut self.of(before).seen_by;
                    let place = seen_by.partition_point(|&other| other < index);
                    seen_by.insert(place, index);
                }
                left.push(before);
            }
        }
        Ok(())
    }

    /// Finds those with [`Effect::Any`] that may lead to a state.
    fn ask_any<M: Model>(
        &mut self,
        makers: &Makers<'_, M>,
        number: u32,
        state: &M::State,
        meter: &mut Meter,
    ) -> Result<(), Resource> {
        let Makers { model, problem, .. } = makers;
        let mark = model.mark(state);
        let none = Vec::new();
        let required = makers.any_required.get(&mark).unwrap_or(&none);
        let optional = makers.any_optional.get(&mark).unwrap_or(&none);
        meter.glance((required.len() + optional.len()) as u64)?;
        let need = &mut self.states[number as usize];
        let makes = |index: &&u32| model.may_make(problem.required[**index as usize].input, state);
        need.made_by.extend(required.iter().filter(makes));
        need.made_by.sort_unstable();
        let makes = |member: &&u32| model.may_make(problem.optional[**member as usize].input, state);
        need.perhaps_made_by.extend(optional.iter().filter(makes));
        Ok(())
    }

    /// The one state in which a required operation can take effect, where there is only one.
    pub(super) fn seen(&self, index: u32) -> Option<u32> {
        self.seen[index as usize]
    }

    /// The optional operations that may lead to a useful state, in the order of their calls.
    pub(super) fn useful_optional(&self) -> &[u32] {
        &self.useful_optional
    }

    pub(super) fn is_useful(&self, state: u32) -> bool {
        self.states.get(state as usize).is_some_and(|need| need.is_useful)
    }

    /// Whether it may be of use to leave this state for whatever other.
    pub(super) fn may_be_left_for_any<M: Model>(&self, state: u32, view: &View<'_, M>) -> bool {
        if self.are_all_useful || !view.are_done(&self.unclear) {
            return true;
        }
        self.states
            .get(state as usize)
            .is_some_and(|need| need.leads_to_refusal || !view.are_done(&need.refused_by))
    }

    /// Whether a state is needed that can come no more, now that one required operation has led from one state
    /// to another.
    pub(super) fn are_unmet<M: Model>(&self, taken: u32, from: u32, to: u32, view: &View<'_, M>) -> bool {
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
    fn is_lost_by_any<M: Model>(&self, taken: u32, to: u32, view: &View<'_, M>) -> bool {
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
    pub(super) fn is_lost<M: Model>(&self, state: u32, view: &View<'_, M>) -> bool {
        if !self.is_needed(state, view) {
            return false;
        }
        let need = &self.states[state as usize];
        view.are_done(&need.made_by)
            && need.perhaps_made_by.iter().all(|&member| {
                view.problem.optional[member as usize].at < view.latest_call
                    || view.sets.contains(view.used, member)
            })
    }

    /// Bytes of memory that they take, about.
    pub(super) fn memory_bytes(&self) -> u64 {
        let lists = 3 * (self.seen.len() + self.useful_optional.len()) as u64;
        (size_of::<Need>() * self.states.len()) as u64 + 8 * lists
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
