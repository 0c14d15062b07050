//! The witness check: does this order explain the history?
//!
//! It is exact when it accepts: the order is a linearization. When it refuses, the order is no linearization,
//! and another one may be. One pass over the order, and a map from keys to states.

use std::collections::BTreeMap;
use std::fmt;

use super::{Model, Operation, Outcome};

/// Why an order does not explain a history. Operations are named by their numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WitnessRefusal {
    /// The order names an operation that the history has not.
    NotInHistory {
        /// Its number.
        operation: u32,
    },
    /// An operation stands in the order twice.
    Repeated {
        /// Its number.
        operation: u32,
    },
    /// An operation returned, and the order has not got it.
    Missing {
        /// Its number.
        operation: u32,
    },
    /// An operation had returned before another was called, and stands behind it.
    RealTime {
        /// The one that stands first.
        first: u32,
        /// The one that stands behind it, and had returned before.
        second: u32,
    },
    /// Replaying the order gives another answer.
    WrongAnswer {
        /// The operation.
        operation: u32,
        /// What it answered.
        actual: String,
        /// What it would have answered in this order.
        expected: String,
    },
}

/// Checks that `order`, a list of operation numbers, explains the history.
///
/// Every operation that returned stands in it exactly once, and those of unknown outcome at most once; none
/// stands behind one that was called after its return; and the model, replayed in this order, gives every answer.
///
/// # Errors
/// The first reason why it does not.
pub fn check_witness<M: Model>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    order: &[u32],
) -> Result<(), WitnessRefusal> {
    let mut is_placed = vec![false; operations.len()];
    let mut states: BTreeMap<M::Key, M::State> = BTreeMap::new();
    // The latest call so far: whoever comes next must not have returned before it.
    let mut latest: Option<(u64, u32)> = None;
    for &number in order {
        let Some(operation) = operations.get(number as usize) else {
            return Err(WitnessRefusal::NotInHistory { operation: number });
        };
        if std::mem::replace(&mut is_placed[number as usize], true) {
            return Err(WitnessRefusal::Repeated { operation: number });
        }
        if latest.is_none_or(|(call, _)| operation.call > call) {
            latest = Some((operation.call, number));
        }
        let key = model.key(&operation.input);
        let expected = match states.get_mut(&key) {
            Some(state) => model.step(state, &operation.input),
            None => {
                let mut state = model.initial(&key);
                let expected = model.step(&mut state, &operation.input);
                states.insert(key, state);
                expected
            }
        };
        let Outcome::Returned { at, output } = &operation.outcome else { continue };
        if let Some((call, first)) = latest
            && *at < call
        {
            return Err(WitnessRefusal::RealTime { first, second: number });
        }
        if !model.accepts(&expected, output) {
            let (actual, expected) = (format!("{output:?}"), format!("{expected:?}"));
            return Err(WitnessRefusal::WrongAnswer { operation: number, actual, expected });
        }
    }
    let missing = |(operation, is_placed): (&Operation<_, _>, &bool)| {
        !is_placed && matches!(operation.outcome, Outcome::Returned { .. })
    };
    match (0_u32..).zip(operations.iter().zip(&is_placed)).find(|(_, pair)| missing(*pair)) {
        Some((operation, _)) => Err(WitnessRefusal::Missing { operation }),
        None => Ok(()),
    }
}

impl fmt::Display for WitnessRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInHistory { operation } => write!(f, "operation {operation} is not in the history"),
            Self::Repeated { operation } => write!(f, "operation {operation} stands in the order twice"),
            Self::Missing { operation } => {
                write!(f, "operation {operation} returned and is not in the order")
            }
            Self::RealTime { first, second } => {
                write!(
                    f,
                    "operation {second} had returned before operation {first} was called, and stands behind it"
                )
            }
            Self::WrongAnswer { operation, actual, expected } => {
                write!(
                    f,
                    "operation {operation} answered {actual}; in this order it would have been {expected}"
                )
            }
        }
    }
}
