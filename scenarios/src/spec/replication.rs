//! The log and the commit index: ClientRequest, HandleAppendEntriesRequest, AdvanceCommitIndex (§5.3, §5.4.2).
//!
//! A follower may carry out an offered AppendEntries wholly, in part (as though a shorter one had come), or not
//! at all; it may do nothing else to its log.

use squall_raft::{LogIndex, LogPosition, NodeId, RoleKind};

use super::model::{Model, Offer};
use super::rule::Rule;
use crate::membership::NodeSet;
use crate::observation::{Observation, Span};

impl Model {
    pub(super) fn check_proposal(&mut self, accepted: Option<LogPosition>) {
        let Some(accepted) = accepted else { return };
        let leads = self.role == RoleKind::Leader && accepted.term == self.current_term;
        self.require(leads, Rule::AcceptedOutOfOffice, |model| {
            format!("{}, {:?} of term {}, accepted {accepted}", model.id, model.role, model.current_term)
        });
    }

    /// An AppendEntries of the leader of this term.
    pub(super) fn receive_offer(
        &mut self,
        from: NodeId,
        prev_log: LogPosition,
        entries: Span,
        leader_commit: LogIndex,
    ) {
        let fits = self.log.agrees_with(prev_log);
        if !fits {
            self.may_refuse(from, prev_log);
        }
        self.offer = Some(Offer { prev_log, entries, leader_commit, fits, held: 0 });
    }

    /// The request may be answered with a refusal, now or once the term is durable, and as often as it comes.
    pub(super) fn may_refuse(&mut self, from: NodeId, prev_log: LogPosition) {
        self.refusals.entry((from, prev_log.index)).or_insert(prev_log.term);
    }

    /// Looks how much of the offer the log has by now, and what the node may conclude from it.
    pub(super) fn match_offer(&mut self, observation: &Observation) -> Option<Offer> {
        let mut offer = self.offer.filter(|offer| offer.fits)?;
        let entries = observation.span(offer.entries);
        while entries.get(offer.held as usize).is_some_and(|entry| self.log.agrees_with(*entry)) {
            offer.held += 1;
        }
        self.offer = Some(offer);
        self.matched = self.matched.max(offer.matched());
        for entry in &entries[..offer.held as usize] {
            self.repairs.bring(*entry);
        }
        // What matched earlier in this term still does, however short this message is.
        self.known_committed = self.known_committed.max(offer.leader_commit.min(self.matched));
        Some(offer)
    }

    pub(super) fn truncated(&mut self, from: LogIndex, observation: &Observation) {
        if self.role == RoleKind::Leader {
            self.check_discard(from);
            return self.truncate(from);
        }
        let conflict = self.match_offer(observation).and_then(|offer| {
            let entry = *observation.span(offer.entries).get(offer.held as usize)?;
            self.log.term_at(entry.index).map(|_| entry)
        });
        // The message may also tell that what takes their place is committed.
        let committed = self.committed_before;
        self.require(from > committed, Rule::TruncatedCommitted, |model| {
            format!("{} removed its entries from {from} on, committed up to {committed}", model.id)
        });
        let justified = conflict.is_some_and(|entry| entry.index == from);
        self.require(justified, Rule::TruncatedWithoutConflict, |model| {
            let conflict =
                conflict.map_or("no entry conflicts".to_owned(), |entry| format!("{entry} conflicts"));
            format!("{} removed its entries from {from} to {}; {conflict}", model.id, model.log.last())
        });
        self.check_not_campaigning();
        self.truncate(from);
    }

    fn truncate(&mut self, from: LogIndex) {
        self.log.truncate(from);
        self.disk.truncate(from);
        self.repairs.truncate(from);
        self.configurations.retain(|(index, _)| *index < from);
        let kept = LogIndex(from.0.saturating_sub(1));
        self.durable_index = self.durable_index.min(kept);
        self.matched = self.matched.min(kept);
    }

    pub(super) fn appended(&mut self, position: LogPosition, observation: &Observation) {
        let follows = position.index.0 == self.log.last_index().0 + 1;
        if self.role == RoleKind::Leader {
            self.check_whole(position);
            self.require(follows && position.term == self.current_term, Rule::LeaderAppendedOther, |model| {
                let (id, term, last) = (model.id, model.current_term, model.log.last());
                format!("{id} leads term {term} and appended {position} after {last}")
            });
        } else {
            self.check_append(position, follows, observation);
        }
        if follows {
            let operation = self.disk.append(position.term);
            self.log.append(position.term, operation);
            self.note_whole();
        }
    }

    fn check_append(&mut self, position: LogPosition, follows: bool, observation: &Observation) {
        let Some(offer) = self.offer else {
            return self.require(false, Rule::AppendedUnasked, |model| {
                format!("{} appended {position} on {:?}", model.id, model.cause)
            });
        };
        self.require(offer.fits, Rule::AppendedWithoutPrevious, |model| {
            let (id, prev, has) = (model.id, offer.prev_log, model.log.term_at(offer.prev_log.index));
            format!("{id} appended {position} of a message that follows {prev}; it has term {has:?} there")
        });
        self.check_not_campaigning();
        let next = self
            .match_offer(observation)
            .and_then(|offer| observation.span(offer.entries).get(offer.held as usize).copied());
        self.require(follows && next == Some(position), Rule::AppendedOther, |model| {
            let next = next.map_or("nothing more was sent".to_owned(), |next| format!("{next} was to come"));
            format!("{} appended {position} after {}; {next}", model.id, model.log.last())
        });
    }

    fn check_not_campaigning(&mut self) {
        self.require(self.role == RoleKind::Follower, Rule::AppendedCampaigning, |model| {
            format!("{} is {:?} of term {}", model.id, model.role, model.current_term)
        });
    }

    /// AdvanceCommitIndex(i), for a leader. What a follower learned is checked when its log is shown.
    pub(super) fn check_commit(&mut self, index: LogIndex) {
        let former = std::mem::replace(&mut self.commit_index, index);
        self.require(index >= former, Rule::CommitFell, |model| {
            format!("{} went from {former} to {index}", model.id)
        });
        if self.role != RoleKind::Leader || index <= self.known_committed {
            return;
        }
        let term = self.log.term_at(index);
        self.require(term == Some(self.current_term), Rule::CommitOldTerm, |model| {
            format!("{} leads term {} and committed {index}, of term {term:?}", model.id, model.current_term)
        });
        let holders = self.told_to_hold(index);
        self.counted = Some((index, holders));
        self.check_counted_witnesses(index, holders);
        self.known_committed = index;
    }

    /// Those that a leader knows to hold an entry durably, perhaps itself among them.
    pub(super) fn told_to_hold(&self, index: LogIndex) -> NodeSet {
        let told = self.match_index.iter().filter(|(node, matched)| **node != self.id && **matched >= index);
        let holders: NodeSet = told.map(|(node, _)| *node).collect();
        if self.durable_index >= index { holders.with(self.id) } else { holders }
    }

    /// Up to where a leader was told that `node` has its log, by its last word.
    pub(super) fn matched_by(&self, node: NodeId) -> LogIndex {
        let matched = self.match_index.get(&node).copied().unwrap_or_default();
        self.repairs.told_of.get(&node).map_or(matched, |before| matched.min(*before))
    }

    /// What the last input led a leader to commit, it may have counted before or after it entered another configuration.
    pub(super) fn check_counted(&mut self) {
        let Some((index, holders)) = self.counted.take() else { return };
        self.require(self.had_quorum(holders), Rule::CommitWithoutQuorum, |model| {
            let (id, durable, matches) = (model.id, model.durable_index, &model.match_index);
            let in_force = model.in_force();
            format!(
                "{id} committed {index}; it is durable up to {durable} and was told {matches:?}; {in_force}"
            )
        });
    }

    /// What a node that does not lead takes as committed is within min(leader's commit, last entry that matches).
    pub(super) fn check_learned_commit(&mut self, observation: &Observation) {
        self.match_offer(observation);
        if self.role == RoleKind::Leader {
            return;
        }
        self.require(self.commit_index <= self.known_committed, Rule::CommitBeyondMatched, |model| {
            let (id, commit, known) = (model.id, model.commit_index, model.known_committed);
            format!("{id} took {commit} as committed; it may know of {known}")
        });
    }
}

impl Offer {
    /// The last index at which the log is known to be the leader's.
    fn matched(&self) -> LogIndex {
        LogIndex(self.prev_log.index.0.saturating_add(u64::from(self.held)))
    }
}
