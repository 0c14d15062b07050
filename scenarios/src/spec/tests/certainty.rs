//! Histories of nodes that may have lost what they acknowledged.

use squall_raft::{Found, RoleKind, Term};

use super::super::rule::Rule;
use super::{History, PRE_VOTE, Spec, legal, n1_committed, n1_leads};
use crate::observation::{Content, Step};
use crate::stage::{Cast, Puppet, request_vote, vote_response};

const IF_ALL_DO: Content = Content::RequestVoteResponse { granted: true, is_conditional: true };

impl Puppet {
    /// Its storage says, as it starts, up to which term entries may have been lost.
    fn uncertain(&mut self, term: u64) -> &mut Self {
        for step in &mut self.observation.steps {
            if let Step::Started { uncertain, .. } = step {
                *uncertain = Term(term);
            }
        }
        self
    }
}

/// n1 leads term 1; n2, which knows the term, came back without knowing what its log had.
fn n2_is_uncertain() -> Cast<Spec> {
    let mut cast = n1_leads();
    legal(cast.event(2, |n| n.starts(1, Some(1), &[]).uncertain(1)));
    cast
}

/// And `candidate` asks in term 2.
fn asks(candidate: u64) -> Cast<Spec> {
    let mut cast = n2_is_uncertain();
    legal(cast.event(candidate, |n| n.ticks().campaigns(2)));
    legal(cast.event(candidate, |n| n.persists().sends(1, request_vote(0, 0))));
    cast
}

#[test]
fn who_is_uncertain_votes_on_condition_until_it_has_an_entry_of_a_later_term() {
    let mut cast = n2_is_uncertain();
    legal(cast.event(2, |n| n.receives(3, 2, request_vote(0, 0)).votes(2, 3)));
    let unconditional = cast.clone().event(2, |n| n.persists().sends(3, vote_response(true)));
    assert_eq!(unconditional, Err(Rule::VoteUnconditional.class()));
    legal(cast.event(2, |n| n.persists().sends(3, IF_ALL_DO)));

    let mut cast = n2_is_uncertain();
    legal(
        cast.event(2, |n| {
            n.receives_entries_in(2, 3, (0, 0), &[(2, 1)], 0).adopts(2).follows(3).appends(2, 1)
        }),
    );
    legal(cast.event(2, |n| n.receives(1, 3, request_vote(2, 1)).votes(3, 1)));
    legal(cast.event(2, |n| n.persists().sends(1, vote_response(true))));
}

#[test]
fn a_certain_quorum_elects_and_so_does_everybody() {
    for (candidate, votes) in [
        (2, &[(1, vote_response(true)), (3, vote_response(true))][..]),
        (2, &[(1, IF_ALL_DO), (3, IF_ALL_DO)]),
        (3, &[(1, vote_response(true))]),
        (3, &[(2, IF_ALL_DO), (1, vote_response(true))]),
    ] {
        let mut cast = asks(candidate);
        let ((last, vote), before) = votes.split_last().expect("somebody votes");
        for (voter, vote) in before {
            legal(cast.event(candidate, |n| n.receives(*voter, 2, *vote)));
        }
        legal(cast.event(candidate, |n| n.receives(*last, 2, *vote).becomes_leader()));
    }
}

#[test]
fn a_campaign_takes_pre_votes_that_would_elect() {
    let pre_voted = |answers: &[(u64, bool)]| {
        let mut cast = n2_is_uncertain();
        legal(cast.event(2, |n| n.ticks().becomes(RoleKind::PreCandidate)));
        let ((last, is_conditional), before) = answers.split_last().expect("somebody answers");
        for (voter, is_conditional) in before {
            let granted = Content::PreVoteResponse { granted: true, is_conditional: *is_conditional };
            legal(cast.event(2, |n| n.receives(*voter, 1, granted)));
        }
        let granted = Content::PreVoteResponse { granted: true, is_conditional: *is_conditional };
        cast.event(2, |n| n.receives(*last, 1, granted).campaigns(2))
    };
    assert_eq!(pre_voted(&[(3, false)]), Err(Rule::CampaignWithoutPreVotes.class()));
    assert_eq!(pre_voted(&[(1, false), (3, false)]), Ok(()));
    assert_eq!(pre_voted(&[(1, true), (3, true)]), Ok(()));
}

#[test]
fn what_was_found_at_one_start_is_known_at_the_next() {
    let mut cast = n2_is_uncertain();
    legal(cast.event(2, |n| n.starts(1, Some(1), &[]).uncertain(1)));
    let forgotten = cast.clone().event(2, |n| n.starts(1, Some(1), &[]));
    assert_eq!(forgotten, Err(Rule::RecoveredUncertain.class()));
    legal(cast.event(2, |n| n.receives(3, 4, vote_response(false)).adopts(4)));
    legal(cast.event(2, |n| n.persists()));
    let of_no_term = cast.clone().event(2, |n| n.starts(4, None, &[]).uncertain(3));
    assert_eq!(of_no_term, Err(Rule::RecoveredUncertain.class()));
    legal(cast.event(2, |n| n.starts(4, None, &[]).uncertain(4)));
}

#[test]
fn what_it_may_have_had_it_does_not_deny() {
    let answered = |uncertain: u64, found: Found| {
        let mut cast = n1_committed();
        legal(cast.event(2, |n| n.starts(1, Some(1), &[1]).uncertain(uncertain)));
        cast.event(2, |n| {
            let request = n.request_of(&[(1, 2)]);
            let response = n.response_of(&[found], &[]);
            n.receives(1, 1, request).follows(1).sends(1, response)
        })
    };
    let other = Err(Rule::AnsweredOther.class());
    assert_eq!([answered(1, Found::Doubtful), answered(1, Found::Absent)], [Ok(()), other]);
    assert_eq!([answered(0, Found::Doubtful), answered(0, Found::Absent)], [other, Ok(())]);
}

/// The rules about heads, and what breaks them.
pub(super) const BROKEN: &[(Rule, History)] = &[
    (Rule::RecoveredUncertain, || n1_leads().event(2, |n| n.starts(1, Some(1), &[]).uncertain(3))),
    (Rule::VoteUnconditional, || {
        let granted = Content::PreVoteResponse { granted: true, is_conditional: false };
        n2_is_uncertain().event(2, |n| n.receives(3, 1, PRE_VOTE).sends(3, granted))
    }),
    // Its own word is worth no more than another's.
    (Rule::LeaderUncertain, || asks(2).event(2, |n| n.receives(3, 2, vote_response(true)).becomes_leader())),
    (Rule::LeaderUncertain, || asks(3).event(3, |n| n.receives(2, 2, IF_ALL_DO).becomes_leader())),
];
