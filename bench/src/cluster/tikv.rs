//! The `raft` crate of TiKV, as its documentation says: `Ready`, `MemStorage`, `batch_append`.
//!
//! Its other codec, `prost-codec`, copies payloads where this one shares them: about as fast for commands of
//! 16 bytes, several times slower for 4096; and it needs a `protoc` on the machine. `skip_bcast_commit` is on:
//! followers of the other libraries, too, learn of a commit with the next append.

use raft::eraftpb::{Entry, EntryType, Message, MessageType};
use raft::storage::MemStorage;
use raft::{RawNode, StateRole};
use slog::{Discard, Logger, o};

use super::{Applied, Cluster, MAX_MESSAGE_BYTES, NEVER_TICKS, NODES};
use crate::{ENTRIES_KEPT, ENTRIES_PER_COMPACTION, Load};

/// How commands are handed to the leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proposals {
    /// One `MsgPropose` for each, as `RawNode::propose` does.
    OneByOne,
    /// All that are outstanding in a single `MsgPropose`, which the library can take although it offers no
    /// method for it.
    Together,
}

/// Three nodes of the `raft` crate; 1 leads.
pub struct TikvCluster {
    proposals: Proposals,
    nodes: Vec<Node>,
    /// Messages under way, by receiver.
    inboxes: [Vec<Message>; NODES],
}

struct Node {
    raft: RawNode<MemStorage>,
    /// Entries before this one are compacted.
    first_index: u64,
    applied: Applied,
}

impl TikvCluster {
    /// Starts three nodes and lets 1 be elected.
    ///
    /// # Panics
    /// Where that fails.
    #[must_use]
    pub fn new(proposals: Proposals) -> Self {
        let nodes = (1..=NODES as u64).map(Node::new).collect();
        let mut cluster = Self { proposals, nodes, inboxes: Default::default() };
        cluster.nodes[0].raft.campaign().expect("a follower may campaign");
        cluster.settle();
        assert_eq!(cluster.nodes[0].raft.raft.state, StateRole::Leader);
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
                    node.raft.step(message).expect("nothing is lost or late here");
                }
                self.inboxes[position] = inbox;
                node.carry_out(&mut self.inboxes);
            }
        }
    }

    fn propose(&mut self, entries: Vec<Entry>) {
        let leader = &mut self.nodes[0].raft;
        let mut message = Message { from: leader.raft.id, ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        message.set_entries(entries.into());
        leader.raft.step(message).expect("1 leads and is not busy");
    }
}

impl Node {
    fn new(id: u64) -> Self {
        let never = usize::try_from(NEVER_TICKS).expect("usize has 64 bits here");
        let config = raft::Config {
            id,
            election_tick: never,
            heartbeat_tick: never / 4,
            max_size_per_msg: MAX_MESSAGE_BYTES,
            check_quorum: true,
            pre_vote: true,
            batch_append: true,
            skip_bcast_commit: true,
            ..raft::Config::default()
        };
        let voters: Vec<u64> = (1..=NODES as u64).collect();
        let storage = MemStorage::new_with_conf_state((voters, vec![]));
        let raft =
            RawNode::new(&config, storage, &Logger::root(Discard, o!())).expect("the configuration is sound");
        let first_index = 1;
        Self { raft, first_index, applied: Applied::default() }
    }

    fn carry_out(&mut self, inboxes: &mut [Vec<Message>; NODES]) {
        while self.raft.has_ready() {
            let mut ready = self.raft.ready();
            post(inboxes, ready.take_messages());
            let mut last_applied = self.apply(ready.committed_entries());
            {
                let mut storage = self.raft.mut_store().wl();
                storage.append(ready.entries()).expect("entries are contiguous");
                if let Some(hard_state) = ready.hs() {
                    storage.set_hardstate(hard_state.clone());
                }
            }
            post(inboxes, ready.take_persisted_messages());
            let mut light = self.raft.advance_append(ready);
            if let Some(commit) = light.commit_index() {
                self.raft.mut_store().wl().mut_hard_state().set_commit(commit);
            }
            post(inboxes, light.take_messages());
            last_applied = self.apply(light.committed_entries()).or(last_applied);
            if let Some(last_applied) = last_applied {
                self.raft.advance_apply_to(last_applied);
                self.maybe_compact(last_applied);
            }
        }
    }

    /// Returns the last index, where there was anything to apply.
    fn apply(&mut self, entries: &[Entry]) -> Option<u64> {
        for entry in entries {
            // The no-op of a new leader is the entry without data.
            if entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty() {
                self.applied.apply(&entry.data);
            }
        }
        entries.last().map(|entry| entry.index)
    }

    fn maybe_compact(&mut self, last_applied: u64) {
        let kept_from = last_applied.saturating_sub(ENTRIES_KEPT as u64);
        if kept_from >= self.first_index + ENTRIES_PER_COMPACTION as u64 {
            self.raft.mut_store().wl().compact(kept_from).expect("what is applied is in the log");
            self.first_index = kept_from;
        }
    }
}

fn post(inboxes: &mut [Vec<Message>; NODES], messages: Vec<Message>) {
    for message in messages {
        let receiver = usize::try_from(message.to - 1).expect("there are three nodes");
        inboxes[receiver].push(message);
    }
}

fn entry(load: &Load) -> Entry {
    Entry { data: load.payload(), ..Entry::default() }
}

impl Cluster for TikvCluster {
    fn name(&self) -> &'static str {
        match self.proposals {
            Proposals::OneByOne => "raft",
            Proposals::Together => "raft, one MsgPropose",
        }
    }

    fn run(&mut self, load: Load) {
        for _ in 0..load.rounds() {
            match self.proposals {
                Proposals::OneByOne => {
                    for _ in 0..load.outstanding {
                        self.propose(vec![entry(&load)]);
                    }
                }
                Proposals::Together => self.propose((0..load.outstanding).map(|_| entry(&load)).collect()),
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
            assert!(!follower.tick() && !follower.has_ready(), "the follower is at rest");
        }
        true
    }
}
