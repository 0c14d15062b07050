//! The invariants together: a right history is quiet, and what fires is kept by class.

use squall_raft::{LogIndex, LogPosition, NodeId, Round};

use crate::membership::{Membership, NodeSet};
use crate::observation::{Content, Step};
use crate::stage::{Cast, commit, commit_on_all, elect, replicate};

#[test]
fn a_history_of_elections_crashes_and_conflicts_by_the_rules_is_quiet() {
    let mut cast = Cast::of_invariants(5);
    elect(&mut cast, 1);
    commit_on_all(&mut cast, 1);
    replicate(&mut cast, 1, &[2]);
    cast.stop(1);
    elect(&mut cast, 3);
    commit(&mut cast, 3, &[4, 5]);
    assert_eq!(cast.event(1, |n| n.starts(2, None, &[1, 1])), Ok(()));
    commit_on_all(&mut cast, 3);
    for node in 1..=5 {
        assert_eq!(cast.event(node, |n| n.applies(1, 1).applies(2, 2)), Ok(()));
    }
    assert_eq!(cast.judge.violations(), &[]);
    assert_eq!(cast.judge.applied_operations(), &[1, 2]);
    assert_eq!(cast.judge.committed_index(), LogIndex(2));
}

#[test]
fn every_class_that_fires_is_kept_once_and_the_first_is_returned() {
    let mut cast = Cast::of_invariants(3);
    elect(&mut cast, 1);
    commit_on_all(&mut cast, 1);
    let fired = cast.event(2, |n| n.becomes_leader().truncates(1));
    assert_eq!(fired, Err("ElectionSafety"));
    assert_eq!(
        cast.event(2, |n| n.becomes_leader()),
        Ok(()),
        "a leader that stays one is no second election"
    );
    let classes: Vec<&str> = cast.judge.violations().iter().map(|violation| violation.class).collect();
    assert_eq!(classes, ["ElectionSafety", "LeaderAppendOnly", "ProgressNeverFalls"]);
}

#[test]
fn a_message_that_only_a_leader_sends_is_a_claim() {
    let mut cast = Cast::of_invariants(3);
    elect(&mut cast, 1);
    let impostor =
        cast.event(2, |n| n.ticks().sends(3, Content::Heartbeat { round: Round(1), commit: LogIndex::ZERO }));
    assert_eq!(impostor, Err("OneVotePerTerm"));
    let classes: Vec<&str> = cast.judge.violations().iter().map(|violation| violation.class).collect();
    assert_eq!(classes, ["OneVotePerTerm", "AcknowledgedIsDurable", "ElectionSafety"]);
}

#[test]
fn a_log_with_a_gap_or_another_end_than_it_says_is_caught() {
    let mut cast = Cast::of_invariants(3);
    elect(&mut cast, 1);
    let gap = cast
        .event(2, |n| n.ticks().step(Step::Appended { position: LogPosition::new(1, 2), payload_hash: 7 }));
    assert_eq!(gap, Err("LogContinuity"));
    let silent = cast.event(3, |n| {
        n.status.last_log = LogPosition::new(1, 1);
        n
    });
    assert_eq!(silent, Err("LogContinuity"));
    let early = cast.event(3, |n| n.step(Step::Persisted { sequence: 1, durable_index: LogIndex(1) }));
    assert_eq!(early, Err("LogContinuity"));
}

#[test]
fn a_copy_that_holds_an_entry_without_its_data_is_caught() {
    let mut cast = Cast::of_invariants_with_a_witness();
    elect(&mut cast, 1);
    let entries = [(1, 1)];
    let held = cast.event(2, |n| n.receives_entries(1, (0, 0), &entries, 0).appends_withheld(1, 1));
    assert_eq!(held, Err("DataIsKept"));
}

#[test]
fn a_commit_on_witnesses_alone_is_caught() {
    let mut cast = Cast::of_invariants_with_a_witness();
    elect(&mut cast, 1);
    assert_eq!(cast.event(1, |n| n.ticks().appends(1, 2)), Ok(()));
    let entries = [(1, 1), (1, 2)];
    let stored =
        cast.event(3, |n| n.receives_entries(1, (0, 0), &entries, 0).appends(1, 1).appends(1, 2).persists());
    assert_eq!(stored, Ok(()));
    assert_eq!(cast.event(1, |n| n.receives_acknowledgement(3, 2).commits(2)), Err("CommittedDataIsKept"));
}

#[test]
fn the_names_in_the_log_of_a_witness_are_held_against_the_other_logs() {
    let mut cast = Cast::of_invariants_with_a_witness();
    elect(&mut cast, 1);
    commit(&mut cast, 1, &[3]);
    let unknown = cast.event(3, |n| n.receives_entries(1, (1, 1), &[(1, 2)], 1).appends(1, 2));
    assert_eq!(unknown, Err("LogMatching"), "nobody has shown 1@2");
    let mut cast = Cast::of_invariants_with_a_witness();
    elect(&mut cast, 1);
    elect(&mut cast, 2);
    commit(&mut cast, 2, &[1]);
    replicate(&mut cast, 2, &[1]);
    let entries = [(1, 1), (2, 2)];
    let other = cast.event(3, |n| n.receives_entries(2, (0, 0), &entries, 0).appends(1, 1).appends(2, 2));
    assert_eq!(other, Err("LogMatching"), "2@2 follows 2@1");
}

/// A disk may lose an entry that is not known to be committed only where its server cannot have committed it alone.
#[test]
fn an_entry_may_be_committed_by_the_configuration_before_it_and_by_all_that_follow() {
    let mut cast = Cast::of_invariants(3);
    elect(&mut cast, 1);
    commit_on_all(&mut cast, 1);
    let three = Membership::first(&[1, 2, 3].map(NodeId));
    let joint = Membership { outgoing: three.voters, ..Membership::first(&[1, 2].map(NodeId)) };
    cast.event(1, |n| n.ticks().configures(1, 2, joint).appends(1, 3).persists()).expect("by the rules");
    let reaching = |index| cast.judge.configurations_reaching(NodeId(1), LogIndex(index)).collect::<Vec<_>>();
    assert_eq!([1, 2, 3].map(reaching), [vec![three, joint], vec![three, joint], vec![joint]]);
    assert_eq!(cast.judge.configurations(NodeId(1)).collect::<Vec<_>>(), [joint], "what is durable");
    let alone = NodeSet::EMPTY.with(NodeId(1));
    assert!(Membership::default().may_commit(alone), "by one without voters nothing is ruled out");
    assert!(Membership::first(&[NodeId(1)]).may_commit(alone) && !joint.may_commit(alone));
}
