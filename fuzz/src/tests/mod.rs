//! The inputs get somewhere, and the checks fire.

mod corpus;
mod outside;
mod worlds;

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use squall_raft::{
    AppendEntriesResponse, AppendResult, Body, Config, LogIndex, Message, NodeId, Raft, Recovered,
    RequestVoteResponse, Session, Status, Term,
};

use crate::disk::Disk;
use crate::promises::{check_progress, check_promise};
use crate::{Mark, Run};

/// So many bytes, the same every time (SplitMix64).
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let word = |counter: u64| {
        let mut word = (seed << 32 | counter).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    (0..).flat_map(|counter| word(counter).to_le_bytes()).take(len).collect()
}

#[test]
fn runs_made_of_random_bytes_reach_everything_worth_reaching() {
    let mut reached = BTreeSet::new();
    for seed in 0..16_000 {
        let bytes = bytes(seed, 4_000);
        let run = Run::arbitrary(&mut Unstructured::new(&bytes)).expect("there are bytes enough for a setup");
        reached.extend(run.carry_out());
    }
    let missed: Vec<&Mark> = Mark::ALL.iter().filter(|mark| !reached.contains(mark)).collect();
    assert_eq!(missed, Vec::<&Mark>::new());
}

fn message(term: u64, body: Body) -> Message {
    Message { from: NodeId(1), to: NodeId(2), term: Term(term), body }
}

#[test]
#[should_panic(expected = "reveals a term that is not durable")]
fn a_message_of_a_term_that_is_not_durable_is_found() {
    check_promise(&message(1, Body::TimeoutNow), &Disk::default());
}

#[test]
#[should_panic(expected = "reveals a vote that is not durable")]
fn a_vote_that_is_not_durable_is_found() {
    let vote = RequestVoteResponse { granted: true, is_conditional: false };
    check_promise(&message(0, Body::RequestVoteResponse(vote)), &Disk::default());
}

#[test]
#[should_panic(expected = "acknowledges what is not durable")]
fn an_acknowledgement_of_what_is_not_durable_is_found() {
    let response = AppendEntriesResponse { session: Session(0), result: AppendResult::Matched(LogIndex(1)) };
    check_promise(&message(0, Body::AppendEntriesResponse(response)), &Disk::default());
}

fn status() -> Status {
    let raft = Raft::new(Config::new(NodeId(1), vec![NodeId(1)]), &Recovered::default());
    raft.expect("the configuration is sound").status()
}

#[test]
#[should_panic(expected = "terms never fall")]
fn a_term_that_falls_is_found() {
    check_progress(
        &Status { current_term: Term(2), ..status() },
        &Status { current_term: Term(1), ..status() },
        LogIndex::ZERO,
    );
}

#[test]
#[should_panic(expected = "one vote in a term")]
fn a_second_vote_is_found() {
    check_progress(
        &Status { voted_for: Some(NodeId(1)), ..status() },
        &Status { voted_for: Some(NodeId(2)), ..status() },
        LogIndex::ZERO,
    );
}

#[test]
#[should_panic(expected = "what is committed stays")]
fn a_commit_that_falls_is_found() {
    check_progress(&Status { commit_index: LogIndex(2), ..status() }, &status(), LogIndex::ZERO);
}

#[test]
#[should_panic(expected = "what is committed is in the log")]
fn a_commit_beyond_the_log_is_found() {
    check_progress(&status(), &Status { commit_index: LogIndex(2), ..status() }, LogIndex::ZERO);
}

#[test]
fn a_body_of_any_bytes_is_refused_or_survives() {
    for seed in 0..2_000 {
        crate::check_body(&Bytes::from(bytes(seed, 40)));
    }
}
