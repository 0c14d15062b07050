//! Histories of witnesses.

use squall_raft::{LogIndex, LogPosition, SnapshotId};

use super::super::rule::Rule;
use super::{History, Spec, heartbeat_response, legal, snapshot};
use crate::observation::{Content, Step};
use crate::stage::{Cast, commit, commit_on_all, elect};

/// Of two copies and n3, a witness, n1 leads term 1, and has written its no-op; all know the term.
fn n1_leads_a_witness() -> Cast<Spec> {
    let mut cast = Cast::of_spec_with_a_witness();
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
