//! The directory: which name stands for which file, durably and as the process sees it.
//!
//! A rename is one change and never half done. What a power loss leaves of changes that no `sync_dir` covered
//! is decided in `crash.rs`; here it is carried out.

use super::file::FileNumber;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Names and their files, found from either side: a disk may hold thousands. Invariant: a file has one name at most,
/// and each side says the same.
#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<Arc<str>, FileNumber>,
    names: BTreeMap<FileNumber, Arc<str>>,
}

impl Names {
    /// The file gets this name, and only this. Returns the file that had it and has none now.
    fn give(&mut self, name: &Arc<str>, file: FileNumber) -> Option<FileNumber> {
        self.take(file);
        let other = self.files.insert(Arc::clone(name), file);
        if let Some(other) = other {
            self.names.remove(&other);
        }
        self.names.insert(file, Arc::clone(name));
        other
    }

    /// The file has no name any more.
    fn take(&mut self, file: FileNumber) {
        if let Some(name) = self.names.remove(&file) {
            self.files.remove(&name);
        }
    }
}

/// The names of one disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// With every change issued.
    names: Names,
    /// What survives whatever happens.
    durable: Names,
    /// Everything issued since: first what is completed, then what is not.
    changes: VecDeque<EntryChange>,
    /// How many of `changes` are completed.
    completed: usize,
    /// What is seen without `changes`, where a failed sync did not keep what it took for kept; else that is what is durable.
    unkept: Option<Names>,
}

/// A change of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
struct EntryChange {
    /// The file that gets, changes or loses its name.
    file: FileNumber,
    /// The file that loses its name to a rename.
    replaced: Option<FileNumber>,
    name: NameChange,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum NameChange {
    Create(Arc<str>),
    Rename(Arc<str>),
    Remove,
}

impl EntryChange {
    /// Does the change. It stands by itself: it may be done though one before it was lost, and still leaves the
    /// file with one name or none. Returns the file that lost its name to it.
    fn apply(&self, names: &mut Names) -> Option<FileNumber> {
        match &self.name {
            NameChange::Create(name) | NameChange::Rename(name) => names.give(name, self.file),
            NameChange::Remove => {
                names.take(self.file);
                None
            }
        }
    }
}

impl Directory {
    /// The directory as the worst power loss would leave it.
    pub(super) fn durable_only(&self) -> Directory {
        Directory { names: self.durable.clone(), durable: self.durable.clone(), ..Directory::default() }
    }

    /// The file that has this name whatever happens.
    pub(super) fn durable_file(&self, name: &str) -> Option<FileNumber> {
        self.durable.files.get(name).copied()
    }

    /// A durable name is gone; where it stands for the same file to whoever looks, from there, too. Returns the file.
    pub(super) fn unlink(&mut self, name: &str) -> Option<FileNumber> {
        let file = self.durable_file(name)?;
        self.durable.take(file);
        if let Some(unkept) = &mut self.unkept {
            unkept.take(file);
        }
        if self.file(name) == Some(file) {
            self.names.take(file);
        }
        Some(file)
    }

    /// The names that survive whatever happens, in order.
    pub(super) fn durable_names(&self) -> impl Iterator<Item = &str> {
        self.durable.files.keys().map(|name| &**name)
    }

    /// The file of that name.
    pub(super) fn file(&self, name: &str) -> Option<FileNumber> {
        self.names.files.get(name).copied()
    }

    /// A name of the file, for messages.
    pub(super) fn name(&self, file: FileNumber) -> Option<&str> {
        self.names.names.get(&file).map(|name| &**name)
    }

    /// All names and their files, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, FileNumber)> {
        self.names.files.iter().map(|(name, file)| (&**name, *file))
    }

    /// Issues a creation; the name is free.
    pub(super) fn create(&mut self, name: &str, file: FileNumber) {
        self.issue(EntryChange { file, replaced: None, name: NameChange::Create(name.into()) });
    }

    /// Issues a rename of `file`, which has a name.
    pub(super) fn rename(&mut self, file: FileNumber, to: &str) {
        let replaced = self.file(to).filter(|other| *other != file);
        self.issue(EntryChange { file, replaced, name: NameChange::Rename(to.into()) });
    }

    /// Issues a removal of `file`, which has a name.
    pub(super) fn remove(&mut self, file: FileNumber) {
        self.issue(EntryChange { file, replaced: None, name: NameChange::Remove });
    }

    fn issue(&mut self, change: EntryChange) {
        change.apply(&mut self.names);
        self.changes.push_back(change);
    }

    /// The oldest change that was not completed now is.
    pub(super) fn complete(&mut self) {
        assert!(self.completed < self.changes.len(), "a change completes after it was issued");
        self.completed += 1;
    }

    /// A `sync_dir` completed: what was completed before it is durable. Tells of each file that a change was
    /// about whether it has a durable name now; if not, it never will.
    pub(super) fn sync(&mut self, mut tell: impl FnMut(FileNumber, bool)) {
        for change in self.changes.drain(..self.completed) {
            let replaced = change.apply(&mut self.durable);
            if let Some(unkept) = &mut self.unkept {
                change.apply(unkept);
            }
            // Two where a failed sync had not kept the name of the one that was seen.
            for replaced in replaced.into_iter().chain(change.replaced) {
                tell(replaced, false);
            }
            tell(change.file, change.name != NameChange::Remove);
        }
        self.completed = 0;
    }

    /// A sync failed after all changes were completed: they are seen as before, and will not be durable.
    pub(super) fn fail_sync(&mut self) {
        debug_assert_eq!(self.completed, self.changes.len(), "a sync that fails waited for what came before");
        let unkept = self.unkept.get_or_insert_with(|| self.durable.clone());
        for change in self.changes.drain(..) {
            change.apply(unkept);
        }
        self.completed = 0;
    }

    /// The process is gone: what was not completed never happened, but for the change in progress, where
    /// `happened` says so.
    pub(super) fn forget_incomplete(&mut self, happened: bool) {
        self.changes.truncate(self.completed + usize::from(happened));
        self.completed = self.changes.len();
        self.see();
    }

    /// What is seen is what was kept, or was taken for kept, and the changes since.
    fn see(&mut self) {
        self.names.clone_from(self.unkept.as_ref().unwrap_or(&self.durable));
        for change in &self.changes {
            change.apply(&mut self.names);
        }
    }

    /// Power is lost: what a failed sync did not keep is gone. Returns of how many files the name was another.
    pub(super) fn forget_unkept(&mut self) -> u32 {
        let Some(unkept) = self.unkept.take() else { return 0 };
        self.see();
        let kept = &self.durable.names;
        let differ = unkept.names.iter().filter(|(file, name)| kept.get(file) != Some(name));
        let gone = kept.keys().filter(|file| !unkept.names.contains_key(file));
        (differ.count() + gone.count()) as u32
    }

    /// Power is lost: of the changes that were not durable, in order, those survive for which `survives` says
    /// so. Returns how many did not.
    pub(super) fn lose_power(&mut self, mut survives: impl FnMut(u64) -> bool) -> u32 {
        let mut lost = 0;
        for (number, change) in self.changes.drain(..).enumerate() {
            if survives(number as u64) {
                change.apply(&mut self.durable);
            } else {
                lost += 1;
            }
        }
        self.completed = 0;
        self.names.clone_from(&self.durable);
        lost
    }

    /// How many changes are not durable.
    pub(super) fn changes(&self) -> u64 {
        self.changes.len() as u64
    }

    /// Whether a change that is not durable could cost the file its name, or give it another.
    pub(super) fn is_changing(&self, file: FileNumber) -> bool {
        let kept = self.durable.names.get(&file);
        let is_unkept = self.unkept.as_ref().is_some_and(|unkept| unkept.names.get(&file) != kept);
        is_unkept || self.changes.iter().any(|change| change.file == file || change.replaced == Some(file))
    }

    /// The files that have a name, sorted.
    pub(super) fn named_files(&self) -> Vec<FileNumber> {
        self.names.names.keys().copied().collect()
    }

    /// The files that have a durable name, sorted.
    pub(super) fn durable_files(&self) -> Vec<FileNumber> {
        self.durable.names.keys().copied().collect()
    }

    /// The files that have a name or could get one back, sorted.
    pub(super) fn known_files(&self) -> Vec<FileNumber> {
        let named = self.names.names.keys().chain(self.durable.names.keys()).copied();
        let mut files: Vec<FileNumber> = named.chain(self.changes.iter().map(|change| change.file)).collect();
        files.sort_unstable();
        files.dedup();
        files
    }
}
