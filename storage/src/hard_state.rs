//! The hard-state file: what a node must never forget (Raft, Figure 2, "Persistent state"), and how often it started.

use bytes::{Buf, BufMut};
use squall_disk::{Disk, DiskErrorKind};
use squall_raft::{HardState, NodeId, Term};

use crate::{Identity, StorageError, envelope};

pub(crate) const FILE: &str = "hard-state";
const MAGIC: &[u8; 8] = b"sqlhards";
const BODY_BYTES: usize = Identity::BYTES + 8 * 8;

/// What the file holds, beside whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct HardRecord {
    /// How often the node was started.
    pub(crate) boot: u64,
    /// No segment below this number is the last one: should the newest go missing, it is missed.
    pub(crate) newest_segment: u64,
    /// With this segment the log begins, and the files of those below it hold nothing any more: should it go missing, it
    /// is missed.
    pub(crate) oldest_segment: u64,
    pub(crate) state: HardState,
    /// Entries of terms up to this one may have been acknowledged, and lost from the log's end; 0 where none was. It never
    /// falls.
    pub(crate) uncertain: Term,
}

impl HardRecord {
    pub(crate) fn read(disk: &mut impl Disk, identity: Identity) -> Result<Self, StorageError> {
        // Formatting writes it before the identity, so a node that has one had the other.
        let bytes = envelope::read_file(disk, FILE, MAGIC, BODY_BYTES).map_err(|error| {
            let is_missing =
                matches!(&error, StorageError::Disk(error) if error.kind == DiskErrorKind::NotFound);
            if is_missing { StorageError::damaged(FILE, 0, "the hard state is missing") } else { error }
        })?;
        let body = &mut &bytes[..];
        identity.check(FILE, body)?;
        let (boot, newest_segment, oldest_segment) =
            (body.get_u64_le(), body.get_u64_le(), body.get_u64_le());
        let current_term = Term(body.get_u64_le());
        let (has_voted, voted_for) = (body.get_u64_le(), NodeId(body.get_u64_le()));
        let (voted_for, longest_promise) = ((has_voted != 0).then_some(voted_for), body.get_u64_le());
        let state = HardState { current_term, voted_for, longest_promise };
        let uncertain = Term(body.get_u64_le());
        Ok(Self { boot, newest_segment, oldest_segment, state, uncertain })
    }

    pub(crate) fn write(&self, disk: &mut impl Disk, identity: Identity) -> Result<(), StorageError> {
        let mut body = Vec::with_capacity(BODY_BYTES);
        identity.encode(&mut body);
        let vote = self.state.voted_for;
        let words = [
            self.boot,
            self.newest_segment,
            self.oldest_segment,
            self.state.current_term.0,
            u64::from(vote.is_some()),
            vote.map_or(0, |node| node.0),
            self.state.longest_promise,
            self.uncertain.0,
        ];
        for word in words {
            body.put_u64_le(word);
        }
        Ok(envelope::write_file(disk, FILE, MAGIC, &body)?)
    }
}
