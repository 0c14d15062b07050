//! The numbers of the Raft paper, each with a type of its own (Figure 2, "State").
//!
//! Arithmetic on terms and indices is checked: a hostile message cannot wrap one around.

use core::fmt;

/// Names one replica, for as long as a cluster lives. Prints as `n1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// A term of office (§5.1). Prints as its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

/// A place in the log; the first entry stands at 1, and 0 is before it. Prints as its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogIndex(pub u64);

/// An entry's name: the term that created it and the place where it stands (§5.3). Prints as `3@17`.
///
/// Ordered as §5.4.1 compares logs: by term first, then by index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogPosition {
    /// The term in which a leader created the entry.
    pub term: Term,
    /// Where the entry stands in the log.
    pub index: LogIndex,
}

/// Names one member's stay in the cluster: the index of the entry that added it, or 0 for those of the beginning.
///
/// A follower echoes it, so that a reply from before the member was removed and added again cannot
/// count for the member that came back. Within a term, where replies count, no two stays share a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Session(pub u64);

/// Numbers a leader's heartbeat rounds within its term; followers echo it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Round(pub u64);

/// Numbers one life's reads, in the order in which they were asked for, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ReadId(pub u64);

/// Names one write: the life of the node that asked for it, and its place among that life's writes.
///
/// A completion counts only for the life that asked, and only for what has not been overwritten since.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WriteToken {
    /// Which start of this node asked (the storage counts them).
    pub boot: u64,
    /// The write's place in the order of this life's writes, from 1.
    pub sequence: u64,
}

/// What a node must never forget (Figure 2, "Persistent state"): one record, written whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct HardState {
    /// Latest term the node has seen.
    pub current_term: Term,
    /// Candidate that received this node's vote in `current_term`.
    pub voted_for: Option<NodeId>,
    /// The longest promise that this node may have given a leader not to vote for another, in ticks: the leader's
    /// lease rests on it, and a restart must not shorten it (thesis §6.4.1).
    pub longest_promise: u64,
}

/// Names a snapshot: the last entry that it stands for, and what its bytes are. Two replicas whose snapshots bear the
/// same name have the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SnapshotId {
    /// The last entry that it stands for.
    pub last: LogPosition,
    /// How many bytes it has.
    pub bytes: u64,
    /// XXH3 over all of them, 64 bits, with seed 0. The core compares it and computes none: a store may use another function, the
    /// same on all members.
    pub checksum: u64,
}

impl Term {
    /// The term before any election.
    pub const ZERO: Self = Self(0);

    /// The next term, or `None` at the end of the numbers.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl Round {
    pub(crate) const MAX: Self = Self(u64::MAX);

    /// The next round.
    ///
    /// # Panics
    /// At the end of the numbers, which no term reaches: they are the leader's own.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("rounds of one term never run out"))
    }
}

impl LogIndex {
    /// The place before the first entry.
    pub const ZERO: Self = Self(0);

    /// The next place.
    ///
    /// # Panics
    /// At the end of the numbers, which no log reaches: an index from outside is checked before it is
    /// believed.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("a log index never reaches the end of u64"))
    }

    /// The place before.
    ///
    /// # Panics
    /// At 0, which has none before it.
    #[must_use]
    pub fn prev(self) -> Self {
        Self(self.0.checked_sub(1).expect("index 0 has no place before it"))
    }

    /// The place `count` further, or `None` past the end of the numbers.
    #[must_use]
    pub fn checked_add(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).map(Self)
    }
}

impl LogPosition {
    /// Before the first entry of any log.
    pub const ZERO: Self = Self { term: Term::ZERO, index: LogIndex::ZERO };

    /// The entry of `term` at `index`.
    #[must_use]
    pub const fn new(term: u64, index: u64) -> Self {
        Self { term: Term(term), index: LogIndex(index) }
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {}", self.last)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.term, self.index)
    }
}

impl fmt::Debug for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
