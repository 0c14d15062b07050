//! Reads without a log entry: ReadIndex (thesis §6.4), on leaders and on followers.
//!
//! What was committed before a read was asked for must be seen by it. A leader knows where that ends, as soon as it
//! knows that it still led when the read came in: a heartbeat round that began after it tells, or a lease does
//! (`lease.rs`). A follower asks the leader. Reads are numbered by the core and settled in that order, so that
//! whatever waits shares one round, or one question, and costs no memory of its own.

use alloc::collections::VecDeque;

use crate::leader::STUCK_TIMEOUTS;
use crate::role::{Follower, Leader, Role};
use crate::{
    Action, Body, Ignored, LogIndex, NodeId, Raft, ReadError, ReadId, ReadIndex, ReadIndexResponse, Round,
};

/// This node's own reads.
///
/// Invariant: `settled <= asked`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Reads {
    /// The last one asked for, and the last one whose fate is known; so is that of all before it.
    asked: u64,
    settled: u64,
    /// Since when the first that is open has waited, or an answer came.
    open_since: u64,
    /// What the driver is to be told.
    answers: VecDeque<Answer>,
}

/// The fate of all reads up to one; where there is no index, none of them is served.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Answer {
    up_to: ReadId,
    index: Option<LogIndex>,
}

/// Reads that wait for a round, or for a lease.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Batch {
    reader: Reader,
    /// Good once a quorum has answered this round or a later one, and the leader's first entry is committed.
    round: Round,
    /// What the leader knew to be committed.
    index: LogIndex,
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reader {
    Own { up_to: ReadId },
    Follower { id: NodeId, boot: u64, up_to: ReadId },
}

/// How many questions of one follower may wait: one under way, and one that came after its round began.
const QUESTIONS_PER_FOLLOWER: usize = 2;

impl Reads {
    /// The next thing to tell the driver.
    pub(crate) fn next_action(&mut self) -> Option<Action<'static>> {
        let Answer { up_to, index } = self.answers.pop_front()?;
        Some(match index {
            Some(index) => Action::ReadReady { up_to, index },
            None => Action::ReadDropped { up_to },
        })
    }

    fn settle(&mut self, up_to: ReadId, index: Option<LogIndex>) {
        assert!(up_to.0 <= self.asked, "read {} was never asked for", up_to.0);
        if up_to.0 > self.settled {
            self.settled = up_to.0;
            self.answers.push_back(Answer { up_to, index });
        }
    }

    fn are_settled(&self) -> bool {
        self.settled == self.asked
    }

    /// Whether some are open, and no question about them is: the leader was asked up to there.
    pub(crate) fn are_to_be_asked(&self, asked_up_to: ReadId) -> bool {
        !self.are_settled() && asked_up_to.0 <= self.settled
    }
}

impl Leader {
    /// Whether reads wait for a round that was not sent yet.
    pub(crate) fn owes_a_round(&self) -> bool {
        self.reads.front().is_some_and(|batch| batch.round > self.round)
    }
}

impl Raft {
    pub(crate) fn handle_read(&mut self) -> Result<ReadId, ReadError> {
        if self.config.is_witness() {
            return Err(ReadError::Witness);
        }
        if self.leader().is_none() {
            return Err(ReadError::NoLeader);
        }
        if self.reads.asked - self.reads.settled >= self.config.max_pending_reads {
            return Err(ReadError::Busy);
        }
        if self.reads.are_settled() {
            self.reads.open_since = self.now;
        }
        self.reads.asked += 1;
        let up_to = ReadId(self.reads.asked);
        self.enter_read(Reader::Own { up_to });
        Ok(up_to)
    }

    /// A follower asks; where this node leads, it is answered now or with the next round.
    pub(crate) fn handle_read_index(&mut self, from: NodeId, request: ReadIndex) -> Result<(), Ignored> {
        let Role::Leader(leader) = &mut self.role else { return Err(Ignored::CannotServe) };
        if leader.follower_mut(from).is_none() {
            return Err(Ignored::UnknownSender);
        }
        let ReadIndex { boot, up_to } = request;
        let reader = Reader::Follower { id: from, boot, up_to };
        let is_of_sender = |batch: &&Batch| matches!(batch.reader, Reader::Follower { id, .. } if id == from);
        if leader.reads.iter().any(|batch| batch.reader == reader) {
            return Err(Ignored::StaleResponse);
        }
        if leader.reads.iter().filter(is_of_sender).count() >= QUESTIONS_PER_FOLLOWER {
            return Err(Ignored::Busy);
        }
        self.enter_read(reader);
        Ok(())
    }

    /// Lets a read wait for the next round, where a lease does not answer it at once; on a follower, for the leader.
    fn enter_read(&mut self, reader: Reader) {
        let (holds_lease, index) = (self.holds_lease(), self.commit_index);
        let Role::Leader(leader) = &mut self.role else { return };
        let round = leader.round.next();
        match (reader, leader.reads.back_mut()) {
            (
                Reader::Own { up_to: new },
                Some(Batch { reader: Reader::Own { up_to }, round: last, index: at }),
            ) if *last == round => {
                (*up_to, *at) = (new, index);
            }
            (Reader::Own { .. } | Reader::Follower { .. }, _) => {
                leader.reads.push_back(Batch { reader, round, index });
            }
        }
        self.maybe_confirm_reads(holds_lease);
    }

    /// Serves the reads whose round a quorum has answered, or all, where this node `certainly_leads`.
    pub(crate) fn maybe_confirm_reads(&mut self, certainly_leads: bool) {
        let Role::Leader(leader) = &mut self.role else { return };
        // What earlier leaders committed stands before this one's first entry, whether it knows it yet or not. Where that is,
        // it may not have known when a read came in: it has one only once its log is whole (`repair.rs`).
        let first_index = leader.first_index;
        if leader.reads.is_empty() || self.commit_index < first_index {
            return;
        }
        // The latest round that a majority has answered.
        let confirmed = leader.reached_by_quorum(Round::MAX, Round::default(), |progress| progress.confirmed);
        let is_ready = |batch: &Batch| certainly_leads || batch.round <= confirmed;
        while let Role::Leader(leader) = &mut self.role
            && leader.reads.front().is_some_and(is_ready)
            && let Some(batch) = leader.reads.pop_front()
        {
            let index = batch.index.max(first_index);
            assert!(index <= self.commit_index, "a read is served from {index} on, which is not committed");
            match batch.reader {
                Reader::Own { up_to } => {
                    self.reads.open_since = self.now;
                    self.reads.settle(up_to, Some(index));
                }
                Reader::Follower { id, boot, up_to } => {
                    let response = ReadIndexResponse { boot, up_to, index };
                    self.send(id, Body::ReadIndexResponse(response));
                }
            }
        }
    }

    /// The leader is alive: a question, or its answer, that has been under way for a heartbeat's time is lost.
    pub(crate) fn maybe_ask_again(&mut self) {
        let Role::Follower(follower) = &self.role else { return };
        let is_open = follower.asked_up_to.0 > self.reads.settled;
        if is_open && self.now >= follower.asked_at + self.config.heartbeat_interval {
            self.send_read_index();
        }
        self.drop_reads_nobody_answers();
    }

    pub(crate) fn send_read_index(&mut self) {
        let (boot, up_to) = (self.ledger.boot(), ReadId(self.reads.asked));
        let Role::Follower(follower) = &mut self.role else { return };
        let Some(heard) = follower.leader else { return };
        (follower.asked_up_to, follower.asked_at) = (up_to, self.now);
        self.send(heard.leader, Body::ReadIndex(ReadIndex { boot, up_to }));
    }

    pub(crate) fn handle_read_index_response(
        &mut self,
        from: NodeId,
        response: ReadIndexResponse,
    ) -> Result<(), Ignored> {
        let ReadIndexResponse { boot, up_to, index } = response;
        let Role::Follower(Follower { leader: Some(heard), asked_up_to, .. }) = &self.role else {
            return Err(Ignored::StaleResponse);
        };
        let is_awaited = boot == self.ledger.boot() && up_to <= *asked_up_to && up_to.0 > self.reads.settled;
        if heard.leader != from || !is_awaited {
            return Err(Ignored::StaleResponse);
        }
        self.reads.open_since = self.now;
        self.reads.settle(up_to, Some(index));
        Ok(())
    }

    /// Who is heard and does not hear, or leads and is cut off, will not say so: reads that have waited so long had better be
    /// asked elsewhere.
    pub(crate) fn drop_reads_nobody_answers(&mut self) {
        let patience = self.config.election_timeout * STUCK_TIMEOUTS;
        if !self.reads.are_settled() && self.now >= self.reads.open_since + patience {
            self.drop_reads();
        }
    }

    /// The node leaves its role: whom its reads waited for is not asked any more.
    pub(crate) fn drop_reads(&mut self) {
        let last = ReadId(self.reads.asked);
        self.reads.settle(last, None);
    }
}
