//! The crate's messages: on the wire, in the trace, and in the oracles' neutral terms.

use protobuf::Message as _;
use raft::CAMPAIGN_TRANSFER;
use raft::eraftpb::{Entry, Message, MessageType, Snapshot};
use squall_raft::{LogIndex, LogPosition, NodeId, ReadId, Round, SnapshotId, Term};
use squall_scenarios::observation::{Content, Envelope, Observation, Span};
use squall_sim::ProcessId;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The crate has no node 0.
pub(crate) fn raft_id(id: ProcessId) -> u64 {
    u64::from(id.0) + 1
}

/// Whose number in the crate that is; `None` for nobody.
pub(crate) fn node_id(raft_id: u64) -> Option<NodeId> {
    raft_id.checked_sub(1).map(NodeId)
}

/// Whose process that is; a number that nobody has stands for nobody.
pub(crate) fn process_id(raft_id: u64) -> ProcessId {
    let number = raft_id.checked_sub(1).and_then(|number| u32::try_from(number).ok());
    ProcessId(number.unwrap_or(u32::MAX))
}

fn sender(raft_id: u64) -> NodeId {
    node_id(raft_id).unwrap_or(NodeId(u64::MAX))
}

/// Bytes of the checksum before an encoded message: the crate's own encoding has none, and believes what it reads.
const CHECKSUM_BYTES: usize = 4;

/// Appends the message's bytes behind their checksum.
pub(crate) fn encode(message: &Message, out: &mut Vec<u8>) {
    let bytes = message.write_to_bytes().expect("a message has no field that must be set");
    out.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    out.extend_from_slice(&bytes);
}

/// Reads a message.
pub(crate) fn decode(bytes: &[u8]) -> Result<Message, String> {
    let (checksum, bytes) = bytes.split_first_chunk::<CHECKSUM_BYTES>().ok_or("no room for a checksum")?;
    if u32::from_le_bytes(*checksum) != crc32c::crc32c(bytes) {
        return Err("the checksum is not that of the message".to_owned());
    }
    let mut message = Message::default();
    message.merge_from_bytes(bytes).map_err(|error| error.to_string())?;
    Ok(message)
}

/// The names of the sorts of messages, by number.
pub(crate) const KINDS: [&str; 20] = [
    "MsgHup",
    "MsgBeat",
    "MsgPropose",
    "MsgAppend",
    "MsgAppendResponse",
    "MsgRequestVote",
    "MsgRequestVoteResponse",
    "MsgSnapshot",
    "MsgHeartbeat",
    "MsgHeartbeatResponse",
    "MsgUnreachable",
    "MsgSnapStatus",
    "MsgCheckQuorum",
    "MsgTransferLeader",
    "MsgTimeoutNow",
    "MsgReadIndex",
    "MsgReadIndexResp",
    "MsgRequestPreVote",
    "MsgRequestPreVoteResponse",
    "unknown",
];

/// The number of this sort of message.
pub(crate) fn kind(message: &Message) -> u8 {
    message.get_msg_type() as u8
}

/// A digest of what a message says, but for the payloads of its entries: those are told by their positions.
pub(crate) fn digest(message: &Message) -> u64 {
    let last = message.get_entries().last().map_or([0; 2], |entry| [entry.term, entry.index]);
    mix(&[
        u64::from(kind(message)) | u64::from(message.reject) << 8,
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
        message.get_entries().len() as u64,
        last[0],
        last[1],
        message.get_snapshot().get_metadata().index,
        xxh3_64(&message.context),
    ])
}

/// A digest of some words.
pub(crate) fn mix(words: &[u64]) -> u64 {
    words.iter().fold(0, |digest, word| xxh3_64_with_seed(&word.to_le_bytes(), digest))
}

/// The name of an entry.
pub(crate) fn position(entry: &Entry) -> LogPosition {
    LogPosition { term: Term(entry.term), index: LogIndex(entry.index) }
}

/// The name that a snapshot has on disk.
pub(crate) fn snapshot_id(snapshot: &Snapshot) -> SnapshotId {
    let metadata = snapshot.get_metadata();
    SnapshotId {
        last: LogPosition { term: Term(metadata.term), index: LogIndex(metadata.index) },
        bytes: snapshot.get_data().len() as u64,
        checksum: xxh3_64(snapshot.get_data()),
    }
}

/// The message in neutral terms; the names of its entries go to the observation's list. `current_term` is its sender's: a
/// pre-vote and its answer bear the term that is asked about. `standing` is up to where the sender's log still is as it was
/// when it made the message.
pub(crate) fn envelope(
    observation: &mut Observation,
    message: &Message,
    current_term: Term,
    standing: LogIndex,
) -> Envelope {
    let is_named = |kind| message.get_msg_type() == kind && message.term != 0;
    let asks = [MessageType::MsgRequestPreVote, MessageType::MsgRequestPreVoteResponse].map(is_named);
    let term = if message.term == 0 || asks.contains(&true) { current_term } else { Term(message.term) };
    let content = content(observation, message, standing);
    Envelope { from: sender(message.from), to: sender(message.to), term, content }
}

fn content(observation: &mut Observation, message: &Message, standing: LogIndex) -> Content {
    let last_log = LogPosition { term: Term(message.log_term), index: LogIndex(message.index) };
    let granted = !message.reject;
    match message.get_msg_type() {
        MessageType::MsgRequestPreVote => Content::PreVote { last_log },
        MessageType::MsgRequestPreVoteResponse => Content::PreVoteResponse { granted, is_conditional: false },
        MessageType::MsgRequestVote => {
            let leadership_transfer = message.context[..] == *CAMPAIGN_TRANSFER;
            Content::RequestVote { last_log, leadership_transfer }
        }
        MessageType::MsgRequestVoteResponse => {
            Content::RequestVoteResponse { granted, is_conditional: false }
        }
        MessageType::MsgAppend => {
            let start = observation.entries.len() as u32;
            observation.entries.extend(message.get_entries().iter().map(position));
            let entries = Span { start, len: message.get_entries().len() as u32 };
            Content::AppendEntries { prev_log: last_log, entries, leader_commit: LogIndex(message.commit) }
        }
        MessageType::MsgAppendResponse if message.reject => Content::AppendRefused {
            rejected: LogIndex(message.index),
            hint: LogPosition { term: Term(message.log_term), index: LogIndex(message.reject_hint) },
            is_uncertain: false,
        },
        MessageType::MsgAppendResponse => {
            let match_index = LogIndex(message.index).min(standing);
            Content::AppendAcknowledged { match_index, as_witness: false }
        }
        MessageType::MsgHeartbeat => Content::Heartbeat { round: Round(0), commit: LogIndex(message.commit) },
        MessageType::MsgHeartbeatResponse => Content::HeartbeatResponse { round: Round(0), promise: 0 },
        MessageType::MsgTimeoutNow => Content::TimeoutNow,
        MessageType::MsgReadIndex => Content::ReadIndex { boot: 0, up_to: ReadId(0) },
        MessageType::MsgReadIndexResp => {
            Content::ReadIndexResponse { boot: 0, up_to: ReadId(0), index: LogIndex(message.index) }
        }
        MessageType::MsgSnapshot => {
            Content::InstallSnapshot { snapshot: snapshot_id(message.get_snapshot()), without_data: false }
        }
        // What a follower passes on: it promises nothing. The others never leave a node.
        MessageType::MsgPropose
        | MessageType::MsgTransferLeader
        | MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum => Content::Forward,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote_request() -> Message {
        let mut message = Message { from: 1, to: 3, term: 5, index: 7, log_term: 4, ..Message::default() };
        message.set_msg_type(MessageType::MsgRequestVote);
        message
    }

    #[test]
    fn a_message_comes_back_from_its_bytes_and_a_damaged_one_is_refused() {
        let mut bytes = Vec::new();
        encode(&vote_request(), &mut bytes);
        assert_eq!(decode(&bytes), Ok(vote_request()));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {place}");
            assert!(decode(&bytes[..place]).is_err(), "cut to {place} bytes");
        }
    }

    #[test]
    fn a_pre_vote_is_shown_in_the_term_of_its_sender_and_not_in_the_one_it_asks_about() {
        let mut observation = Observation::default();
        let mut shown = |kind| {
            let message = Message { msg_type: kind, ..vote_request() };
            envelope(&mut observation, &message, Term(4), LogIndex(u64::MAX)).term
        };
        assert_eq!(shown(MessageType::MsgRequestPreVote), Term(4));
        assert_eq!(shown(MessageType::MsgRequestVote), Term(5));
    }

    #[test]
    fn an_acknowledgement_is_shown_as_far_as_what_it_acknowledges_still_stands() {
        let mut message = Message { index: 9, ..vote_request() };
        message.set_msg_type(MessageType::MsgAppendResponse);
        let content = envelope(&mut Observation::default(), &message, Term(6), LogIndex(7)).content;
        assert_eq!(content, Content::AppendAcknowledged { match_index: LogIndex(7), as_witness: false });
    }
}
