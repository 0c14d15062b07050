//! The stale read that the storm found, on the crate alone: three nodes in memory, and messages in the order that a network
//! may bring them in.
//!
//! A test that passes shows that the crate of this version still has it. docs/stranger.md tells of it.

use raft::eraftpb::{Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole};
use slog::{Discard, Logger, o};

type Node = RawNode<MemStorage>;

fn node(id: u64) -> Node {
    let config = Config { id, election_tick: 10, heartbeat_tick: 3, ..Config::default() };
    let config = Config { check_quorum: true, pre_vote: true, ..config };
    let storage = MemStorage::new_with_conf_state((vec![1, 2, 3], vec![]));
    RawNode::new(&config, storage, &Logger::root(Discard, o!())).expect("the configuration is sound")
}

/// Does what the node asks for, writes at once, and returns what it sends. Indices of reads that it serves go to `served`.
fn carry_out(node: &mut Node, served: &mut Vec<(Vec<u8>, u64)>) -> Vec<Message> {
    let mut sent = Vec::new();
    while node.has_ready() {
        let mut ready = node.ready();
        sent.extend(ready.take_messages());
        served.extend(ready.take_read_states().into_iter().map(|state| (state.request_ctx, state.index)));
        node.mut_store().wl().append(ready.entries()).expect("entries are contiguous");
        if let Some(state) = ready.hs() {
            node.mut_store().wl().set_hardstate(state.clone());
        }
        sent.extend(ready.take_persisted_messages());
        sent.extend(node.advance(ready).take_messages());
        node.advance_apply();
    }
    sent
}

/// Brings all messages among these nodes until there are none; returns a copy of each.
fn settle(nodes: &mut [Node; 3], among: &[u64], served: &mut Vec<(Vec<u8>, u64)>) -> Vec<Message> {
    let mut brought = Vec::new();
    loop {
        let mut sent = Vec::new();
        for id in among {
            sent.extend(carry_out(&mut nodes[*id as usize - 1], served));
        }
        sent.retain(|message: &Message| among.contains(&message.to));
        if sent.is_empty() {
            return brought;
        }
        for message in sent {
            brought.push(message.clone());
            let _ = nodes[message.to as usize - 1].step(message);
        }
    }
}

#[test]
fn a_leader_that_was_deposed_serves_a_read_on_answers_that_are_older_than_the_read() {
    let mut nodes = [1, 2, 3].map(node);
    let (mut served, all) = (Vec::new(), [1, 2, 3]);
    nodes[0].campaign().expect("a follower may campaign");
    settle(&mut nodes, &all, &mut served);
    assert_eq!(nodes[0].raft.state, StateRole::Leader);

    // n3 reads through its leader, n1. The network keeps a second copy of its question, and of n2's answer to n1.
    nodes[2].read_index(b"of n3".to_vec());
    let brought = settle(&mut nodes, &all, &mut served);
    assert_eq!(served, [(b"of n3".to_vec(), 1)]);
    let copy_of = |kind, from| {
        let is_it = |message: &&Message| message.get_msg_type() == kind && message.from == from;
        brought.iter().find(is_it).cloned().expect("it was sent")
    };
    let question = copy_of(MessageType::MsgReadIndex, 3);
    let answer = copy_of(MessageType::MsgHeartbeatResponse, 2);
    assert_eq!(answer.get_context(), b"of n3");

    // n1 hears nobody any more; the others elect one of themselves, which commits another entry. The crate draws its timeouts from
    // a generator that cannot be seeded, so that they may meet, and more than one campaign be needed.
    let elected = (0..10_000).find_map(|_| {
        nodes[1].tick();
        nodes[2].tick();
        settle(&mut nodes, &[2, 3], &mut served);
        (1..3).find(|place| nodes[*place].raft.state == StateRole::Leader)
    });
    let leader = elected.expect("one was elected");
    nodes[leader].propose(Vec::new(), b"new".to_vec()).expect("it leads");
    settle(&mut nodes, &[2, 3], &mut served);
    let committed = nodes[leader].raft.raft_log.committed;
    assert!(committed > 1);

    // n1, which was asleep, is asked to read. Then the copies arrive, and nothing else.
    served.clear();
    assert_eq!(nodes[0].raft.state, StateRole::Leader);
    nodes[0].read_index(b"of n1".to_vec());
    carry_out(&mut nodes[0], &mut served);
    assert!(served.is_empty());
    nodes[0].step(question).expect("it is heard");
    nodes[0].step(answer).expect("it is heard");
    carry_out(&mut nodes[0], &mut served);
    assert_eq!(served, [(b"of n1".to_vec(), 1)], "and {committed} was committed before it was asked");
}
