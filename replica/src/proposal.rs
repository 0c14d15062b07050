//! The bytes of one proposal: whose request it is, then the command. The core and the storage see them as
//! opaque; clients, oracles and the replica itself can tell from them whose entry it is.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// Names one request. The client's side chooses it, and no two requests share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u128);

/// Bytes of the id at the head of a proposal.
const ID_BYTES: usize = size_of::<u128>();

/// Puts the id in front of a command: 16 bytes, little-endian, then the command as it is.
#[must_use]
pub fn seal_proposal(request: RequestId, command: &[u8]) -> Bytes {
    let mut proposal = BytesMut::with_capacity(ID_BYTES + command.len());
    proposal.put_u128_le(request.0);
    proposal.put_slice(command);
    proposal.freeze()
}

/// Tells whose proposal it is, and the command; `None` where it is too short to have been sealed.
#[must_use]
pub fn open_proposal(proposal: &[u8]) -> Option<(RequestId, &[u8])> {
    let (id, command) = proposal.split_first_chunk::<ID_BYTES>()?;
    Some((RequestId(u128::from_le_bytes(*id)), command))
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{:x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_short_to_carry_an_id_is_nobodys_proposal() {
        assert_eq!(open_proposal(&[0; 15]), None);
        assert_eq!(open_proposal(&[0; 16]), Some((RequestId(0), &[][..])));
    }

    proptest! {
        #[test]
        fn a_sealed_proposal_opens_to_what_was_put_in(id: u128, command: Vec<u8>) {
            let proposal = seal_proposal(RequestId(id), &command);
            prop_assert_eq!(open_proposal(&proposal), Some((RequestId(id), &command[..])));
        }
    }
}
