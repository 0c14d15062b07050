//! The disk against a naive one: vectors of bytes, a log of operations, and the set of all images that a crash
//! may leave, by brute force.

use super::PAGE_BYTES;
use crate::choice::Choice;
use crate::disk::{
    CrashWeights, DiskLatency, DiskOperation, DiskParameters, FileNumber, SectorWeights, SimDisk,
};
use crate::disk::{ExtentWeights, FileWeights, GrowthWeights};
use crate::fault::CrashKind;
use crate::ids::ProcessId;
use crate::time::Time;
use proptest::prelude::*;
use squall_disk::{Disk, FileId, Operation};
use std::collections::BTreeMap;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A step of a history. Files are addressed by name, and what cannot be done is skipped.
#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Write { name: usize, offset: u64, len: usize },
    SetLen { name: usize, len: u64 },
    Sync(usize),
    Read { name: usize, offset: u64, len: usize },
    Rename(usize, usize),
    Remove(usize),
    SyncDir,
    Complete(u32),
    Crash(CrashKind),
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

/// A file: its durable bytes, and what was done since.
#[derive(Clone, Default, Debug)]
struct ModelFile {
    durable: Vec<u8>,
    changes: Vec<Change>,
}

/// A change of a name, done to a file.
#[derive(Clone, Debug)]
enum Naming {
    Create(&'static str),
    Rename(&'static str),
    Remove,
}

type Names = BTreeMap<String, FileNumber>;

/// The naive disk. What is under way stands in `issued`, in order; everything else is completed.
#[derive(Clone, Default)]
struct Model {
    files: BTreeMap<FileNumber, ModelFile>,
    durable_names: Names,
    namings: Vec<(FileNumber, Naming)>,
    issued: Vec<Issued>,
}

#[derive(Clone, Debug)]
enum Issued {
    Change(FileNumber, Change),
    Sync(FileNumber),
    Naming(FileNumber, Naming),
    SyncDir,
    Read,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { data, .. } if data.is_empty() => {}
        Change::Write { offset, data } => {
            bytes.resize(bytes.len().max(offset + data.len()), 0);
            bytes[*offset..offset + data.len()].copy_from_slice(data);
        }
        Change::SetLen(len) => bytes.resize(*len, 0),
    }
}

fn apply_name(names: &mut Names, file: FileNumber, naming: &Naming) {
    if !matches!(naming, Naming::Create(_)) {
        names.retain(|_, number| *number != file);
    }
    if let Naming::Create(name) | Naming::Rename(name) = naming {
        names.insert((*name).to_owned(), file);
    }
}

impl Model {
    fn complete(&mut self, done: DiskOperation) {
        let expected = match self.issued.remove(0) {
            Issued::Change(file, change) => {
                let operation = match &change {
                    Change::Write { .. } => Operation::Write,
                    Change::SetLen(_) => Operation::SetLen,
                };
                self.files.get_mut(&file).unwrap().changes.push(change);
                operation
            }
            Issued::Sync(number) => {
                let file = self.files.get_mut(&number).unwrap();
                let changes = std::mem::take(&mut file.changes);
                changes.iter().for_each(|change| apply(&mut file.durable, change));
                Operation::Sync
            }
            Issued::Naming(file, naming) => {
                let operation = match naming {
                    Naming::Create(_) => Operation::Create,
                    Naming::Rename(_) => Operation::Rename,
                    Naming::Remove => Operation::Remove,
                };
                self.namings.push((file, naming));
                operation
            }
            Issued::SyncDir => {
                for (file, naming) in std::mem::take(&mut self.namings) {
                    apply_name(&mut self.durable_names, file, &naming);
                }
                Operation::SyncDir
            }
            Issued::Read => Operation::Read,
        };
        assert_eq!(done.operation, expected);
    }

    /// A file with everything issued.
    fn visible(&self, number: FileNumber) -> Vec<u8> {
        let mut bytes = self.files[&number].durable.clone();
        self.files[&number].changes.iter().for_each(|change| apply(&mut bytes, change));
        for issued in &self.issued {
            if let Issued::Change(file, change) = issued
                && *file == number
            {
                apply(&mut bytes, change);
            }
        }
        bytes
    }

    /// The names with everything completed.
    fn names(&self) -> Names {
        let mut names = self.durable_names.clone();
        self.namings.iter().for_each(|(file, naming)| apply_name(&mut names, *file, naming));
        names
    }

    /// The ways in which the operation in progress may have ended, the most complete first.
    fn endings(&self) -> Vec<Model> {
        let mut rest = self.clone();
        rest.issued.clear();
        let mut endings = Vec::new();
        match self.issued.first() {
            Some(Issued::Change(file, Change::Write { offset, data })) => {
                for len in (1..=data.len()).rev() {
                    let mut ending = rest.clone();
                    let change = Change::Write { offset: *offset, data: data[..len].to_vec() };
                    ending.files.get_mut(file).unwrap().changes.push(change);
                    endings.push(ending);
                }
            }
            Some(Issued::Change(file, change @ Change::SetLen(_))) => {
                let mut ending = rest.clone();
                ending.files.get_mut(file).unwrap().changes.push(change.clone());
                endings.push(ending);
            }
            Some(Issued::Naming(file, naming)) => {
                let mut ending = rest.clone();
                ending.namings.push((*file, naming.clone()));
                endings.push(ending);
            }
            Some(Issued::Sync(_) | Issued::SyncDir | Issued::Read) | None => {}
        }
        endings.push(rest);
        endings
    }

    /// Whether a process crash may show this.
    fn allows_after_process_crash(&self, observed: &Observed) -> bool {
        observed.names == self.names()
            && observed.contents.iter().all(|(file, content)| self.visible(*file) == *content)
    }

    /// Whether a power loss may leave this.
    fn allows_after_power_loss(&self, observed: &Observed, garbage: bool) -> bool {
        let names = (0..1_u32 << self.namings.len()).any(|survivors| {
            let mut names = self.durable_names.clone();
            for (number, (file, naming)) in self.namings.iter().enumerate() {
                if survivors >> number & 1 == 1 {
                    apply_name(&mut names, *file, naming);
                }
            }
            names == observed.names
        });
        names && observed.contents.iter().all(|(file, content)| self.files[file].may_become(content, garbage))
    }
}

impl ModelFile {
    /// Whether a power loss may leave the file like this: the first changes of its length, and of each page any
    /// number of its writes, or a mixture of old and new, or with `garbage` anything.
    fn may_become(&self, content: &[u8], garbage: bool) -> bool {
        (0..=self.changes.len()).any(|sized| {
            let len = self.changes[..sized].iter().fold(self.durable.len(), |len, change| match change {
                Change::Write { data, .. } if data.is_empty() => len,
                Change::Write { offset, data } => len.max(offset + data.len()),
                Change::SetLen(len) => *len,
            });
            let pages = content.chunks(PAGE_BYTES).enumerate();
            len == content.len()
                && pages.into_iter().all(|(page, bytes)| self.page_may_be(page, bytes, sized, garbage))
        })
    }

    fn page_may_be(&self, page: usize, bytes: &[u8], sized: usize, garbage: bool) -> bool {
        let shown = page * PAGE_BYTES..page * PAGE_BYTES + bytes.len();
        let touches = |change: &Change| match change {
            Change::Write { offset, data } => {
                offset / PAGE_BYTES <= page && page * PAGE_BYTES < offset + data.len() && !data.is_empty()
            }
            Change::SetLen(_) => false,
        };
        let touching = self.changes.iter().filter(|change| touches(change)).count();
        let version = |writes: usize| {
            let mut image = self.durable.clone();
            let mut done = 0;
            for (number, change) in self.changes.iter().enumerate() {
                let happened = match change {
                    Change::SetLen(_) => number < sized,
                    Change::Write { .. } => touches(change) && done < writes,
                };
                done += usize::from(touches(change));
                if happened {
                    apply(&mut image, change);
                }
            }
            image.resize(image.len().max(shown.end), 0);
            image[shown.clone()].to_vec()
        };
        if (0..=touching).any(|writes| version(writes) == bytes) {
            return true;
        }
        let (old, new) = (version(0), version(touching));
        let is_mixture =
            bytes.iter().zip(old.iter().zip(&new)).all(|(byte, (old, new))| byte == old || byte == new);
        touching > 0 && (garbage || is_mixture)
    }
}

/// What a process finds after a restart.
#[derive(Clone, Debug)]
struct Observed {
    names: Names,
    contents: BTreeMap<FileNumber, Vec<u8>>,
}

fn observe(disk: &mut SimDisk) -> Observed {
    let mut observed = Observed { names: Names::new(), contents: BTreeMap::new() };
    for name in disk.list().unwrap() {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; disk.len(file).unwrap() as usize];
        disk.read_at(file, 0, &mut bytes).unwrap();
        let number = disk.number(file).unwrap();
        assert_eq!(disk.number_of(&name), Some(number));
        observed.names.insert(name, number);
        observed.contents.insert(number, bytes);
    }
    observed
}

/// Both disks, side by side.
struct Pair {
    disk: SimDisk,
    model: Model,
    handles: BTreeMap<FileNumber, FileId>,
    garbage: bool,
    fill: u8,
}

impl Pair {
    fn new(seed: u64, garbage: bool) -> Pair {
        let sector = SectorWeights { new: 1, old: 1, garbage: u32::from(garbage) };
        let weights = CrashWeights {
            file: FileWeights { kept: 1, dropped: 1, torn: 4 },
            sector,
            extent: ExtentWeights { whole: 1, prefix: 1, suffix: 1 },
            growth: GrowthWeights { zeros: 1, garbage: u32::from(garbage) },
            ..CrashWeights::default()
        };
        let parameters = DiskParameters { latency: DiskLatency::NONE, crash: weights };
        Pair {
            disk: SimDisk::new(ProcessId(2), parameters, Choice::from_seed(seed)),
            model: Model::default(),
            handles: BTreeMap::new(),
            garbage,
            fill: 0,
        }
    }

    /// The handle of the file that now has this name.
    fn file(&self, name: usize) -> Option<(FileNumber, FileId)> {
        let number = self.disk.number_of(NAMES[name])?;
        Some((number, self.handles[&number]))
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Create(name) => {
                if self.file(name).is_none() {
                    let file = self.disk.create(NAMES[name]).unwrap();
                    let number = self.disk.number(file).unwrap();
                    self.handles.insert(number, file);
                    self.model.files.insert(number, ModelFile::default());
                    self.model.issued.push(Issued::Naming(number, Naming::Create(NAMES[name])));
                }
            }
            Step::Write { name, offset, len } => {
                let Some((number, file)) = self.file(name) else { return };
                self.fill = self.fill % 250 + 1;
                let data = vec![self.fill; len];
                self.disk.write_at(file, offset, &data).unwrap();
                let change = Change::Write { offset: offset as usize, data };
                self.model.issued.push(Issued::Change(number, change));
            }
            Step::SetLen { name, len } => {
                let Some((number, file)) = self.file(name) else { return };
                self.disk.set_len(file, len).unwrap();
                self.model.issued.push(Issued::Change(number, Change::SetLen(len as usize)));
            }
            Step::Sync(name) => {
                let Some((number, file)) = self.file(name) else { return };
                self.disk.sync(file).unwrap();
                self.model.issued.push(Issued::Sync(number));
            }
            Step::Read { name, offset, len } => {
                let Some((number, file)) = self.file(name) else { return };
                let mut bytes = vec![0xEE; len];
                let count = self.disk.read_at(file, offset, &mut bytes).unwrap();
                let expected = self.model.visible(number);
                let from = expected.len().min(offset as usize);
                assert_eq!(bytes[..count], expected[from..expected.len().min(from + len)]);
                self.model.issued.push(Issued::Read);
            }
            Step::Rename(from, to) => {
                let Some((number, _)) = self.file(from) else { return };
                self.disk.rename(NAMES[from], NAMES[to]).unwrap();
                self.model.issued.push(Issued::Naming(number, Naming::Rename(NAMES[to])));
            }
            Step::Remove(name) => {
                let Some((number, _)) = self.file(name) else { return };
                self.disk.remove(NAMES[name]).unwrap();
                self.model.issued.push(Issued::Naming(number, Naming::Remove));
            }
            Step::SyncDir => {
                self.disk.sync_dir().unwrap();
                self.model.issued.push(Issued::SyncDir);
            }
            Step::Complete(count) => self.complete(count),
            Step::Crash(kind) => self.crash(kind),
        }
    }

    fn complete(&mut self, count: u32) {
        for _ in 0..count {
            let Some(done) = self.disk.complete(Time(0)) else { return };
            self.model.complete(done);
        }
    }

    fn crash(&mut self, kind: CrashKind) {
        self.check_worst_case();
        let promised = self.durable_ranges();
        self.disk.crash(Time(0), kind);
        let observed = observe(&mut self.disk);
        self.handles =
            observed.names.iter().map(|(name, number)| (*number, self.disk.open(name).unwrap())).collect();
        while self.disk.complete(Time(0)).is_some() {}
        for (number, range) in promised {
            let (file, offset, bytes) = (&observed.contents[&number], range.0, range.1);
            assert_eq!(file[offset..offset + bytes.len()], bytes, "durable bytes of {number:?} at {offset}");
        }
        let garbage = self.garbage;
        let ending = self.model.endings().into_iter().find(|ending| match kind {
            CrashKind::Process => ending.allows_after_process_crash(&observed),
            CrashKind::PowerLoss => ending.allows_after_power_loss(&observed, garbage),
        });
        self.model = ending.unwrap_or_else(|| panic!("a {kind:?} left {:?}", observed.names));
        if kind == CrashKind::PowerLoss {
            self.model.namings.clear();
            self.model.durable_names = observed.names;
            let adopt = |durable| ModelFile { durable, changes: Vec::new() };
            self.model.files =
                observed.contents.into_iter().map(|(file, bytes)| (file, adopt(bytes))).collect();
        }
    }

    /// What the disk says would survive a power loss now, with its bytes.
    fn durable_ranges(&mut self) -> Vec<(FileNumber, (usize, Vec<u8>))> {
        let mut ranges = Vec::new();
        for (number, file) in &self.model.files {
            let len = file.durable.len();
            let sectors = (0..len).step_by(512).map(|start| start..len.min(start + 512));
            for range in sectors.chain([0..len, 100..len]).filter(|range| range.start < range.end) {
                if self.disk.is_range_durable(*number, range.start as u64, range.len() as u64) {
                    ranges.push((*number, (range.start, file.durable[range].to_vec())));
                }
            }
        }
        ranges
    }

    /// The clone for oracles holds exactly what is durable.
    fn check_worst_case(&self) {
        let observed = observe(&mut self.disk.worst_case_clone());
        assert_eq!(observed.names, self.model.durable_names);
        for (number, content) in &observed.contents {
            assert_eq!(*content, self.model.files[number].durable);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    // Around the borders of pages, where things go wrong.
    let position = || prop_oneof![0..200_u64, 4_000..4_200_u64, 8_100..8_300_u64];
    let kind = prop_oneof![Just(CrashKind::Process), Just(CrashKind::PowerLoss)];
    prop_oneof![
        2 => name().prop_map(Step::Create),
        8 => (name(), position(), 0..200_usize).prop_map(|(name, offset, len)| Step::Write { name, offset, len }),
        2 => (name(), position()).prop_map(|(name, len)| Step::SetLen { name, len }),
        3 => name().prop_map(Step::Sync),
        3 => (name(), position(), 0..5_000_usize).prop_map(|(name, offset, len)| Step::Read { name, offset, len }),
        1 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Remove),
        2 => Just(Step::SyncDir),
        8 => (1..6_u32).prop_map(Step::Complete),
        2 => kind.prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_image_after_every_crash_is_one_that_the_model_allows(
        seed: u64,
        garbage: bool,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut pair = Pair::new(seed, garbage);
        for name in 0..NAMES.len() {
            pair.step(&Step::Create(name));
        }
        for step in &steps {
            pair.step(step);
        }
        pair.step(&Step::Crash(CrashKind::PowerLoss));
    }

    #[test]
    fn equal_seeds_leave_equal_disks(seed: u64, steps in proptest::collection::vec(step(), 1..60)) {
        let run = || {
            let mut pair = Pair::new(seed, true);
            pair.step(&Step::Create(0));
            steps.iter().for_each(|step| pair.step(step));
            pair.disk.digest()
        };
        prop_assert_eq!(run(), run());
    }
}
