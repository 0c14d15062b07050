//! Was the clients' history linearizable? (Herlihy and Wing, TOPLAS '90.)
//!
//! Two checkers, which share no logic: [`check_witness`] replays an order that is claimed to explain the
//! history (a replicated log has one), and [`check`] looks for such an order itself. It knows no protocol and no
//! data type: what operations mean is a [`Model`]. It does not record histories, and trusts its caller's stamps.
//!
//! A violation is told by a smallest set of operations that contradict one another ([`Explanation`]). To leave one out
//! is to forget what it answered and whether it took effect, not that it may have: then every order of the whole history is an
//! order of each part of it, and a part that has none convicts the whole. A [`Budget`] bounds the steps and the memory; when
//! one runs out, that is a verdict of its own, which says which and how far the search had come ([`Exhausted`]).
//!
//! ```
//! use squall_sim::history::{Budget, Model, Operation, Outcome, Verdict, check};
//!
//! /// One counter, which each operation adds to and reads.
//! struct Counter;
//!
//! impl Model for Counter {
//!     type Key = ();
//!     type State = u64;
//!     type Input = u64;
//!     type Output = u64;
//!     fn key(&self, _input: &u64) {}
//!     fn initial(&self, _key: &()) -> u64 {
//!         0
//!     }
//!     fn step(&self, state: &mut u64, input: &u64) -> u64 {
//!         *state += input;
//!         *state
//!     }
//!     fn accepts(&self, expected: &u64, actual: &u64) -> bool {
//!         expected == actual
//!     }
//! }
//!
//! let add = |client, call, input, at, output| Operation {
//!     client,
//!     call,
//!     input,
//!     outcome: Outcome::Returned { at, output },
//! };
//! // Two additions overlap, and the second to be called is the first to take effect.
//! let mut history = vec![add(1, 10, 5, 40, 7), add(2, 20, 2, 30, 2)];
//! assert_eq!(check(&Counter, &history, Budget::default()), Verdict::Linearizable);
//! // A third one, later, has not heard of them.
//! history.push(add(3, 50, 1, 60, 1));
//! let Verdict::Violation(explanation) = check(&Counter, &history, Budget::default()) else { panic!() };
//! assert_eq!((explanation.operation, &explanation.legal[..]), (2, &["8".to_owned()][..]));
//! ```

mod configuration;
mod explanation;
mod needs;
mod problem;
mod refutation;
mod search;
mod table;
#[cfg(test)]
mod tests;
mod verdict;
mod witness;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

pub use explanation::{Explanation, Line};
pub use verdict::{Budget, Cost, Exhausted, Resource, Verdict};
pub use witness::{WitnessRefusal, check_witness};

use configuration::Meter;
use explanation::Explainer;
use refutation::{Decision, KeyHistory};

/// One operation of one client, from its call to its return. Operations are numbered by their place in the
/// history, from 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation<I, O> {
    /// Who called it; for the explanation only.
    pub client: u32,
    /// When it was called. Stamps come from one clock; two operations that touch at equal stamps count as
    /// overlapping, so where time is coarse, the number of the event is the better stamp.
    pub call: u64,
    /// What was asked for.
    pub input: I,
    /// What came of it.
    pub outcome: Outcome<O>,
}

/// What came of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<O> {
    /// It took effect between its call and its return.
    Returned {
        /// When, not before its call.
        at: u64,
        /// What was answered.
        output: O,
    },
    /// It takes effect at any time after its call, or never.
    Unknown,
}

/// What operations mean, one after the other.
///
/// The state is that of one key: operations on different keys do not concern one another, so that each key's
/// history is judged by itself (locality, Herlihy and Wing, section 3.3).
pub trait Model {
    /// What operations are parted by.
    type Key: Ord + Debug;
    /// The state of one key.
    type State: Clone + Eq + Hash + Debug;
    /// What can be asked for.
    type Input: Debug;
    /// What can be answered.
    type Output: Clone + Debug;

    /// The key that an operation is about.
    fn key(&self, input: &Self::Input) -> Self::Key;

    /// A key's state before all operations.
    fn initial(&self, key: &Self::Key) -> Self::State;

    /// Carries out an operation.
    fn step(&self, state: &mut Self::State, input: &Self::Input) -> Self::Output;

    /// Whether an answer is right where `expected` is what the model answers.
    fn accepts(&self, expected: &Self::Output, actual: &Self::Output) -> bool;

    /// Whether the operation leaves *every* state as it is, given that it answered `output` (whatever it
    /// answered, where that is `None`). `false` is always right; `true` makes the search much faster.
    fn is_read(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        let _ = (input, output);
        false
    }

    /// What the operation can do to a state. [`Effect::Any`] is always right; more makes the search faster.
    fn effect(&self, input: &Self::Input) -> Effect<Self::State> {
        let _ = input;
        Effect::Any
    }

    /// Whether an operation with [`Effect::Any`] may lead to this state. `true` is always right.
    fn may_make(&self, input: &Self::Input, state: &Self::State) -> bool {
        let _ = (input, state);
        true
    }

    /// In which states the operation gives this answer. [`Seen::Unclear`] is always right; more makes the search
    /// faster.
    fn seen(&self, input: &Self::Input, output: &Self::Output) -> Seen<Self::State> {
        let _ = (input, output);
        Seen::Unclear
    }

    /// All states, but this one itself, from which the operation leads to this state; for operations with other
    /// effects than [`Effect::Sets`]. `None`, where they cannot be listed, is always right.
    fn states_before(&self, input: &Self::Input, state: &Self::State) -> Option<Vec<Self::State>> {
        let _ = (input, state);
        None
    }

    /// With [`Model::mark`], a short way to say [`Model::may_make`]: an operation with [`Effect::Any`] leads to no
    /// state whose mark is not the one that it leaves. The same number throughout is always right.
    fn leaves(&self, input: &Self::Input) -> u64 {
        let _ = input;
        0
    }

    /// The mark of a state, see [`Model::leaves`].
    fn mark(&self, state: &Self::State) -> u64 {
        let _ = state;
        0
    }

    /// About how many bytes of memory a state takes, for the budget.
    fn state_bytes(&self, state: &Self::State) -> u64 {
        size_of_val(state) as u64
    }
}

/// What an operation can do to a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<S> {
    /// It leads to this state, from whatever state.
    Sets(S),
    /// It leads to this state or changes nothing.
    MaySet(S),
    /// It is not known, or depends on the state.
    Any,
}

/// In which states an operation gives an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen<S> {
    /// In this one only.
    Only(S),
    /// In every one but this.
    AllBut(S),
    /// In every one.
    Every,
    /// It is not known.
    Unclear,
}

/// Histories of up to so many operations are searched, too, where a witness explains them; if that takes too many steps the
/// witness stands alone.
pub const SMALL_HISTORY: u64 = 512;
/// Steps that a second opinion may take.
const SECOND_OPINION_STEPS: u64 = 200_000;

/// Judges a history, with the order in which a log holds its operations as a witness.
///
/// A history that the witness explains is linearizable; where it is short, the search gives a second opinion,
/// lest the witness and its check be wrong together. Where the witness does not explain it, it may be only a bad
/// witness: then the search decides.
///
/// # Panics
/// As [`check`] does.
pub fn judge<M: Model>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    order: &[u32],
    budget: Budget,
) -> Verdict {
    if check_witness(model, operations, order).is_err() {
        return check(model, operations, budget);
    }
    second_opinion(model, operations, budget).map_or(Verdict::Linearizable, Verdict::Violation)
}

/// What the search says against a history that a witness explains, where it is short enough to be searched.
///
/// # Panics
/// As [`check`] does.
pub fn second_opinion<M: Model>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    budget: Budget,
) -> Option<Box<Explanation>> {
    if operations.len() as u64 > SMALL_HISTORY {
        return None;
    }
    let steps_max = budget.steps_max.min(SECOND_OPINION_STEPS);
    match check(model, operations, Budget { steps_max, ..budget }) {
        Verdict::Violation(explanation) => Some(explanation),
        // Where it has no opinion, the witness stands.
        Verdict::Budget(_) | Verdict::Linearizable => None,
    }
}

/// Searches for an order that explains a history: key by key, by the algorithm of Wing and Gong (JPDC '93) with the
/// memory of Lowe (CCPE '17); and for a few operations that have none.
///
/// # Panics
/// Where an operation returns before its call, or there are `u32::MAX` of them.
pub fn check<M: Model>(model: &M, operations: &[Operation<M::Input, M::Output>], budget: Budget) -> Verdict {
    measure(model, operations, budget).0
}

/// Searches as [`check`] does, and tells what that took.
///
/// # Panics
/// As [`check`] does.
pub fn measure<M: Model>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    budget: Budget,
) -> (Verdict, Cost) {
    let mut meter = Meter::new(budget);
    let verdict = search(model, operations, &mut meter);
    (verdict, Cost { steps: meter.steps, memory_bytes_peak: meter.memory_bytes_peak })
}

fn search<M: Model>(model: &M, operations: &[Operation<M::Input, M::Output>], meter: &mut Meter) -> Verdict {
    let mut by_key: BTreeMap<M::Key, Vec<u32>> = BTreeMap::new();
    for (number, operation) in (0_u32..).zip(operations) {
        by_key.entry(model.key(&operation.input)).or_default().push(number);
    }
    let keys = by_key.len() as u32;
    for (keys_done, (key, mut numbers)) in (0_u32..).zip(by_key) {
        numbers.sort_by_key(|&number| operations[number as usize].call);
        let history = KeyHistory::new(model, operations, &key, &numbers);
        let mut furthest = 0;
        match history.decide(history.len(), meter, &mut furthest) {
            Ok(Decision::Explained) => {}
            Ok(Decision::Refuted(kept)) => {
                let explanation = Explainer::new(&history, meter.budget).explain(kept, furthest);
                return Verdict::Violation(Box::new(explanation));
            }
            Err(resource) => {
                return Verdict::Budget(Box::new(Exhausted {
                    resource,
                    keys_done,
                    keys,
                    key: format!("{key:?}"),
                    answers_explained: furthest,
                    answers: history.len(),
                    operation: history.returned.get(furthest as usize).copied(),
                }));
            }
        }
    }
    Verdict::Linearizable
}
