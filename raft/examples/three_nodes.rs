//! Three nodes moved by hand: an election, a command, a commit. The network is a queue, and the disk is done at once.

use std::collections::VecDeque;
use std::error::Error;

use bytes::Bytes;
use squall_raft::{Action, Config, Message, NodeId, Raft, Recovered};

/// Does what a node asks for, until it asks for nothing more.
fn drain(node: &mut Raft, network: &mut VecDeque<Message>) {
    while let Some(action) = node.next_action() {
        match action {
            // May always go out at once: what it promises is durable already.
            Action::Send(message) => network.push_back(message),
            // A driver writes and syncs here, and reports later; the node goes on meanwhile.
            Action::Persist(write) => {
                let token = write.token;
                node.persisted(token);
            }
            Action::Apply { first, last } => {
                let (front, back) = node.committed(first, last);
                for entry in front.iter().chain(back) {
                    println!("{} applies {entry:?}", node.status().id);
                }
                node.applied(last);
            }
            Action::Fetch(_) => unreachable!("so short a log is all in memory"),
            Action::ReadReady { .. } | Action::ReadDropped { .. } => unreachable!("nobody reads"),
            Action::Snapshot(_) => unreachable!("nobody takes a snapshot of it, either"),
        }
    }
}

/// Delivers messages until none is on its way.
fn settle(nodes: &mut [Raft; 3], network: &mut VecDeque<Message>) {
    nodes.iter_mut().for_each(|node| drain(node, network));
    while let Some(message) = network.pop_front() {
        println!("  {message}");
        let node = nodes.iter_mut().find(|node| node.status().id == message.to).expect("one of the three");
        // A message that is ignored (a vote that comes too late) has done no harm.
        let _ignored = node.receive(message);
        drain(node, network);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let voters = vec![NodeId(1), NodeId(2), NodeId(3)];
    let start = |id| Raft::new(Config::new(id, voters.clone()), &Recovered::default());
    let mut nodes = [start(NodeId(1))?, start(NodeId(2))?, start(NodeId(3))?];
    let mut network = VecDeque::new();

    nodes[0].campaign(); // Or feed each node its ticks: the first to lose patience campaigns by itself.
    settle(&mut nodes, &mut network);

    let position = nodes[0].propose(Bytes::from_static(b"hello"))?;
    println!("n1 takes a command and calls it {position}");
    settle(&mut nodes, &mut network);

    nodes[0].tick(nodes[0].ticks_until_due()); // A heartbeat tells the followers what is committed.
    settle(&mut nodes, &mut network);
    assert!(nodes.iter().all(|node| node.status().last_applied == position.index));
    Ok(())
}
