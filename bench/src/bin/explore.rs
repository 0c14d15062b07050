//! Exhaustive search beside its peer: `cargo run --release -p squall-bench --bin explore`
//!
//! The world of `squall explore` once more, as a model for `stateright` in the way its manual shows: a state holds the
//! values themselves. It shares nothing with the search but the core: replicas, disks, and what was seen are written anew here,
//! and a restart does without `squall-storage`. So that both meet as many states is a test of the search, and
//! asserted. Neither reduces anything here. Each search has a process of its own, whose peak memory is read from /proc.

use std::collections::{BTreeMap, VecDeque};
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use squall_raft::{
    Action, Config, Entry, HardState, LogIndex, LogPosition, Message, NodeId, Raft, Recovered, RoleKind,
    Term, WriteToken,
};
use squall_scenarios::search::{self, Bounds, End};
use stateright::util::HashableHashMap;
use stateright::{Checker, Model, Property};

/// Elections, proposals and crashes, of three nodes.
const WORLDS: [[u8; 3]; 3] = [[1, 1, 0], [1, 1, 1], [2, 0, 0]];

/// Who searches, and with how many threads; the first is what the others are held against.
const SEARCHES: [(&str, u8); 3] = [("squall", 1), ("stateright", 1), ("stateright", 2)];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [name, numbers @ ..] = &words[..] {
        let numbers: Vec<u8> = numbers.iter().map(|word| word.parse().expect("a small number")).collect();
        let [threads, elections, proposals, crashes] = numbers[..] else { panic!("four numbers") };
        let left = [elections, proposals, crashes];
        return run(|| if name == "squall" { squall(left) } else { stateright(left, threads.into()) });
    }
    println!("elections, proposals, crashes; who, threads; states, steps, seconds, MB");
    for left in WORLDS {
        let mut first: Option<Vec<f64>> = None;
        for (name, threads) in SEARCHES {
            let arguments = [threads, left[0], left[1], left[2]].map(|number| number.to_string());
            let program = std::env::current_exe().expect("this program is a file");
            let output = Command::new(program).arg(name).args(arguments).output().expect("it runs again");
            let text = String::from_utf8(output.stdout).expect("numbers are text");
            let row: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
            let first = first.get_or_insert_with(|| row.clone());
            assert_eq!(row[..2], first[..2], "{name} meets other states, or takes other steps: {left:?}");
            let ratios =
                format!("{:.1} times as long, {:.1} times the memory", row[2] / first[2], row[3] / first[3]);
            println!("{left:?} {name} {threads}: {}; {ratios}", text.trim());
        }
    }
}

/// Prints what a search returns, how long it took, and the peak of this process's memory in MB.
fn run(search: impl FnOnce() -> [u64; 2]) {
    let began = clock_gettime(ClockId::Monotonic);
    let [states, steps] = search();
    let took = clock_gettime(ClockId::Monotonic) - began;
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of a process");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).expect("its peak");
    let megabytes: u64 = peak.trim().parse::<u64>().expect("a number") / 1024;
    println!("{states} {steps} {:.2} {megabytes}", took.tv_sec as f64 + took.tv_nsec as f64 / 1e9);
}

fn squall([elections, proposals, crashes]: [u8; 3]) -> [u64; 2] {
    let bounds =
        Bounds { elections, proposals, crashes, symmetry: false, drops_spent: false, ..Bounds::of(3) };
    let (end, progress) = search::search(bounds, |_| true);
    assert_eq!(end, End::Complete);
    [progress.states, progress.steps]
}

fn stateright(left: [u8; 3], threads: usize) -> [u64; 2] {
    let checker = World(left).checker().threads(threads).spawn_bfs().join();
    checker.assert_properties();
    // It counts the first state as a step.
    [checker.unique_state_count() as u64, checker.state_count() as u64 - 1]
}

struct World([u8; 3]);

/// What is left of elections, proposals and crashes; replicas; messages under way, each with how often.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    left: [u8; 3],
    replicas: Vec<Arc<Replica>>,
    messages: HashableHashMap<Message, usize>,
    /// Who led, by term, and with which log at first.
    led: BTreeMap<Term, (NodeId, Vec<Entry>)>,
    /// Each with the term in which it was first seen to be committed.
    committed: Vec<(Entry, Term)>,
    harm: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Step {
    Campaign(usize),
    Propose(usize),
    Persisted(usize),
    Deliver(Message),
    Crash(usize, usize),
}

/// Its name, the hard state, from where on the log is removed, and what is appended.
type Write = (WriteToken, Option<HardState>, Option<LogIndex>, Vec<Entry>);

/// Term and vote reach the disk before the log does.
fn parts((_, hard_state, truncate_from, entries): &Write) -> usize {
    1 + usize::from(hard_state.is_some() && (truncate_from.is_some() || !entries.is_empty()))
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Replica {
    raft: Raft,
    boot: u64,
    disk: (HardState, Vec<Entry>),
    writes: VecDeque<Write>,
}

impl Replica {
    fn start(id: usize, boot: u64, disk: (HardState, Vec<Entry>)) -> Self {
        let mut config = Config::new(NodeId(id as u64), vec![NodeId(0), NodeId(1), NodeId(2)]);
        (config.pre_vote, config.check_quorum) = (false, false);
        (config.heartbeat_interval, config.election_timeout) = (1, 1 << 32);
        let mut terms: Vec<LogPosition> = disk.1.iter().map(Entry::position).collect();
        terms.dedup_by_key(|position| position.term);
        let last_index = LogIndex(disk.1.len() as u64);
        let (hard_state, tail) = disk.clone();
        let recovered = Recovered { boot, hard_state, terms, last_index, tail, ..Recovered::default() };
        let mut raft = Raft::new(config, &recovered).expect("three voters");
        raft.forget_draw();
        assert_eq!(raft.next_action(), None, "who starts waits for others");
        Self { raft, boot, disk, writes: VecDeque::new() }
    }

    /// The oldest write reaches the disk.
    fn write(&mut self) -> Option<WriteToken> {
        let (token, hard_state, truncate_from, entries) = self.writes.pop_front()?;
        self.disk.0 = hard_state.unwrap_or(self.disk.0);
        self.disk.1.retain(|entry| truncate_from.is_none_or(|from| entry.index < from));
        self.disk.1.extend(entries);
        Some(token)
    }

    /// So many parts of the writes reach the disk; the others never do.
    fn write_parts(&mut self, mut left: usize) {
        while let Some(rest) = self.writes.front().and_then(|write| left.checked_sub(parts(write))) {
            self.write();
            left = rest;
        }
        if left > 0
            && let Some((_, hard_state, ..)) = self.writes.front()
        {
            self.disk.0 = hard_state.unwrap_or(self.disk.0);
        }
    }

    /// The log, with what is on its way to the disk.
    fn log(&self) -> Vec<Entry> {
        let mut written = self.clone();
        while written.write().is_some() {}
        written.disk.1
    }

    /// Does what the core wants.
    fn settle(&mut self, messages: &mut HashableHashMap<Message, usize>) {
        while let Some(action) = self.raft.next_action() {
            match action {
                Action::Send(message) => *messages.entry(message).or_insert(0) += 1,
                Action::Persist(write) => {
                    let entries = write.iter().cloned().collect();
                    self.writes.push_back((write.token, write.hard_state, write.truncate_from, entries));
                }
                Action::Apply { last, .. } => self.raft.applied(last),
                Action::Fetch(_)
                | Action::ReadReady { .. }
                | Action::ReadDropped { .. }
                | Action::Snapshot(_) => panic!("nothing is read and no snapshot is taken here: {action:?}"),
            }
        }
        self.raft.forget_draw();
    }
}

impl State {
    /// Holds what a replica shows against what was seen before.
    fn judge(&mut self, id: usize) {
        let (replica, status) = (&self.replicas[id], self.replicas[id].raft.status());
        let (term, log) = (status.current_term, replica.log());
        if status.role == RoleKind::Leader {
            let lacks =
                |(at, (entry, seen)): (usize, &(Entry, Term))| *seen < term && log.get(at) != Some(entry);
            self.harm |= !self.led.contains_key(&term) && self.committed.iter().enumerate().any(lacks);
            let (leader, _) = self.led.entry(term).or_insert_with(|| (status.id, log.clone()));
            self.harm |= *leader != status.id;
        }
        for (at, entry) in log.iter().take(status.commit_index.0 as usize).enumerate() {
            if at == self.committed.len() {
                let lacks = |(later, (_, log)): (&Term, &(_, Vec<Entry>))| {
                    *later > term && log.get(at) != Some(entry)
                };
                self.harm |= self.led.iter().any(lacks);
                self.committed.push((entry.clone(), term));
            }
            self.harm |= self.committed[at].0 != *entry;
        }
        for other in self.replicas.iter().filter(|other| !Arc::ptr_eq(other, replica)) {
            let other = other.log();
            let same = log.iter().zip(&other).rposition(|(left, right)| left.term == right.term);
            self.harm |= same.is_some_and(|same| log[..=same] != other[..=same]);
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let replicas = (0..3).map(|id| Arc::new(Replica::start(id, 1, Default::default()))).collect();
        let (messages, led, committed) = (HashableHashMap::default(), BTreeMap::new(), Vec::new());
        vec![State { left: self.0, replicas, messages, led, committed, harm: false }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (id, replica) in state.replicas.iter().enumerate() {
            steps.extend([Step::Campaign(id), Step::Propose(id), Step::Persisted(id)]);
            // A node to which nothing happened has nothing to lose.
            let may_crash = state.left[2] > 0 && **replica != Replica::start(id, 1, Default::default());
            let parts: usize = replica.writes.iter().map(parts).sum();
            let crashes = if may_crash { parts.max(1) } else { 0 };
            steps.extend((0..crashes).map(|done| Step::Crash(id, done)));
        }
        steps.extend(state.messages.keys().cloned().map(Step::Deliver));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        let (id, kind) = match &step {
            Step::Campaign(id) => (*id, Some(0)),
            Step::Propose(id) => (*id, Some(1)),
            Step::Crash(id, _) => (*id, Some(2)),
            Step::Persisted(id) => (*id, None),
            Step::Deliver(message) => (message.to.0 as usize, None),
        };
        if let Some(kind) = kind {
            next.left[kind] = next.left[kind].checked_sub(1)?;
        }
        let replica = Arc::make_mut(&mut next.replicas[id]);
        match step {
            Step::Campaign(_) => replica.raft.campaign(),
            // Refused or ignored input changes nothing, and is no step.
            Step::Propose(_) => drop(replica.raft.propose(Bytes::from(vec![self.0[1] - state.left[1]]))),
            Step::Persisted(_) => {
                let token = replica.write()?;
                replica.raft.persisted(token);
            }
            Step::Deliver(message) => {
                let count = next.messages.get_mut(&message)?;
                *count -= 1;
                if *count == 0 {
                    next.messages.remove(&message);
                }
                let _ = replica.raft.receive(message);
            }
            Step::Crash(_, done) => {
                replica.write_parts(done);
                *replica = Replica::start(id, replica.boot + 1, replica.disk.clone());
            }
        }
        let under_way = next.messages.values().sum::<usize>();
        replica.settle(&mut next.messages);
        let is_step =
            *next.replicas[id] != *state.replicas[id] || next.messages.values().sum::<usize>() > under_way;
        next.judge(id);
        is_step.then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("no harm", |_, state: &State| !state.harm)]
    }
}
