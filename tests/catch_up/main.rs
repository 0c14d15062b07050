//! A follower that is a million entries behind, on real files: how fast it catches up while clients go on, and in how
//! much memory. It is a program of its own, because it counts what is allocated. `cargo test -p squall-tests --test
//! catch_up -- --nocapture` prints what it measures.

#![expect(clippy::disallowed_types, reason = "it measures a real cluster, in real time")]

mod server;

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use squall_raft::{Config, LogIndex, NodeId, RoleKind};
use squall_replica::SnapshotPolicy;

use server::{Mail, Server};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const ENTRIES: u64 = 1_000_000;
const VALUE_BYTES: usize = 100;
const KEYS: u64 = 1_000;
/// Requests that wait for an answer at one time.
const OUTSTANDING: u64 = 1_024;
const MIB: u64 = 1 << 20;
const PLACE_BYTES: u64 = 16;

fn config(node: NodeId) -> Config {
    Config {
        max_message_bytes: 256 << 10,
        max_in_flight_messages: 16,
        max_in_flight_bytes: 2 * MIB,
        max_uncommitted_bytes: 4 * MIB,
        cache_bytes: MIB,
        max_log_bytes: 8 * MIB,
        max_apply_bytes: MIB,
        max_snapshot_chunk_bytes: 256 << 10,
        max_snapshot_in_flight: 4,
        ..Config::new(node, NODES.to_vec())
    }
}

/// What one server may hold by its configuration: its log, what is on its way to followers, being read and being applied.
/// The state machine of this test takes some hundred KiB, the requests that wait as much.
fn bound_bytes() -> u64 {
    let config = config(NODES[0]);
    let in_flight = config.max_in_flight_bytes + config.max_message_bytes;
    let snapshot = config.max_snapshot_chunk_bytes * config.max_snapshot_in_flight;
    config.max_log_bytes + 2 * in_flight + config.max_apply_bytes + 2 * snapshot
}

/// The cluster, and the clients that keep it busy.
struct World {
    root: PathBuf,
    servers: Vec<Option<Server>>,
    mail: VecDeque<Mail>,
    ticks: u64,
    started: Instant,
    asked: u64,
}

impl World {
    fn new(name: &str, policy: Option<SnapshotPolicy>) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("catch-up-{name}"));
        // What an earlier run left, where it was killed.
        let _nothing_there = fs::remove_dir_all(&root);
        let mut servers = Vec::new();
        for node in NODES {
            let directory = root.join(node.to_string());
            fs::create_dir_all(&directory).expect("a directory for a test");
            Server::format(node, &directory);
            servers.push((node != NODES[2]).then(|| Server::start(config(node), &directory, policy)));
        }
        Self { root, servers, mail: VecDeque::new(), ticks: 0, started: Instant::now(), asked: 0 }
    }

    fn leader(&mut self) -> Option<&mut Server> {
        let leads = |server: &&mut Server| server.replica.status().role == RoleKind::Leader;
        self.servers.iter_mut().flatten().find(leads)
    }

    /// One turn for everybody. Ticks are real ones of 10 ms; a cluster that idles jumps to the next one.
    fn turn(&mut self, outstanding: u64) {
        let passed = self.started.elapsed().as_millis() / 10;
        let due = u64::try_from(passed).expect("a test ends before").saturating_sub(self.ticks);
        self.ticks += due;
        let asked = &mut self.asked;
        for server in self.servers.iter_mut().flatten() {
            server.replica.tick(due);
            while server.replica.status().role == RoleKind::Leader
                && server.replica.pending_requests() < outstanding
                && server.put(*asked, &format!("key {}", *asked % KEYS), VALUE_BYTES)
            {
                *asked += 1;
            }
            server.work(&mut self.mail);
        }
        for mail in self.mail.drain(..) {
            let position = NODES.iter().position(|node| *node == mail.to).expect("one of the three");
            if let Some(server) = &mut self.servers[position] {
                // What is ignored (a vote that comes too late) has done no harm.
                let _ignored = server.replica.receive(mail);
            }
        }
    }

    fn answered(&self) -> u64 {
        self.servers.iter().flatten().map(|server| server.answered).sum()
    }

    fn behind(&self) -> u64 {
        self.last_index(0).max(self.last_index(1)).0 - self.last_index(2).0
    }

    /// Up to where the log of a server is durable.
    fn last_index(&self, node: usize) -> LogIndex {
        self.servers[node].as_ref().map_or(LogIndex::ZERO, |server| server.replica.status().durable_index)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.servers.clear();
        fs::remove_dir_all(&self.root).expect("the test's own directory");
    }
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What one run came to.
struct Measured {
    /// Entries a second: to the follower that catches up, and to one that kept up before.
    follower: f64,
    leader: f64,
}

/// Two servers take `ENTRIES` commands; then the third starts, and clients go on as before.
fn measure(name: &str, policy: Option<SnapshotPolicy>) -> Measured {
    let mut world = World::new(name, policy);
    while world.leader().is_none() {
        world.turn(0);
    }
    let began = Instant::now();
    while world.answered() < ENTRIES {
        world.turn(OUTSTANDING);
    }
    let leader = per_second(ENTRIES, began.elapsed());

    ALLOCATOR.reset_peak_usage();
    let directory = world.root.join(NODES[2].to_string());
    world.servers[2] = Some(Server::start(config(NODES[2]), &directory, policy));
    let (began, answered_before, behind) = (Instant::now(), world.answered(), world.behind());
    assert!(behind >= ENTRIES, "{behind}");
    while world.behind() > 2 * OUTSTANDING {
        world.turn(OUTSTANDING);
        assert!(began.elapsed() < Duration::from_secs(300), "still {} entries behind", world.behind());
    }
    let time = began.elapsed();
    let follower = per_second(world.last_index(2).0, time);
    let clients = per_second(world.answered() - answered_before, time);
    assert!(clients > 0.0, "no client was served meanwhile");

    // Storage keeps in memory where each entry's record is.
    let allowed: u64 = (0..3).map(|node| bound_bytes() + PLACE_BYTES * world.last_index(node).0).sum();
    let peak = ALLOCATOR.peak_usage() as u64;
    println!(
        "{name}: {behind} entries behind, caught up in {:.1} s: {follower:.0} entries a second, and {clients:.0} for \
         clients; the leader replicated {leader:.0} a second before. Memory of all three: {:.1} MiB of {:.1} allowed.",
        time.as_secs_f64(),
        peak as f64 / MIB as f64,
        allowed as f64 / MIB as f64,
    );
    assert!(peak <= allowed, "{peak} bytes; {allowed} are allowed");
    Measured { follower, leader }
}

/// A neighbour on the machine may slow the one half of a run and not the other, so that a run may be repeated.
fn catches_up(name: &str, policy: Option<SnapshotPolicy>) {
    for _ in 0..3 {
        let Measured { follower, leader } = measure(name, policy);
        if follower >= leader / 2.0 {
            return;
        }
    }
    panic!("{name}: a follower that lags is served at less than half the speed of one that does not");
}

#[test]
fn a_follower_a_million_entries_behind_catches_up_at_half_the_speed_of_replication_or_more() {
    catches_up("from the log", None);
    catches_up("from a snapshot", Some(SnapshotPolicy::default()));
}
