//! The snapshots of a storage: those that are whole, the one that is taken, the one that is received.
//!
//! The newest two whole ones are kept, so that who is just being sent one is not cut off when the next is taken. A
//! start keeps the newest that is sound, and gives it a new name: its old one may be known to a cache only, where the
//! sync of the directory failed that was to make it durable.

use std::fmt;

use bytes::Bytes;
use squall_disk::Disk;
use squall_raft::{LogIndex, LogPosition, SnapshotId};

use crate::draft::Draft;
use crate::segment::Segment;
use crate::snapshot::{CHUNK_BYTES, Header, Snapshot};
use crate::{Identity, Storage, StorageError, envelope};

const NAME_PREFIX: &str = "snapshot-";
/// Digits of the index.
const INDEX_DIGITS: usize = 20;
/// Digits of the number that tells how often the snapshot was named.
const TIMES_DIGITS: usize = 10;
/// What is being received.
const RECEIVED: &str = "received-snapshot";
/// How many whole snapshots are kept.
const KEPT_MAX: usize = 2;

/// All snapshots of a storage.
#[derive(Clone, Default, Debug)]
pub(crate) struct Snapshots {
    /// Oldest first.
    whole: Vec<Snapshot>,
    /// One that lost some of its chunks, and stands for what nothing else here does. It stays until another takes its
    /// place, which takes over what can still be read of it.
    lost: Option<Snapshot>,
    taken: Option<Draft>,
    received: Option<Draft>,
}

/// A snapshot that was received is not the one that was promised. It was discarded; the disk is sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// What was promised.
    pub promised: SnapshotId,
    /// What was received.
    pub received: SnapshotId,
}

/// Taking snapshots. Each call writes as much as it is given, and waits for one sync; the last one for two.
impl Storage {
    /// Begins a snapshot of the state after this entry. One that was begun and not finished is discarded.
    ///
    /// # Errors
    /// Where the disk fails. As with every error here, the storage takes nothing after that.
    pub fn begin_snapshot(&mut self, last: LogPosition, disk: &mut impl Disk) -> Result<(), StorageError> {
        self.attempt(|storage| {
            if let Some(draft) = storage.snapshots.taken.take() {
                disk.remove(&draft.name)?;
            }
            let name = envelope::aside(&storage.snapshots.name(last.index));
            let header = storage.snapshot_header(SnapshotId { last, ..SnapshotId::default() });
            storage.snapshots.taken = Some(Draft::create(disk, name, header)?);
            Ok(())
        })
    }

    /// Writes the next bytes of the snapshot that was begun.
    ///
    /// # Errors
    /// Where the disk fails.
    ///
    /// # Panics
    /// Where none was begun.
    pub fn write_snapshot(&mut self, bytes: &[u8], disk: &mut impl Disk) -> Result<(), StorageError> {
        self.attempt(|storage| {
            storage.snapshots.taken.as_mut().expect("a snapshot was begun").append(bytes, disk)
        })
    }

    /// Makes what was written a whole snapshot, durably. Where newer ones are whole already it may be gone at once.
    ///
    /// # Errors
    /// Where the disk fails.
    ///
    /// # Panics
    /// Where none was begun.
    pub fn finish_snapshot(&mut self, disk: &mut impl Disk) -> Result<SnapshotId, StorageError> {
        self.attempt(|storage| {
            let draft = storage.snapshots.taken.take().expect("a snapshot was begun");
            storage.publish(draft, disk)
        })
    }
}

/// Receiving snapshots.
impl Storage {
    /// Stores bytes of a snapshot that others have, from byte `offset` on; one that was begun under another name is discarded.
    /// Returns how many bytes from its beginning are here and durable, which is its end where [`Self::finish_received`] is due:
    /// more than were given, where a damaged copy still has what comes next. `None` where there is nothing to tell: it is
    /// whole already, or bytes before `offset` are missing, since all that came was refused in the meantime.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn store_received(
        &mut self,
        id: SnapshotId,
        offset: u64,
        bytes: &[u8],
        disk: &mut impl Disk,
    ) -> Result<Option<u64>, StorageError> {
        if self.snapshot_extent(id).is_some() || self.begin_received(id, disk)? < offset {
            return Ok(None);
        }
        self.write_received(offset, bytes, disk).map(Some)
    }

    /// Begins to receive a snapshot, or goes on with it. One that was begun under another name is discarded. Returns how
    /// many of its bytes are here: the offset at which it goes on.
    pub(crate) fn begin_received(
        &mut self,
        id: SnapshotId,
        disk: &mut impl Disk,
    ) -> Result<u64, StorageError> {
        self.attempt(|storage| {
            match storage.snapshots.received.take() {
                Some(draft) if draft.header.id == id => {
                    let offset = draft.bytes();
                    storage.snapshots.received = Some(draft);
                    return Ok(offset);
                }
                Some(draft) => disk.remove(&draft.name)?,
                None => {}
            }
            let draft = Draft::create(disk, RECEIVED.to_owned(), storage.snapshot_header(id))?;
            draft.announce(disk, storage.identity)?;
            storage.snapshots.received = Some(draft);
            storage.take_over(disk)?;
            Ok(storage.snapshots.received.as_ref().map_or(0, Draft::bytes))
        })
    }

    /// What is left of a snapshot that is lost is the beginning of one that is received, unless a newer one is.
    pub(crate) fn begin_repair(&mut self, disk: &mut impl Disk) -> Result<(), StorageError> {
        match self.lost_snapshot() {
            Some(lost) if self.snapshots.received.is_none() => self.begin_received(lost, disk).map(|_| ()),
            Some(_) | None => Ok(()),
        }
    }

    /// What comes next of the snapshot that is received, as far as the one that is lost still has it.
    fn take_over(&mut self, disk: &mut impl Disk) -> Result<(), StorageError> {
        let Snapshots { received: Some(draft), lost: Some(lost), .. } = &mut self.snapshots else {
            return Ok(());
        };
        while lost.id == draft.header.id && draft.bytes() < lost.id.bytes {
            let chunk_end = (draft.bytes() / CHUNK_BYTES + 1) * CHUNK_BYTES;
            match lost.read(draft.bytes(), chunk_end - draft.bytes(), disk) {
                Ok(bytes) => draft.append(&bytes, disk)?,
                Err(StorageError::Damaged { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes bytes of the snapshot that is received, which follow those that are here; of what is here already nothing is
    /// done. Returns how many of its bytes are here now: more than that, where the lost one still has what comes next.
    pub(crate) fn write_received(
        &mut self,
        offset: u64,
        bytes: &[u8],
        disk: &mut impl Disk,
    ) -> Result<u64, StorageError> {
        self.attempt(|storage| {
            let draft = storage.snapshots.received.as_mut().expect("a snapshot is received");
            let here = draft.bytes().checked_sub(offset).expect("no bytes before these are missing");
            draft.append(bytes.get(here as usize..).unwrap_or_default(), disk)?;
            storage.take_over(disk)?;
            Ok(storage.snapshots.received.as_ref().map_or(0, Draft::bytes))
        })
    }

    /// The snapshot that is being received, and how many of its bytes are durable.
    #[must_use]
    pub fn received_snapshot(&self) -> Option<(SnapshotId, u64)> {
        self.snapshots.received.as_ref().map(|draft| (draft.header.id, draft.durable_bytes()))
    }

    /// The snapshot that lost some of its bytes, where it stands for what nothing else here does.
    #[must_use]
    pub fn lost_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.lost.as_ref().map(|lost| lost.id)
    }

    /// Makes what was received a whole snapshot, durably, if it is what was promised. Otherwise it is discarded.
    ///
    /// # Errors
    /// Where the disk fails.
    ///
    /// # Panics
    /// Where none is received.
    pub fn finish_received(
        &mut self,
        disk: &mut impl Disk,
    ) -> Result<Result<SnapshotId, Mismatch>, StorageError> {
        self.attempt(|storage| {
            let draft = storage.snapshots.received.take().expect("a snapshot is received");
            let (promised, received) = (draft.header.id, draft.id());
            if promised != received {
                disk.remove(&draft.name)?;
                return Ok(Err(Mismatch { promised, received }));
            }
            storage.publish(draft, disk).map(Ok)
        })
    }
}

/// Whole snapshots.
impl Storage {
    /// The newest whole snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.newest().map(|newest| newest.id)
    }

    /// Reads a whole snapshot from `offset` on: up to `max_bytes`, one MiB at most, and nothing at its end. `None` where
    /// there is no such snapshot, or no longer.
    ///
    /// # Errors
    /// Where the disk fails, or a chunk is no longer what was written.
    pub fn read_snapshot(
        &self,
        id: SnapshotId,
        offset: u64,
        max_bytes: u64,
        disk: &mut impl Disk,
    ) -> Result<Option<Bytes>, StorageError> {
        self.check_alive()?;
        let found = self.snapshots.find(id);
        found.map(|snapshot| snapshot.read(offset, max_bytes, disk)).transpose()
    }

    fn snapshot_header(&self, id: SnapshotId) -> Header {
        Header { id, salt: self.options.snapshot_salt(self.hard.boot, id.last.index) }
    }

    /// Gives a draft its name, and removes the snapshots that are one too many.
    fn publish(&mut self, draft: Draft, disk: &mut impl Disk) -> Result<SnapshotId, StorageError> {
        let name = self.snapshots.name(draft.header.id.last.index);
        let snapshot = draft.finish(disk, self.identity, name)?;
        let (id, whole) = (snapshot.id, &mut self.snapshots.whole);
        let place = whole.partition_point(|other| other.id.last.index <= id.last.index);
        whole.insert(place, snapshot);
        while whole.len() > KEPT_MAX {
            disk.remove(&whole.remove(0).name)?;
        }
        if let Some(lost) = self.snapshots.lost.take_if(|lost| lost.id.last.index <= id.last.index) {
            disk.remove(&lost.name)?;
        }
        Ok(id)
    }
}

impl Snapshots {
    pub(crate) fn newest(&self) -> Option<&Snapshot> {
        self.whole.last()
    }

    /// The last entry that any of them stands for, be it only by its name.
    pub(crate) fn covered(&self) -> LogPosition {
        let last = |snapshot: &Snapshot| snapshot.id.last;
        self.newest()
            .into_iter()
            .chain(&self.lost)
            .map(last)
            .max_by_key(|last| last.index)
            .unwrap_or_default()
    }

    pub(crate) fn find(&self, id: SnapshotId) -> Option<&Snapshot> {
        self.whole.iter().rev().find(|snapshot| snapshot.id == id)
    }

    /// A name that no snapshot at this index has.
    fn name(&self, index: LogIndex) -> String {
        let names = self.whole.iter().chain(&self.lost).filter_map(|snapshot| parse_name(&snapshot.name));
        let times = names.filter(|(other, _)| *other == index.0).map(|(_, times)| times + 1).max();
        name(index.0, times.unwrap_or(0))
    }
}

/// What a start finds.
pub(crate) struct Found {
    /// The newest snapshot that is sound.
    sound: Option<Snapshot>,
    /// What is wrong with the newest, where that is another, and the last entry that it stands for.
    damage: Option<(LogIndex, StorageError)>,
    /// That one, where some of its chunks are all that is wrong with it.
    lost: Option<Snapshot>,
    /// The files of all others.
    others: Vec<String>,
    has_received: bool,
}

impl Found {
    /// Reads the snapshots, newest first, up to one that is sound.
    pub(crate) fn search(
        disk: &mut impl Disk,
        identity: Identity,
        names: &[String],
    ) -> Result<Self, StorageError> {
        let has_received = names.iter().any(|name| name == RECEIVED);
        let mut found = Self { sound: None, damage: None, lost: None, others: Vec::new(), has_received };
        for name in names.iter().rev() {
            let Some((index, _)) = parse_name(name) else { continue };
            if found.sound.is_some() {
                found.others.push(name.clone());
                continue;
            }
            let index = LogIndex(index);
            let opened = Snapshot::open(disk, identity, name, index)
                .and_then(|snapshot| Ok((snapshot.check(disk)?, snapshot)));
            let damage = match opened {
                Ok((None, snapshot)) => {
                    found.sound = Some(snapshot);
                    continue;
                }
                Ok((Some(damage), snapshot)) if found.damage.is_none() => {
                    found.lost = Some(snapshot);
                    found.damage = Some((index, damage));
                    continue;
                }
                Ok((Some(damage), _)) | Err(damage @ StorageError::Damaged { .. }) => damage,
                Err(error) => return Err(error),
            };
            found.damage.get_or_insert((index, damage));
            found.others.push(name.clone());
        }
        Ok(found)
    }

    /// Takes over what is of use, if the log that begins after `base`, and has the entries that `position` names, needs no
    /// more than that. A damaged snapshot of which the log still has all entries is as good as none. One that goes beyond
    /// the log, or of whose last entry it has another in place, was acknowledged perhaps, before the log began anew behind
    /// it: without it the log would be the one that was discarded. Of one whose header cannot be read only the index is
    /// known. The files of what is of no use are `void`.
    pub(crate) fn open(
        mut self,
        disk: &mut impl Disk,
        identity: Identity,
        (base, position): (LogPosition, &dyn Fn(LogIndex) -> Option<LogPosition>),
        first: Option<&Segment>,
        void: &mut Vec<String>,
    ) -> Result<Snapshots, StorageError> {
        let stands_for =
            |covered: LogPosition| covered.index > base.index || covered == base || base == LogPosition::ZERO;
        let sound = self.sound.as_ref().map_or(LogPosition::ZERO, |snapshot| snapshot.id.last);
        let is_missed = self.damage.as_ref().is_some_and(|(index, _)| {
            let has_all = match (position(*index), &self.lost) {
                (Some(found), Some(lost)) => found == lost.id.last,
                (found, _) => found.is_some(),
            };
            !has_all && sound.index < *index
        });
        let mut snapshots = Snapshots::default();
        if is_missed || !stands_for(sound) {
            let Some(lost) = self.lost.take_if(|lost| stands_for(lost.id.last)) else {
                let file = first.map_or_else(String::new, Segment::name);
                let what = "the log begins after this entry, and no snapshot stands for what came before";
                let missing = StorageError::Damaged { file, offset: 0, position: Some(base), what };
                return Err(self.damage.map_or(missing, |(_, damage)| damage));
            };
            // An older one, though it is sound, is of no use to whoever stands for more.
            self.others.extend(self.sound.take().map(|sound| sound.name));
            snapshots.lost = Some(rename(lost, &self.others, disk)?);
        }
        self.others.extend(self.lost.map(|lost| lost.name));
        if let Some(sound) = self.sound {
            snapshots.whole.push(rename(sound, &self.others, disk)?);
        }
        void.extend(self.others);
        if self.has_received {
            let draft = Draft::resume(disk, identity, RECEIVED)?;
            let least = snapshots.lost.as_ref().map_or(sound.index.next(), |lost| lost.id.last.index);
            snapshots.received = draft.filter(|draft| draft.header.id.last.index >= least);
            if snapshots.received.is_none() {
                void.push(RECEIVED.to_owned());
            }
        }
        Ok(snapshots)
    }
}

/// Its old name may be known to a cache only. One of the `others`, which are of no use and soon gone, may be of the same
/// entry.
fn rename(mut snapshot: Snapshot, others: &[String], disk: &mut impl Disk) -> Result<Snapshot, StorageError> {
    let (index, times) = parse_name(&snapshot.name).expect("only such names are looked for");
    let others = others.iter().filter_map(|name| parse_name(name));
    let others = others.filter(|(other, _)| *other == index).map(|(_, times)| times);
    let name = name(index, others.fold(times, u64::max) + 1);
    disk.rename(&snapshot.name, &name)?;
    snapshot.name = name;
    Ok(snapshot)
}

/// Whether a file of this name belongs to a snapshot.
pub(crate) fn is_name(name: &str) -> bool {
    name == RECEIVED || parse_name(name).is_some()
}

fn name(index: u64, times: u64) -> String {
    format!("{NAME_PREFIX}{index:020}-{times:010}")
}

/// The index of the snapshot that has this name, and how often it was named, where it is such a name.
fn parse_name(name: &str) -> Option<(u64, u64)> {
    let (index, times) = name.strip_prefix(NAME_PREFIX)?.split_once('-')?;
    let is_number =
        |digits: &str, count| digits.len() == count && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = is_number(index, INDEX_DIGITS) && is_number(times, TIMES_DIGITS);
    if is_name { Some((index.parse().ok()?, times.parse().ok()?)) } else { None }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promised, received } = self;
        write!(
            f,
            "the snapshot of {} was to have {} bytes with checksum {:016x}, and {} bytes with checksum {:016x} were received",
            promised.last, promised.bytes, promised.checksum, received.bytes, received.checksum
        )
    }
}

impl std::error::Error for Mismatch {}
