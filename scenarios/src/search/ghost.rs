//! What the search remembers beside the nodes, and holds each step against: the harm itself, and no rule of how to avoid it.
//!
//! It is part of a state: two states that differ in what was committed, or who led, are two. Everything here is about
//! what nodes *show* after an input: whether one leads, its log, and how much of that it takes for committed. Entries are
//! compared by term and payload, so that no property of the protocol is presupposed.

use squall_raft::{Entry, NodeId, Payload, Term};
use squall_sim::Violation;
use xxhash_rust::xxh3::xxh3_64;

/// An entry's term, and a hash of what it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct EntryName {
    term: Term,
    payload: u64,
}

/// What a node shows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sight {
    pub(super) node: NodeId,
    pub(super) term: Term,
    pub(super) leads: bool,
    pub(super) log: Vec<EntryName>,
    pub(super) commit: u64,
}

/// What has been seen so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Ghost {
    /// Who was elected, by term.
    offices: Vec<Office>,
    /// What is committed, in log order, each with the term in which it was.
    committed: Vec<(EntryName, Term)>,
}

/// A term's leader, and its log when it was first seen to lead.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Office {
    term: Term,
    leader: NodeId,
    log: Vec<EntryName>,
}

impl EntryName {
    pub(super) fn of(entry: &Entry) -> Self {
        let payload = match &entry.payload {
            Payload::Noop => 0,
            Payload::Command(data) => xxh3_64(data) | 1,
            Payload::Configuration(configuration) => {
                let mut bytes = Vec::new();
                configuration.encode(&mut bytes);
                xxh3_64(&bytes) & !1 | 2
            }
            Payload::Withheld => 4,
        };
        Self { term: entry.term, payload }
    }
}

impl Ghost {
    /// What is known after a node has shown itself.
    ///
    /// # Errors
    /// Where it contradicts what was seen before.
    pub(super) fn after(&self, sight: &Sight) -> Result<Self, Violation> {
        let mut next = self.clone();
        if sight.leads {
            next.note_leader(sight)?;
        }
        next.note_committed(sight)?;
        Ok(next)
    }

    /// One leader in a term (Figure 3), and every entry that was committed in an earlier term stands in its log (§5.4).
    fn note_leader(&mut self, sight: &Sight) -> Result<(), Violation> {
        let Sight { node, term, log, .. } = sight;
        let place = match self.offices.binary_search_by_key(term, |office| office.term) {
            Ok(known) if self.offices[known].leader == *node => return Ok(()),
            Ok(known) => {
                let other = self.offices[known].leader;
                let message = format!("term {term}: {node} leads, and {other} led");
                return Err(Violation { class: "ElectionSafety", message });
            }
            Err(place) => place,
        };
        for (at, (entry, committed_in)) in self.committed.iter().enumerate() {
            if committed_in < term && log.get(at) != Some(entry) {
                return Err(incomplete(*node, *term, at, entry, *committed_in));
            }
        }
        self.offices.insert(place, Office { term: *term, leader: *node, log: log.clone() });
        Ok(())
    }

    /// All take the same entries for committed; and who was elected in a later term has them.
    fn note_committed(&mut self, sight: &Sight) -> Result<(), Violation> {
        let Sight { node, term, log, commit, .. } = sight;
        let committed = usize::try_from(*commit).ok().and_then(|commit| log.get(..commit));
        let Some(committed) = committed else {
            let message = format!("{node} takes {commit} entries for committed, and has {}", log.len());
            return Err(Violation { class: "StateMachineSafety", message });
        };
        for (at, entry) in committed.iter().enumerate() {
            match self.committed.get(at) {
                Some((known, _)) if known == entry => {}
                Some((known, _)) => {
                    let (index, known, found) = (at + 1, known.term, entry.term);
                    let message = format!(
                        "{node} takes {found}@{index} for committed, where another entry, {known}@{index}, was committed"
                    );
                    return Err(Violation { class: "StateMachineSafety", message });
                }
                None => {
                    let lacks = |office: &&Office| office.term > *term && office.log.get(at) != Some(entry);
                    if let Some(office) = self.offices.iter().find(lacks) {
                        return Err(incomplete(office.leader, office.term, at, entry, *term));
                    }
                    self.committed.push((*entry, *term));
                }
            }
        }
        Ok(())
    }
}

fn incomplete(leader: NodeId, term: Term, at: usize, entry: &EntryName, committed_in: Term) -> Violation {
    let (index, entry) = (at + 1, entry.term);
    let message = format!(
        "{leader} was elected in term {term} without {entry}@{index}, which was committed in term {committed_in}"
    );
    Violation { class: "LeaderCompleteness", message }
}

/// Two logs that hold the same entry are the same up to it (Figure 3).
///
/// # Errors
/// Where they are not.
pub(super) fn check_log_matching(left: &Sight, right: &Sight) -> Result<(), Violation> {
    let pairs = || left.log.iter().zip(&right.log);
    let Some(last_same_term) = pairs().rposition(|(left, right)| left.term == right.term) else {
        return Ok(());
    };
    match pairs().take(last_same_term + 1).position(|(left, right)| left != right) {
        None => Ok(()),
        Some(at) => {
            let (index, same) = (at + 1, last_same_term + 1);
            let message = format!(
                "{} and {} both hold {}@{same}, and differ at {index}",
                left.node, right.node, left.log[last_same_term].term
            );
            Err(Violation { class: "LogMatching", message })
        }
    }
}
