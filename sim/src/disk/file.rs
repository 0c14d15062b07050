//! One file: what is durable of it, and the changes since then, in order.
//!
//! A change is *issued* when the process asks for it (from then on reads see it), *completed* when its time has
//! come (from then on it survives the process), and *durable* when a sync after it has completed. Here are the
//! first and the last; `tear.rs` knows what a power loss makes of what lies between.

use super::image::{Image, PAGE_BYTES, pages_of, without_zeros};
use core::ops::Range;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A file's number on its disk: it stays with the file through renames and restarts, and is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileNumber(pub u32);

/// A file's content.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) number: FileNumber,
    /// What survives whatever happens. Copies of the disk share it until either changes.
    pub(super) durable: Arc<Image>,
    /// Everything issued since: first what is completed, then what is not.
    pub(super) changes: VecDeque<Change>,
    /// How many of `changes` are completed.
    completed: usize,
    /// The data of the writes in `changes` but for zeros at their ends, in order, and up to the next sync that of writes which never happened.
    pub(super) data: Vec<u8>,
    /// The length after all changes.
    len: u64,
    /// Pages as reads see them, which a failed sync did not keep and took for kept: no later one keeps them, unless they are
    /// written to again.
    unkept: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
    /// Whether a name for it is durable. Kept by the disk.
    pub(super) is_entry_durable: bool,
}

const PAGE: u64 = PAGE_BYTES as u64;

/// A change of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// `len` bytes at `offset`: the first `stored` stand at `start` in the file's data, the rest are zeros.
    Write { offset: u64, start: usize, stored: usize, len: usize },
    /// A new length.
    SetLen { len: u64 },
}

impl Change {
    /// The file's length after this change, given the length before.
    pub(super) fn len_after(self, before: u64) -> u64 {
        match self {
            Change::Write { len: 0, .. } => before,
            Change::Write { offset, len, .. } => before.max(offset + len as u64),
            Change::SetLen { len } => len,
        }
    }

    /// The pages that it writes to.
    pub(super) fn pages(self) -> Range<u64> {
        match self {
            Change::Write { offset, len, .. } => pages_of(offset, len as u64),
            Change::SetLen { .. } => 0..0,
        }
    }

    /// Whether it writes to one of these pages.
    pub(super) fn touches(self, pages: &Range<u64>) -> bool {
        let own = self.pages();
        own.start < pages.end && pages.start < own.end
    }

    /// Does the change to the part of the file that `buffer` shows, which begins at `from`.
    pub(super) fn overlay(self, data: &[u8], from: u64, buffer: &mut [u8]) {
        let clip = |position: u64| position.saturating_sub(from).min(buffer.len() as u64) as usize;
        match self {
            Change::Write { offset, start, stored, len } => {
                let (begin, end) = (clip(offset), clip(offset + len as u64));
                if begin < end {
                    let skipped = (from + begin as u64 - offset) as usize;
                    let bytes = data[start..start + stored].get(skipped..).unwrap_or(&[]);
                    let (copied, zeros) = buffer[begin..end].split_at_mut(bytes.len().min(end - begin));
                    copied.copy_from_slice(&bytes[..copied.len()]);
                    zeros.fill(0);
                }
            }
            Change::SetLen { len } => {
                let begin = clip(len);
                buffer[begin..].fill(0);
            }
        }
    }
}

impl File {
    pub(super) fn new(number: FileNumber) -> File {
        File {
            number,
            durable: Arc::default(),
            changes: VecDeque::new(),
            completed: 0,
            data: Vec::new(),
            len: 0,
            unkept: BTreeMap::new(),
            is_entry_durable: false,
        }
    }

    /// The file as the worst power loss would leave it.
    pub(super) fn durable_only(&self) -> File {
        let len = self.durable.len();
        File { durable: Arc::clone(&self.durable), len, is_entry_durable: true, ..File::new(self.number) }
    }

    /// The length, with everything issued.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Issues a write.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if !self.unkept.is_empty() {
            pages_of(offset, data.len() as u64).for_each(|page| self.take_up(page));
        }
        let stored = without_zeros(data);
        let (start, stored_len, len) = (self.data.len(), stored.len(), data.len());
        let change = Change::Write { offset, start, stored: stored_len, len };
        self.data.extend_from_slice(stored);
        self.issue(change);
    }

    /// Issues a change of length.
    pub(super) fn set_len(&mut self, len: u64) {
        if !self.unkept.is_empty() {
            self.take_up(len / PAGE);
            self.unkept.split_off(&(len / PAGE));
        }
        self.issue(Change::SetLen { len });
    }

    fn issue(&mut self, change: Change) {
        self.len = change.len_after(self.len);
        self.changes.push_back(change);
    }

    /// Reads with everything issued; how many bytes were read.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..count];
        self.durable.read(offset, buffer);
        for page in pages_of(offset, if self.unkept.is_empty() { 0 } else { count as u64 }) {
            let Some(bytes) = self.unkept.get(&page) else { continue };
            let change = Change::Write { offset: page * PAGE, start: 0, stored: PAGE_BYTES, len: PAGE_BYTES };
            change.overlay(&bytes[..], offset, buffer);
        }
        for change in &self.changes {
            change.overlay(&self.data, offset, buffer);
        }
        count
    }

    /// The oldest change that was not completed now is.
    pub(super) fn complete(&mut self) {
        assert!(self.completed < self.changes.len(), "a change completes after it was issued");
        self.completed += 1;
    }

    /// A sync completed: what was completed before it is durable.
    pub(super) fn sync(&mut self) {
        let durable = Arc::make_mut(&mut self.durable);
        for change in self.changes.drain(..self.completed) {
            match change {
                Change::Write { offset, start, stored, len } => {
                    durable.write(offset, &self.data[start..start + stored], len);
                }
                Change::SetLen { len } => durable.set_len(len),
            }
        }
        self.completed = 0;
        self.release_data();
    }

    /// A sync failed after all changes were completed: but for the pages of which `is_kept` says so, the data is not durable
    /// and goes on being read. The length is.
    pub(super) fn fail_sync(&mut self, is_kept: impl Fn(u64) -> bool) {
        debug_assert_eq!(self.completed, self.changes.len(), "a sync that fails waited for what came before");
        let mut pages: Vec<u64> = self.changes.iter().flat_map(|change| change.pages()).collect();
        pages.sort_unstable();
        pages.dedup();
        let shown = pages.into_iter().filter(|page| page * PAGE < self.len).map(|page| {
            let mut bytes = Box::new([0; PAGE_BYTES]);
            let count = self.read(page * PAGE, &mut bytes[..]);
            (page, bytes, count)
        });
        let shown: Vec<_> = shown.collect();
        let durable = Arc::make_mut(&mut self.durable);
        let mut len = durable.len();
        for change in &self.changes {
            len = change.len_after(len);
            durable.set_len(len);
        }
        for (page, bytes, count) in shown {
            if is_kept(page) {
                durable.write(page * PAGE, &bytes[..count], count);
            } else {
                self.unkept.insert(page, bytes);
            }
        }
        self.forget_changes();
    }

    /// A page that was taken for kept is to be written again, as reads see it.
    fn take_up(&mut self, page: u64) {
        let Some(bytes) = self.unkept.remove(&page) else { return };
        let len = self.len.saturating_sub(page * PAGE).min(PAGE) as usize;
        let incomplete = self.changes.iter().skip(self.completed).find_map(|change| match change {
            Change::Write { start, .. } => Some(*start),
            Change::SetLen { .. } => None,
        });
        // Data stands in the order of the changes.
        let start = incomplete.unwrap_or(self.data.len());
        self.data.splice(start..start, bytes[..len].iter().copied());
        for change in self.changes.iter_mut().skip(self.completed) {
            if let Change::Write { start, .. } = change {
                *start += len;
            }
        }
        let change = Change::Write { offset: page * PAGE, start, stored: len, len };
        self.changes.insert(self.completed, change);
        self.completed += 1;
    }

    /// Power is lost: what a failed sync did not keep is gone. Returns how many pages that were.
    pub(super) fn forget_unkept(&mut self) -> u32 {
        let pages = self.unkept.len() as u32;
        self.unkept.clear();
        pages
    }

    /// Alters what is durable, as far as it goes. What is written later covers it.
    pub(super) fn rot(&mut self, offset: u64, len: u64, damage: impl FnOnce(&mut [u8])) {
        let end = offset.saturating_add(len).min(self.durable.len());
        let Some(len) = end.checked_sub(offset).filter(|len| *len > 0) else { return };
        let mut bytes = vec![0; len as usize];
        self.durable.read(offset, &mut bytes);
        damage(&mut bytes);
        Arc::make_mut(&mut self.durable).write(offset, &bytes, bytes.len());
    }

    /// Cuts what is durable. What is written later lengthens it again.
    pub(super) fn cut(&mut self, len: u64) {
        if len < self.durable.len() {
            Arc::make_mut(&mut self.durable).set_len(len);
            self.len = self.changes.iter().fold(len, |len, change| change.len_after(len));
        }
    }

    /// Gives back the room of data that no change refers to any more: at once where nothing is left, else when
    /// it is the larger half, so that each byte is moved once on average.
    fn release_data(&mut self) {
        let first = self.changes.iter().find_map(|change| match change {
            Change::Write { start, .. } => Some(*start),
            Change::SetLen { .. } => None,
        });
        let unused = first.unwrap_or(self.data.len());
        if unused * 2 < self.data.len() {
            return;
        }
        self.data.drain(..unused);
        for change in &mut self.changes {
            if let Change::Write { start, .. } = change {
                *start -= unused;
            }
        }
    }

    /// The process is gone: what was not completed never happened, but for the change in progress where `part`
    /// says so; of a write that many bytes from its beginning.
    pub(super) fn forget_incomplete(&mut self, part: Option<u64>) {
        let in_progress = self.changes.get(self.completed).copied();
        self.changes.truncate(self.completed);
        match in_progress.zip(part) {
            Some((Change::Write { offset, start, stored, len }, written)) => {
                let len = len.min(written as usize);
                self.changes.push_back(Change::Write { offset, start, stored: stored.min(len), len });
            }
            Some((Change::SetLen { len }, _)) => self.changes.push_back(Change::SetLen { len }),
            None => {}
        }
        self.completed = self.changes.len();
        self.len = self.changes.iter().fold(self.durable.len(), |len, change| change.len_after(len));
    }

    /// All changes are settled one way or the other: what is durable is all there is.
    pub(super) fn forget_changes(&mut self) {
        self.changes.clear();
        self.completed = 0;
        self.data.clear();
        self.len = self.durable.len();
    }

    /// Whether the worst power loss would leave these bytes as they are: they were written, and no page of
    /// theirs has a change that is not durable.
    pub(super) fn is_range_durable(&self, offset: u64, len: u64) -> bool {
        let end = offset.saturating_add(len);
        if !self.durable.is_written(offset, len) {
            return false;
        }
        let pages = pages_of(offset, len);
        if self.unkept.range(pages.clone()).next().is_some() {
            return false;
        }
        self.changes.iter().all(|change| match change {
            Change::Write { .. } => !change.touches(&pages),
            Change::SetLen { len } => *len >= end,
        })
    }
}
