//! Says in words why no order explains a history, with as few operations as it takes.
//!
//! First the shortest beginning of the history, by returns, that cannot be explained: its last operation gave the
//! first impossible answer. All that the history can have come to shortly before takes the place of what lies
//! before. Then every other operation is let go where the contradiction stays: a read is left out, any other may then have
//! taken effect at any time after its call, or never. What remains contradicts itself whatever the others did.
//! Last, what the answer could have been. All of it has a budget of its own; where that runs out, the explanation
//! is longer, not wrong.

use std::cell::Cell;
use std::fmt;

use super::configuration::{Meter, Start};
use super::problem::{Claim, Part, Problem};
use super::search::Search;
use super::{Budget, Exhausted, Model, Operation, Outcome};

/// Why a history is not linearizable. Operations are named by their numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The key.
    pub key: String,
    /// The operation whose answer was the first that cannot be explained (or a later one, where the budget for
    /// explanations did not suffice to find the first).
    pub operation: u32,
    /// That operation in words.
    pub answer: String,
    /// What it could have answered instead, in the model's words; three at most.
    pub legal: Vec<String>,
    /// The states that were possible before the conflict began, three at most.
    pub states: Vec<String>,
    /// The operations that contradict one another, `operation` among them, in the order of their calls.
    pub conflict: Vec<u32>,
    /// The last of them in words.
    pub lines: Vec<String>,
    /// How many others may have taken effect meanwhile, in whatever way: it does not help.
    pub others: u32,
}

/// No question takes more than this part of all steps.
const LARGEST_QUESTION: u64 = 4;
/// So many operations before the impossible answer are looked at one by one, at least.
const CONTEXT: u32 = 32;
/// So many alternatives are told.
const ALTERNATIVES: usize = 3;
/// So many of the conflict's operations are told in words.
const LINES: usize = 16;

/// One key's history that has been found not to be linearizable.
#[derive(Debug)]
pub(super) struct Explainer<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Input, M::Output>],
    key: &'a M::Key,
    problem: &'a Problem<'a, M>,
    /// All operations of the key, in the order of their calls.
    numbers: &'a [u32],
    /// The number of each required operation with its place in `problem`, sorted.
    places: Vec<(u32, u32)>,
    budget: Budget,
    /// Steps of the model so far.
    steps: Cell<u64>,
}

/// A stretch of a key's history: the required operations `first..end`, by return, from one of `starts`.
#[derive(Debug)]
struct Stretch<S> {
    first: u32,
    end: u32,
    starts: Vec<Start<S>>,
}

impl<'a, M: Model> Explainer<'a, M> {
    pub(super) fn new(
        model: &'a M,
        operations: &'a [Operation<M::Input, M::Output>],
        key: &'a M::Key,
        problem: &'a Problem<'a, M>,
        numbers: &'a [u32],
        budget: Budget,
    ) -> Self {
        let mut places: Vec<(u32, u32)> =
            problem.required.iter().map(|operation| operation.number).zip(0_u32..).collect();
        places.sort_unstable();
        Self { model, operations, key, problem, numbers, places, budget, steps: Cell::new(0) }
    }

    /// Explains, given that the search could explain all returns before the required operation `furthest`.
    pub(super) fn explain(&self, furthest: u32) -> Explanation {
        let stretch = self.cut(self.shortest_prefix(furthest));
        let last = self.problem.required[stretch.end as usize - 1].number;
        let legal = self.legal_answers(&stretch, last);
        let (conflict, others) = self.smallest_conflict(&stretch, last);
        let mut states: Vec<String> =
            stretch.starts.iter().map(|start| format!("{:?}", start.state)).collect();
        states.sort_unstable();
        states.dedup();
        states.truncate(ALTERNATIVES);
        let told = &conflict[conflict.len().saturating_sub(LINES)..];
        let lines = told.iter().map(|&number| self.describe(number)).collect();
        let answer = self.describe(last);
        Explanation {
            key: format!("{:?}", self.key),
            operation: last,
            answer,
            legal,
            states,
            conflict,
            lines,
            others,
        }
    }

    /// How many returns the shortest beginning has that cannot be explained. The search was stuck at `furthest`,
    /// but perhaps only by what was answered after it.
    fn shortest_prefix(&self, furthest: u32) -> u32 {
        let (mut explained, mut unexplained) = (furthest, self.problem.len());
        let mut stride = 1;
        while explained + 1 < unexplained {
            let end = if stride < unexplained - explained {
                explained + stride
            } else {
                explained.midpoint(unexplained)
            };
            let prefix = Stretch { first: 0, end, starts: vec![self.start()] };
            match self.is_explained(&prefix, &[]) {
                Ok(true) => (explained, stride) = (end, stride * 2),
                Ok(false) => unexplained = end,
                Err(_) => break,
            }
        }
        unexplained
    }

    /// Puts all that the history can have come to shortly before in the place of what lies before.
    fn cut(&self, end: u32) -> Stretch<M::State> {
        let whole = Stretch { first: 0, end, starts: vec![self.start()] };
        let Some(first) = end.checked_sub(CONTEXT) else { return whole };
        match self.ask(|number| self.claim(number, &whole), |search| search.frontier(&whole.starts, first)) {
            Ok(starts) => Stretch { first, end, starts },
            Err(_) => whole,
        }
    }

    /// Some of what the last operation could have answered.
    fn legal_answers(&self, stretch: &Stretch<M::State>, last: u32) -> Vec<String> {
        let mut legal: Vec<M::Output> = Vec::new();
        while legal.len() < ALTERNATIVES {
            let claim = |number| match self.claim(number, stretch) {
                Some(Claim::Answered(_)) if number == last => Some(Claim::AnsweredAnythingBut(&legal[..])),
                claim => claim,
            };
            let found = self.ask(claim, |search| {
                Ok(if search.finds_an_order(&stretch.starts)? { search.free_answer().cloned() } else { None })
            });
            match found {
                Ok(Some(answer)) => legal.push(answer),
                Ok(None) | Err(_) => break,
            }
        }
        legal.iter().map(|answer| format!("{answer:?}")).collect()
    }

    /// Lets go of every operation but the last that is not needed for the contradiction. Returns those that are,
    /// and how many others may have taken effect.
    fn smallest_conflict(&self, stretch: &Stretch<M::State>, last: u32) -> (Vec<u32>, u32) {
        let required = &self.problem.required[stretch.first as usize..stretch.end as usize];
        let candidates: Vec<u32> =
            required.iter().map(|operation| operation.number).filter(|&number| number != last).collect();
        let mut released = vec![false; self.operations.len()];
        self.release(stretch, &candidates, &mut released);
        let mut conflict = Vec::new();
        let mut others = 0;
        for &number in self.numbers {
            match self.claim(number, stretch) {
                Some(Claim::Answered(_)) if !released[number as usize] => conflict.push(number),
                Some(_) => {
                    others += u32::from(!self.model.is_read(&self.operations[number as usize].input, None));
                }
                None => {}
            }
        }
        (conflict, others)
    }

    /// Lets go of the candidates together where that is possible, and of each half of them otherwise.
    fn release(&self, stretch: &Stretch<M::State>, candidates: &[u32], released: &mut [bool]) {
        if candidates.is_empty() || self.steps_left() == 0 {
            return;
        }
        candidates.iter().for_each(|&number| released[number as usize] = true);
        if matches!(self.is_explained(stretch, released), Ok(false)) {
            return;
        }
        candidates.iter().for_each(|&number| released[number as usize] = false);
        if candidates.len() > 1 {
            let (earlier, later) = candidates.split_at(candidates.len() / 2);
            self.release(stretch, earlier, released);
            self.release(stretch, later, released);
        }
    }

    /// Whether an order explains a stretch when some of its operations, by number, need not have happened.
    fn is_explained(&self, stretch: &Stretch<M::State>, released: &[bool]) -> Result<bool, Exhausted> {
        let claim = |number: u32| match self.claim(number, stretch) {
            Some(_) if released.get(number as usize) == Some(&true) => Some(Claim::MayHaveHappened),
            claim => claim,
        };
        self.ask(claim, |search| search.finds_an_order(&stretch.starts))
    }

    /// What a stretch claims of an operation: none of what is called after it or is part of its starts; and what
    /// returns after it may have happened.
    fn claim(&self, number: u32, stretch: &Stretch<M::State>) -> Option<Claim<'a, M::Output>> {
        let operation = &self.operations[number as usize];
        let place = self.places.binary_search_by_key(&number, |&(number, _)| number);
        if let (Ok(place), Outcome::Returned { output, .. }) = (place, &operation.outcome) {
            let (_, place) = self.places[place];
            if place < stretch.first {
                return None;
            }
            if place < stretch.end {
                return Some(Claim::Answered(output));
            }
        }
        let end = self.problem.required[..stretch.end as usize].last()?;
        (operation.call <= end.at).then_some(Claim::MayHaveHappened)
    }

    /// Asks a question about the operations of which something is claimed.
    fn ask<'b, R>(
        &self,
        claim: impl Fn(u32) -> Option<Claim<'b, M::Output>>,
        question: impl FnOnce(&mut Search<'_, M>) -> Result<R, Exhausted>,
    ) -> Result<R, Exhausted>
    where
        'a: 'b,
    {
        let parts = self.numbers.iter().filter_map(|&number| Some(Part { number, claim: claim(number)? }));
        let problem = Problem::new(self.model, self.operations, parts)?;
        let steps_max = (self.budget.explanation_steps_max / LARGEST_QUESTION).min(self.steps_left());
        let mut meter = Meter::new(Budget { steps_max, ..self.budget });
        let answer = question(&mut Search::new(self.model, &problem, &mut meter));
        self.steps.set(self.steps.get() + meter.steps);
        answer
    }

    fn steps_left(&self) -> u64 {
        self.budget.explanation_steps_max.saturating_sub(self.steps.get())
    }

    fn start(&self) -> Start<M::State> {
        Start::initial(self.model.initial(self.key))
    }

    fn describe(&self, number: u32) -> String {
        let Operation { client, call, input, outcome } = &self.operations[number as usize];
        match outcome {
            Outcome::Returned { at, output } => {
                format!(
                    "operation {number} of client {client}, {call} to {at}: {input:?} answered {output:?}"
                )
            }
            Outcome::Unknown => {
                format!("operation {number} of client {client}, from {call}: {input:?}, outcome unknown")
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "no order of the operations on key {} explains what was answered up to {}",
            self.key, self.answer
        )?;
        if !self.legal.is_empty() {
            writeln!(f, "it could have answered {}", self.legal.join(" or "))?;
        }
        writeln!(f, "before all this the state was {}", self.states.join(" or "))?;
        let omitted = self.conflict.len() - self.lines.len();
        writeln!(
            f,
            "in conflict{}:",
            if omitted > 0 { format!(" (and {omitted} earlier ones)") } else { String::new() }
        )?;
        for line in &self.lines {
            writeln!(f, "  {line}")?;
        }
        write!(f, "whatever {} other operations did at any time after their calls, or never did", self.others)
    }
}
