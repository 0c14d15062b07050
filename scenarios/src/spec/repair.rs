//! Repair of entries whose data was lost on disk (Alagappan et al., "Protocol-Aware Recovery for Consensus-Based
//! Storage", FAST '18, §3.4).
//!
//! A name is as good as an entry for votes and for matching; for acknowledging, committing, applying and sending it is not.
//! A leader that has lost entries gets them back, or gives up what the answers of this term prove that nobody committed,
//! before it appends anything.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::{Found, LogIndex, LogPosition, NodeId, RoleKind};

use super::disk::{Disk, Log};
use super::model::Model;
use super::rule::Rule;
use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Envelope, Observation};

/// What a node lacks.
#[derive(Clone, Debug, Default)]
pub(super) struct Repairs {
    /// The entries whose data is not durable again.
    lost: BTreeMap<LogIndex, Lost>,
    /// Data that was sent in this term, of entries that are lost.
    brought: BTreeSet<LogIndex>,
    /// As a leader of this term: what the others said.
    answers: BTreeMap<(LogIndex, NodeId), Found>,
    /// And who said last that it lacks data: up to where it has it.
    pub(super) told_of: BTreeMap<NodeId, LogIndex>,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    is_doubtful: bool,
    /// Its data is being written again.
    is_repaired: bool,
}

impl Repairs {
    pub(super) fn lost(&self) -> BTreeSet<LogIndex> {
        self.lost.keys().copied().collect()
    }

    pub(super) fn adopt_term(&mut self) {
        self.brought.clear();
        self.answers.clear();
        self.told_of.clear();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn bring(&mut self, position: LogPosition) {
        if self.lost.contains_key(&position.index) {
            self.brought.insert(position.index);
        }
    }

    pub(super) fn truncate(&mut self, from: LogIndex) {
        self.lost.split_off(&from);
        self.brought.split_off(&from);
    }

    pub(super) fn completed(&mut self, log: &Log, disk: &Disk) {
        self.lost.retain(|index, _| !log.is_durable(*index, disk));
    }

    pub(super) fn is_lost_up_to(&self, index: LogIndex) -> bool {
        self.lost.range(..=index).next().is_some()
    }
}

impl Model {
    pub(super) fn recovered_lost(&mut self, position: LogPosition, is_doubtful: bool) {
        self.log.append_lost(position.term);
        self.repairs.lost.insert(position.index, Lost { is_doubtful, is_repaired: false });
        self.finish_recovery();
    }

    /// Only what was not surely there may be lost; and what was lost stays so, until it was written again.
    pub(super) fn check_recovered_faults(&mut self) {
        let base = self.log.base().index;
        for index in (base.0 + 1..=self.log.last_index().0).map(LogIndex) {
            let Some(term) = self.log.term_at(index) else { continue };
            let position = LogPosition { term, index };
            let is_lost = self.repairs.lost.contains_key(&index);
            let may_be = if is_lost {
                self.disk.may_lose(position) || self.rotted.contains(&position)
            } else {
                self.disk.may_keep(position)
            };
            let rule = if is_lost { Rule::RecoveredFaulty } else { Rule::RecoveredUnmarked };
            self.require(may_be, rule, |model| format!("{} came back with {position}", model.id));
        }
    }

    /// What a snapshot stands for is not missed.
    pub(super) fn forgive_up_to(&mut self, last: LogIndex) {
        let kept = self.repairs.lost.split_off(&last.next());
        for index in std::mem::replace(&mut self.repairs.lost, kept).into_keys() {
            self.log.repair(index, 0);
        }
        self.note_whole();
    }

    /// Up to where this log lacks nothing.
    pub(super) fn whole_up_to(&self) -> LogIndex {
        self.repairs.lost.keys().next().map_or(self.log.last_index(), |lost| LogIndex(lost.0 - 1))
    }

    /// What a message of this term brings for a repair.
    pub(super) fn heard_of_repair(&mut self, message: &Envelope, observation: &Observation) {
        let Content::RepairResponse { answers, entries, snapshot } = message.content else { return };
        self.offered.extend(snapshot);
        if self.role != RoleKind::Leader || message.term != self.current_term {
            return;
        }
        for (position, found) in observation.answers(answers) {
            if self.log.holds(*position) {
                self.repairs.answers.insert((position.index, message.from), *found);
            }
        }
        for entry in observation.span(entries) {
            if self.log.holds(*entry) {
                self.repairs.bring(*entry);
            }
        }
    }

    /// The data of an entry is written again.
    pub(super) fn repaired(&mut self, position: LogPosition, observation: &Observation) {
        self.match_offer(observation);
        let index = position.index;
        let is_right = self.log.holds(position)
            && self.repairs.brought.contains(&index)
            && self.repairs.lost.contains_key(&index);
        self.require(is_right, Rule::RepairedUnasked, |model| {
            format!("{} took the data of {position}; it was sent {:?}", model.id, model.repairs.brought)
        });
        if let Some(lost) = self.repairs.lost.get_mut(&index) {
            lost.is_repaired = true;
            let operation = self.disk.repair(index);
            self.log.repair(index, operation);
        }
    }

    /// A leader appends: its log is whole.
    pub(super) fn check_whole(&mut self, position: LogPosition) {
        self.require(self.repairs.lost.is_empty(), Rule::AppendedLacking, |model| {
            format!("{} appended {position}; it lacks {:?}", model.id, model.repairs.lost())
        });
    }

    /// A leader gives up an entry that it lost, and all behind it.
    pub(super) fn check_discard(&mut self, from: LogIndex) {
        let committed = self.committed_before;
        self.require(from > committed, Rule::TruncatedCommitted, |model| {
            format!("{} removed its entries from {from} on, committed up to {committed}", model.id)
        });
        let lost = self.repairs.lost.get(&from).copied();
        self.require(lost.is_some(), Rule::DiscardedOther, |model| {
            format!("{} removed its entries from {from} on; it lacks {:?}", model.id, model.repairs.lost())
        });
        let is_proven = lost.is_some_and(|lost| self.is_proven_uncommitted(from, lost));
        self.require(is_proven, Rule::DiscardedUnproven, |model| {
            let answers: Vec<_> =
                model.repairs.answers.iter().filter(|((index, _), _)| *index == from).collect();
            format!("{} gave up {from}; it was told {answers:?}; {}", model.id, model.in_force())
        });
        self.first_own = from;
        self.note_members_gone(from);
    }

    /// In each configuration by which it may be committed those that did not deny it are no quorum; or it is doubtful, and
    /// nobody of all voters has it.
    fn is_proven_uncommitted(&self, index: LogIndex, lost: Lost) -> bool {
        let said = |wanted: &[Found]| -> NodeSet {
            let answers = self.repairs.answers.iter();
            let of_it = answers.filter(|((of, _), found)| *of == index && wanted.contains(found));
            of_it.map(|((_, node), _)| *node).collect()
        };
        let before = self.configurations.partition_point(|(entry, _)| *entry < index);
        let reaching = &self.configurations[before.saturating_sub(1)..];
        let begins_unknown = reaching.first().is_some_and(|(first, _)| *first == LogIndex::ZERO);
        let are_known = !(self.configuration_is_unknown && begins_unknown);
        let absent = said(&[Found::Absent]);
        let is_ruled_out = |membership: &Membership| {
            let voters = membership.voting();
            !voters.is_empty() && !membership.has_quorum(voters.without(absent))
        };
        let without = said(&[Found::Absent, Found::Doubtful, Found::Named]).with(self.id);
        let by_quorum = reaching.iter().all(|(_, membership)| is_ruled_out(membership));
        let by_all = lost.is_doubtful
            && reaching.iter().all(|(_, membership)| membership.voting().without(without).is_empty());
        are_known && (by_quorum || by_all)
    }

    pub(super) fn check_sent_whole(&mut self, entries: &[LogPosition]) {
        let lost = entries.iter().find(|entry| self.repairs.lost.contains_key(&entry.index));
        self.require(lost.is_none(), Rule::SentLost, |model| format!("{} sent {lost:?}", model.id));
    }

    pub(super) fn check_lacking(
        &mut self,
        to: NodeId,
        first: LogIndex,
        named: LogIndex,
        observation: &Observation,
    ) {
        self.check_acknowledgement(to, LogIndex(first.0.saturating_sub(1)), observation);
        let expected = self.repairs.lost.iter().find(|(_, lost)| !lost.is_repaired).map(|(index, _)| *index);
        let is_right = expected == Some(first) && first <= named && named <= self.matched;
        self.require(is_right, Rule::LackingOther, |model| {
            format!("{} lacks {first}, of {named}; expected {expected:?}, of {}", model.id, model.matched)
        });
    }

    pub(super) fn check_repair_request(&mut self, lacking: &[LogPosition]) {
        let is_lacking =
            |entry: &LogPosition| self.log.holds(*entry) && self.repairs.lost.contains_key(&entry.index);
        let other = lacking.iter().find(|entry| !is_lacking(entry));
        self.require(other.is_none(), Rule::AskedForOther, |model| {
            format!("{} asked for {other:?}; it lacks {:?}", model.id, model.repairs.lost())
        });
    }

    pub(super) fn check_repair_response(
        &mut self,
        to: NodeId,
        answers: &[(LogPosition, Found)],
        entries: &[LogPosition],
    ) {
        // A snapshot by itself is offered to whoever asked for one that is not here any more.
        let is_asked = self.leader == Some(to) || (answers.is_empty() && entries.is_empty());
        self.require(is_asked, Rule::AnsweredUnasked, |model| {
            format!("{} answered {to}; it follows {:?}", model.id, model.leader)
        });
        // Of a compaction it is shown only when it is written.
        let named = self.newest_snapshot.or(self.lost_snapshot);
        let covered = named.map_or(LogPosition::ZERO, |snapshot| snapshot.last);
        let is_right = |(position, found): &(LogPosition, Found)| {
            let lost = self.repairs.lost.get(&position.index);
            let is_named = self.log.holds(*position);
            match found {
                Found::Absent => !self.log.agrees_with(*position) && !self.may_have_lost(*position),
                Found::Named => is_named && self.is_witness(),
                Found::Lost => is_named && lost.is_some_and(|lost| !lost.is_doubtful),
                Found::Doubtful if is_named => lost.is_some_and(|lost| lost.is_doubtful),
                Found::Doubtful => self.may_have_lost(*position),
                // Which entry stood there, nobody knows any more.
                Found::Compacted => position.index <= covered.index,
            }
        };
        // An answer that waited for the disk tells of the log as it was.
        let at_once = self.handling(|content| matches!(content, Content::RepairRequest { .. })).is_some();
        let wrong = answers.iter().find(|answer| !is_right(answer)).filter(|_| at_once);
        self.require(wrong.is_none(), Rule::AnsweredOther, |model| {
            format!("{} said {wrong:?}; its log ends at {}", model.id, model.log.last())
        });
        let is_whole =
            |entry: &&LogPosition| self.log.holds(**entry) && !self.repairs.lost.contains_key(&entry.index);
        let strange = entries.iter().find(|entry| !is_whole(entry)).filter(|_| at_once);
        self.require(strange.is_none(), Rule::SentOtherEntries, |model| {
            format!("{} sent {strange:?}; its log ends at {}", model.id, model.log.last())
        });
    }
}
