//! The names of those who act in a world: processes, the links between them, clients, their operations.

use core::fmt;

/// The most processes that a world can hold: sets of them are the bits of one word.
pub const PROCESSES_MAX: u32 = 64;

/// A simulated process, from 0 up. It keeps its name and its disk across restarts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ProcessId(pub u32);

/// A simulated client, from 0 up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ClientId(pub u32);

/// One operation of a client, however often it is tried.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct OperationId {
    /// Whose operation it is.
    pub client: ClientId,
    /// The client's operations are numbered from 0.
    pub number: u64,
}

/// A directed link between two processes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Link {
    /// The sender.
    pub from: ProcessId,
    /// The receiver.
    pub to: ProcessId,
}

/// A set of processes, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ProcessSet(pub u64);

impl ProcessId {
    /// The process as an index into a table of processes.
    #[must_use]
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

impl ClientId {
    /// The client as an index into a table of clients.
    #[must_use]
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

impl Link {
    /// Both ends in one word: the sender in the upper half.
    #[must_use]
    pub fn word(self) -> u64 {
        u64::from(self.from.0) << 32 | u64::from(self.to.0)
    }
}

impl ProcessSet {
    /// The set without members.
    pub const EMPTY: ProcessSet = ProcessSet(0);

    /// The processes `0..count`.
    ///
    /// # Panics
    /// When `count` is above [`PROCESSES_MAX`].
    #[must_use]
    pub fn first(count: u32) -> ProcessSet {
        assert!(count <= PROCESSES_MAX, "a set holds at most {PROCESSES_MAX} processes, not {count}");
        ProcessSet(1_u64.checked_shl(count).map_or(u64::MAX, |bit| bit - 1))
    }

    /// Whether `process` is a member.
    #[must_use]
    pub fn contains(self, process: ProcessId) -> bool {
        process.0 < PROCESSES_MAX && self.0 >> process.0 & 1 == 1
    }

    /// The set with `process` added. A process that no world can hold is left out.
    #[must_use]
    pub fn with(self, process: ProcessId) -> ProcessSet {
        ProcessSet(self.0 | 1_u64.checked_shl(process.0).unwrap_or(0))
    }

    /// The set with `process` taken out.
    #[must_use]
    pub fn without(self, process: ProcessId) -> ProcessSet {
        ProcessSet(self.0 & !ProcessSet::EMPTY.with(process).0)
    }

    /// How many members it has.
    #[must_use]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in order.
    pub fn iter(self) -> impl Iterator<Item = ProcessId> {
        (0..PROCESSES_MAX).map(ProcessId).filter(move |process| self.contains(*process))
    }
}

impl FromIterator<ProcessId> for ProcessSet {
    fn from_iter<I: IntoIterator<Item = ProcessId>>(processes: I) -> ProcessSet {
        processes.into_iter().fold(ProcessSet::EMPTY, ProcessSet::with)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.client, self.number)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", self.from, self.to)
    }
}
