//! What may leave a node: RequestVote, AppendEntries, and the answers (§5.2, §5.3); Figure 2 "Persistent
//! state: updated on stable storage before responding"; TimeoutNow (thesis §3.10); Forward (thesis §6.2).
//!
//! Every message reveals the sender's term, so that term is durable first.

use squall_raft::{LogIndex, LogPosition, NodeId, RoleKind};

use super::model::{Cause, Model};
use super::rule::Rule;
use crate::observation::{Content, Envelope, Observation};

impl Model {
    pub(super) fn sent(&mut self, message: &Envelope, observation: &Observation) {
        let own = message.from == self.id && message.term == self.current_term;
        self.require(own, Rule::SentOtherTerm, |model| {
            format!("{} in term {} sent {message:?}", model.id, model.current_term)
        });
        let durable_term = self.disk.hard_state.current_term;
        self.require(durable_term >= message.term, Rule::SentUndurableTerm, |model| {
            format!("{} spoke for term {}; {durable_term} is durable", model.id, message.term)
        });
        let to = message.to;
        match message.content {
            Content::PreVote { last_log } => {
                self.check_sender(message, RoleKind::PreCandidate, Rule::PreVoteByOther);
                self.check_last_log(last_log);
            }
            Content::PreVoteResponse { .. } => self.check_pre_vote(message),
            Content::RequestVote { last_log, .. } => {
                self.check_sender(message, RoleKind::Candidate, Rule::RequestVoteByOther);
                self.check_last_log(last_log);
                self.check_durable_vote(self.id);
            }
            Content::RequestVoteResponse { .. } => self.check_grant(message),
            Content::AppendEntries { prev_log, entries, leader_commit } => {
                self.check_sender(message, RoleKind::Leader, Rule::SentOutOfOffice);
                self.check_entries(to, prev_log, observation.span(entries), leader_commit);
            }
            Content::AppendAcknowledged { match_index, as_witness } => {
                self.require(as_witness == self.is_witness(), Rule::AcknowledgedAsOther, |model| {
                    format!("{} acknowledged up to {match_index}", model.id)
                });
                self.check_acknowledgement(to, match_index, observation);
            }
            Content::AppendLacking { first, named } => self.check_lacking(to, first, named, observation),
            Content::RepairRequest { lacking } => {
                self.check_sender(message, RoleKind::Leader, Rule::SentOutOfOffice);
                self.check_repair_request(observation.span(lacking));
            }
            Content::RepairResponse { answers, entries, snapshot } => {
                snapshot.into_iter().for_each(|snapshot| self.check_has_snapshot(snapshot));
                self.check_repair_response(to, observation.answers(answers), observation.span(entries));
            }
            Content::AppendRefused { rejected, hint, .. } => self.check_refusal(to, rejected, hint),
            Content::Heartbeat { round, commit } => {
                self.check_sender(message, RoleKind::Leader, Rule::SentOutOfOffice);
                self.check_heartbeat(to, commit);
                self.began_round(round);
            }
            Content::HeartbeatResponse { round, promise } => {
                self.require(self.heard.has(to), Rule::AnsweredUnasked, |model| {
                    format!("{} answered {to}", model.id)
                });
                self.promised(round, promise);
            }
            Content::Forward => {
                self.require(self.cause == Cause::Proposed(None), Rule::ForwardUnasked, |model| {
                    format!("{} sent it to {to} on {:?}", model.id, model.cause)
                });
                self.require(self.leader == Some(to), Rule::ForwardElsewhere, |model| {
                    format!("{} sent it to {to}; it follows {:?}", model.id, model.leader)
                });
            }
            Content::ForwardRefused => {
                self.require(self.passed_on.has(to), Rule::RefusedUnasked, |model| {
                    format!("{} to {to}", model.id)
                });
            }
            Content::InstallSnapshot { snapshot, without_data } => {
                self.check_sender(message, RoleKind::Leader, Rule::SentOutOfOffice);
                let is_right = without_data == self.witnesses.all.has(to);
                self.require(is_right, Rule::OfferedAsOther, |model| {
                    format!("{} offered {snapshot} to {to}", model.id)
                });
                self.check_has_snapshot(snapshot);
            }
            Content::SnapshotRequest { snapshot } => self.check_snapshot_request(snapshot),
            Content::SnapshotChunk { snapshot, bytes } if bytes > 0 => self.check_has_snapshot(snapshot),
            Content::SnapshotChunk { .. } => {}
            Content::TimeoutNow => {
                self.check_sender(message, RoleKind::Leader, Rule::SentOutOfOffice);
                let (matched, last_log) = (self.match_of(to), self.log.last());
                self.require(matched >= last_log.index, Rule::TimeoutNowToLaggard, |model| {
                    format!("{}, with {last_log}, asked {to}, which matches up to {matched}", model.id)
                });
                let may_lead = self.in_force().voters.has(to) && !self.witnesses.all.has(to);
                self.require(may_lead, Rule::TimeoutNowToOther, |model| {
                    format!("{} asked {to}; {}", model.id, model.in_force())
                });
                self.told_to_campaign();
            }
            Content::ReadIndex { .. } => {
                let follows = self.role == RoleKind::Follower && self.leader == Some(to);
                self.require(follows, Rule::ReadUnasked, |model| {
                    format!("{} asked {to} for a read index; it follows {:?}", model.id, model.leader)
                });
            }
            Content::ReadIndexResponse { boot, up_to, index } => {
                self.check_sender(message, RoleKind::Leader, Rule::SentOutOfOffice);
                self.sent_word((to, boot, up_to), index);
            }
        }
    }

    fn match_of(&self, node: NodeId) -> LogIndex {
        self.match_index.get(&node).copied().unwrap_or_default()
    }

    fn check_sender(&mut self, message: &Envelope, role: RoleKind, rule: Rule) {
        self.require(self.role == role, rule, |model| {
            format!("{}, {:?} of term {}, sent {message:?}", model.id, model.role, model.current_term)
        });
    }

    fn check_last_log(&mut self, last_log: LogPosition) {
        self.require(last_log == self.log.last(), Rule::SentOtherLastLog, |model| {
            format!("{} claims {last_log}; its log ends at {}", model.id, model.log.last())
        });
    }

    fn check_durable_vote(&mut self, candidate: NodeId) {
        let kept = self.disk.hard_state;
        self.require(kept.voted_for == Some(candidate), Rule::SentUndurableVote, |model| {
            format!(
                "{} revealed a vote for {candidate} in term {}; {kept:?} is durable",
                model.id, model.current_term
            )
        });
    }

    fn check_pre_vote(&mut self, response: &Envelope) {
        let Content::PreVoteResponse { granted: true, is_conditional } = response.content else { return };
        let request = self.handling(|content| matches!(content, Content::PreVote { .. }));
        let Some(Envelope { from, content: Content::PreVote { last_log }, .. }) = request else { return };
        let to = response.to;
        self.require(from != to || !self.is_behind(last_log), Rule::PreVoteForStaleLog, |model| {
            format!("{}, with {}, would vote for {to}, with {last_log}", model.id, model.log.last())
        });
        self.check_condition(to, is_conditional, false);
    }

    fn check_grant(&mut self, response: &Envelope) {
        let Content::RequestVoteResponse { granted: true, is_conditional } = response.content else { return };
        let (to, vote) = (response.to, self.voted_for);
        self.require(vote == Some(to), Rule::GrantedWithoutVote, |model| {
            format!("{} granted {to}; its vote in term {} is {vote:?}", model.id, model.current_term)
        });
        self.check_durable_vote(to);
        self.check_condition(to, is_conditional, self.voted_certain);
        let request = self.handling(|content| matches!(content, Content::RequestVote { .. }));
        let Some(Envelope { from, content: Content::RequestVote { last_log, .. }, .. }) = request else {
            return;
        };
        // A vote repeated on a repeated request.
        self.require(from != to || !self.is_behind(last_log), Rule::VoteForStaleLog, |model| {
            format!("{}, with {}, granted {to}, with {last_log}", model.id, model.log.last())
        });
    }

    fn check_entries(
        &mut self,
        to: NodeId,
        prev_log: LogPosition,
        entries: &[LogPosition],
        leader_commit: LogIndex,
    ) {
        self.require(self.log.holds(prev_log), Rule::SentOtherPrevious, |model| {
            format!("{} sent entries after {prev_log}; its log ends at {}", model.id, model.log.last())
        });
        let strange = entries
            .iter()
            .zip(prev_log.index.0 + 1..)
            .find(|(entry, index)| entry.index.0 != *index || !self.log.holds(**entry));
        self.require(strange.is_none(), Rule::SentOtherEntries, |model| {
            format!("{} sent {strange:?} after {prev_log}; its log ends at {}", model.id, model.log.last())
        });
        self.check_sent_whole(entries);
        entries.last().into_iter().for_each(|last| self.check_told(to, last.index));
        self.require(leader_commit <= self.commit_index, Rule::SentCommitBeyond, |model| {
            format!("{} claims {leader_commit} committed, and knows of {}", model.id, model.commit_index)
        });
    }

    fn check_heartbeat(&mut self, to: NodeId, commit: LogIndex) {
        self.require(commit <= self.commit_index, Rule::SentCommitBeyond, |model| {
            format!("{} claims {commit} committed, and knows of {}", model.id, model.commit_index)
        });
        let matched = self.match_of(to);
        self.require(commit <= matched, Rule::HeartbeatBeyondMatch, |model| {
            format!("{} tells {to} that {commit} is committed; it matches up to {matched}", model.id)
        });
    }

    pub(super) fn check_acknowledgement(
        &mut self,
        to: NodeId,
        match_index: LogIndex,
        observation: &Observation,
    ) {
        self.match_offer(observation);
        self.require(self.leader == Some(to), Rule::AnsweredUnasked, |model| {
            format!("{} answered {to}; it follows {:?}", model.id, model.leader)
        });
        self.require(match_index <= self.matched, Rule::AcknowledgedBeyondMatch, |model| {
            format!("{} acknowledged up to {match_index}; it matches up to {}", model.id, model.matched)
        });
        self.require(match_index <= self.durable_index, Rule::AcknowledgedUndurable, |model| {
            format!(
                "{} acknowledged up to {match_index}; it is durable up to {}",
                model.id, model.durable_index
            )
        });
        self.acknowledged = self.acknowledged.max(match_index);
    }

    fn check_refusal(&mut self, to: NodeId, rejected: LogIndex, hint: LogPosition) {
        let Some(term) = self.refusals.get(&(to, rejected)).copied() else {
            return self.require(false, Rule::RefusedMatching, |model| {
                format!("{} refused {rejected} to {to}; its log ends at {}", model.id, model.log.last())
            });
        };
        let prev = LogPosition { term, index: rejected };
        // A refusal that waited for the disk tells of the log as it was.
        let at_once = self.handling(|content| matches!(content, Content::AppendEntries { .. })).is_some();
        let real = hint.index <= prev.index && (!at_once || self.log.holds(hint));
        self.require(real, Rule::RefusedWithOtherHint, |model| {
            format!("{} refused {prev} with {hint}; its log ends at {}", model.id, model.log.last())
        });
    }
}
