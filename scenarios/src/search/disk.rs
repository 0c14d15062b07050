//! What a node's disk holds, and what a restart makes of it: the real storage recovers it.
//!
//! The search takes no snapshots and damages nothing, so that a disk is term and vote and the entries of the log. Which
//! writes a crash leaves, and which part of the next, is for the search to decide; what they leave is written by `squall-storage` to a simulated disk, as
//! one group, and opened again. How storage comes to hold it, by truncations and segments, is not looked at here.

use squall_raft::{Entry, HardState, LogIndex, NodeId, Recovered, Term, Write, WriteToken};
use squall_sim::{Choice, ProcessId, SimDisk};
use squall_storage::{Group, Identity, Options, Storage, StorageError};

/// What is durable.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Contents {
    hard_state: HardState,
    /// Those from index 1 on.
    entries: Vec<Entry>,
}

/// A write that outlives the core's next input.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct OwnedWrite {
    pub(super) token: WriteToken,
    hard_state: Option<HardState>,
    truncate_from: Option<LogIndex>,
    entries: Vec<Entry>,
}

impl OwnedWrite {
    pub(super) fn new(write: &Write<'_>) -> Self {
        let is_plain = write.reset_to.is_none() && write.compact_to.is_none() && write.repairs.is_empty();
        assert!(is_plain, "nothing is compacted and nothing is lost here: {write:?}");
        Self {
            token: write.token,
            hard_state: write.hard_state,
            truncate_from: write.truncate_from,
            entries: write.iter().cloned().collect(),
        }
    }

    /// In how many parts storage makes it durable: term and vote first, then what becomes of the log.
    pub(super) fn parts(&self) -> u8 {
        let has_both =
            self.hard_state.is_some() && (self.truncate_from.is_some() || !self.entries.is_empty());
        1 + u8::from(has_both)
    }
}

impl Contents {
    /// The power fails between the parts of this write.
    pub(super) fn write_first_part(&mut self, write: &OwnedWrite) {
        self.hard_state = write.hard_state.unwrap_or(self.hard_state);
    }

    /// The write becomes durable.
    pub(super) fn write(&mut self, write: &OwnedWrite) {
        self.write_first_part(write);
        if let Some(from) = write.truncate_from {
            self.entries.retain(|entry| entry.index < from);
        }
        for entry in &write.entries {
            let next = LogIndex(self.entries.len() as u64 + 1);
            assert_eq!(entry.index, next, "a write begins where the log ends: {write:?}");
            self.entries.push(entry.clone());
        }
    }

    /// The term that no restart falls below.
    pub(super) fn term(&self) -> Term {
        self.hard_state.current_term
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What `squall-storage` finds on a disk that holds this.
    pub(super) fn recover(&self, node: NodeId, boot: u64) -> Recovered {
        let identity = Identity { node, cluster: 1, incarnation: 1 };
        let options = Options { segment_bytes: 16 << 10, ..Options::default() };
        let process = ProcessId(u32::try_from(node.0).expect("a handful of nodes"));
        let mut disk = SimDisk::new(process, Default::default(), Choice::from_seed(0));
        let recovered = self.store(&mut disk, identity, &options).and_then(|()| {
            let (_, recovered) = Storage::open(&mut disk, identity, &options)?;
            Ok(recovered)
        });
        let recovered = recovered.unwrap_or_else(|error| panic!("a sound disk does not open: {error}"));
        Recovered { boot, ..recovered }
    }

    fn store(&self, disk: &mut SimDisk, identity: Identity, options: &Options) -> Result<(), StorageError> {
        Storage::format(disk, identity, options)?;
        let (mut storage, _) = Storage::open(disk, identity, options)?;
        if *self == Self::default() {
            return Ok(());
        }
        let mut group = Group::default();
        group.add(&Write {
            token: WriteToken { boot: 1, sequence: 1 },
            hard_state: Some(self.hard_state),
            truncate_from: None,
            reset_to: None,
            compact_to: None,
            repairs: &[],
            entries: (&self.entries, &[]),
        });
        storage.commit(&mut group, disk)?;
        Ok(())
    }
}
