//! The search for an order: depth first, one required operation after the other.
//!
//! Between two required operations any number of optional ones may have taken effect. They are tried only where
//! the answers cannot be explained without them, fewest first (the whole search is done with one at a time before
//! it is done with more): an operation of unknown outcome that is not needed stays free to take effect later. For
//! the same reason a configuration is not looked at again when it was
//! reached before with fewer of them used up: what that one could not explain, this one cannot.
//!
//! An order in which a state can come no more that is still needed is given up at once (see `needs.rs`).
//! Reads whose answer is right are taken at once, without a second thought: they change no state, so if an order
//! exists, one exists in which they come first.

use super::configuration::{Configuration, Meter, slot_bit};
use super::needs::{Needs, View};
use super::problem::{Claim, Problem};
use super::table::{EMPTY_SET, Interner, Sets, Table, hash_of};
use super::{Model, Resource};

/// The number of the state before all operations.
const INITIAL: u32 = 0;

/// A configuration whose successors are being looked at.
#[derive(Clone, Copy, Debug)]
struct Frame {
    base: u32,
    done: u128,
    /// Where its variants begin: the configuration itself, then what optional operations make of it.
    variants_start: usize,
    /// Where those begin that optional operations have not been added to yet.
    level_start: usize,
    /// How many optional operations the last variants have been made with.
    level: u32,
    /// The variant whose successors come next.
    variant: usize,
    /// The place among the open operations that comes next.
    candidate: usize,
}

/// A state, and the optional operations used to reach it.
#[derive(Clone, Copy, Debug)]
struct Variant {
    state: u32,
    used: u32,
}

/// The search through one key's history. It can pause at any configuration.
#[derive(Debug)]
pub(super) struct Search<'p, M: Model> {
    model: &'p M,
    problem: &'p Problem<'p, M>,
    states: Interner<M::State>,
    state_bytes: u64,
    needs: Needs,
    sets: Sets,
    visited: Table,
    configurations: Vec<Configuration>,
    frames: Vec<Frame>,
    variants: Vec<Variant>,
    furthest: u32,
    /// Which optional operations are tried; those before have been in vain.
    pass: usize,
    /// When those optional operations return that did return and may be tried, sorted.
    returns: Vec<u64>,
    /// Whether others might have led further.
    is_curtailed: bool,
    has_begun: bool,
    /// The optional operations in the order that was found.
    used: u32,
    /// What was answered last by the operation whose answer is left open.
    free_answer: Option<M::Output>,
}

/// How a search goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// There is an order.
    Found,
    /// There is none.
    Refuted,
    /// It has paused.
    Paused,
}

/// Which optional operations are tried between two required ones.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// Only those that lead to a state that somebody saw, or to one that leads there.
    is_useful_only: bool,
    /// At most so many one after the other.
    level_max: u32,
}

/// The whole search is done with few before it is done with more.
const PASSES: [Pass; 4] = [
    Pass { is_useful_only: true, level_max: 1 },
    Pass { is_useful_only: true, level_max: u32::MAX },
    Pass { is_useful_only: false, level_max: 2 },
    Pass { is_useful_only: false, level_max: u32::MAX },
];

impl<'p, M: Model> Search<'p, M> {
    pub(super) fn new(
        model: &'p M,
        problem: &'p Problem<'p, M>,
        initial: M::State,
        meter: &mut Meter,
    ) -> Result<Self, Resource> {
        let mut search = Self {
            model,
            problem,
            states: Interner::new(),
            state_bytes: 0,
            needs: Needs::default(),
            sets: Sets::new(),
            visited: Table::default(),
            configurations: Vec::new(),
            frames: Vec::new(),
            variants: Vec::new(),
            furthest: 0,
            pass: 0,
            returns: Vec::new(),
            is_curtailed: false,
            has_begun: false,
            used: EMPTY_SET,
            free_answer: None,
        };
        let initial = search.intern(initial);
        assert_eq!(initial, INITIAL, "nothing was named before");
        search.needs = Needs::new(model, problem, INITIAL, &mut search.states, meter)?;
        Ok(search)
    }

    /// Searches on, until that has taken so many steps.
    pub(super) fn run(&mut self, steps_max: u64, meter: &mut Meter) -> Result<Progress, Resource> {
        let pause_at = meter.steps.saturating_add(steps_max);
        loop {
            if !std::mem::replace(&mut self.has_begun, true) {
                self.returns = self.returns_of_optional();
                let first = Configuration { base: 0, done: 0, state: INITIAL, used: EMPTY_SET };
                if self.enter(first, meter)? {
                    return Ok(Progress::Found);
                }
            }
            while !self.frames.is_empty() {
                if meter.steps > pause_at {
                    return Ok(Progress::Paused);
                }
                match self.next_successor(meter)? {
                    Some(successor) if self.enter(successor, meter)? => return Ok(Progress::Found),
                    Some(_) => {}
                    None => {
                        let exhausted = self.frames.pop().expect("it is not empty");
                        self.variants.truncate(exhausted.variants_start);
                    }
                }
            }
            if !self.is_curtailed {
                return Ok(Progress::Refuted);
            }
            self.pass += 1;
            self.visited = Table::default();
            self.configurations.clear();
            self.is_curtailed = false;
            self.has_begun = false;
            self.free_answer = None;
        }
    }

    /// When those optional operations return that are tried in this pass.
    fn returns_of_optional(&self) -> Vec<u64> {
        let Self { problem, needs, .. } = self;
        let is_useful = |member: u32| {
            !PASSES[self.pass].is_useful_only || needs.useful_optional().binary_search(&member).is_ok()
        };
        let tried = (0_u32..).zip(&problem.optional).filter(|(member, _)| is_useful(*member));
        let mut returns: Vec<u64> =
            tried.map(|(_, optional)| optional.at).filter(|at| *at != u64::MAX).collect();
        returns.sort_unstable();
        returns
    }

    /// The first required operation, in the order of returns, that no order could reach and pass.
    pub(super) fn furthest(&self) -> u32 {
        self.furthest
    }

    /// The numbers of the optional operations in the order that was found.
    pub(super) fn used(&self) -> impl Iterator<Item = u32> {
        self.sets.members(self.used).iter().map(|&member| self.problem.optional[member as usize].number)
    }

    /// What the operation with [`Claim::AnsweredAnythingBut`] answered in the order that was found.
    pub(super) fn free_answer(&self) -> Option<&M::Output> {
        self.free_answer.as_ref()
    }

    /// Goes to a configuration, unless it was visited before; `true` where it is an end.
    fn enter(&mut self, mut configuration: Configuration, meter: &mut Meter) -> Result<bool, Resource> {
        self.take_reads(&mut configuration, meter)?;
        if !self.visit(configuration, meter)? {
            return Ok(false);
        }
        let Configuration { base, done, state, used } = configuration;
        if base == self.problem.len() {
            self.used = used;
            return Ok(true);
        }
        let variants_start = self.variants.len();
        self.variants.push(Variant { state, used });
        let [level_start, variant] = [variants_start; 2];
        self.frames.push(Frame { base, done, variants_start, level_start, level: 0, variant, candidate: 0 });
        Ok(false)
    }

    /// Takes all reads that answer what the present state says; but for those that were called only after an optional
    /// operation had returned, which could take effect no more.
    fn take_reads(&mut self, configuration: &mut Configuration, meter: &mut Meter) -> Result<(), Resource> {
        let problem = self.problem;
        let mut latest_call = configuration.latest_call(problem);
        while configuration.base < problem.len() {
            let base = configuration.base;
            for &index in problem.open(base) {
                let operation = &problem.required[index as usize];
                if operation.is_read
                    && !configuration.has_taken(index, problem)
                    && !self.is_too_late_for_some(operation.call, latest_call)
                    && self.step_required(configuration.state, index, meter)?.is_some()
                {
                    configuration.take(index, problem);
                    latest_call = latest_call.max(operation.call);
                }
            }
            if configuration.base == base {
                break;
            }
        }
        Ok(())
    }

    /// Whether optional operations that may have taken effect so far may not do so behind one that was called then.
    fn is_too_late_for_some(&self, call: u64, latest_call: u64) -> bool {
        let next = self.returns.partition_point(|at| *at < latest_call);
        self.returns.get(next).is_some_and(|at| *at < call)
    }

    /// Notes a configuration; `false` where it, or one with fewer optional operations used, was noted before.
    fn visit(&mut self, configuration: Configuration, meter: &mut Meter) -> Result<bool, Resource> {
        let Configuration { base, done, state, used } = configuration;
        let hash = hash_of(&(base, state, done as u64, (done >> 64) as u64));
        let mut compared = 0;
        let known = self.visited.find(hash, |entry| {
            let known = &self.configurations[entry as usize];
            compared += 1;
            known.base == base
                && known.done == done
                && known.state == state
                && self.sets.is_subset(known.used, used)
        });
        meter.glance(compared)?;
        if known.is_some() {
            return Ok(false);
        }
        self.visited.add(hash);
        self.configurations.push(configuration);
        self.furthest = self.furthest.max(base);
        meter.check_memory(self.memory_bytes())?;
        Ok(true)
    }

    /// The next configuration that one required operation leads to from the frame on top.
    fn next_successor(&mut self, meter: &mut Meter) -> Result<Option<Configuration>, Resource> {
        let problem = self.problem;
        let mut frame = *self.frames.last().expect("the caller looked");
        let open = problem.open(frame.base);
        loop {
            if frame.variant == self.variants.len() && !self.add_optional(&mut frame, meter)? {
                return Ok(None);
            }
            let Variant { state: left, used } = self.variants[frame.variant];
            let is_frame_itself = frame.variant == frame.variants_start;
            while let Some(&index) = open.get(frame.candidate) {
                frame.candidate += 1;
                let operation = &problem.required[index as usize];
                // What overwrites makes of a variant what it made of the configuration itself, with less used up.
                let is_settled = !is_frame_itself && operation.overwrites;
                if is_settled || frame.done & slot_bit(operation) != 0 {
                    continue;
                }
                if let Some(state) = self.step_required(left, index, meter)? {
                    let mut successor = Configuration { base: frame.base, done: frame.done, state, used };
                    successor.take(index, problem);
                    if self.with_view(&successor, |needs, view| needs.are_unmet(index, left, state, view)) {
                        continue;
                    }
                    *self.frames.last_mut().expect("the caller looked") = frame;
                    return Ok(Some(successor));
                }
            }
            frame.variant += 1;
            frame.candidate = 0;
        }
    }

    /// Adds variants of the frame on top with one optional operation more than the last ones; `false` where there
    /// are none.
    fn add_optional(&mut self, frame: &mut Frame, meter: &mut Meter) -> Result<bool, Resource> {
        let Pass { is_useful_only, level_max } = PASSES[self.pass];
        if frame.level == level_max {
            self.is_curtailed = true;
            return Ok(false);
        }
        frame.level += 1;
        let level_end = self.variants.len();
        for at in frame.level_start..level_end {
            let Variant { state, used } = self.variants[at];
            let here = Configuration { base: frame.base, done: frame.done, state, used };
            if self.with_view(&here, |needs, view| needs.is_lost(state, view)) {
                continue;
            }
            let used_calls =
                self.sets.members(used).iter().map(|&member| self.problem.optional[member as usize].call);
            let latest_call = used_calls.fold(here.latest_call(self.problem), u64::max);
            let is_any_of_use = self.with_view(&here, |needs, view| needs.may_be_left_for_any(state, view));
            self.is_curtailed |= is_any_of_use && is_useful_only;
            if is_any_of_use && !is_useful_only {
                for member in 0..self.problem.optional.len() as u32 {
                    if !self.add_variant(frame, at, member, latest_call, true, meter)? {
                        break;
                    }
                }
            } else {
                for place in 0..self.needs.useful_optional().len() {
                    let member = self.needs.useful_optional()[place];
                    if !self.add_variant(frame, at, member, latest_call, false, meter)? {
                        break;
                    }
                }
            }
            meter.check_memory(self.memory_bytes())?;
        }
        frame.level_start = level_end;
        Ok(self.variants.len() > level_end)
    }

    /// Adds what an optional operation makes of a variant, where that is new and of use; `false` where this one
    /// and all later ones are called too late.
    fn add_variant(
        &mut self,
        frame: &Frame,
        at: usize,
        member: u32,
        latest_call: u64,
        is_any_of_use: bool,
        meter: &mut Meter,
    ) -> Result<bool, Resource> {
        let Variant { state, used } = self.variants[at];
        let optional = &self.problem.optional[member as usize];
        if optional.call > self.problem.required[frame.base as usize].at {
            return Ok(false);
        }
        meter.glance(1)?;
        // What overwrites makes of this what it made of the configuration itself, with less used up.
        let is_pointless = optional.overwrites && frame.level > 1;
        if is_pointless || optional.at < latest_call || self.sets.contains(used, member) {
            return Ok(true);
        }
        meter.step()?;
        let mut next = self.states.value(state).clone();
        self.model.step(&mut next, optional.input);
        let next = self.intern(next);
        // It would be in the way of nothing and of use to nobody.
        if next == state || !(is_any_of_use || self.needs.is_useful(next)) {
            return Ok(true);
        }
        let used = self.sets.with(used, member);
        let known = &self.variants[frame.variants_start..];
        meter.glance(known.len() as u64)?;
        if !known.iter().any(|known| known.state == next && self.sets.is_subset(known.used, used)) {
            self.variants.push(Variant { state: next, used });
        }
        Ok(true)
    }

    /// Asks the needs about a configuration.
    fn with_view(
        &self,
        configuration: &Configuration,
        ask: impl FnOnce(&Needs, &View<'_, M>) -> bool,
    ) -> bool {
        let Self { needs, model, problem, states, sets, .. } = self;
        let Configuration { base, used, .. } = *configuration;
        let is_done = &|index| configuration.has_taken(index, problem);
        let latest_call = configuration.latest_call(problem);
        ask(needs, &View { model, problem, states, sets, base, is_done, used, latest_call })
    }

    /// The state that an operation leads to, where its answer is right.
    fn step_required(&mut self, state: u32, index: u32, meter: &mut Meter) -> Result<Option<u32>, Resource> {
        if self.needs.seen(index).is_some_and(|seen| seen != state) {
            meter.glance(1)?;
            return Ok(None);
        }
        meter.step()?;
        let operation = &self.problem.required[index as usize];
        let mut next = self.states.value(state).clone();
        let expected = self.model.step(&mut next, operation.input);
        let is_right = match operation.claim {
            Claim::Answered(output) => self.model.accepts(&expected, output),
            Claim::AnsweredAnythingBut(outputs) => {
                let is_new = !outputs.iter().any(|output| self.model.accepts(&expected, output));
                if is_new {
                    self.free_answer = Some(expected);
                }
                is_new
            }
            Claim::MayHaveHappened => unreachable!("an optional operation is not required"),
        };
        Ok(if !is_right {
            None
        } else if operation.is_read {
            Some(state)
        } else {
            Some(self.intern(next))
        })
    }

    fn intern(&mut self, state: M::State) -> u32 {
        let bytes = self.model.state_bytes(&state);
        let (number, is_new) = self.states.intern(state);
        if is_new {
            self.state_bytes += bytes;
        }
        number
    }

    /// Bytes of memory that it holds, about.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.state_bytes
            + self.problem.memory_bytes()
            + self.needs.memory_bytes()
            + self.states.memory_bytes()
            + self.sets.memory_bytes()
            + self.visited.memory_bytes()
            + size_of_val(&self.configurations[..]) as u64
            + size_of_val(&self.frames[..]) as u64
            + size_of_val(&self.variants[..]) as u64
    }
}
