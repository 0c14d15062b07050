//! Legal histories pass; and for each rule there is a change that breaks it, and is refused by its name.

mod certainty;
mod repair;
mod snapshots;
mod witnesses;

use squall_raft::{HardState, LogIndex, LogPosition, NodeId, ReadId, RoleKind, Round, SnapshotId, Term};

use super::Spec;
use super::rule::Rule;
use crate::membership::Membership;
use crate::observation::{Content, Step};
use crate::stage::{Cast, commit, commit_on_all, elect, replicate, request_vote, vote_response};

type Verdict = Result<(), &'static str>;
type History = fn() -> Verdict;

const PRE_VOTE: Content = Content::PreVote { last_log: LogPosition::ZERO };

fn heartbeat(commit: u64) -> Content {
    Content::Heartbeat { round: Round(1), commit: LogIndex(commit) }
}

fn heartbeat_response(round: u64) -> Content {
    Content::HeartbeatResponse { round: Round(round), promise: 0 }
}

fn beat(round: u64) -> Content {
    Content::Heartbeat { round: Round(round), commit: LogIndex(1) }
}

fn read(number: u64) -> Step {
    Step::ReadAsked { read: Some(ReadId(number)) }
}

fn settled(up_to: u64, index: u64) -> Step {
    Step::ReadsSettled { up_to: ReadId(up_to), index: Some(LogIndex(index)) }
}

fn question(up_to: u64) -> Content {
    Content::ReadIndex { boot: 1, up_to: ReadId(up_to) }
}

fn word(up_to: u64, index: u64) -> Content {
    Content::ReadIndexResponse { boot: 1, up_to: ReadId(up_to), index: LogIndex(index) }
}

fn refuses(rejected: u64, hint: (u64, u64)) -> Content {
    let (rejected, hint) = (LogIndex(rejected), LogPosition::new(hint.0, hint.1));
    Content::AppendRefused { rejected, hint, is_uncertain: false }
}

fn proposal(term: u64, index: u64) -> Step {
    Step::Proposed { accepted: Some(LogPosition::new(term, index)) }
}

/// n1 leads term 1, and has written its no-op; all know the term.
fn n1_leads() -> Cast<Spec> {
    let mut cast = Cast::of_spec(3);
    elect(&mut cast, 1);
    cast
}

/// And the no-op is committed on all.
fn n1_committed() -> Cast<Spec> {
    let mut cast = n1_leads();
    commit_on_all(&mut cast, 1);
    cast
}

/// A configuration of these voters and learners.
fn among(voters: &[u64], learners: &[u64]) -> Membership {
    let set = |nodes: &[u64]| nodes.iter().copied().map(NodeId).collect();
    Membership { voters: set(voters), learners: set(learners), ..Membership::default() }
}

fn joint(voters: &[u64], outgoing: &[u64]) -> Membership {
    Membership { outgoing: among(outgoing, &[]).voters, ..among(voters, &[]) }
}

/// n1 leads voters n1 n2 n3, and all four know that n4 is a learner, by 1@2.
fn n4_learns() -> Cast<Spec> {
    let mut cast = Cast::of_spec_among(4, 3);
    elect(&mut cast, 1);
    commit_on_all(&mut cast, 1);
    let learns = among(&[1, 2, 3], &[4]);
    legal(cast.event(1, |n| n.ticks().configures(1, 2, learns).persists()));
    stores(&mut cast, 2, 2, learns);
    stores(&mut cast, 3, 2, learns);
    legal(cast.event(1, |n| n.ticks().commits(2)));
    let first = [(1, 1)];
    legal(cast.event(4, |n| {
        n.receives_entries_in(1, 1, (0, 0), &first, 1).adopts(1).follows(1).commits(1).appends(1, 1)
    }));
    stores(&mut cast, 4, 2, learns);
    cast
}

/// A node stores a configuration that n1 sends in term 1, and n1 hears of it.
fn stores(cast: &mut Cast<Spec>, node: u64, index: u64, membership: Membership) {
    legal(cast.event(node, |n| {
        n.receives_entries(1, (1, index - 1), &[(1, index)], 1)
            .follows(1)
            .configures(1, index, membership)
            .persists()
            .acknowledges(1, index)
    }));
    legal(cast.event(1, |n| n.receives_acknowledgement(node, index)));
}

/// A snapshot of the first entry.
fn snapshot() -> SnapshotId {
    SnapshotId { last: LogPosition::new(1, 1), bytes: 9, checksum: 7 }
}

/// n1 has committed its no-op with n2; n3 has not got it, and was offered the snapshot.
fn n3_is_offered() -> Cast<Spec> {
    let mut cast = n1_leads();
    commit(&mut cast, 1, &[2]);
    legal(cast.event(1, |n| n.applies(1, 1)));
    legal(cast.event(1, |n| n.takes_snapshot(snapshot())));
    let offer = Content::InstallSnapshot { snapshot: snapshot(), without_data: false };
    legal(cast.event(1, |n| n.ticks().compacts(1, 1).sends(3, offer)));
    legal(cast.event(3, |n| {
        n.receives(1, 1, offer).follows(1).sends(1, Content::SnapshotRequest { snapshot: snapshot() })
    }));
    cast
}

#[track_caller]
fn legal(verdict: Verdict) {
    assert_eq!(verdict, Ok(()));
}

#[test]
fn a_deposed_leader_loses_its_uncommitted_entries_and_catches_up() {
    let mut cast = n1_committed();
    replicate(&mut cast, 1, &[]);
    elect(&mut cast, 2);
    replicate(&mut cast, 2, &[1, 3]);
    commit_on_all(&mut cast, 2);
    for node in 1..=3 {
        legal(cast.event(node, |n| n.applies(1, 1).applies(2, 2).applies(2, 3)));
    }
    assert_eq!(cast.judge.violations(), &[]);
}

#[test]
fn a_snapshot_is_offered_installed_and_restored_and_the_log_goes_on_behind_it() {
    let mut cast = n3_is_offered();
    legal(cast.event(3, |n| n.receives_snapshot(snapshot()).commits(1).resets(1, 1).acknowledges(1, 1)));
    legal(cast.event(3, |n| n.restores(snapshot(), 1)));
    legal(cast.event(1, |n| n.receives_acknowledgement(3, 1)));
    legal(cast.event(3, |n| n.receives_entries(1, (1, 1), &[(1, 2)], 1).appends(1, 2)));
    // A life that begins with the snapshot, whether or not the log's new beginning was durable.
    for (base, log) in [(true, &[][..]), (true, &[1]), (false, &[])] {
        let mut cast = cast.clone();
        legal(cast.event(3, |n| match base {
            true => n.starts_from((1, 1), snapshot(), log).restores(snapshot(), 1),
            false => n.starts_beside((1, 1), snapshot(), log).resets(1, 1).restores(snapshot(), 1),
        }));
    }
}

#[test]
fn a_crash_may_keep_any_prefix_of_the_writes_that_were_under_way() {
    for (term, vote, log) in [(1, Some(1), &[][..]), (1, Some(1), &[1]), (1, Some(1), &[1, 1])] {
        let mut cast = n1_leads();
        let entries = [(1, 1), (1, 2)];
        legal(
            cast.event(2, |n| {
                n.receives_entries(1, (0, 0), &entries, 0).follows(1).appends(1, 1).appends(1, 2)
            }),
        );
        legal(cast.event(2, |n| n.starts(term, vote, log)));
    }
}

#[test]
fn a_crash_between_a_truncation_and_its_sync_may_bring_the_old_entries_back() {
    for log in [&[1, 1][..], &[1], &[1, 2]] {
        let mut cast = n1_committed();
        replicate(&mut cast, 1, &[]);
        elect(&mut cast, 2);
        legal(
            cast.event(1, |n| {
                n.receives_entries(2, (1, 1), &[(2, 2)], 1).follows(2).truncates(2).appends(2, 2)
            }),
        );
        legal(cast.event(1, |n| n.starts(2, None, log)));
    }
}

#[test]
fn one_input_may_commit_a_configuration_enter_the_next_and_commit_by_that() {
    let mut cast = n1_committed();
    let (both, next) = (joint(&[1], &[1, 2, 3]), among(&[1], &[]));
    legal(cast.event(1, |n| n.ticks().configures(1, 2, both).persists()));
    stores(&mut cast, 2, 2, both);
    let appended = Step::Proposed { accepted: Some(LogPosition::new(1, 3)) };
    legal(cast.event(1, |n| n.step(appended).appends(1, 3).persists()));
    let mut early = cast.clone();
    assert_eq!(early.event(1, |n| n.ticks().commits(3)), Err(Rule::CommitWithoutQuorum.class()));
    legal(cast.event(1, |n| n.ticks().commits(2)));
    legal(cast.event(1, |n| n.ticks().commits(3).configures(1, 4, next)));
}

#[test]
fn a_heartbeat_after_a_restart_may_commit_what_was_acknowledged_before_it() {
    let mut cast = n1_leads();
    commit(&mut cast, 1, &[2]);
    legal(cast.event(2, |n| n.starts(1, Some(1), &[1])));
    legal(cast.event(2, |n| n.receives(1, 1, heartbeat(1)).follows(1).commits(1)));
}

#[test]
fn a_heartbeat_over_a_stale_tail_commits_only_what_matched() {
    let mut cast = n1_committed();
    replicate(&mut cast, 1, &[]);
    elect(&mut cast, 2);
    commit(&mut cast, 2, &[3]);
    // n1 still has its own 1@2 where 2@2 is committed.
    let early = cast.event(1, |n| n.receives(2, 2, heartbeat(2)).follows(2).commits(2));
    assert_eq!(early, Err(Rule::CommitBeyondMatched.class()));
}

#[test]
fn a_late_completion_does_not_make_durable_what_was_overwritten_since() {
    let mut cast = n1_committed();
    legal(cast.event(3, |n| n.receives_entries(1, (1, 1), &[(1, 2)], 1).appends(1, 2)));
    legal(cast.event(3, |n| {
        n.receives_entries_in(2, 2, (1, 1), &[(2, 2)], 1).adopts(2).follows(2).truncates(2).appends(2, 2)
    }));
    // Writes 1 and 2 were a vote and 1@1; write 3 carried 1@2, write 4 the rest.
    let completes_3 = |durable_index| Step::Persisted { sequence: 3, durable_index: LogIndex(durable_index) };
    legal(cast.event(3, |n| n.step(completes_3(1))));
    assert_eq!(cast.event(3, |n| n.step(completes_3(2))), Err(Rule::DurableBeyondWrites.class()));
    legal(cast.event(3, |n| n.persists()));
}

#[test]
fn a_joint_configuration_commits_by_both_halves_and_is_left_for_the_one_that_comes() {
    let halves = joint(&[1, 4], &[1, 2, 3]);
    let stored_by = |nodes: &[u64]| {
        let mut cast = n4_learns();
        legal(cast.event(1, |n| n.ticks().configures(1, 3, halves).persists()));
        nodes.iter().for_each(|node| stores(&mut cast, *node, 3, halves));
        cast
    };
    for too_few in [&[2, 3][..], &[4]] {
        let early = stored_by(too_few).event(1, |n| n.ticks().commits(3));
        assert_eq!(early, Err(Rule::CommitWithoutQuorum.class()), "{too_few:?}");
    }
    let mut cast = stored_by(&[2, 4]);
    let comes = among(&[1, 4], &[]);
    legal(cast.event(1, |n| n.ticks().commits(3).configures(1, 4, comes).persists()));
    stores(&mut cast, 4, 4, comes);
    legal(cast.event(1, |n| n.ticks().commits(4)));
}

#[test]
fn one_removed_by_what_may_not_be_committed_may_campaign_and_counts_the_others_alone() {
    let mut cast = n1_committed();
    let halves = joint(&[2, 3], &[1, 2, 3]);
    legal(cast.event(1, |n| n.ticks().configures(1, 2, halves).persists()));
    stores(&mut cast, 2, 2, halves);
    stores(&mut cast, 3, 2, halves);
    legal(cast.event(1, |n| n.ticks().commits(2).configures(1, 3, among(&[2, 3], &[])).persists()));
    legal(cast.event(1, |n| n.ticks().steps_down()));
    legal(cast.event(1, |n| n.ticks().campaigns(2)));
    legal(cast.event(1, |n| n.persists()));
    legal(cast.event(1, |n| n.receives(2, 2, vote_response(true))));
    let with_its_own = cast.event(1, |n| n.ticks().becomes_leader());
    assert_eq!(with_its_own, Err(Rule::LeaderWithoutQuorum.class()));
}

#[test]
fn a_pre_vote_and_a_transfer_lead_to_office() {
    let mut cast = n1_committed();
    let pre_vote = Content::PreVote { last_log: LogPosition::new(1, 1) };
    legal(cast.event(2, |n| {
        n.status.leader = None;
        n.ticks().becomes(RoleKind::PreCandidate).sends(3, pre_vote)
    }));
    let granted = Content::PreVoteResponse { granted: true, is_conditional: false };
    legal(cast.event(3, |n| n.receives(2, 1, pre_vote).sends(2, granted)));
    legal(cast.event(2, |n| n.receives(3, 1, granted).campaigns(2)));
    elect(&mut cast, 1);
    commit(&mut cast, 1, &[2, 3]);
    legal(cast.event(1, |n| n.ticks().sends(3, Content::TimeoutNow)));
    let term = 3;
    legal(cast.event(3, |n| n.receives(1, term, Content::TimeoutNow).campaigns(term + 1)));
}

#[test]
fn a_read_is_served_once_a_quorum_has_answered_a_round_that_began_after_it() {
    let mut cast = n1_committed();
    legal(cast.event(1, |n| n.ticks().sends(2, beat(1))));
    legal(cast.event(1, |n| n.step(read(1)).sends(2, beat(2))));
    legal(cast.event(1, |n| n.receives(3, 1, question(7))));
    legal(cast.event(1, |n| n.receives(2, 1, heartbeat_response(2)).step(settled(1, 1))));
    legal(cast.event(1, |n| n.ticks().sends(2, beat(3))));
    legal(cast.event(1, |n| n.receives(2, 1, heartbeat_response(3)).sends(3, word(7, 1))));
    for number in 1..=7 {
        legal(cast.event(3, |n| n.step(read(number))));
    }
    legal(cast.event(3, |n| n.receives(1, 1, word(7, 1)).step(settled(7, 1))));
}

/// n1 leads by leases: n2 has promised it 20 ticks, counted from its tick 0.
fn n1_leads_by_lease() -> Cast<Spec> {
    let mut cast = Cast::of_spec_with_leases(3);
    elect(&mut cast, 1);
    commit_on_all(&mut cast, 1);
    legal(cast.event(1, |n| n.ticks().sends(2, beat(2))));
    legal(cast.event(1, |n| {
        n.observation.ticks = 10;
        n.receives(2, 1, Content::HeartbeatResponse { round: Round(2), promise: 20 })
    }));
    cast
}

/// n1 serves its first read at that tick.
fn serves_at(cast: &mut Cast<Spec>, ticks: u64) -> Verdict {
    cast.event(1, |n| {
        n.observation.ticks = ticks;
        n.step(read(1)).step(settled(1, 1))
    })
}

#[test]
fn a_lease_serves_reads_until_the_promise_may_have_ended() {
    legal(serves_at(&mut n1_leads_by_lease(), 18));
    // A part of a tick had passed when the round began, so that the twentieth is not sure.
    assert_eq!(serves_at(&mut n1_leads_by_lease(), 19), Err(Rule::ReadUnconfirmed.class()));
}

#[test]
fn a_lease_ends_when_another_is_told_to_campaign() {
    let mut cast = n1_leads_by_lease();
    legal(cast.event(1, |n| n.ticks().sends(2, Content::TimeoutNow)));
    assert_eq!(serves_at(&mut cast, 12), Err(Rule::ReadUnconfirmed.class()));
}

#[test]
fn a_longer_log_of_an_earlier_term_is_behind() {
    let mut cast = n1_committed();
    elect(&mut cast, 2);
    // n2 holds 1@1 and 2@2.
    let longer = cast.event(2, |n| n.receives(1, 3, request_vote(1, 9)).votes(3, 1));
    assert_eq!(longer, Err(Rule::VoteForStaleLog.class()));
    legal(cast.event(3, |n| n.receives(2, 3, request_vote(2, 1)).votes(3, 2)));
}

/// The leader's disk and the network work in parallel: the order of its deeds is not that of their causes.
#[test]
fn a_leader_may_send_an_entry_before_it_asks_for_it_to_be_written() {
    let mut cast = n1_leads();
    legal(cast.event(1, |n| n.step(proposal(1, 2)).sends_entries(2, (1, 1), &[(1, 2)], 0).appends(1, 2)));
}

#[test]
fn a_request_of_an_earlier_term_is_refused_with_the_present_one() {
    let mut cast = n1_leads();
    elect(&mut cast, 2);
    legal(cast.event(3, |n| n.receives_entries_in(1, 1, (1, 1), &[], 0).sends(1, refuses(1, (0, 0)))));
}

#[test]
fn a_proposal_that_was_passed_on_is_appended_or_refused() {
    let mut cast = n1_committed();
    legal(cast.event(2, |n| n.step(Step::Proposed { accepted: None }).sends(1, Content::Forward)));
    legal(cast.event(1, |n| n.receives(2, 1, Content::Forward).appends(1, 2)));
    legal(cast.event(1, |n| n.receives(2, 1, Content::Forward).sends(2, Content::ForwardRefused)));
}

#[test]
fn to_ignore_is_always_legal() {
    let mut cast = n1_leads();
    for content in [request_vote(9, 9), heartbeat(9), Content::TimeoutNow, PRE_VOTE, vote_response(true)] {
        for term in 0..=9 {
            legal(cast.event(2, |n| n.receives(1, term, content)));
        }
    }
    legal(cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1), (1, 2)], 2)));
    legal(cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1), (1, 2)], 2).appends(1, 1)));
}

/// For each rule a history that breaks it at its end.
const BROKEN: &[(Rule, History)] = &[
    (Rule::RecoveredHardState, || n1_leads().event(2, |n| n.starts(0, None, &[]))),
    (Rule::RecoveredLog, || n1_leads().event(1, |n| n.starts(1, Some(1), &[]))),
    (Rule::RecoveredTermBehindLog, || {
        let mut cast = Cast::of_spec(3);
        legal(cast.event(2, |n| {
            n.receives_entries_in(1, 1, (0, 0), &[(1, 1)], 0).adopts(1).follows(1).appends(1, 1)
        }));
        cast.event(2, |n| n.starts(0, None, &[1]))
    }),
    (Rule::WroteOtherHardState, || {
        let other = HardState { current_term: Term(7), ..HardState::default() };
        Cast::of_spec(3).event(1, |n| n.ticks().step(Step::WroteHardState(other)))
    }),
    (Rule::PersistedUnknownWrite, || {
        Cast::of_spec(3).event(1, |n| n.step(Step::Persisted { sequence: 9, durable_index: LogIndex(0) }))
    }),
    (Rule::DurableBeyondWrites, || {
        let mut cast = n1_leads();
        legal(cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(1, 1)));
        cast.event(2, |n| n.step(Step::Persisted { sequence: 1, durable_index: LogIndex(1) }))
    }),
    (Rule::TermFell, || n1_leads().event(2, |n| n.ticks().adopts(0))),
    (Rule::TermRose, || n1_leads().event(2, |n| n.ticks().adopts(2))),
    (Rule::CampaignUnprompted, || Cast::of_spec(3).event(2, |n| n.step(Step::Fetched).campaigns(1))),
    (Rule::CampaignInOffice, || n1_leads().event(1, |n| n.ticks().campaigns(2))),
    (Rule::CampaignSameTerm, || Cast::of_spec(3).event(1, |n| n.ticks().becomes(RoleKind::Candidate))),
    (Rule::CampaignWithoutPreVotes, || {
        let mut cast = Cast::of_spec(3);
        legal(cast.event(1, |n| n.ticks().becomes(RoleKind::PreCandidate)));
        cast.event(1, |n| {
            n.receives(2, 0, Content::PreVoteResponse { granted: false, is_conditional: false }).campaigns(1)
        })
    }),
    (Rule::PreVoteChangedState, || n1_leads().event(2, |n| n.receives(3, 2, PRE_VOTE).adopts(2))),
    (Rule::PreVoteForStaleLog, || {
        n1_leads().event(1, |n| {
            n.receives(2, 1, PRE_VOTE)
                .sends(2, Content::PreVoteResponse { granted: true, is_conditional: false })
        })
    }),
    (Rule::SecondVote, || n1_leads().event(2, |n| n.receives(3, 1, request_vote(0, 0)).votes(1, 3))),
    (Rule::VoteForgotten, || n1_leads().event(2, |n| n.ticks().adopts(1))),
    (Rule::VoteUnasked, || Cast::of_spec(3).event(2, |n| n.ticks().votes(0, 1))),
    (Rule::VoteForStaleLog, || n1_leads().event(1, |n| n.receives(2, 2, request_vote(0, 0)).votes(2, 2))),
    (Rule::TransferIgnored, || {
        let wished = Content::RequestVote { last_log: LogPosition::ZERO, leadership_transfer: true };
        n1_leads().event(2, |n| n.receives(3, 2, wished))
    }),
    (Rule::LeaderNotCandidate, || Cast::of_spec(3).event(1, |n| n.ticks().becomes_leader())),
    (Rule::LeaderWithoutQuorum, || {
        let mut cast = Cast::of_spec(5);
        legal(cast.event(1, |n| n.ticks().campaigns(1)));
        legal(cast.event(1, |n| n.persists().sends(2, request_vote(0, 0))));
        // A vote that arrives twice is one vote.
        legal(cast.event(1, |n| n.receives(2, 1, vote_response(true))));
        cast.event(1, |n| n.receives(2, 1, vote_response(true)).becomes_leader())
    }),
    (Rule::LeaderVoteNotDurable, || {
        let mut cast = Cast::of_spec(3);
        legal(cast.event(1, |n| n.ticks().campaigns(1)));
        cast.event(1, |n| n.receives(2, 1, vote_response(true)).becomes_leader())
    }),
    (Rule::AcceptedOutOfOffice, || n1_leads().event(2, |n| n.step(proposal(1, 1)))),
    (Rule::AcceptedElsewhere, || n1_leads().event(1, |n| n.step(proposal(1, 2)))),
    (Rule::LeaderAppendedOther, || n1_leads().event(1, |n| n.ticks().appends(2, 2))),
    (Rule::AppendedUnasked, || n1_leads().event(2, |n| n.ticks().appends(1, 1))),
    (Rule::AppendedWithoutPrevious, || {
        n1_leads().event(2, |n| n.receives_entries(1, (1, 1), &[(1, 2)], 0).appends(1, 2))
    }),
    (Rule::AppendedOther, || {
        n1_leads().event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(2, 1))
    }),
    (Rule::AppendedCampaigning, || {
        let mut cast = Cast::of_spec(3);
        legal(cast.event(2, |n| n.ticks().campaigns(1)));
        cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(1, 1))
    }),
    (Rule::TruncatedWithoutConflict, || {
        let mut cast = n1_leads();
        replicate(&mut cast, 1, &[2]);
        cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).truncates(2))
    }),
    (Rule::TruncatedCommitted, || {
        n1_committed().event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).truncates(1))
    }),
    (Rule::UnheardLeader, || n1_leads().event(2, |n| n.ticks().follows(3))),
    (Rule::CommitBeyondMatched, || n1_leads().event(2, |n| n.receives(1, 1, heartbeat(1)).commits(1))),
    (Rule::CommitFell, || n1_committed().event(2, |n| n.ticks().commits(0))),
    (Rule::CommitOldTerm, || {
        let mut cast = n1_leads();
        replicate(&mut cast, 1, &[2, 3]);
        elect(&mut cast, 2);
        cast.event(2, |n| n.ticks().commits(1))
    }),
    (Rule::CommitWithoutQuorum, || n1_leads().event(1, |n| n.ticks().commits(1))),
    (Rule::CampaignWithoutVote, || {
        let mut cast = n4_learns();
        cast.event(4, |n| n.ticks().becomes(RoleKind::PreCandidate))
    }),
    (Rule::ConfigurationNotReady, || {
        let mut cast = n4_learns();
        elect(&mut cast, 2);
        cast.event(2, |n| n.ticks().configures(2, 4, among(&[1, 2, 3], &[])))
    }),
    (Rule::ConfigurationTwice, || {
        let mut cast = n4_learns();
        legal(cast.event(1, |n| n.ticks().configures(1, 3, among(&[1, 2, 3], &[]))));
        cast.event(1, |n| n.ticks().configures(1, 4, among(&[1, 2, 3], &[4])))
    }),
    (Rule::ConfigurationLeap, || {
        n4_learns().event(1, |n| n.ticks().configures(1, 3, among(&[1, 2, 3, 4], &[])))
    }),
    (Rule::SentOtherTerm, || n1_leads().event(2, |n| n.ticks().sends_in(0, 1, vote_response(false)))),
    (Rule::SentUndurableTerm, || {
        n1_leads().event(2, |n| n.receives(3, 2, heartbeat(0)).adopts(2).sends(3, heartbeat_response(1)))
    }),
    (Rule::SentUndurableVote, || {
        let mut cast = Cast::of_spec(3);
        legal(cast.event(2, |n| n.receives(1, 1, heartbeat(0)).adopts(1)));
        legal(cast.event(2, |n| n.persists()));
        cast.event(2, |n| n.receives(3, 1, request_vote(0, 0)).votes(1, 3).sends(3, vote_response(true)))
    }),
    (Rule::SentOtherLastLog, || {
        let mut cast = Cast::of_spec(3);
        legal(cast.event(1, |n| n.ticks().campaigns(1)));
        cast.event(1, |n| n.persists().sends(2, request_vote(1, 5)))
    }),
    (Rule::PreVoteByOther, || n1_leads().event(2, |n| n.ticks().sends(3, PRE_VOTE))),
    (Rule::RequestVoteByOther, || n1_leads().event(2, |n| n.ticks().sends(3, request_vote(0, 0)))),
    (Rule::GrantedWithoutVote, || n1_leads().event(2, |n| n.ticks().sends(3, vote_response(true)))),
    (Rule::SentOutOfOffice, || n1_leads().event(2, |n| n.ticks().sends(3, heartbeat(0)))),
    (Rule::SentOtherPrevious, || n1_leads().event(1, |n| n.ticks().sends_entries(2, (1, 9), &[], 0))),
    (Rule::SentOtherEntries, || {
        n1_leads().event(1, |n| n.ticks().sends_entries(2, (0, 0), &[(1, 1), (1, 2)], 0))
    }),
    (Rule::SentCommitBeyond, || n1_leads().event(1, |n| n.ticks().sends_entries(2, (0, 0), &[(1, 1)], 1))),
    (Rule::HeartbeatBeyondMatch, || {
        let mut cast = n1_leads();
        commit(&mut cast, 1, &[2]);
        cast.event(1, |n| n.ticks().sends(3, heartbeat(1)))
    }),
    (Rule::AnsweredUnasked, || n1_leads().event(2, |n| n.ticks().acknowledges(3, 0))),
    // "My last index" instead of what the message covered.
    (Rule::AcknowledgedBeyondMatch, || {
        let mut cast = n1_committed();
        replicate(&mut cast, 1, &[3]);
        elect(&mut cast, 3);
        cast.event(1, |n| n.receives_entries(3, (1, 1), &[], 1).follows(3).acknowledges(3, 2))
    }),
    (Rule::AcknowledgedUndurable, || {
        n1_leads().event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(1, 1).acknowledges(1, 1))
    }),
    (Rule::RefusedMatching, || {
        n1_leads().event(2, |n| n.receives_entries(1, (0, 0), &[], 0).sends(1, refuses(0, (0, 0))))
    }),
    (Rule::RefusedWithOtherHint, || {
        n1_leads().event(2, |n| n.receives_entries(1, (1, 5), &[], 0).sends(1, refuses(5, (1, 4))))
    }),
    (Rule::ForwardUnasked, || {
        let mut cast = n1_committed();
        cast.event(2, |n| n.receives(3, 1, Content::Forward).sends(1, Content::Forward))
    }),
    (Rule::ForwardElsewhere, || {
        n1_committed().event(2, |n| n.step(Step::Proposed { accepted: None }).sends(3, Content::Forward))
    }),
    (Rule::RefusedUnasked, || n1_leads().event(1, |n| n.ticks().sends(2, Content::ForwardRefused))),
    (Rule::TimeoutNowToOther, || n4_learns().event(1, |n| n.ticks().sends(4, Content::TimeoutNow))),
    (Rule::TimeoutNowToLaggard, || n1_leads().event(1, |n| n.ticks().sends(2, Content::TimeoutNow))),
    (Rule::RecoveredSnapshot, || {
        let mut cast = n3_is_offered();
        cast.event(1, |n| n.starts(1, Some(1), &[1]))
    }),
    (Rule::LostSnapshot, || {
        n3_is_offered().event(1, |n| n.starts_from((1, 1), snapshot(), &[]).loses_snapshot(snapshot()))
    }),
    (Rule::TookOtherSnapshot, || n1_leads().event(1, |n| n.takes_snapshot(snapshot()))),
    (Rule::ReceivedUnoffered, || {
        n1_leads().event(2, |n| n.ticks().sends(3, Content::SnapshotRequest { snapshot: snapshot() }))
    }),
    (Rule::SnapshotNotHere, || {
        n1_leads().event(1, |n| {
            n.ticks().sends(2, Content::InstallSnapshot { snapshot: snapshot(), without_data: false })
        })
    }),
    (Rule::ResetUnasked, || n1_leads().event(2, |n| n.ticks().resets(1, 1))),
    (Rule::ResetMatching, || {
        let mut cast = n1_committed();
        let offer = Content::InstallSnapshot { snapshot: snapshot(), without_data: false };
        legal(cast.event(2, |n| n.receives(1, 1, offer)));
        cast.event(2, |n| n.receives_snapshot(snapshot()).resets(1, 1))
    }),
    (Rule::ResetInOffice, || {
        let mut cast = n3_is_offered();
        legal(cast.event(3, |n| n.ticks().campaigns(2)));
        cast.event(3, |n| n.receives_snapshot(snapshot()).commits(1).resets(1, 1))
    }),
    (Rule::NotReset, || n3_is_offered().event(3, |n| n.receives_snapshot(snapshot()).commits(1))),
    (Rule::RestoredOther, || n3_is_offered().event(3, |n| n.restores(snapshot(), 1))),
    (Rule::CompactedBeyond, || n1_leads().event(1, |n| n.ticks().compacts(1, 1))),
    (Rule::PromiseUndurable, || {
        let promise = Content::HeartbeatResponse { round: Round(1), promise: 20 };
        n1_committed().event(2, |n| n.receives(1, 1, beat(1)).sends(1, promise))
    }),
    // A higher term makes it forget whom it followed, not what it promised.
    (Rule::PromiseBroken, || {
        let mut cast = n1_committed();
        legal(cast.event(2, |n| {
            n.longest_promise = 20;
            n.receives(1, 1, beat(1)).writes().persists()
        }));
        let promise = Content::HeartbeatResponse { round: Round(1), promise: 20 };
        legal(cast.event(2, |n| n.ticks().sends(1, promise)));
        cast.event(2, |n| {
            n.observation.ticks = 19;
            n.receives(3, 2, request_vote(1, 1)).votes(2, 3)
        })
    }),
    (Rule::PromiseFell, || {
        let mut cast = n1_committed();
        legal(cast.event(2, |n| {
            n.longest_promise = 20;
            n.receives(1, 1, beat(1)).writes().persists()
        }));
        let promise = Content::HeartbeatResponse { round: Round(1), promise: 20 };
        legal(cast.event(2, |n| n.ticks().sends(1, promise)));
        cast.event(2, |n| {
            n.longest_promise = 10;
            n.ticks().writes()
        })
    }),
    // Rounds begin anew with each term: this one is of the term before.
    (Rule::AnsweredOtherRound, || {
        let mut cast = n1_committed();
        elect(&mut cast, 2);
        legal(cast.event(3, |n| n.receives(1, 1, beat(4))));
        cast.event(3, |n| n.ticks().sends(1, heartbeat_response(4)))
    }),
    (Rule::RoundFell, || {
        let mut cast = n1_committed();
        legal(cast.event(1, |n| n.ticks().sends(2, beat(2))));
        cast.event(1, |n| n.ticks().sends(2, beat(1)))
    }),
    (Rule::ReadUnasked, || n1_committed().event(1, |n| n.ticks().step(settled(1, 1)))),
    // The round that was answered began before the read came in.
    (Rule::ReadUnconfirmed, || {
        let mut cast = n1_committed();
        legal(cast.event(1, |n| n.ticks().sends(2, beat(1))));
        legal(cast.event(1, |n| n.step(read(1))));
        cast.event(1, |n| n.receives(2, 1, heartbeat_response(1)).step(settled(1, 1)))
    }),
    // A new leader does not know yet what its predecessors committed.
    (Rule::ReadIndexTooLow, || {
        let mut cast = n1_committed();
        elect(&mut cast, 2);
        legal(cast.event(2, |n| n.step(read(1)).sends(3, heartbeat(0))));
        cast.event(2, |n| n.receives(3, 2, heartbeat_response(1)).step(settled(1, 1)))
    }),
    (Rule::ReadIndexUncommitted, || {
        let mut cast = n1_committed();
        elect(&mut cast, 2);
        legal(cast.event(2, |n| n.step(read(1)).sends(3, heartbeat(0))));
        cast.event(2, |n| n.receives(3, 2, heartbeat_response(1)).step(settled(1, 2)))
    }),
    (Rule::AppliedOutOfOrder, || n1_committed().event(2, |n| n.applies(1, 2))),
    (Rule::AppliedUncommitted, || n1_leads().event(1, |n| n.applies(1, 1))),
    (Rule::AppliedUndurable, || {
        let mut cast = n1_leads();
        commit(&mut cast, 1, &[2]);
        cast.event(3, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 1).commits(1).appends(1, 1).applies(1, 1))
    }),
    (Rule::AppliedOther, || n1_committed().event(2, |n| n.applies(9, 1))),
    (Rule::StatusDiffers, || {
        n1_leads().event(2, |n| {
            n.status.commit_index = LogIndex(4);
            n
        })
    }),
];

#[test]
fn each_rule_has_a_history_that_breaks_it_and_is_refused_by_its_name() {
    let broken = || BROKEN.iter().chain(certainty::BROKEN).chain(witnesses::BROKEN).chain(repair::BROKEN);
    for (rule, history) in broken() {
        assert_eq!(history(), Err(rule.class()), "{rule:?}");
    }
    for rule in Rule::ALL {
        assert!(broken().any(|(broken, _)| broken == rule), "no history breaks {rule:?}");
    }
}

#[test]
fn a_violation_says_what_happened_with_the_values() {
    let violation = n1_leads().try_event(1, |n| n.ticks().commits(1)).expect_err("no follower has it");
    assert_eq!(
        violation.message,
        "AdvanceCommitIndex: committed without durable copies on a quorum: \
         n1 committed 1; it is durable up to 1 and was told {}; voters n1 n2 n3"
    );
}

#[test]
fn one_fault_is_reported_once_and_the_first_of_each_rule_is_kept() {
    let mut cast = n1_leads();
    assert_eq!(cast.event(2, |n| n.ticks().adopts(5)), Err(Rule::TermRose.class()));
    legal(cast.event(2, |n| n.persists()));
    assert_eq!(cast.event(2, |n| n.ticks().adopts(9)), Err(Rule::TermRose.class()));
    assert_eq!(cast.judge.violations().len(), 1);
}
