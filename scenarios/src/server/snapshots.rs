//! Snapshots on the server's disk: taken, served, received, loaded, one step of work at a time.
//!
//! Each step is a disk job with one sync at most, and the log's own writes come in between, so that nothing here holds
//! them up for long.

use std::collections::VecDeque;

use bytes::Bytes;
use squall_raft::{LogPosition, NodeId, SnapshotId, Term};
use squall_replica::{Replica, SnapshotJob};
use squall_sim::{LocalTime, SimDisk};
use squall_storage::{Storage, StorageError};

use crate::machine::Machine;

/// What is to be done about snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshots {
    jobs: VecDeque<Work>,
    taking: Option<Taking>,
    /// Of which snapshot this life has stored a part last, and in which term.
    stored: Option<(SnapshotId, Term)>,
    /// The next step is one of a snapshot that is being taken, where there is one.
    turn_to_take: bool,
    /// When the next step of that may be, and how long it is from one to the next.
    take_at: Option<LocalTime>,
    rest_us: u64,
}

#[derive(Clone, Debug)]
enum Work {
    Job(SnapshotJob),
    /// All parts of a received snapshot are there.
    FinishReceived(SnapshotId),
}

/// How far a snapshot that is being taken has come.
#[derive(Clone, Copy, Debug)]
enum Taking {
    ToBegin(LogPosition),
    ToWrite,
}

/// What the disk was asked for, to be reported when it is done.
#[derive(Clone, Debug)]
pub(super) enum Done {
    /// A step of a longer work.
    Step,
    Taken(SnapshotId),
    Loaded {
        snapshot: SnapshotId,
        offset: u64,
        data: Option<Bytes>,
    },
    Served {
        to: NodeId,
        snapshot: SnapshotId,
        offset: u64,
        data: Option<Bytes>,
    },
    /// `is_resumed` where what came before was stored by an earlier life, or under another leader.
    Stored {
        snapshot: SnapshotId,
        bytes: u64,
        is_resumed: bool,
    },
    Received(SnapshotId),
    Refused(SnapshotId),
}

impl Snapshots {
    pub(super) fn new(rest_us: u64) -> Self {
        Self { rest_us, ..Self::default() }
    }

    /// Whether there is a step to do now.
    pub(super) fn has_work(&self, now: LocalTime) -> bool {
        !self.jobs.is_empty() || self.may_take(now)
    }

    /// When there is one to do, where nothing else is to be done before.
    pub(super) fn due_at(&self) -> Option<LocalTime> {
        self.taking.and(self.take_at)
    }

    fn may_take(&self, now: LocalTime) -> bool {
        self.taking.is_some() && self.take_at.is_none_or(|take_at| take_at <= now)
    }

    pub(super) fn add(&mut self, job: SnapshotJob) {
        match job {
            SnapshotJob::Take { last } => self.taking = Some(Taking::ToBegin(last)),
            SnapshotJob::Load { .. } | SnapshotJob::Serve { .. } | SnapshotJob::Store { .. } => {
                self.jobs.push_back(Work::Job(job));
            }
        }
    }

    /// Does the next step. There is one.
    pub(super) fn step(
        &mut self,
        now: LocalTime,
        replica: &mut Replica<Machine>,
        storage: &mut Storage,
        disk: &mut SimDisk,
    ) -> Result<Done, StorageError> {
        self.turn_to_take = !self.turn_to_take;
        if let Some(taking) = self.taking
            && self.may_take(now)
            && (self.turn_to_take || self.jobs.is_empty())
        {
            self.take_at = (self.rest_us > 0).then(|| now.after(self.rest_us));
            return self.take(taking, replica, storage, disk);
        }
        match self.jobs.pop_front().expect("there is something to do") {
            Work::Job(job) => self.carry_out(job, replica.status().current_term, storage, disk),
            Work::FinishReceived(snapshot) => Ok(match storage.finish_received(disk)? {
                Ok(received) => Done::Received(received),
                Err(_mismatch) => Done::Refused(snapshot),
            }),
        }
    }

    fn take(
        &mut self,
        taking: Taking,
        replica: &mut Replica<Machine>,
        storage: &mut Storage,
        disk: &mut SimDisk,
    ) -> Result<Done, StorageError> {
        match taking {
            Taking::ToBegin(last) => {
                storage.begin_snapshot(last, disk)?;
                self.taking = Some(Taking::ToWrite);
                Ok(Done::Step)
            }
            Taking::ToWrite => {
                let bytes = replica.read_image(replica.raft().config().max_snapshot_chunk_bytes);
                if bytes.is_empty() {
                    self.taking = None;
                    return storage.finish_snapshot(disk).map(Done::Taken);
                }
                storage.write_snapshot(&bytes, disk).map(|()| Done::Step)
            }
        }
    }

    fn carry_out(
        &mut self,
        job: SnapshotJob,
        term: Term,
        storage: &mut Storage,
        disk: &mut SimDisk,
    ) -> Result<Done, StorageError> {
        Ok(match job {
            SnapshotJob::Take { .. } => unreachable!("it is not put among the others"),
            SnapshotJob::Load { snapshot, offset, max_bytes } => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                Done::Loaded { snapshot, offset, data }
            }
            SnapshotJob::Serve { to, snapshot, offset, max_bytes } => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                Done::Served { to, snapshot, offset, data }
            }
            SnapshotJob::Store { snapshot, offset, data } => {
                let Some(bytes) = storage.store_received(snapshot, offset, &data, disk)? else {
                    return Ok(Done::Step);
                };
                if bytes == snapshot.bytes {
                    self.jobs.push_front(Work::FinishReceived(snapshot));
                }
                let stored = self.stored.replace((snapshot, term));
                let is_resumed = stored != Some((snapshot, term)) && offset > 0;
                Done::Stored { snapshot, bytes, is_resumed }
            }
        })
    }
}
