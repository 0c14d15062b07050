//! Compaction: which segments may go, and when their files do.
//!
//! A segment may go where no entry in it, or in one before it, is needed: the log is then read from a later one on,
//! whose header says what came before. The hard state names the segment with which the log begins. It is written when a
//! segment is added, which is when room is needed, and on that occasion names the first that is needed; so compaction
//! costs no sync of its own. Only then are files removed, a few with each commit, in whatever order the disk likes:
//! what a crash leaves of them has a lower number than the first, and is swept up by the next start.
//!
//! Two files are kept in place of being removed, and become the next new segments: to write where blocks are already is
//! faster than to have them found. Such a file keeps its old name, below the first segment's, until it is
//! taken. It is then renamed to that of an unfinished file, written, synced, and given its new name; whichever of the two
//! names a crash leaves, the next start removes it. A start takes over none: it cannot know what was last written there.

use squall_disk::Disk;
use squall_raft::LogPosition;

use crate::segment::{Layout, Segment};
use crate::{Group, Storage, StorageError};

/// How many files one commit removes.
const REMOVED_MAX: usize = 4;
/// How many files wait to be used again.
const SPARES_MAX: usize = 2;

impl Storage {
    /// The entry before the first of the log; what came before it was compacted, and a snapshot stands for it.
    #[must_use]
    pub fn base(&self) -> LogPosition {
        self.live.base()
    }

    /// Asserts that a whole snapshot stands for what a group gives up (a reset the log, a compaction its beginning).
    pub(crate) fn check_covered(&self, group: &Group) {
        let Some(given_up) = group.covered_to() else { return };
        let covered = self.snapshots.covered();
        let is_covered = given_up.index < covered.index || given_up == covered;
        assert!(is_covered, "the log is given up to {given_up}, and the newest snapshot is of {covered}");
    }

    /// A group that was committed may leave entries that nobody needs.
    pub(crate) fn allow_compaction(&mut self, group: &Group) {
        let Some(to) = group.covered_to() else { return };
        let found = self.live.position(to.index.max(self.base().index));
        assert!(
            found.is_some_and(|found| found == to || found.index > to.index),
            "the log is given up to {to}, and has {found:?} there"
        );
        self.compact_to = self.compact_to.max(to.index);
    }

    /// Writes the hard state, which says from now on with which segment the log begins.
    pub(crate) fn write_hard_state(&mut self, disk: &mut impl Disk) -> Result<(), StorageError> {
        self.let_go();
        self.hard.oldest_segment =
            self.segments.first().expect("an open storage has a segment").header.number;
        self.hard.write(disk, self.identity)
    }

    /// Lets go of the segments that hold nothing that is needed.
    fn let_go(&mut self) {
        let first = self.live.segment_after(self.compact_to).unwrap_or(self.newest_place());
        self.live.forget_before(first);
        let gone = (first - self.segments_gone) as usize;
        let layout = Layout::divide(self.options.segment_bytes);
        for segment in self.segments.drain(..gone) {
            if self.spares.len() < SPARES_MAX && segment.header.layout == layout {
                self.spares.push(segment);
            } else {
                self.void.push(segment.name());
            }
        }
        self.segments_gone = first;
        let covered = self.snapshots.covered();
        assert!(
            self.base().index <= covered.index,
            "the log would begin after {}, and the newest snapshot is of {covered}",
            self.base()
        );
    }

    /// A file for the next segment, if one of its layout is at hand. The hard state on disk says already that the log begins
    /// behind it: a commit that lets segments go makes its own segment first.
    pub(crate) fn take_spare(&mut self, layout: Layout) -> Option<Segment> {
        let is_usual = layout == Layout::divide(self.options.segment_bytes);
        if is_usual { self.spares.pop() } else { None }
    }

    /// Removes files that nothing durable refers to any more: a few, so that nobody waits for many.
    pub(crate) fn sweep(&mut self, disk: &mut impl Disk) -> Result<(), StorageError> {
        for name in self.void.drain(..self.void.len().min(REMOVED_MAX)) {
            disk.remove(&name)?;
        }
        Ok(())
    }

    /// The segment at this place among all that this life knew; it was not let go.
    pub(crate) fn segment(&self, place: u32) -> &Segment {
        &self.segments[(place - self.segments_gone) as usize]
    }

    /// The place of the last segment.
    pub(crate) fn newest_place(&self) -> u32 {
        let known = u32::try_from(self.segments.len()).expect("a disk holds fewer than 2^32 segments");
        self.segments_gone + known.checked_sub(1).expect("an open storage has a segment")
    }
}
