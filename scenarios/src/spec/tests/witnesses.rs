//! Histories of witnesses.

use squall_raft::{LogIndex, LogPosition, NodeId, SnapshotId};

use super::super::rule::Rule;
use super::repair::make_n2_lack_and_lead;
use super::{History, Spec, heartbeat_response, legal, snapshot};
use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Step};
use crate::stage::{Cast, commit, commit_on_all, elect};

const TOO_MUCH: Result<(), &str> = Err(Rule::WitnessToldTooMuch.class());

/// Of two copies and n3, a witness, n1 leads term 1, and has written its no-op; all know the term.
fn n1_leads_a_witness() -> Cast<Spec> {
    let mut cast = Cast::of_spec_with_witnesses(3, 3, &[3]);
    elect(&mut cast, 1);
    cast
}

#[test]
fn a_witness_counts_once_the_other_copy_is_not_heard_or_gets_no_further() {
    let mut unheard = n1_leads_a_witness();
    let late = unheard.event(1, |n| {
        n.observation.ticks = 16;
        n.receives_acknowledgement(3, 1).commits(1)
    });
    assert_eq!(late, Ok(()));
    for (ticks, verdict) in [(14, Err(Rule::CommitByWitness.class())), (15, Ok(()))] {
        let mut stuck = n1_leads_a_witness();
        let heard = stuck.event(1, |n| {
            n.observation.ticks = ticks;
            n.receives(2, 1, heartbeat_response(1)).receives_acknowledgement(3, 1).commits(1)
        });
        assert_eq!(heard, verdict, "{ticks} ticks after the entry was appended");
    }
}

#[test]
fn a_witness_is_told_what_its_word_can_commit_and_no_more() {
    let told = |ticks: u64, is_heard: bool, is_durable: bool, is_acknowledged: bool| {
        let mut cast = n1_leads_a_witness();
        commit(&mut cast, 1, &[2]);
        let accepted = Some(LogPosition::new(1, 2));
        legal(cast.event(1, |n| n.step(Step::Proposed { accepted }).appends(1, 2)));
        if is_acknowledged {
            let entries = [(1, 2)];
            legal(cast.event(1, |n| n.ticks().sends_entries(2, (1, 1), &entries, 0)));
            legal(cast.event(2, |n| {
                n.receives_entries(1, (1, 1), &entries, 0).appends(1, 2).persists().acknowledges(1, 2)
            }));
            legal(cast.event(1, |n| n.receives_acknowledgement(2, 2)));
        }
        cast.event(1, |n| {
            n.observation.ticks = ticks;
            let n = if is_durable { n.persists() } else { n.ticks() };
            let n = if is_heard { n.receives(3, 1, heartbeat_response(1)) } else { n };
            n.sends_entries(3, (1, 1), &[(1, 2)], 0)
        })
    };
    assert_eq!(told(14, true, true, false), TOO_MUCH, "n2 may still have it in time");
    assert_eq!(told(16, true, true, false), Ok(()), "n2 is out of reach");
    assert_eq!(told(16, false, true, false), TOO_MUCH, "and so is the witness");
    assert_eq!(told(16, true, false, false), TOO_MUCH, "no copy has it");
    assert_eq!(told(16, true, false, true), Ok(()), "one copy has it");
    assert_eq!(told(14, false, true, true), Ok(()), "both copies have it");
}

/// Of three copies and two witnesses one copy is away: the other has to have it first, though the leader and both witnesses
/// could commit it.
#[test]
fn a_witness_is_told_what_each_copy_within_reach_has() {
    let told = |heard: &[u64], acknowledged: &[u64]| {
        let mut cast = Cast::of_spec_with_witnesses(5, 5, &[4, 5]);
        elect(&mut cast, 1);
        commit(&mut cast, 1, &[2, 3]);
        legal(cast.event(1, |n| {
            n.observation.ticks = 16;
            let accepted = Some(LogPosition::new(1, 2));
            heard.iter().fold(&mut *n, |n, from| n.receives(*from, 1, heartbeat_response(1)));
            n.step(Step::Proposed { accepted }).appends(1, 2).persists()
        }));
        for from in acknowledged {
            let entries = [(1, 2)];
            legal(cast.event(1, |n| n.ticks().sends_entries(*from, (1, 1), &entries, 0)));
            legal(cast.event(*from, |n| {
                n.receives_entries(1, (1, 1), &entries, 0).appends(1, 2).persists().acknowledges(1, 2)
            }));
            legal(cast.event(1, |n| n.receives_acknowledgement(*from, 2)));
        }
        cast.event(1, |n| n.ticks().sends_entries(4, (1, 1), &[(1, 2)], 1))
    };
    assert_eq!(told(&[2, 4, 5], &[]), TOO_MUCH, "n2 may still have it in time");
    assert_eq!(told(&[2, 4, 5], &[2]), Ok(()), "all copies within reach have it");
    assert_eq!(told(&[2, 4], &[2]), Ok(()), "one witness makes them a majority");
    assert_eq!(told(&[4, 5], &[]), Ok(()), "no other copy is within reach");
    assert_eq!(told(&[4], &[]), TOO_MUCH, "n4 makes them no majority");
    assert_eq!(told(&[2, 3, 4, 5], &[2, 3]), Ok(()), "all copies have it");
}

/// Two copies, n1 and n2, and n3, a witness, go on to `voters`, of whom n4 is new.
fn goes_on_to(voters: &[u64], witnesses: &[u64]) -> Cast<Spec> {
    let mut cast = Cast::of_spec_with_witnesses(4, 3, witnesses);
    elect(&mut cast, 1);
    commit(&mut cast, 1, &[2]);
    let joint = Membership { outgoing: set(&[1, 2, 3]), ..configuration(voters, witnesses) };
    legal(cast.event(1, |n| n.ticks().configures(1, 2, joint).persists()));
    cast
}

fn set(ids: &[u64]) -> NodeSet {
    ids.iter().copied().map(NodeId).collect()
}

fn configuration(voters: &[u64], witnesses: &[u64]) -> Membership {
    let (voters, witnesses) = (set(voters), set(witnesses));
    Membership { voters, witnesses, ..Membership::default() }
}

/// Whether n1 may tell a witness of the last entry at this tick, when it has just heard these, and these others have it.
fn tells(
    cast: &mut Cast<Spec>,
    ticks: u64,
    heard: &[u64],
    have_it: &[u64],
    to: u64,
) -> Result<(), &'static str> {
    let last = cast.puppet(1).status.last_log.index.0;
    for from in have_it {
        legal(cast.event(1, |n| n.receives_acknowledgement(*from, last)));
    }
    cast.event(1, |n| {
        n.observation.ticks = ticks;
        heard.iter().fold(&mut *n, |n, from| n.receives(*from, 1, heartbeat_response(1)));
        n.ticks().sends_entries(to, (1, last - 1), &[(1, last)], 1)
    })
}

#[test]
fn a_witness_that_was_only_just_made_a_member_was_never_heard() {
    let told = |heard: &[u64]| tells(&mut goes_on_to(&[1, 2, 4], &[3, 4]), 16, heard, &[], 4);
    assert_eq!(told(&[3, 4]), Ok(()));
    assert_eq!(told(&[3]), TOO_MUCH);
}

/// Who does not know that n4 is a member asks n3 alone.
#[test]
fn a_witness_that_comes_is_told_before_one_that_goes() {
    let told = |have_it: &[u64]| tells(&mut goes_on_to(&[1, 2, 4], &[3, 4]), 16, &[3, 4], have_it, 3);
    assert_eq!(told(&[]), TOO_MUCH);
    assert_eq!(told(&[4]), Ok(()));
}

/// Of its former stays its leader may know more than its own.
#[test]
fn a_copy_that_was_only_just_made_a_member_is_within_reach_or_not() {
    let told =
        |heard: &[u64], have_it: &[u64]| tells(&mut goes_on_to(&[1, 2, 3, 4], &[3]), 14, heard, have_it, 3);
    assert_eq!(told(&[2, 3], &[2]), Ok(()));
    assert_eq!(told(&[3], &[]), TOO_MUCH, "n2 is for sure");
}

/// While it is not certain that n2 is no member, it may have to lead.
#[test]
fn a_copy_that_goes_has_an_entry_before_a_witness_that_stays() {
    let told = |have_it: &[u64]| {
        let mut cast = goes_on_to(&[1, 3, 4], &[3]);
        legal(cast.event(1, |n| n.receives_acknowledgement(2, 2)));
        legal(cast.event(1, |n| n.receives_acknowledgement(4, 2)));
        let last = configuration(&[1, 3, 4], &[3]);
        legal(cast.event(1, |n| n.ticks().commits(2).configures(1, 3, last).persists()));
        tells(&mut cast, 14, &[2, 3], have_it, 3)
    };
    assert_eq!(told(&[]), TOO_MUCH);
    assert_eq!(told(&[2]), Ok(()));
}

#[test]
fn a_witness_that_goes_is_told_what_is_committed() {
    let told = |commit_index| {
        let mut cast = goes_on_to(&[1, 2, 4], &[3, 4]);
        legal(cast.event(1, |n| n.receives_acknowledgement(2, 2)));
        legal(cast.event(1, |n| n.receives_acknowledgement(4, 2)));
        let last = configuration(&[1, 2, 4], &[4]);
        legal(cast.event(1, |n| n.ticks().commits(2).configures(1, 3, last).persists()));
        legal(cast.event(1, |n| n.receives_acknowledgement(2, 3)));
        legal(cast.event(1, |n| n.ticks().commits(commit_index)));
        tells(&mut cast, 1, &[3, 4], &[], 3)
    };
    assert_eq!(told(2), TOO_MUCH);
    assert_eq!(told(3), Ok(()));
}

/// It answers a word of an earlier term, which may have been for a former stay.
#[test]
fn a_copy_that_answers_no_round_is_within_reach_or_not() {
    let told = |round| {
        let mut cast = n1_leads_a_witness();
        commit(&mut cast, 1, &[2]);
        legal(cast.event(1, |n| {
            n.observation.ticks = 16;
            n.receives(2, 1, heartbeat_response(round));
            let accepted = Some(LogPosition::new(1, 2));
            n.step(Step::Proposed { accepted }).appends(1, 2).persists()
        }));
        tells(&mut cast, 16, &[3], &[], 3)
    };
    assert_eq!(told(1), TOO_MUCH);
    assert_eq!(told(0), Ok(()));
}

/// A witness that answered a round counts while it is heard, whatever it answers.
#[test]
fn a_witness_that_answers_no_round_is_heard() {
    let mut cast = goes_on_to(&[1, 2, 4], &[3, 4]);
    legal(cast.event(1, |n| n.receives(4, 1, heartbeat_response(1))));
    legal(cast.event(1, |n| {
        n.observation.ticks = 16;
        n.receives(4, 1, heartbeat_response(0))
    }));
    assert_eq!(tells(&mut cast, 16, &[3], &[], 4), Ok(()));
}

#[test]
fn a_copy_of_which_a_new_leader_knows_nothing_is_within_reach() {
    let mut cast = n1_leads_a_witness();
    commit(&mut cast, 1, &[2]);
    elect(&mut cast, 2);
    let told = |ticks| {
        cast.clone().event(2, |n| {
            n.observation.ticks = ticks;
            n.receives(1, 2, heartbeat_response(1)).receives(3, 2, heartbeat_response(1));
            n.sends_entries(3, (1, 1), &[(2, 2)], 0)
        })
    };
    assert_eq!(told(14), TOO_MUCH);
    assert_eq!(told(15), Ok(()), "it had time to say more");
}

/// n2 leads, and could not send what it lacked: n1 does not lag for want of it.
#[test]
fn a_copy_is_within_reach_of_a_leader_that_lacked_an_entry() {
    let told = |begins_at, acknowledged| {
        let mut cast = n1_leads_a_witness();
        make_n2_lack_and_lead(&mut cast);
        legal(cast.event(2, |n| n.receives_acknowledgement(1, 1)));
        legal(cast.event(2, |n| {
            n.observation.ticks = 100;
            let response = n.response_of(&[], &[(1, 2)]);
            n.receives(1, 2, response).repairs(1, 2).writes()
        }));
        legal(cast.event(2, |n| n.persists()));
        legal(cast.event(2, |n| {
            n.observation.ticks = begins_at;
            n.ticks().appends(2, 3)
        }));
        legal(cast.event(2, |n| n.persists()));
        legal(cast.event(2, |n| n.receives(3, 2, heartbeat_response(1))));
        legal(cast.event(2, |n| n.receives_acknowledgement(1, acknowledged)));
        cast.event(2, |n| n.ticks().sends_entries(3, (1, 1), &[(1, 2), (2, 3)], 0))
    };
    assert_eq!(told(100, 1), TOO_MUCH);
    assert_eq!(told(100, 3), Ok(()));
    assert_eq!(told(115, 1), Ok(()), "it had time to say that it has it");
}

/// n2 says that it lacks what it had acknowledged, and then that the end of its log is lost, too: the leader knows that it is behind.
#[test]
fn a_copy_that_lacks_and_then_has_lost_is_behind() {
    let mut cast = n1_leads_a_witness();
    commit(&mut cast, 1, &[2]);
    let ticks = 100;
    let accepts = |index| Step::Proposed { accepted: Some(LogPosition::new(1, index)) };
    legal(cast.event(1, |n| {
        n.observation.ticks = ticks;
        n.receives(2, 1, heartbeat_response(1)).step(accepts(2)).appends(1, 2).persists()
    }));
    legal(cast.event(1, |n| n.ticks().sends_entries(2, (1, 1), &[(1, 2)], 1)));
    legal(cast.event(1, |n| n.receives_acknowledgement(2, 2).commits(2)));
    let lacking = Content::AppendLacking { first: LogIndex(2), named: LogIndex(2) };
    legal(cast.event(1, |n| n.receives(2, 1, lacking)));
    let refused =
        Content::AppendRefused { rejected: LogIndex(1), hint: LogPosition::ZERO, is_uncertain: true };
    legal(cast.event(1, |n| n.receives(2, 1, refused)));
    let told = cast.event(1, |n| {
        n.observation.ticks = ticks + 1;
        n.receives(3, 1, heartbeat_response(1)).step(accepts(3)).appends(1, 3).persists();
        n.sends_entries(3, (1, 1), &[(1, 2), (1, 3)], 2)
    });
    assert_eq!(told, Ok(()));
}

#[test]
fn a_witness_takes_up_the_place_that_it_was_told_and_no_other() {
    let mut cast = n1_leads_a_witness();
    commit(&mut cast, 1, &[2]);
    legal(cast.event(1, |n| n.applies(1, 1)));
    legal(cast.event(1, |n| n.takes_snapshot(snapshot())));
    let offer = Content::InstallSnapshot { snapshot: snapshot(), without_data: true };
    legal(cast.event(1, |n| n.ticks().compacts(1, 1).sends(3, offer)));
    let own = SnapshotId { bytes: 3, checksum: 1, ..snapshot() };
    let unasked = cast.clone().event(3, |n| n.takes_snapshot(own).commits(1).resets(1, 1));
    assert_eq!(unasked, Err(Rule::TookOtherSnapshot.class()));
    legal(cast.event(3, |n| n.receives(1, 1, offer).follows(1)));
    legal(cast.event(3, |n| n.takes_snapshot(own).commits(1).resets(1, 1).acknowledges(1, 1)));
    legal(cast.event(3, |n| n.restores(own, 0)));
    let served = Content::SnapshotChunk { snapshot: own, bytes: 3 };
    let verdict = cast.event(3, |n| n.ticks().sends(2, served));
    assert_eq!(verdict, Err(Rule::SnapshotNotHere.class()), "it has no data");
}

/// The rules about witnesses, and what breaks them.
pub(super) const BROKEN: &[(Rule, History)] = &[
    (Rule::WitnessCampaigned, || n1_leads_a_witness().event(3, |n| n.ticks().campaigns(2))),
    (Rule::WitnessApplied, || {
        let mut cast = n1_leads_a_witness();
        commit_on_all(&mut cast, 1);
        cast.event(3, |n| n.applies(1, 1))
    }),
    // Of the second entry n1 alone knows, and its disk does not have it.
    (Rule::WitnessToldTooMuch, || {
        let mut cast = n1_leads_a_witness();
        commit(&mut cast, 1, &[2]);
        let accepted = Some(LogPosition::new(1, 2));
        cast.event(1, |n| {
            n.observation.ticks = 16;
            n.receives(3, 1, heartbeat_response(1));
            n.step(Step::Proposed { accepted }).appends(1, 2).sends_entries(3, (1, 1), &[(1, 2)], 0)
        })
    }),
    (Rule::WithheldFromCopy, || {
        n1_leads_a_witness()
            .event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).follows(1).appends_withheld(1, 1))
    }),
    // n2 may still answer in time.
    (Rule::CommitByWitness, || {
        n1_leads_a_witness().event(1, |n| n.receives_acknowledgement(3, 1).commits(1))
    }),
    (Rule::AcknowledgedAsOther, || {
        let as_copy = Content::AppendAcknowledged { match_index: LogIndex(1), as_witness: false };
        n1_leads_a_witness().event(3, |n| {
            n.receives_entries(1, (0, 0), &[(1, 1)], 0).follows(1).appends(1, 1).persists().sends(1, as_copy)
        })
    }),
    (Rule::OfferedAsOther, || {
        let mut cast = n1_leads_a_witness();
        commit(&mut cast, 1, &[2]);
        legal(cast.event(1, |n| n.applies(1, 1)));
        legal(cast.event(1, |n| n.takes_snapshot(snapshot())));
        let offer = Content::InstallSnapshot { snapshot: snapshot(), without_data: false };
        cast.event(1, |n| n.ticks().sends(3, offer))
    }),
];
