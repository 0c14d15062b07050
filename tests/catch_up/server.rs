//! One server on real files: a replica, its storage, and the driver between them, in one thread.

use std::collections::VecDeque;
use std::path::Path;

use bytes::Bytes;
use squall_disk::RealDisk;
use squall_raft::{Config, Fetch, Message, NodeId};
use squall_replica::kv::{Command, KeyValue};
use squall_replica::{Output, Replica, RequestId, SnapshotJob, SnapshotPolicy};
use squall_storage::{Group, Identity, Options, Storage, StorageError};

pub(crate) type Mail = Message;

pub(crate) struct Server {
    pub(crate) replica: Replica<KeyValue>,
    storage: Storage,
    disk: RealDisk,
    group: Group,
    fetches: VecDeque<Fetch>,
    snapshot_jobs: VecDeque<SnapshotJob>,
    /// Requests answered so far.
    pub(crate) answered: u64,
}

fn identity(node: NodeId) -> Identity {
    Identity { node, cluster: 0x5EED, incarnation: 0 }
}

impl Server {
    pub(crate) fn format(node: NodeId, directory: &Path) {
        let mut disk = RealDisk::open(directory).expect("a directory of its own");
        Storage::format(&mut disk, identity(node), &Options::default()).expect("it is empty");
    }

    pub(crate) fn start(config: Config, directory: &Path, policy: Option<SnapshotPolicy>) -> Self {
        let mut disk = RealDisk::open(directory).expect("it was formatted");
        let (storage, recovered) =
            Storage::open(&mut disk, identity(config.id), &Options::default()).expect("it is sound");
        let mut replica =
            Replica::new(config, &recovered, KeyValue::default()).expect("a sound configuration");
        if let Some(policy) = policy {
            replica.take_snapshots(policy).expect("a sound policy");
        }
        Self {
            replica,
            storage,
            disk,
            group: Group::default(),
            fetches: VecDeque::new(),
            snapshot_jobs: VecDeque::new(),
            answered: 0,
        }
    }

    /// Proposes a command; returns whether it was taken.
    pub(crate) fn put(&mut self, request: u64, key: &str, value_bytes: usize) -> bool {
        let value = Bytes::from(vec![b'x'; value_bytes]);
        let put = Command::Put { key: Bytes::copy_from_slice(key.as_bytes()), value };
        self.replica.request(RequestId(request.into()), put.encode()).is_ok()
    }

    /// Does what the replica asks for: one sync, one read, one step of a snapshot.
    pub(crate) fn work(&mut self, mail: &mut VecDeque<Mail>) {
        self.drain(mail);
        while self.replica.apply(u64::MAX) > 0 {
            self.drain(mail);
        }
        self.use_disk().expect("the disk works");
        self.drain(mail);
    }

    fn drain(&mut self, mail: &mut VecDeque<Mail>) {
        while let Some(output) = self.replica.next_output() {
            match output {
                Output::Send(message) => mail.push_back(message),
                Output::Persist(write) => self.group.add(&write),
                Output::Fetch(fetch) => self.fetches.push_back(fetch),
                Output::Snapshot(job) => self.snapshot_jobs.push_back(job),
                Output::Respond { .. } => self.answered += 1,
                Output::ReadsSettled { .. } | Output::Apply => {}
            }
        }
    }

    fn use_disk(&mut self) -> Result<(), StorageError> {
        let Self { replica, storage, disk, group, fetches, snapshot_jobs, .. } = self;
        if !group.is_empty() {
            let token = storage.commit(group, disk)?;
            replica.persisted(token);
        }
        if let Some(Fetch { purpose, first, last, max_bytes }) = fetches.pop_front() {
            replica.fetched(purpose, storage.read(first, last, max_bytes, disk)?);
        }
        match snapshot_jobs.pop_front() {
            None => {}
            Some(SnapshotJob::Take { last }) => {
                storage.begin_snapshot(last, disk)?;
                loop {
                    let bytes = replica.read_image(1 << 20);
                    if bytes.is_empty() {
                        break;
                    }
                    storage.write_snapshot(&bytes, disk)?;
                }
                let snapshot = storage.finish_snapshot(disk)?;
                replica.snapshot_taken(snapshot);
            }
            Some(SnapshotJob::Load { snapshot, offset, max_bytes }) => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                replica.loaded(snapshot, offset, data.as_deref()).expect("what another replica wrote");
            }
            Some(SnapshotJob::Serve { to, snapshot, offset, max_bytes }) => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                replica.snapshot_read(to, snapshot, offset, data);
            }
            Some(SnapshotJob::Store { snapshot, offset, data }) => {
                let Some(bytes) = storage.store_received(snapshot, offset, &data, disk)? else {
                    return Ok(());
                };
                replica.snapshot_stored(snapshot, bytes);
                if bytes == snapshot.bytes {
                    match storage.finish_received(disk)? {
                        Ok(received) => replica.snapshot_received(received),
                        Err(mismatch) => panic!("{mismatch:?}"),
                    }
                }
            }
        }
        Ok(())
    }
}
