//! One node of the world that is searched: the real core, its disk, and one step of it.
//!
//! No time passes but what a heartbeat takes: the search itself decides who campaigns. So pre-votes and the check of the
//! quorum, which are about time, are off, and the election timeout is longer than any run. What was drawn for it is
//! forgotten after each step ([`Raft::forget_draw`]). What is committed is applied at once.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};

use bytes::Bytes;
use squall_raft::{Action, Body, Change, Config, Message, NodeId, Raft, RoleKind, Status, Term};

use super::disk::{Contents, OwnedWrite};
use super::ghost::{EntryName, Sight};

/// What a node is given. A message is named by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Input {
    Campaign,
    Heartbeat,
    /// A client's command, of this one byte.
    Propose(u8),
    Remove(u8),
    Add(u8),
    Deliver(u32),
    /// The oldest write that is under way is done.
    Persisted,
    /// The power fails, and so many parts of the writes under way were done; the node starts again.
    Crash(u8),
}

impl Input {
    /// The message that arrives.
    pub(super) fn message(self) -> Option<u32> {
        if let Self::Deliver(id) = self { Some(id) } else { None }
    }
}

/// What becomes of the writes that an input gives rise to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Fate {
    /// They wait for `Persisted`.
    Wait,
    /// They are done before anything else happens.
    Done,
    /// The power fails before the next input, and so many of them were done.
    Lost(u8),
}

/// The behaviour that all nodes share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Behaviour {
    pub(super) voters: u8,
    pub(super) one_entry_messages: bool,
}

/// A node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Node {
    raft: Raft,
    boot: u64,
    disk: Contents,
    /// Writes under way, the oldest first.
    writes: VecDeque<OwnedWrite>,
}

/// How far a node is with its terms, which is all that a guess needs to know ([`Office::has_done_with`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Office {
    durable: Term,
    current: Term,
    role: RoleKind,
}

/// What a message answers, and in which term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    term: Term,
    /// A candidate's question; else a leader's.
    is_vote: bool,
}

impl Answer {
    /// `None` for a message that is no answer.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let is_vote = matches!(message.body, Body::RequestVoteResponse(_));
        let is_reply = matches!(message.body, Body::AppendEntriesResponse(_) | Body::HeartbeatResponse(_));
        (is_vote || is_reply).then_some(Self { term: message.term, is_vote })
    }
}

impl Office {
    /// A guess: whether who asked has no use for the answer any more, nor will have after a restart. It is not relied on
    /// without having been checked ([`super::model::Model::misjudged`]).
    pub(super) fn has_done_with(self, answer: Answer) -> bool {
        let is_over = match self.role {
            RoleKind::Follower => true,
            RoleKind::Leader => answer.is_vote,
            RoleKind::PreCandidate | RoleKind::Candidate => false,
        };
        self.durable >= answer.term && (self.current > answer.term || is_over)
    }
}

/// What a step comes to.
pub(super) struct Stepped {
    pub(super) node: Node,
    /// What it sent, in order.
    pub(super) sent: Vec<Message>,
    /// Parts of the writes that the step gave rise to.
    pub(super) parts: u8,
    /// What the node showed after each input that the core was given; at the end, that it has crashed.
    pub(super) shown: Vec<Sight>,
}

impl Behaviour {
    fn config(self, node: NodeId) -> Config {
        let voters: Vec<NodeId> = (0..u64::from(self.voters)).map(NodeId).collect();
        let voters = if voters.contains(&node) { voters } else { Vec::new() };
        let mut config = Config::new(node, voters);
        (config.pre_vote, config.check_quorum) = (false, false);
        (config.heartbeat_interval, config.election_timeout) = (1, 1 << 32);
        if self.one_entry_messages {
            config.max_message_bytes = 1;
        }
        config
    }
}

impl Node {
    /// One that was never started before.
    pub(super) fn first(id: u8, behaviour: Behaviour) -> Self {
        Self::start(NodeId(u64::from(id)), 1, Contents::default(), behaviour)
    }

    fn start(id: NodeId, boot: u64, disk: Contents, behaviour: Behaviour) -> Self {
        let raft = Raft::new(behaviour.config(id), &disk.recover(id, boot));
        let mut raft = raft.unwrap_or_else(|error| panic!("{id} does not start: {error}"));
        raft.forget_draw();
        let first = raft.next_action();
        assert_eq!(first, None, "who starts waits for others");
        Self { raft, boot, disk, writes: VecDeque::new() }
    }

    pub(super) fn id(&self) -> NodeId {
        self.raft.config().id
    }

    pub(super) fn status(&self) -> Status {
        self.raft.status()
    }

    /// How far it is with its terms.
    pub(super) fn office(&self) -> Office {
        let status = self.raft.status();
        Office { durable: self.disk.term(), current: status.current_term, role: status.role }
    }

    /// Whether a message changes nothing here, and is not answered.
    pub(super) fn takes_no_notice_of(&self, message: &Message, behaviour: Behaviour) -> bool {
        let stepped = self.step(Input::Deliver(0), Fate::Wait, Some(message), behaviour);
        stepped.is_ok_and(|stepped| stepped.sent.is_empty() && stepped.node == *self)
    }

    /// Parts of writes under way: a handful, unless somebody wrote the steps by hand. More than 255 count as 255.
    pub(super) fn parts(&self) -> u8 {
        self.writes.iter().map(OwnedWrite::parts).fold(0, u8::saturating_add)
    }

    /// What it shows.
    pub(super) fn sight(&self) -> Sight {
        let status = self.raft.status();
        let mut written = self.disk.clone();
        self.writes.iter().for_each(|write| written.write(write));
        let log = written.entries().iter().map(EntryName::of).collect();
        Sight {
            node: self.raft.config().id,
            term: status.current_term,
            leads: status.role == RoleKind::Leader,
            log,
            commit: status.commit_index.0,
        }
    }

    /// Takes one step; the message is that of `Deliver`. `Err` is what it said when it panicked.
    pub(super) fn step(
        &self,
        input: Input,
        fate: Fate,
        message: Option<&Message>,
        behaviour: Behaviour,
    ) -> Result<Stepped, String> {
        let step = || self.clone().stepped(input, fate, message, behaviour);
        panic::catch_unwind(AssertUnwindSafe(step)).map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
        })
    }

    fn stepped(
        mut self,
        input: Input,
        fate: Fate,
        message: Option<&Message>,
        behaviour: Behaviour,
    ) -> Stepped {
        let (mut sent, mut shown) = (Vec::new(), Vec::new());
        let mut parts = 0;
        if let Input::Crash(done) = input {
            self = self.crashed(done, behaviour);
        } else {
            self.feed(input, message);
            parts = self.carry_out(&mut sent);
        }
        shown.push(self.sight());
        let (mut left, crashes) = match fate {
            Fate::Wait => (0, false),
            Fate::Done => (u8::MAX, false),
            Fate::Lost(done) => (done, true),
        };
        while let Some(rest) = self.writes.front().and_then(|write| left.checked_sub(write.parts())) {
            self.feed(Input::Persisted, None);
            parts = self.carry_out(&mut sent).saturating_add(parts);
            shown.push(self.sight());
            left = rest;
        }
        if crashes {
            self = self.crashed(left, behaviour);
            shown.push(self.sight());
        }
        self.raft.forget_draw();
        shown.dedup();
        Stepped { node: self, sent, parts, shown }
    }

    /// Whether an input is refused is the core's to say; then it changes nothing.
    fn feed(&mut self, input: Input, message: Option<&Message>) {
        let node = |id: u8| NodeId(u64::from(id));
        match input {
            Input::Campaign => self.raft.campaign(),
            Input::Heartbeat if self.raft.status().role == RoleKind::Leader => self.raft.tick(1),
            Input::Heartbeat => {}
            Input::Propose(number) => {
                let _ = self.raft.propose(Bytes::from(vec![number]));
            }
            Input::Remove(id) => {
                let _ = self.raft.change_membership(&[Change::Remove { id: node(id) }]);
            }
            Input::Add(id) => {
                let _ = self.raft.change_membership(&[Change::AddLearner { id: node(id), promote: true }]);
            }
            Input::Deliver(_) => {
                let _ = self.raft.receive(message.expect("a delivery comes with its message").clone());
            }
            Input::Persisted => {
                if let Some(write) = self.writes.pop_front() {
                    self.disk.write(&write);
                    self.raft.persisted(write.token);
                }
            }
            Input::Crash(_) => panic!("a crash is not for the core to hear of"),
        }
    }

    /// Does what the core wants; returns how many parts the writes have that it asked for.
    fn carry_out(&mut self, sent: &mut Vec<Message>) -> u8 {
        let mut parts: u8 = 0;
        while let Some(action) = self.raft.next_action() {
            match action {
                Action::Send(message) => sent.push(message),
                Action::Persist(write) => {
                    let write = OwnedWrite::new(&write);
                    parts = parts.saturating_add(write.parts());
                    self.writes.push_back(write);
                }
                Action::Apply { last, .. } => self.raft.applied(last),
                Action::Fetch(_)
                | Action::ReadReady { .. }
                | Action::ReadDropped { .. }
                | Action::Snapshot(_) => {
                    panic!("nothing is read and no snapshot is taken here: {action:?}")
                }
            }
        }
        parts
    }

    /// Of its writes under way so many parts were done.
    fn crashed(mut self, done: u8, behaviour: Behaviour) -> Self {
        let mut left = done;
        for write in self.writes.drain(..) {
            let Some(rest) = left.checked_sub(write.parts()) else {
                if left > 0 {
                    self.disk.write_first_part(&write);
                }
                break;
            };
            self.disk.write(&write);
            left = rest;
        }
        Self::start(self.raft.config().id, self.boot + 1, self.disk, behaviour)
    }
}
