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
    Budget(Exhausted),
}

/// What a search may cost, over all keys together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Steps of the model; a million take about a quarter of a second.
    pub steps_max: u64,
    /// Bytes of memory, about.
    pub memory_bytes_max: u64,
    /// Steps of the model to explain a violation with; where the verdict is enough, 0.
    pub explanation_steps_max: u64,
}

/// What ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exhausted {
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
        match self {
            Self::Steps { max } => write!(f, "no verdict within {max} steps"),
            Self::Memory { max } => write!(f, "no verdict within {max} bytes of memory"),
            Self::OpenOperations { max } => {
                write!(f, "more than {max} operations under way at once on one key")
            }
        }
    }
}
