//! Acknowledged is durable (Raft, §5.3, §5.2; Figure 2, "Persistent state: updated on stable storage before
//! responding").
//!
//! Whenever a node promises something (acknowledges entries, counts its own copy towards commit, reveals a
//! term or a vote), its disk, as a power loss would leave it at this moment, must contain what is promised;
//! and a restarted node must have come back with it. Only what is newly promised is looked up.

use squall_raft::{HardState, LogIndex, LogPosition, SnapshotId};

use super::revealed::vote_revealed_by;
use super::shadow::{Link, Shadow};
use crate::Violation;
use crate::observation::Envelope;

const CLASS: &str = "AcknowledgedIsDurable";

/// A node's disk, as a power loss would leave it now.
pub trait DurableView {
    /// Whether the entry of this name would certainly be there.
    fn is_entry_durable(&self, position: LogPosition) -> bool;
    /// Whether the whole snapshot would certainly be there.
    fn is_snapshot_durable(&self, snapshot: SnapshotId) -> bool;
    /// The hard state that would certainly be there, if one would.
    fn durable_hard_state(&self) -> Option<HardState>;
}

/// What one node has promised, and was seen to keep.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged {
    hard_state: HardState,
    /// The log is promised up to here, where it ends with this link.
    index: LogIndex,
    link: Link,
}

impl Acknowledged {
    /// The entries from `from` on are gone: a later leader took back what was asked for.
    pub(super) fn release(&mut self, shadow: &Shadow, from: LogIndex) {
        if self.index >= from {
            self.index = LogIndex(from.0.saturating_sub(1));
            self.link = shadow.link(self.index).unwrap_or_default();
        }
    }

    /// The log begins anew after `index`, where it ends with `link`: a snapshot keeps what was promised up to there.
    pub(super) fn reset(&mut self, index: LogIndex, link: Link) {
        (self.index, self.link) = (index, link);
    }

    /// A snapshot that is durable keeps all that it stands for, up to `index`; what becomes of its file later takes nothing of that back,
    /// no more than of entries that were acknowledged.
    pub(super) fn keep_by_snapshot(&mut self, shadow: &Shadow, index: LogIndex, disk: &impl DurableView) {
        let kept = shadow
            .snapshot
            .filter(|snapshot| snapshot.last.index > self.index && disk.is_snapshot_durable(*snapshot))
            .map_or(LogIndex::ZERO, |snapshot| snapshot.last.index.min(index));
        if kept > self.index {
            (self.index, self.link) = (kept, shadow.link(kept).unwrap_or_default());
        }
    }

    /// `shadow` promises its log up to `index`.
    pub(super) fn check_log(
        &mut self,
        shadow: &Shadow,
        index: LogIndex,
        disk: &impl DurableView,
    ) -> Result<(), Violation> {
        self.keep_by_snapshot(shadow, index, disk);
        while self.index < index {
            let next = self.index.next();
            let Some(position) = shadow.position(next) else {
                let message = format!(
                    "{} acknowledged up to {index}; its log ends at {}",
                    shadow.id,
                    shadow.last_log()
                );
                return Err(Violation { class: CLASS, message });
            };
            if !disk.is_entry_durable(position) {
                let message = format!(
                    "{} acknowledged up to {index}; a power loss now would take {position}",
                    shadow.id
                );
                return Err(Violation { class: CLASS, message });
            }
            self.index = next;
            self.link = shadow.link(next).unwrap_or_default();
        }
        Ok(())
    }

    /// A message left the node, and reveals its term and perhaps its vote.
    pub(super) fn check_sent(
        &mut self,
        message: &Envelope,
        disk: &impl DurableView,
    ) -> Result<(), Violation> {
        let vote = vote_revealed_by(message);
        let covers = |kept: HardState| {
            let same_term = kept.current_term == message.term && (vote.is_none() || kept.voted_for == vote);
            same_term || kept.current_term > message.term
        };
        if covers(self.hard_state) {
            return Ok(());
        }
        let durable = disk.durable_hard_state();
        if let Some(durable) = durable.filter(|durable| covers(*durable)) {
            self.hard_state = durable;
            return Ok(());
        }
        let said = vote.map_or_else(String::new, |vote| format!(" and a vote for {vote}"));
        let message = format!(
            "{} revealed term {}{said}; a power loss now would leave {durable:?}",
            message.from, message.term
        );
        Err(Violation { class: CLASS, message })
    }

    /// The node came back and has shown the whole log that it recovered.
    pub(super) fn check_recovered(&self, shadow: &Shadow) -> Result<(), Violation> {
        let kept = shadow.snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        if self.index <= kept || shadow.link(self.index) == Some(self.link) {
            return Ok(());
        }
        let (id, last_log) = (shadow.id, shadow.last_log());
        let message = format!(
            "{id} came back with a log that ends at {last_log}; it had acknowledged {}@{}",
            self.link.term, self.index
        );
        Err(Violation { class: CLASS, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Membership;
    use squall_raft::{NodeId, Term};

    /// A disk on which a power loss would leave two entries and this hard state.
    struct TwoEntries(HardState);

    impl DurableView for TwoEntries {
        fn is_entry_durable(&self, position: LogPosition) -> bool {
            position.index <= LogIndex(2)
        }

        fn is_snapshot_durable(&self, snapshot: SnapshotId) -> bool {
            snapshot.last.index <= LogIndex(5)
        }

        fn durable_hard_state(&self) -> Option<HardState> {
            Some(self.0)
        }
    }

    fn disk(term: u64, vote: Option<u64>) -> TwoEntries {
        TwoEntries(HardState { current_term: Term(term), voted_for: vote.map(NodeId), longest_promise: 0 })
    }

    fn node_with_entries(terms: &[u64]) -> Shadow {
        let mut shadow = Shadow::new(NodeId(2), Membership::default());
        for (place, term) in terms.iter().enumerate() {
            shadow.append(LogPosition::new(*term, place as u64 + 1), 7).expect("one after the other");
        }
        shadow
    }

    fn grant(to: u64) -> Envelope {
        let content = crate::stage::vote_response(true);
        Envelope { from: NodeId(2), to: NodeId(to), term: Term(3), content }
    }

    #[test]
    fn an_entry_acknowledged_before_its_sync_is_caught() {
        let mut oracle = Acknowledged::default();
        let shadow = node_with_entries(&[1, 1, 1]);
        assert_eq!(oracle.check_log(&shadow, LogIndex(2), &disk(1, None)), Ok(()));
        let violation = oracle.check_log(&shadow, LogIndex(3), &disk(1, None)).expect_err("two are durable");
        assert_eq!(violation.message, "n2 acknowledged up to 3; a power loss now would take 1@3");
    }

    #[test]
    fn a_snapshot_that_is_durable_keeps_what_it_stands_for_and_no_other_does() {
        let mut shadow = node_with_entries(&[1; 6]);
        shadow.keep(snapshot(5));
        let mut oracle = Acknowledged::default();
        assert_eq!(oracle.check_log(&shadow, LogIndex(5), &disk(1, None)), Ok(()));
        assert!(oracle.check_log(&shadow, LogIndex(6), &disk(1, None)).is_err(), "an entry behind it");
        shadow.keep(snapshot(6));
        assert!(oracle.check_log(&shadow, LogIndex(6), &disk(1, None)).is_err(), "this one is not durable");
        assert_eq!(oracle.check_recovered(&shadow), Ok(()));
        shadow = node_with_entries(&[1; 4]);
        shadow.keep(snapshot(4));
        assert!(oracle.check_recovered(&shadow).is_err(), "the fifth entry is gone");
    }

    #[test]
    fn what_a_snapshot_stood_for_while_it_was_whole_stays_promised_when_its_file_is_damaged() {
        let (mut oracle, mut damaged) = (Acknowledged::default(), Acknowledged::default());
        let shadow = |last| {
            let mut shadow = node_with_entries(&[1; 7]);
            shadow.keep(snapshot(last));
            shadow
        };
        oracle.keep_by_snapshot(&shadow(5), LogIndex(5), &disk(1, None));
        damaged.keep_by_snapshot(&shadow(6), LogIndex(6), &disk(1, None));
        let shadow = shadow(6);
        assert_eq!(oracle.check_log(&shadow, LogIndex(5), &disk(1, None)), Ok(()));
        assert!(oracle.check_log(&shadow, LogIndex(6), &disk(1, None)).is_err(), "an entry behind it");
        assert!(damaged.check_log(&shadow, LogIndex(5), &disk(1, None)).is_err(), "it never was whole");
    }

    fn snapshot(index: u64) -> SnapshotId {
        SnapshotId { last: LogPosition::new(1, index), ..SnapshotId::default() }
    }

    #[test]
    fn a_vote_granted_before_its_sync_is_caught() {
        let mut oracle = Acknowledged::default();
        assert!(oracle.check_sent(&grant(1), &disk(2, None)).is_err(), "the term is not durable");
        assert!(oracle.check_sent(&grant(1), &disk(3, None)).is_err(), "the vote is not durable");
        assert!(oracle.check_sent(&grant(1), &disk(3, Some(3))).is_err(), "the vote is another's");
        assert_eq!(oracle.check_sent(&grant(1), &disk(3, Some(1))), Ok(()));
    }

    #[test]
    fn an_acknowledged_entry_that_a_restart_lost_is_caught() {
        let mut oracle = Acknowledged::default();
        assert_eq!(oracle.check_log(&node_with_entries(&[1, 1]), LogIndex(2), &disk(1, None)), Ok(()));
        let violation = oracle.check_recovered(&node_with_entries(&[1])).expect_err("1@2 was acknowledged");
        assert_eq!(violation.message, "n2 came back with a log that ends at 1@1; it had acknowledged 1@2");
        assert!(oracle.check_recovered(&node_with_entries(&[1, 2])).is_err(), "another entry in its place");
        assert_eq!(oracle.check_recovered(&node_with_entries(&[1, 1, 1])), Ok(()));
    }

    #[test]
    fn what_a_later_leader_took_back_is_no_promise_any_more() {
        let mut oracle = Acknowledged::default();
        let mut shadow = node_with_entries(&[1, 1]);
        assert_eq!(oracle.check_log(&shadow, LogIndex(2), &disk(1, None)), Ok(()));
        shadow.truncate(LogIndex(2));
        oracle.release(&shadow, LogIndex(2));
        assert_eq!(oracle.check_recovered(&node_with_entries(&[1, 3])), Ok(()));
    }
}
