//! Operations that fail: a fault arms the disk, and those of its sort that come next return an error.
//!
//! An error is told when the operation is over, so that all before it are. A write that fails may have been done in part.
//! A sync that fails is the worst of them: what it was to make durable is not, yet stands in the cache as if it were, and no
//! later sync tries it again; a power loss reveals it ("Can Applications Recover from fsync Failures?", Rebello et al.,
//! ATC '20: ext4 and XFS). The disk remembers that something failed until the process's life is over: whoever ends it for
//! that reason is in the right.

use super::SimDisk;
use super::file::{File, FileNumber};
use super::issue::error;
use crate::choice::{Draw, Purpose};
use crate::fault::DiskFailure;
use crate::time::Time;
use squall_disk::{DiskError, DiskErrorKind, Operation};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Operations that are to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArmedFailure {
    /// The number of the event that is the cause.
    pub event: u32,
    /// Which ones.
    pub failure: DiskFailure,
    /// So many succeed first.
    pub after: u64,
    /// So many fail then, at most.
    pub times: u64,
    /// None fails after that.
    pub until: Time,
    /// How long a process stays down that ends its life over it.
    pub outage_us: u64,
}

/// An operation has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed {
    /// Of which sort.
    pub failure: DiskFailure,
    /// How long a process stays down that ends its life over it.
    pub outage_us: u64,
}

/// What fails on a disk, and what did.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    armed: Vec<Armed>,
    /// The events of those that are over, and that no operation met.
    idle: Vec<u32>,
    /// The first of this life.
    failed: Option<Failed>,
    /// How many there ever were: the draws for each are keyed by its number.
    count: u64,
}

#[derive(Clone, Debug)]
struct Armed {
    what: ArmedFailure,
    has_struck: bool,
}

impl Failures {
    pub(super) fn disarm(&mut self) {
        self.keep(|_| false);
    }

    fn keep(&mut self, stays: impl Fn(&ArmedFailure) -> bool) {
        let idle = &mut self.idle;
        self.armed.retain(|armed| {
            let stays = stays(&armed.what);
            if !stays && !armed.has_struck {
                idle.push(armed.what.event);
            }
            stays
        });
    }

    /// The life is over.
    pub(super) fn forget(&mut self) {
        self.failed = None;
    }

    /// Whether this operation fails, and how.
    fn strike(&mut self, now: Time, operation: Operation) -> Option<DiskFailure> {
        self.keep(|armed| armed.times > 0 && now <= armed.until);
        let mut struck = None;
        for armed in self.armed.iter_mut().filter(|armed| strikes(armed.what.failure, operation)) {
            if armed.what.after > 0 {
                armed.what.after -= 1;
            } else if struck.is_none() {
                armed.what.times -= 1;
                armed.has_struck = true;
                struck = Some(Failed { failure: armed.what.failure, outage_us: armed.what.outage_us });
            }
        }
        let struck = struck?;
        self.count += 1;
        self.failed.get_or_insert(struck);
        Some(struck.failure)
    }
}

fn strikes(failure: DiskFailure, operation: Operation) -> bool {
    match failure {
        DiskFailure::Read => operation == Operation::Read,
        DiskFailure::Sync => matches!(operation, Operation::Sync | Operation::SyncDir),
        DiskFailure::Space => matches!(operation, Operation::Write | Operation::SetLen | Operation::Create),
        DiskFailure::Write => matches!(
            operation,
            Operation::Write | Operation::SetLen | Operation::Create | Operation::Rename | Operation::Remove
        ),
    }
}

/// The world's part.
impl SimDisk {
    /// Operations are to fail.
    pub fn arm(&mut self, failure: ArmedFailure) {
        self.failures.armed.push(Armed { what: failure, has_struck: false });
    }

    /// The events whose failures have met no operation by their end, which came by this time.
    pub(crate) fn idle_failures(&self, ended: Time) -> impl Iterator<Item = u32> {
        let is_over = move |armed: &&Armed| !armed.has_struck && armed.what.until <= ended;
        let unmet = self.failures.armed.iter().filter(is_over);
        self.failures.idle.iter().copied().chain(unmet.map(|armed| armed.what.event))
    }

    /// What failed first in the present life, if anything did.
    #[must_use]
    pub fn failed(&self) -> Option<Failed> {
        self.failures.failed
    }
}

impl SimDisk {
    /// An operation on a file begins; it may fail.
    pub(super) fn try_on_file(&mut self, operation: Operation, slot: usize) -> Result<(), DiskError> {
        if self.failures.armed.is_empty() {
            return Ok(());
        }
        let name = self.directory.name(self.files[slot].number).unwrap_or_default().to_owned();
        self.try_operation(operation, &name)
    }

    /// An operation begins; it may fail. Then all before it are over.
    pub(super) fn try_operation(&mut self, operation: Operation, name: &str) -> Result<(), DiskError> {
        if self.failures.armed.is_empty() {
            return Ok(());
        }
        let Some(failure) = self.failures.strike(self.now, operation) else { return Ok(()) };
        self.complete_all();
        let (kind, detail) = match failure {
            DiskFailure::Read | DiskFailure::Write | DiskFailure::Sync => {
                (DiskErrorKind::Io, "the simulated device failed")
            }
            DiskFailure::Space => (DiskErrorKind::NoSpace, "the simulated disk is full"),
        };
        Err(error(operation, name, kind, detail))
    }

    /// What a write that failed leaves: its first bytes, or none.
    pub(super) fn write_part(&mut self, file: FileNumber, offset: u64, data: &[u8]) {
        let part = self.draw_failure().range("part", 0, data.len() as u64) as usize;
        if part > 0 {
            self.alter(file, |file| {
                file.write(offset, &data[..part]);
                file.complete();
            });
        }
    }

    /// What a sync that failed leaves of a file: nothing, or some pages.
    pub(super) fn keep_part(&mut self, file: FileNumber) {
        let mut draw = self.draw_failure();
        let (keeps_some, pages) = (draw.pick("kept", &[1, 1]) == 1, draw.bits("pages"));
        let is_kept = |page: u64| keeps_some && xxh3_64_with_seed(&page.to_le_bytes(), pages) & 1 == 1;
        self.alter(file, |file: &mut File| file.fail_sync(is_kept));
    }

    fn draw_failure(&mut self) -> Draw<'_> {
        self.choice.draw(Purpose::DiskError, u64::from(self.process.0), self.failures.count)
    }
}
