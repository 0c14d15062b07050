//! Faults whose turn came, and that did nothing: a scenario that relies on one tests nothing.

use core::fmt;

/// A fault that did nothing when its turn came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Idle {
    /// The event's number.
    pub event: u32,
    /// Why it did nothing.
    pub why: IdleWhy,
}

/// Why a fault did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdleWhy {
    /// The most prominent process was meant, and none was up.
    NobodyIsUp,
    /// Its process was down.
    IsDown,
    /// There is no link between those that it was to part.
    NoLink,
    /// Nothing on the disk may be struck so: the cluster could not be expected to get over it, or there is nothing.
    IsSpared,
    /// A crash between two operations of a disk, of which there were not so many in that life of its process.
    TooFewOperations,
    /// A crash between two operations of a disk, and another one waited for the same disk after it.
    IsReplaced,
    /// Operations of a disk were to fail, of which there was none in its time.
    NoOperation,
    /// Its second half was to come when the storm was over.
    StormIsOver,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            IdleWhy::NobodyIsUp => "no process was up",
            IdleWhy::IsDown => "its process was down",
            IdleWhy::NoLink => "there is no link that it would cut",
            IdleWhy::IsSpared => "the fault budget spares what it would strike",
            IdleWhy::TooFewOperations => {
                "its disk did not complete so many operations before its process ended, or the storm"
            }
            IdleWhy::IsReplaced => "another crash that waits for the same disk took its place",
            IdleWhy::NoOperation => "no operation of that sort was begun in its time",
            IdleWhy::StormIsOver => "the storm was over before the rest of it came",
        };
        write!(f, "e{} did nothing: {why}", self.event)
    }
}
