//! The operations that a process has issued and the device has not done: one after the other, in issue order.

use super::file::FileNumber;
use crate::time::Time;
use squall_disk::Operation;
use std::collections::VecDeque;

/// One operation of a disk, as it completes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskOperation {
    /// The operations of a disk are numbered from 0.
    pub number: u64,
    /// What was done. `Len`, `Open` and `List` are never among them: they take no time.
    pub operation: Operation,
    /// On which file; none for the directory as a whole.
    pub file: Option<FileNumber>,
    /// From which byte on, for reads and writes.
    pub offset: u64,
    /// How many bytes were read or written, or the file's new length.
    pub len: u64,
}

/// The device's queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// With their completion times. Invariant: these never fall.
    waiting: VecDeque<(Time, DiskOperation)>,
    /// Nothing completes before.
    stalled_until: Time,
    issued: u64,
    completed: u64,
}

impl Queue {
    /// An operation is issued; it takes `latency_us` from when the device comes to it.
    pub(super) fn push(&mut self, now: Time, latency_us: u64, operation: DiskOperation) {
        debug_assert_eq!(operation.number, self.issued);
        let free_at = self.last().unwrap_or(now).max(now);
        self.waiting.push_back((free_at.after(latency_us).max(self.stalled_until), operation));
        self.issued += 1;
    }

    /// Takes the oldest operation, if it is complete at `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<DiskOperation> {
        let (at, operation) = *self.waiting.front()?;
        if at > now {
            return None;
        }
        self.waiting.pop_front();
        self.completed += 1;
        Some(operation)
    }

    /// The operation in progress.
    pub(super) fn front(&self) -> Option<&DiskOperation> {
        self.waiting.front().map(|(_, operation)| operation)
    }

    /// When the oldest operation completes.
    pub(super) fn next(&self) -> Option<Time> {
        self.waiting.front().map(|(at, _)| *at)
    }

    /// When the newest operation completes.
    pub(super) fn last(&self) -> Option<Time> {
        self.waiting.back().map(|(at, _)| *at)
    }

    pub(super) fn issued(&self) -> u64 {
        self.issued
    }

    pub(super) fn completed(&self) -> u64 {
        self.completed
    }

    /// Whether a stall is under way.
    pub(super) fn is_stalled(&self, now: Time) -> bool {
        self.stalled_until > now
    }

    /// Nothing completes before `until`.
    pub(super) fn stall_until(&mut self, until: Time) {
        self.stalled_until = self.stalled_until.max(until);
        for (at, _) in &mut self.waiting {
            *at = (*at).max(until);
        }
    }

    /// No stall holds any longer, and what waits completes now at the latest.
    pub(super) fn release(&mut self, now: Time) {
        self.stalled_until = Time::START;
        for (at, _) in &mut self.waiting {
            *at = (*at).min(now);
        }
    }

    /// The process is gone and with it what it waited for; how many operations that were.
    pub(super) fn clear(&mut self) -> u64 {
        let lost = self.waiting.len() as u64;
        self.waiting.clear();
        lost
    }
}
