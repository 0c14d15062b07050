//! What a crash leaves of a disk: which of the unsynced changes survive, and in which state.
//!
//! After a process crash the page cache lives on: everything completed is there, though still not durable.
//! After a power loss each file and the directory are settled by draws keyed by the crash and the place, so that
//! a draw for one page says nothing about another. docs/fault-model.md: "Disks"; the shape follows FoundationDB's
//! `AsyncFileNonDurable` and the persistence model of ALICE (Pillai et al., OSDI '14).

use super::directory::Directory;
use super::file::{File, FileNumber};
use super::parameters::CrashWeights;
use super::queue::DiskOperation;
use crate::choice::{Choice, Draw, Purpose};
use squall_disk::Operation;

/// What a crash did to a disk: counts, from which a world makes its marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CrashEffects {
    /// Operations that were issued and never done.
    pub operations_lost: u64,
    /// Whether the operation in progress was done in part, or in full without the process hearing of it.
    pub operation_cut: bool,
    /// Files of which every unsynced change was lost.
    pub files_dropped: u32,
    /// Files whose unsynced changes were settled page by page.
    pub files_torn: u32,
    /// Pages that were written out in part.
    pub pages_damaged: u32,
    /// Pages within a file's new length whose data did not arrive.
    pub growth_without_data: u32,
    /// Files whose data arrived beyond the length that they have.
    pub data_without_growth: u32,
    /// Creations, renames and removals that were lost.
    pub entries_lost: u32,
    /// Files that are gone, though nobody removed them.
    pub files_gone: u32,
    /// Files that are back, though they were removed.
    pub files_returned: u32,
    /// Pages and names that went because a sync before had failed, and were seen until then.
    pub unkept: u32,
}

/// A place that a crash draws for; its word is the second half of the draw's identity.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The operation in progress.
    InProgress,
    /// The directory as a whole.
    Directory,
    /// One change of the directory, by its place among those that are not durable.
    Entry(u64),
    /// A file as a whole.
    File(FileNumber),
    /// The length of a file.
    Length(FileNumber),
    /// A page of a file.
    Page(FileNumber, u64),
    /// A sector of a file.
    Sector(FileNumber, u64),
}

impl Place {
    /// Four bits for the kind, 32 for the file, 28 for the page or sector.
    fn word(self) -> u64 {
        let (kind, file, number) = match self {
            Place::InProgress => (0, 0, 0),
            Place::Directory => (1, 0, 0),
            Place::Entry(number) => (2, 0, number),
            Place::File(file) => (3, file.0, 0),
            Place::Length(file) => (4, file.0, 0),
            Place::Page(file, page) => (5, file.0, page),
            Place::Sector(file, sector) => (6, file.0, sector),
        };
        debug_assert!(number < 1 << 28, "{self:?} does not fit into a word");
        kind << 60 | u64::from(file) << 28 | number
    }
}

/// What was done of the operation in progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// Nothing.
    Nothing,
    /// A change of this file; of a write so many bytes.
    Content(FileNumber, u64),
    /// A change of the directory.
    Entry,
}

/// One crash of one disk while it is worked out.
pub(super) struct Crash<'a> {
    /// The process and the number of the crash, in one word.
    pub(super) identity: u64,
    pub(super) weights: &'a CrashWeights,
    pub(super) choice: &'a mut Choice,
    pub(super) effects: CrashEffects,
}

impl Crash<'_> {
    /// The draws for one place.
    pub(super) fn draw(&mut self, place: Place) -> Draw<'_> {
        self.choice.draw(Purpose::Crash, self.identity, place.word())
    }

    /// What of the operation in progress was done after all.
    pub(super) fn cut_operation(&mut self, operation: &DiskOperation) -> Cut {
        let mut draw = self.draw(Place::InProgress);
        let cut = match (operation.operation, operation.file) {
            (Operation::Write, Some(file)) => match draw.range("bytes", 0, operation.len) {
                0 => Cut::Nothing,
                bytes => Cut::Content(file, bytes),
            },
            (Operation::SetLen, Some(file)) if draw.pick("done", &[1, 1]) == 1 => Cut::Content(file, 0),
            (Operation::Create | Operation::Rename | Operation::Remove, _)
                if draw.pick("done", &[1, 1]) == 1 =>
            {
                Cut::Entry
            }
            // What a sync would have made durable is at risk as it was before.
            (
                Operation::Create
                | Operation::Rename
                | Operation::Remove
                | Operation::Write
                | Operation::SetLen
                | Operation::Sync
                | Operation::SyncDir
                | Operation::Read
                | Operation::Len
                | Operation::Open
                | Operation::List,
                _,
            ) => Cut::Nothing,
        };
        self.effects.operation_cut = cut != Cut::Nothing;
        cut
    }

    /// Settles the directory after a power loss.
    pub(super) fn settle_directory(&mut self, directory: &mut Directory) {
        let changes = directory.changes();
        if changes == 0 {
            return;
        }
        let weights = &self.weights.directory;
        let weights = [weights.kept, weights.ordered, weights.scattered];
        let mut draw = self.draw(Place::Directory);
        let lost = match draw.pick("entries", &weights) {
            0 => directory.lose_power(|_| true),
            1 => {
                let kept = changes - draw.range("lost", 0, changes);
                directory.lose_power(|number| number < kept)
            }
            _ => directory.lose_power(|number| self.draw(Place::Entry(number)).pick("lost", &[1, 1]) == 0),
        };
        self.effects.entries_lost += lost;
    }

    /// Counts the files that are named now and were not, and those that were and are not; both lists are sorted.
    pub(super) fn count_names(&mut self, before: &[FileNumber], after: &[FileNumber]) {
        let missing = |from: &[FileNumber], files: &[FileNumber]| {
            files.iter().filter(|file| from.binary_search(file).is_err()).count() as u32
        };
        self.effects.files_gone += missing(after, before);
        self.effects.files_returned += missing(before, after);
    }

    /// Settles a file after a power loss.
    pub(super) fn settle_file(&mut self, file: &mut File) {
        if file.changes.is_empty() {
            return;
        }
        let weights = &self.weights.file;
        let weights = [weights.kept, weights.dropped, weights.torn];
        match self.draw(Place::File(file.number)).pick("file", &weights) {
            0 => file.sync(),
            1 => self.effects.files_dropped += 1,
            _ => {
                self.effects.files_torn += 1;
                self.tear(file);
            }
        }
        file.forget_changes();
    }
}
