//! Three replicas on real files, in one thread: they take commands, all stop dead, and still have them afterwards. With the
//! name of a directory that is not there yet, they leave their files in it, to be looked at with `squall log`.

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use squall_disk::RealDisk;
use squall_raft::{Config, Fetch, Message, NodeId, RoleKind};
use squall_replica::kv::{Command, KeyValue};
use squall_replica::{Output, Replica, RequestId, SnapshotJob, SnapshotPolicy};
use squall_storage::{Group, Identity, Options, Storage, StorageError};

const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// A replica, and beside it what a driver brings. The network is a queue for all three.
struct Server {
    replica: Replica<KeyValue>,
    storage: Storage,
    disk: RealDisk,
    /// Writes that wait for the next sync.
    group: Group,
    /// Reads of entries that are no longer in memory.
    fetches: VecDeque<Fetch>,
    /// What is to be done with snapshots.
    snapshot_jobs: VecDeque<SnapshotJob>,
    /// The time up to which ticks have been fed.
    ticked: u64,
}

impl Server {
    /// Starts with what the disk holds and an empty state machine: snapshot and log bring it back to where it was.
    fn start(node: NodeId, directory: &Path, now: u64) -> Result<Self, Box<dyn Error>> {
        let mut disk = RealDisk::open(directory)?;
        // In earnest, the options' `salt_seed` and the configuration's `seed` want entropy.
        let (storage, recovered) = Storage::open(&mut disk, identity(node), &Options::default())?;
        let from = recovered.snapshot.map_or(0, |snapshot| snapshot.last.index.0);
        println!(
            "{node}: start {}, a snapshot of {from} entries, {} in all",
            recovered.boot, recovered.last_index
        );
        let mut replica = Replica::new(Config::new(node, NODES.to_vec()), &recovered, KeyValue::default())?;
        // In earnest, after some ten thousand entries: the log is given up behind a snapshot.
        replica.take_snapshots(SnapshotPolicy {
            every_entries: 3,
            keep_entries: 0,
            ..SnapshotPolicy::default()
        })?;
        let (group, fetches, snapshot_jobs) = (Group::default(), VecDeque::new(), VecDeque::new());
        Ok(Self { replica, storage, disk, group, fetches, snapshot_jobs, ticked: now })
    }

    /// Takes a message, if there is one, and does what the replica asks for. An error ends the server's life.
    fn step(
        &mut self,
        now: u64,
        message: Option<Message>,
        network: &mut VecDeque<Message>,
    ) -> Result<(), StorageError> {
        self.replica.tick(now - self.ticked); // The fourth duty: before any other input.
        self.ticked = now;
        if let Some(message) = message {
            // What is ignored (a vote that comes too late) has done no harm.
            let _ignored = self.replica.receive(message);
        }
        loop {
            while let Some(output) = self.replica.next_output() {
                match output {
                    Output::Send(message) => network.push_back(message), // Over sockets: `squall-wire`.
                    Output::Persist(write) => self.group.add(&write),
                    Output::Fetch(fetch) => self.fetches.push_back(fetch),
                    Output::ReadsSettled { .. } => {}
                    Output::Apply => {} // Below: now, or whenever the state machine has time.
                    Output::Snapshot(job) => self.snapshot_jobs.push_back(job),
                    Output::Respond { request, outcome } => println!("{request:?}: {outcome:?}"),
                }
            }
            if self.replica.apply(u64::MAX) > 0 {
                continue;
            }
            if !self.group.is_empty() {
                // One sync for all that gathered. A server has a thread for it, and goes on until that reports.
                let token = self.storage.commit(&mut self.group, &mut self.disk)?;
                self.replica.persisted(token);
            } else if let Some(Fetch { purpose, first, last, max_bytes }) = self.fetches.pop_front() {
                self.replica.fetched(purpose, self.storage.read(first, last, max_bytes, &mut self.disk)?);
            } else if let Some(job) = self.snapshot_jobs.pop_front() {
                self.carry_out(job)?;
            } else {
                return Ok(());
            }
        }
    }

    /// A server does this step by step, and the log's own writes in between: a snapshot may be large.
    fn carry_out(&mut self, job: SnapshotJob) -> Result<(), StorageError> {
        let Self { replica, storage, disk, .. } = self;
        match job {
            SnapshotJob::Take { last } => {
                storage.begin_snapshot(last, disk)?;
                loop {
                    let bytes = replica.read_image(64 << 10);
                    if bytes.is_empty() {
                        break;
                    }
                    storage.write_snapshot(&bytes, disk)?;
                }
                replica.snapshot_taken(storage.finish_snapshot(disk)?);
            }
            SnapshotJob::Load { snapshot, offset, max_bytes } => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                replica
                    .loaded(snapshot, offset, data.as_deref())
                    .expect("a replica of this version wrote it");
            }
            SnapshotJob::Serve { to, snapshot, offset, max_bytes } => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                replica.snapshot_read(to, snapshot, offset, data);
            }
            SnapshotJob::Store { snapshot, offset, data } => {
                let Some(bytes) = storage.store_received(snapshot, offset, &data, disk)? else {
                    return Ok(());
                };
                replica.snapshot_stored(snapshot, bytes);
                if bytes == snapshot.bytes {
                    match storage.finish_received(disk)? {
                        Ok(received) => replica.snapshot_received(received),
                        Err(_mismatch) => replica.snapshot_refused(snapshot), // It will ask for it anew.
                    }
                }
            }
        }
        Ok(())
    }
}

fn identity(node: NodeId) -> Identity {
    Identity { node, cluster: 0x5EED, incarnation: 0 }
}

/// Lets time pass until there is a leader and all have applied all of its log; returns its place.
fn settle(servers: &mut [Server], now: &mut u64) -> Result<usize, StorageError> {
    let mut network = VecDeque::new();
    loop {
        for server in &mut *servers {
            server.step(*now, None, &mut network)?;
        }
        while let Some(message) = network.pop_front() {
            let to = servers.iter_mut().find(|server| server.replica.status().id == message.to);
            to.expect("one of the three").step(*now, Some(message), &mut network)?;
        }
        let leads = |server: &Server| server.replica.status().role == RoleKind::Leader;
        if let Some(leader) = servers.iter().position(leads) {
            let last = servers[leader].replica.status().last_log.index;
            if servers.iter().all(|server| server.replica.status().last_applied == last) {
                return Ok(leader);
            }
        }
        // Nothing is under way until the next tick is due. A server sleeps so long; here the clock jumps.
        *now += servers.iter().map(|server| server.replica.ticks_until_due()).min().unwrap_or(1);
    }
}

fn main() -> ExitCode {
    let kept = std::env::args_os().nth(1).map(PathBuf::from);
    let scratch = || std::env::temp_dir().join(format!("squall-real-files-{}", std::process::id()));
    let root = kept.clone().unwrap_or_else(scratch);
    let mut result = run(&root);
    if kept.is_none() {
        result = result.and_then(|()| Ok(fs::remove_dir_all(&root)?));
    } else if result.is_ok() {
        println!("now: squall log {}", root.join(NODES[0].to_string()).display());
    }
    result.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn run(root: &Path) -> Result<(), Box<dyn Error>> {
    for node in NODES {
        fs::create_dir_all(root.join(node.to_string()))?;
        // Once in a node's life, and never by itself: a lost disk must not come back as an empty one.
        let mut disk = RealDisk::open(root.join(node.to_string()))?;
        Storage::format(&mut disk, identity(node), &Options::default())?;
    }
    let start = |node: NodeId, now| Server::start(node, &root.join(node.to_string()), now);

    let mut now = 0;
    let mut servers = [start(NODES[0], now)?, start(NODES[1], now)?, start(NODES[2], now)?];
    let leader = settle(&mut servers, &mut now)?;
    for (request, key) in (1..).zip(["gale", "gust", "squall"]) {
        let put = Command::Put { key: Bytes::from(key), value: Bytes::from("wind") };
        servers[leader].replica.request(RequestId(request), put.encode())?;
    }
    settle(&mut servers, &mut now)?;

    drop(servers); // What was acknowledged is on disk: there is nothing to shut down.
    let mut servers = [start(NODES[0], now)?, start(NODES[1], now)?, start(NODES[2], now)?];
    settle(&mut servers, &mut now)?;
    for server in &servers {
        let value = server.replica.machine().get(b"squall");
        println!("{}: the squall is {value:?}", server.replica.status().id);
        assert_eq!(value, Some(&Bytes::from("wind")));
    }
    Ok(())
}
