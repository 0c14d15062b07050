//! The one die of the core: a ChaCha stream keyed by (seed, node, boot), for election timeouts (§5.2).
//!
//! It stands outside equality and hash: two replicas in the same state are equal, whatever they will draw.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::NodeId;

/// A stream that no other node and no other life of this node shares.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64, node: NodeId, boot: u64) -> Self {
        let mut key = [0; 32];
        key[0..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&node.0.to_le_bytes());
        key[16..24].copy_from_slice(&boot.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number in `0..bound`; `bound` is far below 2^64, so that the bias of the multiplication is nil.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs at least one outcome");
        let product = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half of a 128-bit product has 64 bits")
    }
}

impl PartialEq for Random {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Random {}

impl core::hash::Hash for Random {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}
