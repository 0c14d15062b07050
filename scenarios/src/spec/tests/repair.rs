//! Histories of entries whose data was lost.

use squall_raft::{Found, LogIndex, LogPosition, NodeId, SnapshotId};

use super::super::rule::Rule;
use super::{
    History, Spec, heartbeat, heartbeat_response, legal, n1_committed, n1_leads, n3_is_offered, read,
    settled, snapshot,
};
use crate::observation::{Content, Span, Step};
use crate::stage::{Cast, Puppet, commit, commit_on_all, replicate, request_vote, vote_response};

impl Puppet {
    /// Starts with these entries, of which `lost` came without its data, and perhaps never had it.
    pub(crate) fn starts_lacking(&mut self, term: u64, log: &[u64], lost: u64) -> &mut Self {
        self.starts(term, Some(1), log);
        self.status.durable_index = LogIndex(lost - 1);
        for step in &mut self.observation.steps {
            if let Step::Appended { position, .. } = *step
                && position.index == LogIndex(lost)
            {
                *step = Step::Lost { position, is_doubtful: true };
            }
        }
        self
    }

    /// Started with a snapshot of which it has the name only.
    pub(crate) fn loses_snapshot(&mut self, snapshot: SnapshotId) -> &mut Self {
        self.observation.steps.push(Step::SnapshotLost(snapshot));
        self
    }

    /// What was asked for is durable, the data of entries from `lost` on is not.
    fn persists_before(&mut self, lost: u64) -> &mut Self {
        self.persists();
        let durable = LogIndex(lost - 1);
        self.status.durable_index = durable;
        if let Some(Step::Persisted { durable_index, .. }) = self.observation.steps.last_mut() {
            *durable_index = durable;
        }
        self
    }

    pub(super) fn repairs(&mut self, term: u64, index: u64) -> &mut Self {
        let position = LogPosition::new(term, index);
        self.step(Step::Repaired { position, payload_hash: 7 })
    }

    fn names(&mut self, entries: &[(u64, u64)]) -> Span {
        let start = self.observation.entries.len() as u32;
        self.observation.entries.extend(entries.iter().map(|(term, index)| LogPosition::new(*term, *index)));
        Span { start, len: entries.len() as u32 }
    }

    pub(super) fn request_of(&mut self, entries: &[(u64, u64)]) -> Content {
        Content::RepairRequest { lacking: self.names(entries) }
    }

    /// It is said of 1@2 what was found, or the entries are sent.
    pub(super) fn response_of(&mut self, found: &[Found], entries: &[(u64, u64)]) -> Content {
        let answers = Span { start: self.observation.answers.len() as u32, len: found.len() as u32 };
        self.observation.answers.extend(found.iter().map(|found| (LogPosition::new(1, 2), *found)));
        Content::RepairResponse { answers, entries: self.names(entries), snapshot: None }
    }
}

/// n1 leads term 1, 1@1 is committed on all, 1@2 on n1; n2 was writing it, and came back with its name.
fn n2_lacks() -> Cast<Spec> {
    let mut cast = n1_leads();
    make_n2_lack(&mut cast);
    cast
}

fn make_n2_lack(cast: &mut Cast<Spec>) {
    commit_on_all(cast, 1);
    replicate(cast, 1, &[]);
    let sent = [(1, 2)];
    legal(cast.event(2, |n| n.receives_entries(1, (1, 1), &sent, 1).follows(1).appends(1, 2)));
    legal(cast.event(2, |n| n.starts_lacking(1, &[1, 1], 2)));
}

/// And is elected in term 2, by n1.
fn n2_leads() -> Cast<Spec> {
    let mut cast = n1_leads();
    make_n2_lack_and_lead(&mut cast);
    cast
}

pub(super) fn make_n2_lack_and_lead(cast: &mut Cast<Spec>) {
    make_n2_lack(cast);
    let request = request_vote(1, 2);
    legal(cast.event(2, |n| n.ticks().campaigns(2)));
    legal(cast.event(2, |n| n.persists_before(2).sends(1, request)));
    legal(cast.event(1, |n| n.receives(2, 2, request).votes(2, 2)));
    legal(cast.event(1, |n| n.persists().sends(2, vote_response(true))));
    legal(cast.event(2, |n| n.receives(1, 2, vote_response(true)).becomes_leader()));
}

#[test]
fn a_follower_gets_back_what_it_lacks_and_then_acknowledges_it() {
    let mut cast = n2_lacks();
    let lacking = Content::AppendLacking { first: LogIndex(2), named: LogIndex(2) };
    legal(cast.event(2, |n| n.receives_entries(1, (1, 2), &[], 1).follows(1).commits(1).sends(1, lacking)));
    legal(cast.event(1, |n| n.receives(2, 1, lacking)));
    legal(cast.event(2, |n| n.receives_entries(1, (1, 1), &[(1, 2)], 1).repairs(1, 2).writes()));
    let early = cast.clone().event(2, |n| n.ticks().acknowledges(1, 2));
    assert_eq!(early, Err(Rule::AcknowledgedUndurable.class()));
    legal(cast.event(2, |n| n.persists().acknowledges(1, 2)));
    legal(cast.event(2, |n| n.starts(1, Some(1), &[1, 1])));
}

#[test]
fn a_leader_gets_back_what_it_lacks_and_then_begins_its_office() {
    let mut cast = n2_leads();
    legal(cast.event(2, |n| {
        let request = n.request_of(&[(1, 2)]);
        n.ticks().sends(1, request).sends(3, request)
    }));
    legal(cast.event(1, |n| {
        let request = n.request_of(&[(1, 2)]);
        let response = n.response_of(&[], &[(1, 2)]);
        n.receives(2, 2, request).follows(2).sends(2, response)
    }));
    legal(cast.event(2, |n| {
        let response = n.response_of(&[], &[(1, 2)]);
        n.receives(1, 2, response).repairs(1, 2).writes()
    }));
    legal(cast.event(2, |n| n.persists().appends(2, 3)));
}

#[test]
fn a_leader_gives_up_what_a_majority_never_had_or_what_is_nowhere_for_certain() {
    use Found::{Absent, Compacted, Doubtful, Lost, Named};
    let of = |answers: [Option<Found>; 2]| {
        let mut cast = n2_leads();
        for (node, found) in [1, 3].into_iter().zip(answers) {
            let Some(found) = found else { continue };
            legal(cast.event(2, |n| {
                let response = n.response_of(&[found], &[]);
                n.receives(node, 2, response)
            }));
        }
        cast.event(2, |n| n.ticks().truncates(2).appends(2, 2))
    };
    for answers in [[Absent, Absent], [Doubtful, Absent], [Doubtful, Doubtful], [Named, Absent]] {
        legal(of(answers.map(Some)));
    }
    let unproven = Err(Rule::DiscardedUnproven.class());
    for answers in [[Lost, Absent], [Lost, Lost], [Compacted, Absent]] {
        assert_eq!(of(answers.map(Some)), unproven, "{answers:?}");
    }
    assert_eq!(of([Some(Absent), None]), unproven, "one of three is no majority");
}

/// n2 is asked for a read while it lacks 1@2, gives that up, and commits its first entry in that place.
#[test]
fn a_read_need_not_wait_for_what_its_leader_has_given_up() {
    let served_from = |index| {
        let mut cast = n2_leads();
        legal(cast.event(2, |n| n.step(read(1)).sends(3, heartbeat(0))));
        for node in [1, 3] {
            legal(cast.event(2, |n| {
                let response = n.response_of(&[Found::Absent], &[]);
                n.receives(node, 2, response)
            }));
        }
        legal(cast.event(2, |n| n.ticks().truncates(2).appends(2, 2)));
        legal(cast.event(2, |n| n.persists()));
        legal(cast.event(3, |n| n.receives(2, 2, heartbeat(0)).adopts(2).follows(2)));
        legal(cast.event(3, |n| n.persists().sends(2, heartbeat_response(1))));
        legal(cast.event(2, |n| n.receives(3, 2, heartbeat_response(1))));
        commit(&mut cast, 2, &[3]);
        cast.event(2, |n| n.ticks().step(settled(1, index)))
    };
    legal(served_from(2));
    assert_eq!(served_from(1), Err(Rule::ReadIndexTooLow.class()), "it waits for the first entry");
}

#[test]
fn an_answer_of_an_earlier_term_proves_nothing() {
    let mut cast = n2_leads();
    for node in [1, 3] {
        legal(cast.event(2, |n| {
            let response = n.response_of(&[Found::Absent], &[]);
            n.receives(node, 1, response)
        }));
    }
    assert_eq!(cast.event(2, |n| n.ticks().truncates(2)), Err(Rule::DiscardedUnproven.class()));
}

#[test]
fn what_rotted_may_be_lost_though_it_was_durable_and_nothing_else() {
    for (rotted, is_right) in [(LogPosition::new(1, 1), true), (LogPosition::new(1, 2), false)] {
        let mut cast = n1_committed();
        cast.judge.rotted(NodeId(2), rotted);
        let result = cast.event(2, |n| n.starts_lacking(1, &[1], 1));
        assert_eq!(result, if is_right { Ok(()) } else { Err(Rule::RecoveredFaulty.class()) }, "{rotted}");
    }
}

#[test]
fn a_snapshot_of_which_a_chunk_rotted_is_asked_for_again_and_restored() {
    let mut cast = n3_is_offered();
    cast.judge.snapshot_rotted(NodeId(1), LogIndex(1));
    assert_eq!(cast.event(1, |n| n.starts_from((1, 1), snapshot(), &[]).loses_snapshot(snapshot())), Ok(()));
    let asks = Content::SnapshotRequest { snapshot: snapshot() };
    let heartbeat = Content::PreVote { last_log: LogPosition::new(1, 1) };
    assert_eq!(cast.event(1, |n| n.receives(2, 1, heartbeat).sends(2, asks)), Ok(()));
    assert_eq!(cast.event(1, |n| n.receives_snapshot(snapshot())), Ok(()));
    assert_eq!(cast.event(1, |n| n.restores(snapshot(), 1)), Ok(()));
}

/// The rules about repair, and what breaks them.
pub(super) const BROKEN: &[(Rule, History)] = &[
    (Rule::RecoveredFaulty, || n1_committed().event(2, |n| n.starts_lacking(1, &[1], 1))),
    (Rule::RecoveredUnmarked, || n2_lacks().event(2, |n| n.starts(1, Some(1), &[1, 1]))),
    (Rule::RepairedUnasked, || n2_lacks().event(2, |n| n.ticks().repairs(1, 2))),
    (Rule::LackingOther, || {
        let lacking = Content::AppendLacking { first: LogIndex(1), named: LogIndex(2) };
        n2_lacks().event(2, |n| n.receives_entries(1, (1, 2), &[], 1).follows(1).commits(1).sends(1, lacking))
    }),
    (Rule::AnsweredOther, || {
        n2_lacks().event(2, |n| {
            let request = n.request_of(&[(1, 2)]);
            let response = n.response_of(&[Found::Absent], &[]);
            n.receives(1, 1, request).follows(1).sends(1, response)
        })
    }),
    (Rule::AppendedLacking, || n2_leads().event(2, |n| n.ticks().appends(2, 3))),
    (Rule::DiscardedOther, || n2_leads().event(2, |n| n.ticks().truncates(1))),
    (Rule::DiscardedUnproven, || n2_leads().event(2, |n| n.ticks().truncates(2))),
    (Rule::SentLost, || n2_leads().event(2, |n| n.ticks().sends_entries(3, (1, 1), &[(1, 2)], 0))),
    (Rule::AskedForOther, || {
        n2_leads().event(2, |n| {
            let request = n.request_of(&[(1, 1)]);
            n.ticks().sends(3, request)
        })
    }),
    (Rule::AnsweredUnasked, || {
        n2_lacks().event(2, |n| {
            let response = n.response_of(&[Found::Doubtful], &[]);
            n.ticks().sends(NodeId(3).0, response)
        })
    }),
];
