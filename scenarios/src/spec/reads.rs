//! Reads without a log entry (§8; thesis §6.4): a leader that says from which index on a read may be served has heard
//! from a quorum that it still leads, since the read came in; or it holds a lease, and told nobody to campaign.
//!
//! A follower that promised to vote for nobody else keeps that promise by its own clock, across terms and restarts; the leader
//! counts on it from when it sent what was answered, by its own clock, less what two clocks may differ by (thesis §6.4.1).

use std::collections::{BTreeMap, VecDeque};

use squall_raft::{LogIndex, NodeId, ReadId, RoleKind, Round};

use super::model::Model;
use super::rule::Rule;
use crate::membership::NodeSet;

/// What one node's reads, and those that it was asked about, have to wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Its own that are open, with what each has to wait for where it was leading when it came in.
    open: VecDeque<(ReadId, Option<Needs>)>,
    /// The last that was asked for in this life.
    last: ReadId,
    /// As a leader of this term: the last round it began, who answered which, and what followers asked.
    round: Round,
    /// At which tick it began the rounds of late.
    begun: VecDeque<(Round, u64)>,
    answered: BTreeMap<NodeId, Round>,
    /// For each node, up to which of the leader's ticks it votes for nobody else, at least.
    leased_until: BTreeMap<NodeId, u64>,
    questions: BTreeMap<Question, Needs>,
    told_to_campaign: bool,
    /// As a follower of this term: what its leader said, and when its rounds came in.
    word: Option<(ReadId, LogIndex)>,
    heard_at: BTreeMap<Round, u64>,
    /// Up to which tick of this life it votes for nobody.
    promised_until: u64,
}

/// One follower's question: who asks, in which life, for which of its reads.
pub(super) type Question = (NodeId, u64, ReadId);

/// Rounds whose beginning is remembered: an answer to an older one renews no lease.
const ROUNDS_KEPT: usize = 256;

/// How many of one node's ticks a promise of so many of another's lasts, whatever the clocks do within the bound: (p - 1)
/// ticks pass on the fastest clock while this many pass on the slowest.
fn surely_lasts(promise: u64, drift_ppm: u32) -> u64 {
    let (promise, drift) = (u128::from(promise), u128::from(drift_ppm));
    let (slowest, fastest) = (1_000_000 - drift.min(1_000_000), 1_000_000 + drift);
    u64::try_from(promise.saturating_sub(1) * slowest / fastest).unwrap_or(u64::MAX)
}

/// What a read has to wait for: a round, and what was known to be committed; and the leader's first entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Needs {
    round: Round,
    index: LogIndex,
}

impl Reads {
    pub(super) fn adopt_term(&mut self) {
        self.round = Round::default();
        self.begun.clear();
        self.answered.clear();
        self.leased_until.clear();
        self.questions.clear();
        self.told_to_campaign = false;
        self.word = None;
        self.heard_at.clear();
        for (_, needs) in &mut self.open {
            *needs = None;
        }
    }

    /// What was promised in an earlier life may have been promised at its end.
    pub(super) fn restart(&mut self, longest_promise: u64) {
        *self = Self { promised_until: longest_promise, ..Self::default() };
    }
}

impl Model {
    fn needs(&self) -> Option<Needs> {
        let leads = self.role == RoleKind::Leader;
        leads.then(|| Needs { round: self.reads.round.next(), index: self.commit_index })
    }

    pub(super) fn asked_to_read(&mut self, read: Option<ReadId>) {
        let Some(read) = read else { return };
        let follows = read.0 == self.reads.last.0 + 1;
        self.require(follows, Rule::ReadUnasked, |model| {
            format!("{} numbers a read {}, after {}", model.id, read.0, model.reads.last.0)
        });
        self.reads.last = read;
        let needs = self.needs();
        self.reads.open.push_back((read, needs));
    }

    pub(super) fn heard_question(&mut self, question: Question) {
        if let Some(needs) = self.needs() {
            self.reads.questions.entry(question).or_insert(needs);
        }
    }

    pub(super) fn heard_word(&mut self, up_to: ReadId, index: LogIndex) {
        self.reads.word = Some((up_to, index));
    }

    pub(super) fn answered_round(&mut self, from: NodeId, round: Round, promise: u64) {
        let Reads { begun, answered, leased_until, .. } = &mut self.reads;
        let answered = answered.entry(from).or_default();
        *answered = round.max(*answered);
        let Some(drift_ppm) = self.lease_drift_ppm else { return };
        if let Some((_, begun_at)) = begun.iter().find(|(begun, _)| *begun == round) {
            let until = begun_at.saturating_add(surely_lasts(promise, drift_ppm));
            let leased_until = leased_until.entry(from).or_default();
            *leased_until = until.max(*leased_until);
        }
    }

    fn holds_lease(&self) -> bool {
        let leased = self.reads.leased_until.iter().filter(|(_, until)| self.ticks < **until);
        let promised: NodeSet = leased.map(|(node, _)| *node).collect();
        self.had_quorum(promised.with(self.id))
            && !self.reads.told_to_campaign
            && self.commit_index >= self.first_own
    }

    pub(super) fn began_round(&mut self, round: Round) {
        let begins = round >= self.reads.round;
        self.require(begins, Rule::RoundFell, |model| {
            format!("{} began round {} after {}", model.id, round.0, model.reads.round.0)
        });
        if round > self.reads.round {
            self.reads.round = round;
            if self.reads.begun.len() == ROUNDS_KEPT {
                self.reads.begun.pop_front();
            }
            self.reads.begun.push_back((round, self.ticks));
        }
    }

    pub(super) fn heard_round(&mut self, round: Round) {
        self.reads.heard_at.entry(round).or_insert(self.ticks);
    }

    /// The promise counts from when the round came in, however long the answer waited.
    pub(super) fn promised(&mut self, round: Round, promise: u64) {
        let is_of_this_term = round == Round::default() || self.reads.heard_at.contains_key(&round);
        self.require(is_of_this_term, Rule::AnsweredOtherRound, |model| {
            format!(
                "{} answers round {} in term {}; it heard none such",
                model.id, round.0, model.current_term
            )
        });
        let kept = self.disk.hard_state.longest_promise;
        self.require(promise <= kept, Rule::PromiseUndurable, |model| {
            format!("{} promises {promise} ticks; it would remember {kept} after a restart", model.id)
        });
        let heard_at = self.reads.heard_at.get(&round).copied().unwrap_or(0);
        if round > Round::default() {
            self.reads.heard_at.retain(|heard, _| *heard >= round);
        }
        self.reads.promised_until = self.reads.promised_until.max(heard_at.saturating_add(promise));
    }

    /// Whether no promise is in force any more.
    pub(super) fn promise_has_run_out(&self) -> bool {
        self.ticks >= self.reads.promised_until
    }

    /// A vote, or a campaign that no leader wished.
    pub(super) fn check_promise(&mut self) {
        let (ticks, until) = (self.ticks, self.reads.promised_until);
        self.require(ticks >= until, Rule::PromiseBroken, |model| {
            format!("{} promised not to vote before its tick {until}; it is {ticks}", model.id)
        });
    }

    pub(super) fn told_to_campaign(&mut self) {
        self.reads.told_to_campaign = true;
    }

    /// The node says what becomes of its reads up to one.
    pub(super) fn settled_reads(&mut self, up_to: ReadId, index: Option<LogIndex>) {
        let is_open =
            self.reads.open.front().is_some_and(|(first, _)| *first <= up_to) && up_to <= self.reads.last;
        self.require(is_open, Rule::ReadUnasked, |model| {
            format!("{} settles its reads up to {}; {:?} are open", model.id, up_to.0, model.reads.open)
        });
        let mut strictest: Option<Needs> = None;
        let mut all_known = true;
        while let Some((_, needs)) = self.reads.open.front().copied().filter(|(read, _)| *read <= up_to) {
            self.reads.open.pop_front();
            all_known &= needs.is_some();
            // Later reads need later rounds and later indices.
            strictest = needs.or(strictest);
        }
        let Some(index) = index else { return };
        match (self.role, strictest) {
            (RoleKind::Leader, Some(needs)) if all_known => self.check_word(needs, index),
            (RoleKind::Leader, _) => self.require(false, Rule::ReadUnconfirmed, |model| {
                format!("{} leads, and serves reads of before", model.id)
            }),
            (RoleKind::Follower, _) => {
                let word = self.reads.word;
                let is_told = word.is_some_and(|(told, from)| told >= up_to && from == index);
                self.require(is_told, Rule::ReadUnconfirmed, |model| {
                    format!(
                        "{} serves reads up to {} from {index} on; it was told {word:?}",
                        model.id, up_to.0
                    )
                });
            }
            (RoleKind::PreCandidate | RoleKind::Candidate, _) => {
                self.require(false, Rule::ReadUnconfirmed, |model| {
                    format!("{} is {:?}, and serves reads", model.id, model.role)
                });
            }
        }
    }

    /// The leader answers a follower's question.
    pub(super) fn sent_word(&mut self, question: Question, index: LogIndex) {
        match self.reads.questions.remove(&question) {
            Some(needs) => self.check_word(needs, index),
            None => self.require(false, Rule::ReadUnasked, |model| {
                format!("{} answered {question:?}, which is not open", model.id)
            }),
        }
    }

    fn check_word(&mut self, needs: Needs, index: LogIndex) {
        let id = self.id;
        let answered = self.reads.answered.iter().filter(|(_, round)| **round >= needs.round);
        let answered: NodeSet = answered.map(|(node, _)| *node).collect();
        let is_confirmed = self.had_quorum(answered.with(id));
        let is_leased = self.holds_lease();
        self.require(is_confirmed || is_leased, Rule::ReadUnconfirmed, |model| {
            let Reads { answered, leased_until, .. } = &model.reads;
            format!(
                "{id} serves a read at its tick {} that needs {needs:?}; {answered:?} were answered, and promises last \
                 until {leased_until:?}",
                model.ticks
            )
        });
        // What earlier leaders committed stands before this one's first entry, which moves forward where it gives up some of
        // its log.
        let needed = needs.index.max(self.first_own);
        self.require(index >= needed, Rule::ReadIndexTooLow, |_| {
            format!("{id} serves a read from {index} on; it needs {needed}")
        });
        self.require(index <= self.commit_index, Rule::ReadIndexUncommitted, |model| {
            format!("{id} serves a read from {index} on; it knows {} to be committed", model.commit_index)
        });
    }
}
