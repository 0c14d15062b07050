//! A simulated disk: what a process writes is readable at once, done later, and durable only when synced.
//!
//! Operations are issued synchronously through [`squall_disk::Disk`], and from then on reads see them. Each takes
//! effect at its completion time, one after the other. A crash loses what is not complete (but perhaps a part of
//! the operation in progress); a power loss also takes any share of what is complete but not synced, down to
//! sectors that hold garbage ([`CrashEffects`]). Only `sync` makes a file's content durable, and only `sync_dir`
//! its name.
//!
//! The world's part: [`SimDisk::set_now`] before a process gets the disk, [`SimDisk::next_completion`] and
//! [`SimDisk::complete`] for the events, [`SimDisk::crash`]; [`SimDisk::arm`] for operations that fail.

mod crash;
mod directory;
mod durable;
mod failures;
mod file;
mod image;
mod issue;
mod parameters;
mod queue;
mod tear;
#[cfg(test)]
mod tests;

pub use crash::CrashEffects;
pub use durable::DurableDisk;
pub use failures::{ArmedFailure, Failed};
pub use file::FileNumber;
pub use parameters::{
    CrashWeights, DirectoryWeights, DiskLatency, DiskParameters, ExtentWeights, FileWeights, GrowthWeights,
    PageWeights, SectorWeights,
};
pub use queue::DiskOperation;

use crate::choice::{Choice, Decision};
use crate::fault::CrashKind;
use crate::ids::ProcessId;
use crate::time::Time;
use crash::{Crash, Cut};
use directory::Directory;
use failures::Failures;
use file::File;
use image::PAGE_BYTES;
use queue::Queue;
use squall_disk::{FileId, Operation};
use xxhash_rust::xxh3::Xxh3;

/// The disk of one simulated process; it outlives the process.
#[derive(Clone, Debug)]
pub struct SimDisk {
    process: ProcessId,
    parameters: DiskParameters,
    choice: Choice,
    now: Time,
    queue: Queue,
    directory: Directory,
    /// By number.
    files: Vec<File>,
    next_file: u32,
    /// What the handles of the running process stand for.
    handles: Vec<FileNumber>,
    /// The number of the first of these: a handle from before a crash is never valid again.
    first_handle: u32,
    crashes: u32,
    failures: Failures,
}

/// What the world does with a disk.
impl SimDisk {
    /// An empty disk. It draws from `choice`, a fork of the run's.
    #[must_use]
    pub fn new(process: ProcessId, parameters: DiskParameters, choice: Choice) -> SimDisk {
        SimDisk {
            process,
            parameters,
            choice,
            now: Time::START,
            queue: Queue::default(),
            directory: Directory::default(),
            files: Vec::new(),
            next_file: 0,
            handles: Vec::new(),
            first_handle: 0,
            crashes: 0,
            failures: Failures::default(),
        }
    }

    /// Tells the disk the time: what is issued from here on begins no earlier.
    pub fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// When the next operation completes.
    #[must_use]
    pub fn next_completion(&self) -> Option<Time> {
        self.queue.next()
    }

    /// When everything issued so far will have completed, if anything is under way.
    #[must_use]
    pub fn last_completion(&self) -> Option<Time> {
        self.queue.last()
    }

    /// Completes one operation, if one is due at `now`; says which.
    pub fn complete(&mut self, now: Time) -> Option<DiskOperation> {
        let done = self.queue.pop(now)?;
        match (done.operation, done.file) {
            (Operation::Write | Operation::SetLen, Some(file)) => self.alter(file, File::complete),
            (Operation::Sync, Some(file)) => self.alter(file, File::sync),
            (Operation::Create | Operation::Rename | Operation::Remove, _) => self.directory.complete(),
            (Operation::SyncDir, _) => self.sync_directory(),
            (Operation::Read | Operation::Len | Operation::Open | Operation::List, _)
            | (Operation::Write | Operation::SetLen | Operation::Sync, None) => {}
        }
        Some(done)
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.next().is_none()
    }

    /// How many operations were ever issued; those that took time.
    #[must_use]
    pub fn operations_issued(&self) -> u64 {
        self.queue.issued()
    }

    /// How many operations were ever completed.
    #[must_use]
    pub fn operations_completed(&self) -> u64 {
        self.queue.completed()
    }

    /// Completes everything under way at once: for what is done before time begins.
    pub fn settle(&mut self) {
        self.complete_all();
        self.queue.release(Time::START);
    }

    fn complete_all(&mut self) {
        while self.complete(Time::END).is_some() {}
    }

    /// Alters bytes that are durable, under the name that is durable. No operation of the process's takes part in it.
    pub fn rot(&mut self, name: &str, offset: u64, len: u64, damage: impl FnOnce(&mut [u8])) {
        let Some(number) = self.directory.durable_file(name) else { return };
        self.alter(number, |file| file.rot(offset, len, damage));
    }

    /// Cuts a file that is durable to this length, if it is longer. No operation of the process's takes part in it.
    pub fn cut(&mut self, name: &str, len: u64) {
        let Some(number) = self.directory.durable_file(name) else { return };
        self.alter(number, |file| file.cut(len));
    }

    /// A file that is durable has its name no more. Whoever has it open still sees it.
    pub fn unlink(&mut self, name: &str) {
        let Some(number) = self.directory.unlink(name) else { return };
        self.alter(number, |file| file.is_entry_durable = false);
    }

    /// The disk holds what another one does, an earlier copy of it. No process has it open.
    pub fn restore(&mut self, image: &SimDisk) {
        debug_assert!(self.is_idle() && self.handles.is_empty(), "its process has crashed");
        self.directory = image.directory.clone();
        self.files.clone_from(&image.files);
    }

    /// Everything on it is gone. No process has it open.
    pub fn lose(&mut self) {
        debug_assert!(self.is_idle() && self.handles.is_empty(), "its process has crashed");
        self.directory = Directory::default();
        self.files.clear();
    }

    /// Nothing completes before `until`.
    pub fn stall_until(&mut self, until: Time) {
        self.queue.stall_until(until);
    }

    /// A stall that is under way never ends, and nothing fails any more.
    pub fn freeze(&mut self, now: Time) {
        self.failures.disarm();
        if self.queue.is_stalled(now) {
            self.queue.stall_until(Time::END);
        }
    }

    /// The disk is sound from here on: no stall, no failure, this latency, and what waits completes now.
    pub fn heal(&mut self, now: Time, latency: DiskLatency) {
        self.failures.disarm();
        self.parameters.latency = latency;
        self.queue.release(now);
    }

    /// The process dies, alone or with its machine. All handles become invalid.
    pub fn crash(&mut self, now: Time, kind: CrashKind) -> CrashEffects {
        self.now = now;
        let mut crash = Crash {
            identity: u64::from(self.process.0) << 32 | u64::from(self.crashes),
            weights: &self.parameters.crash,
            choice: &mut self.choice,
            effects: CrashEffects::default(),
        };
        let cut = self.queue.front().map_or(Cut::Nothing, |operation| crash.cut_operation(operation));
        crash.effects.operations_lost = self.queue.clear() - u64::from(crash.effects.operation_cut);
        self.directory.forget_incomplete(cut == Cut::Entry);
        for file in &mut self.files {
            file.forget_incomplete(match cut {
                Cut::Content(number, bytes) if number == file.number => Some(bytes),
                Cut::Content(..) | Cut::Entry | Cut::Nothing => None,
            });
        }
        if kind == CrashKind::PowerLoss {
            crash.effects.unkept += self.directory.forget_unkept();
            crash.effects.unkept += self.files.iter_mut().map(File::forget_unkept).sum::<u32>();
            let before = self.directory.named_files();
            crash.settle_directory(&mut self.directory);
            crash.count_names(&before, &self.directory.named_files());
        }
        adopt(&mut self.files, &self.directory);
        if kind == CrashKind::PowerLoss {
            self.files.iter_mut().for_each(|file| crash.settle_file(file));
        }
        let effects = crash.effects;
        self.first_handle += self.handles.len() as u32;
        self.handles.clear();
        self.crashes += 1;
        self.failures.forget();
        effects
    }

    /// From now on the disk's decisions follow from another seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.choice.reseed(seed);
    }

    /// The source of the disk's own decisions.
    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The decisions that were recorded since the last call, if the disk's source records any.
    pub fn take_recording(&mut self) -> Vec<Decision> {
        self.choice.take_recording()
    }

    /// A hash of everything that is readable and everything that is durable.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = Xxh3::new();
        let mut page = [0; PAGE_BYTES];
        for (name, number) in self.directory.entries() {
            hash.update(name.as_bytes());
            let Some(file) = self.file(number) else { continue };
            for len in [u64::from(number.0), file.len(), file.durable.len(), u64::from(file.is_entry_durable)]
            {
                hash.update(&len.to_le_bytes());
            }
            for start in (0..file.len()).step_by(PAGE_BYTES) {
                let count = file.read(start, &mut page);
                hash.update(&page[..count]);
            }
            for start in (0..file.durable.len()).step_by(PAGE_BYTES) {
                file.durable.read(start, &mut page);
                hash.update(&page);
            }
        }
        hash.digest()
    }
}

/// What would survive: for oracles. All of it costs time in proportion to what is not yet durable.
impl SimDisk {
    /// The file that a handle stands for; none once a crash made the handle invalid.
    #[must_use]
    pub fn number(&self, file: FileId) -> Option<FileNumber> {
        let handle = file.0.checked_sub(self.first_handle)?;
        self.handles.get(handle as usize).copied()
    }

    /// The file that a name stands for, as the process sees it.
    #[must_use]
    pub fn number_of(&self, name: &str) -> Option<FileNumber> {
        self.directory.file(name)
    }

    /// Whether the file keeps its name through any power loss.
    #[must_use]
    pub fn is_entry_durable(&self, file: FileNumber) -> bool {
        self.file(file).is_some_and(|file| file.is_entry_durable) && !self.directory.is_changing(file)
    }

    /// The file's length after the worst power loss.
    #[must_use]
    pub fn durable_len(&self, file: FileNumber) -> Option<u64> {
        self.file(file).map(|file| file.durable.len())
    }

    /// Whether these bytes survive any power loss, under the file's name: they were written and synced, and no
    /// later change of their pages waits for a sync.
    #[must_use]
    pub fn is_range_durable(&self, file: FileNumber, offset: u64, len: u64) -> bool {
        self.is_entry_durable(file) && self.file(file).is_some_and(|file| file.is_range_durable(offset, len))
    }

    /// The disk as a power loss would leave it that takes everything which is not durable. It is for looking
    /// at: what is done with it takes no time and draws nothing.
    #[must_use]
    pub fn worst_case_clone(&self) -> SimDisk {
        let durable = self.files.iter().filter(|file| file.is_entry_durable);
        SimDisk {
            files: durable.map(File::durable_only).collect(),
            directory: self.directory.durable_only(),
            handles: Vec::new(),
            queue: Queue::default(),
            choice: Choice::from_script([]),
            parameters: DiskParameters { latency: DiskLatency::NONE, crash: self.parameters.crash.clone() },
            failures: Failures::default(),
            ..*self
        }
    }

    /// The disk as it is, but that nothing fails on it. It is for looking at: what is done with it takes no time and draws
    /// nothing.
    #[must_use]
    pub fn sound_clone(&self) -> SimDisk {
        SimDisk {
            choice: Choice::from_script([]),
            parameters: DiskParameters { latency: DiskLatency::NONE, crash: self.parameters.crash.clone() },
            failures: Failures::default(),
            ..self.clone()
        }
    }
}

/// After a crash: drops the files that can have no name any more, and notes which have a durable one.
fn adopt(files: &mut Vec<File>, directory: &Directory) {
    let (known, durable) = (directory.known_files(), directory.durable_files());
    files.retain(|file| known.binary_search(&file.number).is_ok());
    for file in files {
        file.is_entry_durable = durable.binary_search(&file.number).is_ok();
    }
}

/// The files.
impl SimDisk {
    fn slot(&self, file: FileNumber) -> Option<usize> {
        self.files.binary_search_by_key(&file, |file| file.number).ok()
    }

    fn file(&self, file: FileNumber) -> Option<&File> {
        self.slot(file).map(|slot| &self.files[slot])
    }

    /// What was completed of the directory becomes durable; a file whose last name is gone goes with it.
    fn sync_directory(&mut self) {
        let files = &mut self.files;
        self.directory.sync(|number, is_durable| {
            if let Ok(slot) = files.binary_search_by_key(&number, |file| file.number) {
                if is_durable {
                    files[slot].is_entry_durable = true;
                } else {
                    files.remove(slot);
                }
            }
        });
    }

    /// Does something to a file, if it still exists.
    fn alter(&mut self, file: FileNumber, change: impl FnOnce(&mut File)) {
        if let Some(slot) = self.slot(file) {
            change(&mut self.files[slot]);
        }
    }
}
