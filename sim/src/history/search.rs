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

use super::configuration::{Configuration, Meter, Start, slot_bit};
use super::needs::{Needs, View};
use super::problem::{Claim, Problem, Required};
use super::table::{EMPTY_SET, Interner, Sets, Table, hash_of};
use super::{Exhausted, Model};

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

/// The search through one key's history.
#[derive(Debug)]
pub(super) struct Search<'p, M: Model> {
    model: &'p M,
    problem: &'p Problem<'p, M>,
    meter: &'p mut Meter,
    states: Interner<M::State>,
    state_bytes: u64,
    needs: Needs,
    sets: Sets,
    visited: Table,
    configurations: Vec<Configuration>,
    frames: Vec<Frame>,
    variants: Vec<Variant>,
    furthest: u32,
    /// So many optional operations may follow one another.
    level_max: u32,
    /// Whether more might have led further.
    is_curtailed: bool,
    /// What was answered last by the operation whose answer is left open.
    free_answer: Option<M::Output>,
}

impl<'p, M: Model> Search<'p, M> {
    pub(super) fn new(model: &'p M, problem: &'p Problem<'p, M>, meter: &'p mut Meter) -> Self {
        Self {
            model,
            problem,
            meter,
            states: Interner::new(),
            state_bytes: 0,
            needs: Needs::default(),
            sets: Sets::new(),
            visited: Table::default(),
            configurations: Vec::new(),
            frames: Vec::new(),
            variants: Vec::new(),
            furthest: 0,
            level_max: u32::MAX,
            is_curtailed: false,
            free_answer: None,
        }
    }

    /// Whether an order exists, from one of the starts.
    pub(super) fn finds_an_order(&mut self, starts: &[Start<M::State>]) -> Result<bool, Exhausted> {
        let mut is_found = false;
        self.needs = Needs::new(self.model, self.problem, self.problem.len(), &mut self.states);
        for level_max in [1, 3, u32::MAX] {
            self.forget();
            self.level_max = level_max;
            self.explore(starts, self.problem.len(), |_| {
                is_found = true;
                false
            })?;
            if is_found || !self.is_curtailed {
                break;
            }
        }
        Ok(is_found)
    }

    /// All that the history may have come to once the first `limit` required operations, by return, are explained.
    pub(super) fn frontier(
        &mut self,
        starts: &[Start<M::State>],
        limit: u32,
    ) -> Result<Vec<Start<M::State>>, Exhausted> {
        let mut reached = Vec::new();
        self.needs = Needs::new(self.model, self.problem, limit, &mut self.states);
        self.forget();
        self.level_max = u32::MAX;
        self.explore(starts, limit, |configuration| {
            reached.push(configuration);
            true
        })?;
        Ok(reached.iter().map(|configuration| self.start_from(configuration)).collect())
    }

    fn start_from(&self, configuration: &Configuration) -> Start<M::State> {
        let Self { problem, states, sets, .. } = self;
        let used = sets.members(configuration.used).iter();
        let mut taken: Vec<u32> = used.map(|&member| problem.optional[member as usize].number).collect();
        if configuration.base < problem.len() {
            let open = problem.open(configuration.base).iter();
            let done = open.filter(|&&index| configuration.has_taken(index, problem));
            taken.extend(done.map(|&index| problem.required[index as usize].number));
        }
        taken
            .extend(problem.required[..configuration.base as usize].iter().map(|operation| operation.number));
        Start { state: states.value(configuration.state).clone(), taken }
    }

    fn forget(&mut self) {
        self.visited = Table::default();
        self.configurations.clear();
        self.frames.clear();
        self.variants.clear();
        self.furthest = 0;
        self.is_curtailed = false;
        self.free_answer = None;
    }

    /// The first required operation, in the order of returns, that no order could reach and pass.
    pub(super) fn furthest(&self) -> u32 {
        self.furthest
    }

    /// What the operation with [`Claim::AnsweredAnythingBut`] answered in the order that was found.
    pub(super) fn free_answer(&self) -> Option<&M::Output> {
        self.free_answer.as_ref()
    }

    /// Visits configurations until `go_on` says of one that has reached the limit that it is enough.
    fn explore(
        &mut self,
        starts: &[Start<M::State>],
        limit: u32,
        mut go_on: impl FnMut(Configuration) -> bool,
    ) -> Result<(), Exhausted> {
        for start in starts {
            let configuration = self.begin(start);
            let mut reached = self.enter(configuration, limit)?;
            loop {
                if let Some(end) = reached
                    && !go_on(end)
                {
                    return Ok(());
                }
                if self.frames.is_empty() {
                    break;
                }
                reached = match self.next_successor()? {
                    Some(successor) => self.enter(successor, limit)?,
                    None => {
                        let exhausted = self.frames.pop().expect("it is not empty");
                        self.variants.truncate(exhausted.variants_start);
                        None
                    }
                };
            }
        }
        Ok(())
    }

    /// The configuration of a start. What it has taken and this problem leaves out has no part in it.
    fn begin(&mut self, start: &Start<M::State>) -> Configuration {
        let problem = self.problem;
        let state = self.intern(start.state.clone());
        let is_taken = |number| start.taken.contains(&number);
        let mut configuration = Configuration { base: 0, done: 0, state, used: EMPTY_SET };
        for (index, operation) in (0_u32..).zip(&problem.required) {
            if is_taken(operation.number) {
                configuration.take(index, problem);
            }
        }
        for (member, operation) in (0_u32..).zip(&problem.optional) {
            if is_taken(operation.number) {
                configuration.used = self.sets.with(configuration.used, member);
            }
        }
        configuration
    }

    /// Goes to a configuration, unless it was visited before; returns it where it has reached the limit.
    fn enter(
        &mut self,
        mut configuration: Configuration,
        limit: u32,
    ) -> Result<Option<Configuration>, Exhausted> {
        self.take_reads(&mut configuration)?;
        if !self.visit(configuration)? {
            return Ok(None);
        }
        let Configuration { base, done, state, used } = configuration;
        if base >= limit {
            return Ok(Some(configuration));
        }
        let variants_start = self.variants.len();
        self.variants.push(Variant { state, used });
        let [level_start, variant] = [variants_start; 2];
        self.frames.push(Frame { base, done, variants_start, level_start, level: 0, variant, candidate: 0 });
        Ok(None)
    }

    /// Takes all reads that answer what the present state says.
    fn take_reads(&mut self, configuration: &mut Configuration) -> Result<(), Exhausted> {
        let problem = self.problem;
        'again: while configuration.base < problem.len() {
            for &index in problem.open(configuration.base) {
                let operation = &problem.required[index as usize];
                if operation.is_read
                    && configuration.done & slot_bit(operation) == 0
                    && self.step_required(configuration.state, operation)?.is_some()
                {
                    configuration.take(index, problem);
                    continue 'again;
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// Notes a configuration; `false` where it, or one with fewer optional operations used, was noted before.
    fn visit(&mut self, configuration: Configuration) -> Result<bool, Exhausted> {
        let Configuration { base, done, state, used } = configuration;
        let hash = hash_of(&(base, state, done as u64, (done >> 64) as u64));
        let known = self.visited.find(hash, |entry| {
            let known = &self.configurations[entry as usize];
            known.base == base
                && known.done == done
                && known.state == state
                && self.sets.is_subset(known.used, used)
        });
        if known.is_some() {
            return Ok(false);
        }
        self.visited.add(hash);
        self.configurations.push(configuration);
        self.furthest = self.furthest.max(base);
        self.meter.check_memory(self.memory_bytes())?;
        Ok(true)
    }

    /// The next configuration that one required operation leads to from the frame on top.
    fn next_successor(&mut self) -> Result<Option<Configuration>, Exhausted> {
        let problem = self.problem;
        let mut frame = *self.frames.last().expect("the caller looked");
        let open = problem.open(frame.base);
        loop {
            if frame.variant == self.variants.len() && !self.add_optional(&mut frame)? {
                return Ok(None);
            }
            let Variant { state: left, used } = self.variants[frame.variant];
            while let Some(&index) = open.get(frame.candidate) {
                frame.candidate += 1;
                let operation = &problem.required[index as usize];
                // Reads that the configuration itself explains were taken when it was entered.
                let is_refused_read = operation.is_read && frame.variant == frame.variants_start;
                if is_refused_read || frame.done & slot_bit(operation) != 0 {
                    continue;
                }
                if let Some(state) = self.step_required(left, operation)? {
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
    fn add_optional(&mut self, frame: &mut Frame) -> Result<bool, Exhausted> {
        let problem = self.problem;
        if frame.level == self.level_max {
            self.is_curtailed = true;
            return Ok(false);
        }
        frame.level += 1;
        let deadline = problem.required[frame.base as usize].at;
        let level_end = self.variants.len();
        for at in frame.level_start..level_end {
            let Variant { state, used } = self.variants[at];
            let here = Configuration { base: frame.base, done: frame.done, state, used };
            if self.with_view(&here, |needs, view| needs.is_lost(state, view)) {
                continue;
            }
            for (member, optional) in (0_u32..).zip(&problem.optional) {
                if optional.call > deadline {
                    break;
                }
                // What overwrites makes of this what it made of the configuration itself, with less used up.
                if self.sets.contains(used, member) || (optional.overwrites && frame.level > 1) {
                    continue;
                }
                let mut next = self.states.value(state).clone();
                self.model.step(&mut next, optional.input);
                let next = self.intern(next);
                // It would be in the way of nothing and of use to nobody.
                if next == state {
                    continue;
                }
                let used = self.sets.with(used, member);
                let known = &self.variants[frame.variants_start..];
                self.meter.compare(known.len())?;
                if !known.iter().any(|known| known.state == next && self.sets.is_subset(known.used, used)) {
                    self.variants.push(Variant { state: next, used });
                }
            }
            self.meter.check_memory(self.memory_bytes())?;
        }
        frame.level_start = level_end;
        Ok(self.variants.len() > level_end)
    }

    /// Asks the needs about a configuration.
    fn with_view(
        &mut self,
        configuration: &Configuration,
        ask: impl FnOnce(&mut Needs, &View<'_, M>) -> bool,
    ) -> bool {
        let Self { needs, model, problem, states, sets, .. } = self;
        let Configuration { base, used, .. } = *configuration;
        let is_done = &|index| configuration.has_taken(index, problem);
        ask(needs, &View { model, problem, states, sets, base, is_done, used })
    }

    /// The state that an operation leads to, where its answer is right.
    fn step_required(
        &mut self,
        state: u32,
        operation: &Required<'_, M::Input, M::Output>,
    ) -> Result<Option<u32>, Exhausted> {
        self.meter.step()?;
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

    fn memory_bytes(&self) -> u64 {
        self.state_bytes
            + self.states.memory_bytes()
            + self.sets.memory_bytes()
            + self.visited.memory_bytes()
            + size_of_val(&self.configurations[..]) as u64
            + size_of_val(&self.frames[..]) as u64
            + size_of_val(&self.variants[..]) as u64
    }
}
