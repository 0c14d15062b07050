//! Squall's core. Its log in memory is the one copy of the entries, as `MemStorage` is for `raft`: the driver keeps no
//! second one, and reports every write as durable at once.

use squall_raft::{
    Action, Config, ENTRY_OVERHEAD_BYTES, Ignored, Message, NodeId, Payload, Raft, Recovered, RoleKind,
};

use super::{Applied, Cluster, MAX_MESSAGE_BYTES, NEVER_TICKS, NODES};
use crate::{ENTRIES_KEPT, Load};

/// Three nodes of Squall's core; n1 leads.
pub struct SquallCluster {
    nodes: Vec<Node>,
    /// Messages under way, by receiver.
    inboxes: [Vec<Message>; NODES],
}

struct Node {
    raft: Raft,
    applied: Applied,
}

impl SquallCluster {
    /// Starts three nodes for commands of `payload_bytes`, and lets n1 be elected.
    ///
    /// # Panics
    /// Where that fails.
    #[must_use]
    pub fn new(payload_bytes: usize) -> Self {
        let voters: Vec<NodeId> = (1..=NODES as u64).map(NodeId).collect();
        let node = |id: &NodeId| Node {
            raft: Raft::new(
                config(*id, voters.clone(), payload_bytes),
                &Recovered { boot: 1, ..Recovered::default() },
            )
            .expect("the configuration is sound"),
            applied: Applied::default(),
        };
        let mut cluster = Self { nodes: voters.iter().map(node).collect(), inboxes: Default::default() };
        cluster.nodes[0].raft.campaign();
        cluster.settle();
        assert_eq!(cluster.nodes[0].raft.status().role, RoleKind::Leader);
        cluster
    }

    /// Moves messages until there are none.
    fn settle(&mut self) {
        for node in &mut self.nodes {
            node.carry_out(&mut self.inboxes);
        }
        while self.inboxes.iter().any(|inbox| !inbox.is_empty()) {
            for (position, node) in self.nodes.iter_mut().enumerate() {
                let mut inbox = std::mem::take(&mut self.inboxes[position]);
                for message in inbox.drain(..) {
                    // The third vote comes when two have decided.
                    let result = node.raft.receive(message);
                    assert!(result.map_or_else(Ignored::is_stale, |()| true), "{result:?}");
                }
                self.inboxes[position] = inbox;
                node.carry_out(&mut self.inboxes);
            }
        }
    }
}

fn config(id: NodeId, voters: Vec<NodeId>, payload_bytes: usize) -> Config {
    let entry_bytes = payload_bytes as u64 + ENTRY_OVERHEAD_BYTES;
    Config {
        election_timeout: NEVER_TICKS,
        heartbeat_interval: NEVER_TICKS / 4,
        max_message_bytes: MAX_MESSAGE_BYTES,
        // The others count what they keep in entries.
        cache_bytes: ENTRIES_KEPT as u64 * entry_bytes,
        ..Config::new(id, voters)
    }
}

impl Node {
    fn carry_out(&mut self, inboxes: &mut [Vec<Message>; NODES]) {
        while let Some(action) = self.raft.next_action() {
            match action {
                Action::Send(message) => {
                    let receiver = usize::try_from(message.to.0 - 1).expect("there are three nodes");
                    inboxes[receiver].push(message);
                }
                Action::Persist(write) => {
                    assert_eq!(write.truncate_from, None, "nobody contradicts n1");
                    let token = write.token;
                    self.raft.persisted(token);
                }
                Action::Apply { first, last } => {
                    let (front, back) = self.raft.committed(first, last);
                    for entry in front.iter().chain(back) {
                        match &entry.payload {
                            Payload::Command(data) => self.applied.apply(data),
                            Payload::Noop | Payload::Configuration(_) | Payload::Withheld => {}
                        }
                    }
                    self.raft.applied(last);
                }
                Action::Fetch(fetch) => panic!("all followers keep up, and yet {fetch:?}"),
                Action::ReadReady { .. } | Action::ReadDropped { .. } => unreachable!("nobody reads"),
                Action::Snapshot(action) => panic!("nobody takes snapshots, and yet {action:?}"),
            }
        }
    }
}

impl Cluster for SquallCluster {
    fn name(&self) -> &'static str {
        "squall"
    }

    fn run(&mut self, load: Load) {
        for _ in 0..load.rounds() {
            for _ in 0..load.outstanding {
                self.nodes[0].raft.propose(load.payload()).expect("n1 leads and is not busy");
            }
            self.settle();
        }
    }

    fn applied(&self) -> Applied {
        self.nodes[0].applied
    }

    fn tick_idle_follower(&mut self, ticks: u64) -> bool {
        let follower = &mut self.nodes[1].raft;
        for _ in 0..ticks {
            follower.tick(1);
            assert!(follower.next_action().is_none(), "the follower is at rest");
        }
        true
    }
}
