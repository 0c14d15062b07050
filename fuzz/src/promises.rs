//! What must hold of one node, whatever its peers say: between two looks at it, and of every message that it sends.

use squall_raft::{AppendResult, Body, LogIndex, Message, Status};

use crate::disk::Disk;
use crate::driver::SELF;

/// Between two looks at one life, some things only ever rise, and some never pass others. A durable snapshot stands for all up to `covered`.
pub(crate) fn check_progress(before: &Status, now: &Status, covered: LogIndex) {
    assert!(before.current_term <= now.current_term, "terms never fall: {before:?} to {now:?}");
    let changed_mind = before.current_term == now.current_term
        && before.voted_for.is_some()
        && before.voted_for != now.voted_for;
    assert!(!changed_mind, "one vote in a term: {before:?} to {now:?}");
    assert!(before.commit_index <= now.commit_index, "what is committed stays: {before:?} to {now:?}");
    assert!(before.last_applied <= now.last_applied, "what is applied stays: {before:?} to {now:?}");
    assert!(now.last_applied <= now.commit_index, "only what is committed is applied: {now:?}");
    assert!(now.last_applied <= now.durable_index.max(covered), "only what is durable is applied: {now:?}");
    assert!(now.commit_index <= now.last_log.index, "what is committed is in the log: {now:?}");
    assert!(now.durable_index <= now.last_log.index, "what is durable is in the log: {now:?}");
    assert!(now.last_log.term <= now.current_term, "no entry is of the future: {now:?}");
}

/// What a message promises must be durable when it is sent.
pub(crate) fn check_promise(message: &Message, durable: &Disk) {
    assert_eq!(message.from, SELF);
    assert_ne!(message.to, SELF);
    let hard_state = durable.hard_state;
    let voted_for = |candidate| {
        assert_eq!(hard_state.voted_for, Some(candidate), "{message:?} reveals a vote that is not durable");
    };
    // Even a message without promise reveals its term, in which a restarted node must not begin anew.
    assert!(message.term <= hard_state.current_term, "{message:?} reveals a term that is not durable");
    if message.term < hard_state.current_term {
        // It was due when its term was; what it promised then binds nobody now.
        return;
    }
    match &message.body {
        Body::RequestVote(_) => voted_for(SELF),
        Body::RequestVoteResponse(response) if response.granted => voted_for(message.to),
        Body::AppendEntriesResponse(response) => match response.result {
            AppendResult::Matched(index) | AppendResult::Witnessed(index) => {
                assert!(
                    durable.recovered_last_index() >= index,
                    "{message:?} acknowledges what is not durable"
                );
                let covered = durable.snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
                let mut lost =
                    durable.faulty.iter().map(|faulty| faulty.index).filter(|lost| *lost > covered);
                assert!(lost.all(|lost| lost > index), "{message:?} acknowledges what is lost");
            }
            AppendResult::Lacking { first, named } => {
                assert!(first <= named && named <= durable.recovered_last_index(), "{message:?}");
                let whole_to = durable.faulty.iter().map(|faulty| faulty.index).find(|index| *index < first);
                let covered = durable.snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
                assert!(whole_to.is_none_or(|lost| lost <= covered), "{message:?} promises what is lost");
            }
            AppendResult::Conflict { rejected, hint, .. } => assert!(hint.index <= rejected, "{message:?}"),
        },
        Body::AppendEntries(append) => {
            voted_for(SELF);
            let mut previous = append.prev_log;
            for entry in append.entries.iter() {
                assert_eq!(entry.index, previous.index.next(), "{message:?} leaves a hole");
                assert!(entry.term >= previous.term && entry.term <= message.term, "{message:?}");
                previous = entry.position();
            }
        }
        Body::InstallSnapshot(offer) => {
            voted_for(SELF);
            assert!(durable.snapshot.is_some(), "{message:?} offers what is not there: {:?}", offer.snapshot);
        }
        Body::Heartbeat(_) | Body::TimeoutNow | Body::ReadIndexResponse(_) | Body::RepairRequest(_) => {
            voted_for(SELF)
        }
        Body::HeartbeatResponse(response) => {
            let kept = durable.hard_state.longest_promise;
            assert!(response.promise <= kept, "{message:?} promises what a restart forgets");
        }
        Body::PreVote(_)
        | Body::PreVoteResponse(_)
        | Body::RequestVoteResponse(_)
        | Body::ReadIndex(_)
        | Body::Forward(_)
        | Body::ForwardResponse(_)
        | Body::SnapshotRequest(_)
        | Body::SnapshotChunk(_)
        | Body::RepairResponse(_) => {}
    }
}
