//! Histories of witnesses.

use squall_raft::{LogIndex, LogPosition, NodeId, SnapshotId};

use super::super::rule::Rule;
use super::{History, Spec, heartbeat_response, legal, snapshot};
use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Step};
use crate::stage::{Cast, commit, commit_on_all, elect};

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
    let too_much = Err(Rule::WitnessToldTooMuch.class());
    assert_eq!(told(14, true, true, false), too_much, "n2 may still have it in time");
    assert_eq!(told(16, true, true, false), Ok(()), "n2 is out of reach");
    assert_eq!(told(16, false, true, false), too_much, "and so is the witness");
    assert_eq!(told(16, true, false, false), too_much, "no copy has it");
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
    let too_much = Err(Rule::WitnessToldTooMuch.class());
    assert_eq!(told(&[2, 4, 5], &[]), too_much, "n2 may still have it in time");
    assert_eq!(told(&[2, 4, 5], &[2]), Ok(()), "all copies within reach have it");
    assert_eq!(told(&[2, 4], &[2]), Ok(()), "one witness makes them a majority");
    assert_eq!(told(&[4, 5], &[]), Ok(()), "no other copy is within reach");
    assert_eq!(told(&[4], &[]), too_much, "n4 makes them no majority");
    assert_eq!(told(&[2, 3, 4, 5], &[2, 3]), Ok(()), "all copies have it");
}

/// Two copies, n1 and n2, and n3, a witness, go on to `voters`, of whom n4 is new. Whether n1 may tell n3 of that at this tick, when it
/// has heard these.
fn tells_of_a_change(
    ticks: u64,
    voters: &[u64],
    witnesses: &[u64],
    heard: &[u64],
) -> Result<(), &'static str> {
    let mut cast = Cast::of_spec_with_witnesses(4, 3, witnesses);
    elect(&mut cast, 1);
    commit(&mut cast, 1, &[2]);
    let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect::<NodeSet>();
    let (voters, outgoing) = (set(voters), set(&[1, 2, 3]));
    let joint = Membership { voters, outgoing, witnesses: set(witnesses), ..Membership::default() };
    legal(cast.event(1, |n| n.ticks().configures(1, 2, joint).persists()));
    if heard.contains(&2) {
        legal(cast.event(1, |n| n.receives_acknowledgement(2, 2)));
    }
    cast.event(1, |n| {
        n.observation.ticks = ticks;
        heard.iter().fold(&mut *n, |n, from| n.receives(*from, 1, heartbeat_response(1)));
        n.ticks().sends_entries(3, (1, 1), &[(1, 2)], 1)
    })
}

#[test]
fn a_witness_that_was_only_just_made_a_member_was_never_heard() {
    let told = |heard: &[u64]| tells_of_a_change(16, &[1, 2, 4], &[3, 4], heard);
    assert_eq!(told(&[3, 4]), Ok(()));
    assert_eq!(told(&[3]), Err(Rule::WitnessToldTooMuch.class()));
}

/// Of its former stays its leader may know more than its own.
#[test]
fn a_copy_that_was_only_just_made_a_member_is_within_reach_or_not() {
    let told = |heard: &[u64]| tells_of_a_change(14, &[1, 2, 3, 4], &[3], heard);
    assert_eq!(told(&[2, 3]), Ok(()));
    assert_eq!(told(&[3]), Err(Rule::WitnessToldTooMuch.class()), "n2 is for sure");
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
