//! One session: the answers that its client has not acknowledged, and how many of them it may hold.

use std::collections::BTreeMap;

use bytes::Bytes;
use squall_raft::{LogIndex, LogPosition};

use super::{SessionId, SessionLimits, Ticket};
use crate::Outcome;
use crate::hash::{hash_bytes, mix};

/// A session, but for its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Session {
    pub(super) max_answers: u64,
    pub(super) max_answer_bytes: u64,
    pub(super) last_entry: LogIndex,
    pub(super) acknowledged_below: u64,
    /// By sequence.
    /// Invariant: none below `acknowledged_below`.
    answers: BTreeMap<u64, Answer>,
    /// Invariant: the bytes of `answers`.
    answer_bytes: u64,
    /// Invariant: the wrapping sum of the digests of `answers`.
    answers_digest: u64,
}

/// What a request was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    /// The entry that took effect.
    pub(super) position: LogPosition,
    pub(super) result: Bytes,
}

/// What a session knows of a sequence.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// It took effect, with this answer.
    Answer(&'a Answer),
    /// Its client has acknowledged it, so that the answer is gone, if there was one.
    Acknowledged,
    /// No copy of it took effect yet.
    Nothing,
}

impl Session {
    /// The session that the entry at `index` opens.
    pub(super) fn new(index: LogIndex, limits: SessionLimits) -> Self {
        let SessionLimits { max_sessions: _, max_answers, max_answer_bytes } = limits;
        Self {
            max_answers,
            max_answer_bytes,
            last_entry: index,
            acknowledged_below: 0,
            answers: BTreeMap::new(),
            answer_bytes: 0,
            answers_digest: 0,
        }
    }

    pub(super) fn last_entry(&self) -> LogIndex {
        self.last_entry
    }

    pub(super) fn find(&self, sequence: u64) -> Found<'_> {
        if sequence < self.acknowledged_below {
            return Found::Acknowledged;
        }
        self.answers.get(&sequence).map_or(Found::Nothing, Found::Answer)
    }

    /// The answers, by sequence.
    pub(super) fn answers(&self) -> impl ExactSizeIterator<Item = (u64, &Answer)> {
        self.answers.iter().map(|(sequence, answer)| (*sequence, answer))
    }

    pub(super) fn apply(
        &mut self,
        position: LogPosition,
        ticket: Ticket,
        execute: impl FnOnce() -> Bytes,
    ) -> Outcome {
        assert!(
            position.index > self.last_entry,
            "{position} after entry {} of the session",
            self.last_entry
        );
        self.last_entry = position.index;
        self.acknowledge(ticket.session, ticket.acknowledged_below);
        match self.find(ticket.sequence) {
            Found::Answer(answer) => return answer.outcome(),
            Found::Acknowledged => return Outcome::AlreadyAcknowledged,
            Found::Nothing => {}
        }
        if self.is_full() {
            return Outcome::SessionFull;
        }
        let answer = Answer { position, result: execute() };
        let outcome = answer.outcome();
        self.store(ticket.session, ticket.sequence, answer);
        outcome
    }

    /// Adds an answer that it does not have.
    pub(super) fn store(&mut self, id: SessionId, sequence: u64, answer: Answer) {
        self.answer_bytes += answer.result.len() as u64;
        self.answers_digest = self.answers_digest.wrapping_add(answer.digest(id, sequence));
        let former = self.answers.insert(sequence, answer);
        assert!(former.is_none(), "request {sequence} of {id} is answered a second time");
    }

    /// Its client has all answers below `below`. A late copy of an earlier request takes nothing back.
    fn acknowledge(&mut self, id: SessionId, below: u64) {
        self.acknowledged_below = self.acknowledged_below.max(below);
        while let Some(first) = self.answers.first_entry() {
            if *first.key() >= self.acknowledged_below {
                break;
            }
            let (sequence, answer) = first.remove_entry();
            self.answer_bytes -= answer.result.len() as u64;
            self.answers_digest = self.answers_digest.wrapping_sub(answer.digest(id, sequence));
        }
    }

    /// Whether it takes no further answer. How long that would be is not known before its request took effect.
    fn is_full(&self) -> bool {
        let count = self.answers.len() as u64;
        count > 0 && (count >= self.max_answers || self.answer_bytes >= self.max_answer_bytes)
    }

    pub(super) fn digest(&self, id: SessionId) -> u64 {
        let words = [self.last_entry.0, self.acknowledged_below, self.max_answers, self.max_answer_bytes];
        words.into_iter().fold(mix(1, id.0), mix).wrapping_add(self.answers_digest)
    }
}

impl Answer {
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Applied { position: self.position, result: self.result.clone() }
    }

    fn digest(&self, id: SessionId, sequence: u64) -> u64 {
        let words = [id.0, sequence, self.position.term.0, self.position.index.0];
        hash_bytes(words.into_iter().fold(2, mix), &self.result)
    }
}
