//! What the search says of a history, and how much it may cost.

use std::fmt;

use super::Explanation;

/// What a history turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is an order that explains it.
    Linearizable,
    /// There is none.
    Violation(Box<Explanation>),
    /// It could not be told within the budget. That is a failure of the test, not a success of the system.
    Budget(Box<Exhausted>),
}

/// What a search may cost, over all keys together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Steps of the model, or what takes about as long; a million take half a second to a second.
    pub steps_max: u64,
    /// Bytes of memory, about.
    pub memory_bytes_max: u64,
    /// Steps to explain a violation with; where the verdict is enough, 0.
    pub explanation_steps_max: u64,
}

/// What a search took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Steps of the model, or what takes about as long, without those of the explanation.
    pub steps: u64,
    /// The most memory that was held at one time, in bytes, about.
    pub memory_bytes_peak: u64,
}

/// Why there is no verdict: what ran out, and how far the search had come by then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exhausted {
    /// What ran out.
    pub resource: Resource,
    /// How many keys' histories were found to be linearizable.
    pub keys_done: u32,
    /// Of how many.
    pub keys: u32,
    /// The key that the search was at.
    pub key: String,
    /// How many of its answers could be explained, in the order of the returns.
    pub answers_explained: u32,
    /// Of how many.
    pub answers: u32,
    /// The operation, by number, that gave the first answer that could not.
    pub operation: Option<u32>,
}

/// What may run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Steps of the model.
    Steps {
        /// The bound.
        max: u64,
    },
    /// Memory.
    Memory {
        /// The bound in bytes.
        max: u64,
    },
    /// More operations that returned were under way at one time, on one key, than the search can hold apart.
    OpenOperations {
        /// The bound.
        max: u64,
    },
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps_max: 20_000_000, memory_bytes_max: 1 << 30, explanation_steps_max: 4_000_000 }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, keys_done, keys, key, answers_explained, answers, operation } = self;
        write!(
            f,
            "no verdict {resource}: {keys_done} of {keys} keys are linearizable, and on key {key} the first \
             {answers_explained} of {answers} answers can be explained"
        )?;
        match operation {
            Some(operation) => write!(f, ", up to operation {operation}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps { max } => write!(f, "within {max} steps"),
            Self::Memory { max } => write!(f, "within {max} bytes of memory"),
            Self::OpenOperations { max } => {
                write!(f, "with more than {max} operations under way at once on one key")
            }
        }
    }
}
