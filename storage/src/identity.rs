//! Whose files these are: written once by `format`, checked at each start.

use std::fmt;

use bytes::{Buf, BufMut};
use squall_disk::Disk;
use squall_raft::NodeId;

use crate::{StorageError, envelope};

pub(crate) const FILE: &str = "identity";
const MAGIC: &[u8; 8] = b"sqlident";

/// A node of a cluster. All numbers are chosen once and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The node.
    pub node: NodeId,
    /// The cluster.
    pub cluster: u128,
    /// Which of the node's disks this is. A node that lost its disk, was removed and is added again under its old number gets
    /// a higher one; should the lost disk, or a copy of it, turn up again, it does not start.
    pub incarnation: u64,
}

impl Identity {
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.put_u64_le(self.node.0);
        out.put_u128_le(self.cluster);
        out.put_u64_le(self.incarnation);
    }

    /// What the body of the file says.
    pub(crate) fn parse(mut body: &[u8]) -> Option<Self> {
        (body.len() == Self::BYTES).then(|| Self::take(&mut body))
    }

    fn take(body: &mut &[u8]) -> Self {
        let (node, cluster) = (NodeId(body.get_u64_le()), body.get_u128_le());
        Self { node, cluster, incarnation: body.get_u64_le() }
    }

    /// Takes an identity from the front of `body`, which holds one, and checks that it is this one.
    pub(crate) fn check(self, file: &str, body: &mut &[u8]) -> Result<(), StorageError> {
        let found = Self::take(body);
        if found == self {
            return Ok(());
        }
        Err(StorageError::Foreign { file: file.to_owned(), found, expected: self })
    }

    pub(crate) fn check_file(self, disk: &mut impl Disk) -> Result<(), StorageError> {
        let body = envelope::read_file(disk, FILE, MAGIC, Self::BYTES)?;
        self.check(FILE, &mut &body[..])
    }

    pub(crate) fn write_file(self, disk: &mut impl Disk) -> Result<(), StorageError> {
        let mut body = Vec::with_capacity(Self::BYTES);
        self.encode(&mut body);
        Ok(envelope::write_file(disk, FILE, MAGIC, &body)?)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of cluster {:032x}, incarnation {}", self.node, self.cluster, self.incarnation)
    }
}
