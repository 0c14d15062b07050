//! Recovery from what a disk holds: the directory of a node that lived, and what becomes of it.
//!
//! The storage itself writes the directory, so that its checksums let a start get somewhere. Then bytes go bad, and files.
//! Whatever it is, a start panics nowhere, makes room for no more than a file holds, and finds nothing that nobody wrote. Where
//! a piece was *forged*, its checksums right, nobody can tell what was written; then a start need only be sound.
//! Exactly what is found after which damage the tests of `squall_storage` say.

mod files;
mod harm;
mod life;
mod seal;

use arbitrary::{Arbitrary, Unstructured};
use squall_raft::{
    Config, Entry, Faulty, LogIndex, LogPosition, NodeId, Payload, Raft, Recovered, Term, Write, WriteToken,
};
use squall_storage::{Group, Storage, StorageError, owner, survey};

use files::Files;
pub(crate) use harm::Harm;
use life::{Act, IDENTITY, Life, image, named, options};

/// How many acts a node's life has, at most.
const ACTS_MAX: u8 = 24;

/// What a start may read: each byte so often, and so much beside.
const READS_PER_BYTE: u64 = 16;

/// A node's life, and what becomes of its disk.
#[derive(Clone, Debug)]
pub struct Damage {
    is_witness: bool,
    acts: Vec<Act>,
    harms: Vec<Harm>,
}

impl<'a> Arbitrary<'a> for Damage {
    /// Takes damage for as long as there are bytes.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let shape: u8 = bytes.arbitrary()?;
        let (is_witness, count) = (shape >= 192, shape % ACTS_MAX);
        let acts = (0..count).map(|_| bytes.arbitrary()).collect::<arbitrary::Result<_>>()?;
        let mut harms = Vec::new();
        while !bytes.is_empty() {
            harms.push(bytes.arbitrary()?);
        }
        Ok(Self { is_witness, acts, harms })
    }
}

/// What came of a start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Start {
    /// It was refused.
    Refused,
    /// Something is lost, and is known to be: an entry's data, a snapshot, a torn group.
    Wounded,
    /// Nothing is said to be lost.
    Whole,
}

impl Damage {
    /// What these bytes say; any bytes do.
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self::arbitrary_take_rest(Unstructured::new(bytes)).expect("bytes that are missing are zeros")
    }

    #[cfg(test)]
    pub(crate) fn harms(&self) -> &[Harm] {
        &self.harms
    }

    /// Lives, is damaged, starts.
    ///
    /// # Panics
    /// Where the start panics, or finds what nobody wrote.
    pub fn check(&self) -> Start {
        let mut life = Life::of(&self.acts, self.is_witness);
        let pieces = survey(&mut life.files).expect("a disk in memory does not fail");
        let is_forged = self.harms.iter().any(Harm::forges);
        self.harms.iter().for_each(|harm| harm.strike(&mut life.files, &pieces));
        survey(&mut life.files).expect("a disk in memory does not fail");
        owner(&mut life.files).expect("a disk in memory does not fail");
        let (mut files, total) = (life.files.clone(), life.files.total());
        let opened = Storage::open(&mut files, IDENTITY, &options());
        assert!(files.bytes_read <= READS_PER_BYTE * total + (1 << 20), "{} of {total}", files.bytes_read);
        let (mut storage, recovered) = match opened {
            Err(error) => {
                check_refusal(&error, is_forged);
                return Start::Refused;
            }
            Ok(opened) => opened,
        };
        let log = read_all(&storage, &recovered, &mut files);
        if !is_forged {
            check_sense(&recovered, self.is_witness);
            life.check(&storage, &recovered, &log, &mut files);
            go_on(&mut storage, &recovered, &mut files);
        }
        let is_whole = storage.tail() == squall_storage::Tail::Whole
            && recovered.faulty.is_empty()
            && recovered.lost_snapshot.is_none();
        if is_whole { Start::Whole } else { Start::Wounded }
    }
}

/// A refusal says what is wrong with which file. Nobody but a forger changes to whom files belong, or their format.
fn check_refusal(error: &StorageError, is_forged: bool) {
    assert!(!error.to_string().is_empty());
    match error {
        StorageError::Damaged { file, what, .. } => assert!(!file.is_empty() && !what.is_empty(), "{error}"),
        StorageError::NotFormatted { .. } => {}
        StorageError::Foreign { .. } | StorageError::UnknownVersion { .. } => assert!(is_forged, "{error}"),
        StorageError::Disk(_)
        | StorageError::Dead
        | StorageError::InvalidOption { .. }
        | StorageError::NotEmpty { .. } => panic!("no reason to refuse a directory: {error}"),
    }
}

/// Reads the log as far as it can be read, and the snapshot.
fn read_all(storage: &Storage, recovered: &Recovered, files: &mut Files) -> Vec<Entry> {
    let (mut log, mut next) = (Vec::new(), recovered.base.index.next());
    while next <= recovered.last_index {
        match storage.read(next, recovered.last_index, 4_000, files) {
            Ok(read) if read.is_empty() => next = next.next(),
            Ok(read) => {
                assert_eq!(read[0].index, next, "entries are read from where they were asked for");
                next = LogIndex(next.0 + read.len() as u64);
                log.extend(read);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
    if let Some(id) = storage.snapshot() {
        let mut offset = 0;
        while let Ok(Some(read)) = storage.read_snapshot(id, offset, 5_000, files) {
            if read.is_empty() {
                break;
            }
            offset += read.len() as u64;
        }
    }
    log
}

/// What a start tells agrees with itself, and the core starts from it.
fn check_sense(recovered: &Recovered, is_witness: bool) {
    assert!(recovered.base.index <= recovered.last_index);
    let indices = recovered.terms.iter().map(|run| run.index);
    assert!(indices.clone().zip(indices.skip(1)).all(|(one, next)| one < next), "{:?}", recovered.terms);
    let is_within = |index: LogIndex| recovered.base.index < index && index <= recovered.last_index;
    assert!(recovered.terms.iter().all(|run| is_within(run.index)), "{:?}", recovered.terms);
    assert!(recovered.faulty.iter().all(|Faulty { index, .. }| is_within(*index)), "{:?}", recovered.faulty);
    let term = recovered.terms.last().map_or(recovered.base.term, |run| run.term);
    assert!(
        term <= recovered.hard_state.current_term,
        "an entry of term {term} is newer than the term on disk"
    );
    let voters = Config::new(IDENTITY.node, vec![NodeId(1), IDENTITY.node, NodeId(3)]);
    let witnesses = if is_witness { vec![IDENTITY.node] } else { Vec::new() };
    let config = Config { witnesses, ..voters };
    Raft::new(config, recovered).expect("the configuration is sound");
}

impl Life {
    /// Nothing was found that nobody wrote, and what was promised last is there.
    fn check(&self, storage: &Storage, recovered: &Recovered, log: &[Entry], files: &mut Files) {
        let promised = *self.hard_states.last().expect("there is the first one");
        assert_eq!(recovered.hard_state, promised, "another hard state");
        assert!(recovered.boot > self.boot, "a start that is not counted");
        for entry in log.iter().chain(&recovered.tail) {
            assert!(self.entries.contains(&named(entry)), "{} was never written", entry.position());
        }
        let was_written = |position: LogPosition| self.entries.iter().any(|(known, _)| *known == position);
        for run in &recovered.terms {
            assert!(was_written(*run), "{run} was never written");
        }
        for id in [recovered.snapshot, recovered.lost_snapshot].into_iter().flatten() {
            assert!(self.snapshots.contains(&id), "{id} was never taken");
        }
        if let Some(id) = recovered.snapshot
            && let Ok(bytes) = storage.read_snapshot(id, 0, u64::MAX, files)
        {
            assert!(bytes.is_some_and(|bytes| bytes[..] == image(id.last, id.bytes)), "{id} is another one");
        }
        if let Some((id, durable)) = storage.received_snapshot() {
            assert!(self.promised.contains(&id) || self.snapshots.contains(&id), "{id} was never promised");
            assert!(durable <= id.bytes, "{durable} bytes of {id}");
        }
    }
}

/// A node that started goes on: it writes an entry, and finds it at its next start.
fn go_on(storage: &mut Storage, recovered: &Recovered, files: &mut Files) {
    let term = recovered.hard_state.current_term.max(Term(1));
    let entry = Entry { term, index: recovered.last_index.next(), payload: Payload::Noop };
    let mut group = Group::default();
    let hard_state = squall_raft::HardState { current_term: term, ..recovered.hard_state };
    group.add(&Write {
        token: WriteToken { boot: recovered.boot, sequence: 1 },
        hard_state: Some(hard_state),
        truncate_from: None,
        reset_to: None,
        compact_to: None,
        repairs: &[],
        entries: (core::slice::from_ref(&entry), &[]),
    });
    storage.commit(&mut group, files).expect("the disk does not fail");
    let (_, again) =
        Storage::open(files, IDENTITY, &options()).expect("what a start left can be started from");
    assert_eq!(
        (again.last_index, again.hard_state),
        (entry.index, hard_state),
        "the node forgot what it wrote"
    );
    assert_eq!(again.boot, recovered.boot + 1);
}

/// Any bytes as the files of a directory, by the names that a storage gives them.
///
/// # Panics
/// Where a start panics, or takes what nobody formatted.
pub fn check_directory(bytes: &[u8]) {
    let mut files = Files::default();
    let third = bytes.len() / 3;
    for (name, place) in [("identity", 0), ("hard-state", third), ("log-00000000000000000001", 2 * third)] {
        files.put(name, bytes[place..place + third].to_vec());
    }
    survey(&mut files).expect("a disk in memory does not fail");
    owner(&mut files).expect("a disk in memory does not fail");
    let refused = Storage::open(&mut files, IDENTITY, &options()).err();
    check_refusal(&refused.expect("nobody formatted this"), true);
}
