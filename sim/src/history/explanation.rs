//! Says why no order explains a history, with as few operations as it takes.
//!
//! First the shortest beginning of the history, by returns, that cannot be explained: its last operation gave the
//! first impossible answer. Then a conflict in it: a set of operations that contradict one another, from which none can
//! be taken.
//!
//! To take an operation from the set is not to erase it from the history: the others may have seen what it did, and
//! would then contradict one another for a wrong reason. It is *released* (see `refutation.rs`): its answer is
//! forgotten, and it may have taken effect between its call and its return, or never. Every order of the whole history
//! is then an order of each such weaker history, so that each contradiction that is found stands in the whole. The
//! more is released, the more orders there are: therefore one pass, which releases whatever can be released
//! without losing the contradiction, leaves a smallest set. All of it has a budget of its own; where that runs out,
//! the explanation is longer than it might be, and says so, and not wrong.

use std::fmt;

use super::configuration::Meter;
use super::problem::Claim;
use super::refutation::{Decision, KeyHistory, Ordered};
use super::search::{Progress, Search};
use super::{Budget, Model, Operation, Outcome, Resource};

/// Why a history is not linearizable. Operations are named by their numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The key.
    pub key: String,
    /// The last to return of the operations in conflict. Where the explanation is minimal, the first whose answer
    /// cannot be explained.
    pub operation: u32,
    /// What it could have answered instead, in the model's words; three at most.
    pub legal: Vec<String>,
    /// The operations that contradict one another, `operation` among them, in the order of their calls.
    pub conflict: Vec<u32>,
    /// The same in words.
    pub lines: Vec<Line>,
    /// How many others may have taken effect meanwhile, in whatever way: it does not help.
    pub others: u32,
    /// Whether no beginning of the history that ends earlier contradicts itself, and none of the conflict could be
    /// spared. Otherwise the budget ran out before this was sure.
    pub is_minimal: bool,
}

/// One operation in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its number.
    pub operation: u32,
    /// Who called it.
    pub client: u32,
    /// When.
    pub call: u64,
    /// When it returned.
    pub at: u64,
    /// What was asked for.
    pub input: String,
    /// What was answered.
    pub output: String,
}

/// No question takes more than this part of all steps.
const LARGEST_QUESTION: u64 = 16;
/// So many alternatives are told.
const ALTERNATIVES: usize = 3;
/// So many of the conflict's operations are printed.
const LINES: usize = 24;

/// One key's history that has been found not to be linearizable.
#[derive(Debug)]
pub(super) struct Explainer<'a, M: Model> {
    history: &'a KeyHistory<'a, M>,
    meter: Meter,
    question_steps: u64,
    is_minimal: bool,
}

impl<'a, M: Model> Explainer<'a, M> {
    pub(super) fn new(history: &'a KeyHistory<'a, M>, budget: Budget) -> Self {
        let steps_max = budget.explanation_steps_max;
        let meter = Meter::new(Budget { steps_max, ..budget });
        Self { history, meter, question_steps: steps_max / LARGEST_QUESTION, is_minimal: true }
    }

    /// Explains, given that these contradict one another, and that all returns before place `furthest` are explained.
    pub(super) fn explain(mut self, kept: Vec<u32>, furthest: u32) -> Explanation {
        let (end, kept) = self.shortest_prefix(kept, furthest);
        let kept = self.few(end, kept);
        let mut conflict = kept.clone();
        self.release(end, &kept, &mut conflict);
        let operation = *conflict.last().expect("a history without answers has an order");
        let legal = self.legal_answers(end, operation);
        conflict.sort_unstable_by_key(|&number| (self.history.operations[number as usize].call, number));
        let is_other = |number: &&u32| {
            let is_read =
                || self.history.model.is_read(&self.history.operations[**number as usize].input, None);
            !conflict.contains(number) && self.history.claim(**number, end, None).is_some() && !is_read()
        };
        Explanation {
            key: format!("{:?}", self.history.key),
            operation,
            legal: legal.iter().map(|answer| format!("{answer:?}")).collect(),
            lines: conflict.iter().filter_map(|&number| self.line(number)).collect(),
            others: self.history.numbers.iter().filter(is_other).count() as u32,
            conflict,
            is_minimal: self.is_minimal,
        }
    }

    /// How many returns the shortest beginning has that cannot be explained, and what contradicts itself there. The
    /// search was stuck at `furthest`, but perhaps only by what was answered after it.
    fn shortest_prefix(&mut self, mut kept: Vec<u32>, furthest: u32) -> (u32, Vec<u32>) {
        let (mut explained, mut unexplained) = (furthest, self.end_of(&kept));
        let mut stride = 1;
        while explained + 1 < unexplained {
            let end = if stride < unexplained - explained {
                explained + stride
            } else {
                explained.midpoint(unexplained)
            };
            let mut apart = self.meter.limited(self.question_steps * 4);
            let decision = self.history.decide(end, &mut apart, &mut 0);
            self.meter.come_back(&apart);
            match decision {
                Ok(Decision::Explained) => (explained, stride) = (end, stride * 2),
                Ok(Decision::Refuted(fewer)) => (unexplained, kept) = (self.end_of(&fewer), fewer),
                Err(_) => {
                    self.is_minimal = false;
                    break;
                }
            }
        }
        (unexplained, kept)
    }

    /// The place behind the last of these.
    fn end_of(&self, kept: &[u32]) -> u32 {
        kept.iter().filter_map(|&number| self.history.place(number)).max().map_or(0, |last| last + 1)
    }

    /// Looks for a contradiction shortly before the end, where what is known to contradict itself is much.
    fn few(&mut self, end: u32, kept: Vec<u32>) -> Vec<u32> {
        const FEW: usize = 64;
        if kept.len() <= FEW {
            return kept;
        }
        let near = self.history.refute_near(end, end, self.question_steps, &mut self.meter);
        near.ok().flatten().unwrap_or(kept)
    }

    /// Lets go of the candidates together where the contradiction stays without them, and of each half of them
    /// otherwise. What is needed remains in the order of the returns.
    fn release(&mut self, end: u32, candidates: &[u32], needed: &mut Vec<u32>) {
        if candidates.is_empty() {
            return;
        }
        if self.meter.is_exhausted() {
            self.is_minimal = false;
            return;
        }
        let rest: Vec<u32> = needed.iter().copied().filter(|number| !candidates.contains(number)).collect();
        match self.history.order_of(&rest, end, self.question_steps, &mut self.meter) {
            Ok(Ordered::Never) => {
                *needed = rest;
                return;
            }
            Ok(Ordered::Using(_)) => {}
            Ok(Ordered::Unknown) | Err(_) => self.is_minimal &= candidates.len() > 1,
        }
        if candidates.len() > 1 {
            let (earlier, later) = candidates.split_at(candidates.len() / 2);
            self.release(end, earlier, needed);
            self.release(end, later, needed);
        }
    }

    /// Some of what an operation could have answered.
    fn legal_answers(&mut self, end: u32, operation: u32) -> Vec<M::Output> {
        let mut legal = Vec::new();
        while legal.len() < ALTERNATIVES {
            match self.other_answer(end, operation, &legal) {
                Ok(Some(answer)) => legal.push(answer),
                Ok(None) | Err(_) => break,
            }
        }
        legal
    }

    /// What an operation could have answered, but for these answers.
    fn other_answer(
        &mut self,
        end: u32,
        operation: u32,
        known: &[M::Output],
    ) -> Result<Option<M::Output>, Resource> {
        let history = self.history;
        let problem = history.problem(|number| match history.claim(number, end, None) {
            Some(Claim::Answered(_)) if number == operation => Some(Claim::AnsweredAnythingBut(known)),
            claim => claim,
        })?;
        let initial = history.model.initial(history.key);
        let mut search = Search::new(history.model, &problem, initial, &mut self.meter)?;
        Ok(match search.run(self.question_steps, &mut self.meter)? {
            Progress::Found => search.free_answer().cloned(),
            Progress::Refuted | Progress::Paused => None,
        })
    }

    fn line(&self, number: u32) -> Option<Line> {
        let Operation { client, call, input, outcome } = &self.history.operations[number as usize];
        let Outcome::Returned { at, output } = outcome else { return None };
        let (input, output) = (format!("{input:?}"), format!("{output:?}"));
        Some(Line { operation: number, client: *client, call: *call, at: *at, input, output })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.lines.len();
        writeln!(f, "no order explains these {count} operations on key {}:", self.key)?;
        let head = ["operation", "client", "called", "returned", "asked for", "answered"].map(str::to_owned);
        let rows = self.lines.iter().skip(count.saturating_sub(LINES)).map(Line::columns);
        let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for [number, client, call, at, input, output] in &rows {
            let [a, b, c, d, e, _] = widths;
            writeln!(f, "  {number:>a$}  {client:>b$}  {call:>c$}  {at:>d$}  {input:e$}  {output}")?;
        }
        if count > LINES {
            writeln!(f, "(the last {LINES} of them)")?;
        }
        writeln!(
            f,
            "whether or not each of the {} others on this key took effect, between its call and its return",
            self.others
        )?;
        if self.is_minimal {
            write!(
                f,
                "each of them is needed for that, and all that was answered before operation {} can be explained",
                self.operation
            )?;
        } else {
            write!(f, "fewer might do: the budget for explanations ran out")?;
        }
        if !self.legal.is_empty() {
            write!(f, "; it could have answered {}", self.legal.join(" or "))?;
        }
        Ok(())
    }
}

impl Line {
    fn columns(&self) -> [String; 6] {
        let Self { operation, client, call, at, input, output } = self;
        let number = |number: u64| number.to_string();
        [
            number((*operation).into()),
            number((*client).into()),
            number(*call),
            number(*at),
            input.clone(),
            output.clone(),
        ]
    }
}
