//! What every message goes through first: who may speak, and what its term means (§5.1, thesis §4.2.3).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::configuration::{Configuration, Configurations};
use crate::durability::Ledger;
use crate::faults::Faults;
use crate::fitness::DiskReads;
use crate::log::Log;
use crate::random::Random;
use crate::read::Reads;
use crate::role::{Follower, Role};
use crate::snapshot::Snapshots;
use crate::transfer::GIVE_WAY_TIMEOUTS;
use crate::{
    Body, Config, ConfigError, HeartbeatResponse, Ignored, LogIndex, Message, NodeId, Payload,
    PreVoteResponse, ProposeError, Raft, Recovered, RequestVoteResponse, Round, Term,
};

impl Raft {
    pub(crate) fn start(config: Config, recovered: &Recovered) -> Result<Self, ConfigError> {
        config.validate()?;
        let Some(log) = Log::recover(recovered) else {
            return Err(ConfigError {
                field: "recovered.last_index",
                value: recovered.last_index.0,
                expected: "the end of a log whose terms rise and whose tail is contiguous",
            });
        };
        if recovered.is_withheld && !config.is_witness() {
            return Err(ConfigError {
                field: "witnesses",
                value: config.id.0,
                expected: "this replica among them: its disk holds entries without their data",
            });
        }
        if config.is_witness() && !recovered.faulty.is_empty() {
            return Err(ConfigError {
                field: "recovered.faulty",
                value: recovered.faulty.len() as u64,
                expected: "none: a witness has no data that it could lack",
            });
        }
        let snapshot = recovered.lost_snapshot.or(recovered.snapshot);
        let snapshot_term = snapshot.map_or(Term::ZERO, |snapshot| snapshot.last.term);
        if log.last().term.max(snapshot_term) > recovered.hard_state.current_term {
            return Err(ConfigError {
                field: "recovered.hard_state.current_term",
                value: recovered.hard_state.current_term.0,
                expected: "no less than the term of the last entry, and of a snapshot's",
            });
        }
        if recovered.uncertain > recovered.hard_state.current_term {
            return Err(ConfigError {
                field: "recovered.uncertain",
                value: recovered.uncertain.0,
                expected: "no more than the term of the hard state: it was durable before any entry",
            });
        }
        let Some(configurations) = recover_configurations(&config, recovered) else {
            return Err(ConfigError {
                field: "recovered.configurations",
                value: recovered.configurations.len() as u64,
                expected: "those of the log's entries, in order",
            });
        };
        let Some(faults) = Faults::recover(recovered) else {
            return Err(ConfigError {
                field: "recovered.faulty",
                value: recovered.faulty.len() as u64,
                expected: "entries of the log before its tail, in order",
            });
        };
        let mut raft = Self {
            random: Random::new(config.seed, config.id, recovered.boot),
            now: 0,
            hard_state: recovered.hard_state,
            ledger: Ledger::new(recovered.boot, log.last_index()),
            log,
            uncertain: recovered.uncertain,
            faults,
            configurations,
            commit_index: LogIndex::ZERO,
            last_applied: LogIndex::ZERO,
            machine_owes_since: None,
            applying: LogIndex::ZERO,
            fetched_for_apply: Vec::new(),
            fetching_for_apply: None,
            reads: Reads::default(),
            role: Role::Follower(Follower::default()),
            promised_until: recovered.hard_state.longest_promise,
            election_at: 0,
            election_timeout: 0,
            retires: false,
            give_way_timeouts: GIVE_WAY_TIMEOUTS,
            outbox: VecDeque::new(),
            held: Vec::new(),
            fetches: VecDeque::new(),
            disk_reads: DiskReads::new(),
            fetching_for_repair: false,
            fetches_pause: false,
            snapshots: Snapshots::new(recovered.receiving),
            repairs_failed: 0,
            is_at_rest: false,
            config,
        };
        raft.recover_snapshot(recovered)?;
        raft.note_sound();
        raft.draw_election_timeout();
        Ok(raft)
    }

    pub(crate) fn handle_message(&mut self, message: Message) -> Result<(), Ignored> {
        let Message { from, to, term, body } = message;
        if to != self.config.id {
            return Err(Ignored::NotForMe);
        }
        // A stranger may be a leader or a candidate of a configuration that this log does not hold yet (thesis §4.1).
        if from == self.config.id {
            return Err(Ignored::UnknownSender);
        }
        if term < self.current_term() {
            // A granted pre-vote comes from a lower term by right: the asker is the one ahead.
            if let Body::PreVoteResponse(response) = body {
                return self.handle_pre_vote_response(from, response);
            }
            // A refusal is as good in a later term: what was refused is in no log.
            if let Body::ForwardResponse(_) = body {
                return Ok(());
            }
            return self.answer_stale_term(from, &body);
        }
        if term > self.current_term() {
            match &body {
                Body::PreVote(_) => {}
                Body::RequestVote(request)
                    if !request.leadership_transfer && (self.leader_is_heard() || self.is_promised()) =>
                {
                    return Err(Ignored::LeaderIsHeard);
                }
                // Whoever is asked for parts need be no member: the leader's word weighs more than its term.
                Body::SnapshotChunk(_) if self.leader_is_heard() || self.is_promised() => {
                    return Err(Ignored::LeaderIsHeard);
                }
                Body::RequestVote(_)
                | Body::Forward(_)
                | Body::ForwardResponse(_)
                | Body::RequestVoteResponse(_)
                | Body::PreVoteResponse(_)
                | Body::AppendEntries(_)
                | Body::AppendEntriesResponse(_)
                | Body::Heartbeat(_)
                | Body::HeartbeatResponse(_)
                | Body::TimeoutNow
                | Body::ReadIndex(_)
                | Body::ReadIndexResponse(_)
                | Body::InstallSnapshot(_)
                | Body::SnapshotRequest(_)
                | Body::SnapshotChunk(_)
                | Body::RepairRequest(_)
                | Body::RepairResponse(_) => self.become_follower(term),
            }
        }
        match body {
            Body::PreVote(request) => self.handle_pre_vote(from, term, request),
            Body::PreVoteResponse(response) => self.handle_pre_vote_response(from, response),
            Body::RequestVote(request) => self.handle_request_vote(from, request),
            Body::RequestVoteResponse(response) => self.handle_request_vote_response(from, response),
            Body::AppendEntries(request) => self.handle_append_entries(from, request),
            Body::AppendEntriesResponse(response) => self.handle_append_entries_response(from, response),
            Body::Heartbeat(request) => self.handle_heartbeat(from, request),
            Body::HeartbeatResponse(response) => self.handle_heartbeat_response(from, response),
            Body::TimeoutNow => self.handle_timeout_now(from),
            Body::ReadIndex(request) => self.handle_read_index(from, request),
            Body::ReadIndexResponse(response) => self.handle_read_index_response(from, response),
            Body::Forward(forward) => self.handle_forward(from, forward),
            // Whose proposal was refused is known to the driver alone.
            Body::ForwardResponse(_) => Ok(()),
            Body::InstallSnapshot(offer) => self.handle_install_snapshot(from, offer),
            Body::SnapshotRequest(request) => self.handle_snapshot_request(from, request),
            Body::SnapshotChunk(chunk) => self.handle_snapshot_chunk(from, chunk),
            Body::RepairRequest(request) => self.handle_repair_request(from, request),
            Body::RepairResponse(response) => self.handle_repair_response(from, *response),
        }
    }

    /// A request of an earlier term is answered with the present one, so that a sender left behind by a
    /// partition learns of it; an answer of an earlier term is of no use.
    fn answer_stale_term(&mut self, from: NodeId, body: &Body) -> Result<(), Ignored> {
        // Rounds are numbered anew in each term: the round that was asked about is none of the term that this answers in.
        let (round, received, priority) = (Round::default(), LogIndex::ZERO, self.worth());
        let heartbeat_response = |session| {
            Body::HeartbeatResponse(HeartbeatResponse {
                session,
                round,
                received,
                promise: 0,
                clock: 0,
                priority,
                snapshot_received: 0,
            })
        };
        match body {
            Body::PreVote(_) => {
                let asked_in = self.current_term();
                let refused = PreVoteResponse { asked_in, granted: false, is_conditional: false };
                self.send(from, Body::PreVoteResponse(refused));
            }
            Body::RequestVote(_) => {
                let refused = RequestVoteResponse { granted: false, is_conditional: false };
                self.send(from, Body::RequestVoteResponse(refused));
            }
            Body::AppendEntries(request) => {
                self.send(from, heartbeat_response(request.session));
            }
            Body::Heartbeat(request) => self.send(from, heartbeat_response(request.session)),
            Body::Forward(forward) => {
                self.refuse_forward(from, forward.number, ProposeError::NotLeader { leader: self.leader() });
            }
            Body::InstallSnapshot(offer) => {
                self.send(from, heartbeat_response(offer.session));
            }
            Body::SnapshotRequest(request) => {
                self.send_chunk(from, request.snapshot, request.offset, Bytes::new());
            }
            Body::PreVoteResponse(_)
            | Body::RequestVoteResponse(_)
            | Body::AppendEntriesResponse(_)
            | Body::HeartbeatResponse(_)
            | Body::TimeoutNow
            | Body::ReadIndex(_)
            | Body::ReadIndexResponse(_)
            | Body::ForwardResponse(_)
            | Body::SnapshotChunk(_)
            | Body::RepairRequest(_)
            | Body::RepairResponse(_) => {}
        }
        Err(Ignored::StaleTerm)
    }

    /// Whether a leader of the current term was heard within the shortest election timeout, or this node leads:
    /// then no campaign of others is to be helped (thesis §4.2.3).
    pub(crate) fn leader_is_heard(&self) -> bool {
        if !self.config.check_quorum {
            return false;
        }
        match &self.role {
            Role::Leader(_) => true,
            Role::Follower(Follower { leader: Some(heard), .. }) => {
                self.now < heard.at + self.config.election_timeout
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => false,
        }
    }
}

/// The configurations of the log, and the one that it begins with. Returns `None` where they contradict the log.
fn recover_configurations(config: &Config, recovered: &Recovered) -> Option<Configurations> {
    let following = &recovered.configurations;
    if following.first().is_some_and(|(index, _)| *index <= recovered.base.index) {
        return None;
    }
    if following.last().is_some_and(|(index, _)| *index > recovered.last_index) {
        return None;
    }
    let first_in_tail = recovered.tail.first().map_or(recovered.last_index.next(), |entry| entry.index);
    let in_tail = recovered.tail.iter().filter_map(|entry| match &entry.payload {
        Payload::Configuration(configuration) => Some((entry.index, configuration)),
        Payload::Noop | Payload::Command(_) | Payload::Withheld => None,
    });
    let claimed = following.iter().filter(|(index, _)| *index >= first_in_tail);
    if !in_tail.eq(claimed.map(|(index, configuration)| (*index, configuration))) {
        return None;
    }
    let first = Configuration::first_with_witnesses(&config.voters, &config.witnesses);
    Configurations::new(config.id, first, following)
}
