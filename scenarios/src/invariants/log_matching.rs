//! Log Matching (Raft, Figure 3, §5.3): two logs that hold an entry with the same index and term are identical
//! up to it.
//!
//! Checked globally and for ever: the first log that shows an entry (index, term) fixes the hash of the whole
//! prefix that ends with it, payloads included; every later append, and every recovered log, is compared. An entry whose
//! payload was withheld stands for the one of its name that was seen before.

use squall_raft::{LogPosition, NodeId, Term};

use super::shadow::Link;
use crate::Violation;

/// Every entry that any log ever showed.
#[derive(Clone, Debug, Default)]
pub(super) struct LogMatching {
    /// By index, from 1; few indices ever see more than one term.
    seen: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    first: Sighting,
    others: Vec<Sighting>,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    link: Link,
    payload_hash: u64,
    node: NodeId,
}

impl LogMatching {
    /// What the entry of this name says, where any log ever showed it.
    pub(super) fn payload_of(&self, position: LogPosition) -> Option<u64> {
        let place = usize::try_from(position.index.0.checked_sub(1)?).ok()?;
        self.seen.get(place)?.of_term(position.term).map(|sighting| sighting.payload_hash)
    }

    /// `node` appended (or recovered) the entry at `position`, without a gap.
    pub(super) fn check_entry(
        &mut self,
        node: NodeId,
        position: LogPosition,
        link: Link,
        payload_hash: u64,
    ) -> Result<(), Violation> {
        let sighting = Sighting { link, payload_hash, node };
        let place =
            usize::try_from(position.index.0 - 1).expect("a log that is held in memory has fewer entries");
        assert!(place <= self.seen.len(), "entry {position} was seen before the one under it");
        if place == self.seen.len() {
            self.seen.push(Seen { first: sighting, others: Vec::new() });
            return Ok(());
        }
        let seen = &mut self.seen[place];
        match seen.of_term(position.term) {
            None => {
                seen.others.push(sighting);
                Ok(())
            }
            Some(known) if known.link.prefix_hash == link.prefix_hash => Ok(()),
            Some(known) => {
                let message =
                    format!("{node} and {} both hold {position}, but not the same log up to it", known.node);
                Err(Violation { class: "LogMatching", message })
            }
        }
    }
}

impl Seen {
    fn of_term(&self, term: Term) -> Option<Sighting> {
        if self.first.link.term == term {
            return Some(self.first);
        }
        self.others.iter().find(|sighting| sighting.link.term == term).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N1: NodeId = NodeId(1);
    const N2: NodeId = NodeId(2);

    /// Shows a log of (term, payload) entries to the oracle.
    fn show(oracle: &mut LogMatching, node: NodeId, log: &[(u64, u64)]) -> Result<(), Violation> {
        let mut link = Link::default();
        for (place, (term, payload)) in log.iter().enumerate() {
            link = link.then(Term(*term), *payload);
            oracle.check_entry(node, LogPosition::new(*term, place as u64 + 1), link, *payload)?;
        }
        Ok(())
    }

    #[test]
    fn the_same_entry_after_another_past_is_caught() {
        let mut oracle = LogMatching::default();
        assert_eq!(show(&mut oracle, N1, &[(1, 10), (3, 30)]), Ok(()));
        let violation = show(&mut oracle, N2, &[(2, 20), (3, 30)]).expect_err("3@2 follows 1@1, not 2@1");
        assert_eq!(violation.message, "n2 and n1 both hold 3@2, but not the same log up to it");
    }

    #[test]
    fn the_same_entry_with_another_payload_is_caught() {
        let mut oracle = LogMatching::default();
        assert_eq!(show(&mut oracle, N1, &[(1, 10)]), Ok(()));
        assert!(show(&mut oracle, N2, &[(1, 11)]).is_err());
    }

    #[test]
    fn logs_may_part_where_terms_differ() {
        let mut oracle = LogMatching::default();
        assert_eq!(show(&mut oracle, N1, &[(1, 10), (1, 11), (3, 30)]), Ok(()));
        assert_eq!(show(&mut oracle, N2, &[(1, 10), (2, 20), (2, 21)]), Ok(()));
        assert_eq!(show(&mut oracle, N2, &[(1, 10), (1, 11)]), Ok(()));
    }
}
