//! A run as bytes: a few say how large the cluster is, then come blows of eight bytes each, and what is left decides all that
//! is drawn while the run goes on.
//!
//! A blow has the same length whatever it is, so that a mutation moves, repeats or leaves out whole ones, and none changes what
//! the bytes behind it mean.

use arbitrary::{Arbitrary, Unstructured};

/// How many blows a run has at most.
pub(super) const BLOWS_MAX: u8 = 16;

/// The bytes of the size, and of a blow.
pub(super) const SIZE_BYTES: usize = 8;
pub(super) const BLOW_BYTES: usize = 8;

/// A run in the simulator.
#[derive(Clone)]
pub struct World {
    pub(super) size: Size,
    pub(super) blows: Vec<Blow>,
    /// Decides what is drawn; when it is used up, everything goes as it does by default.
    pub(super) decisions: Vec<u8>,
}

/// The cluster, its weather, and for how long.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) struct Size {
    /// Servers that vote at first: 1 to 5.
    pub(super) voters: u8,
    /// Servers that wait to be added: up to 2.
    pub(super) spares: u8,
    /// Keys the election timeouts.
    pub(super) seed: u8,
    /// Bits that switch something on or off; see `plan.rs`.
    pub(super) traits: u8,
    /// The loss on the links, in 256ths; half of them have none.
    pub(super) loss: u8,
    /// Clients: 1 to 3.
    pub(super) clients: u8,
    /// The length of the run.
    pub(super) length: u8,
}

/// Something that strikes, or an operator's command. See `plan.rs`.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) struct Blow {
    pub(super) kind: u8,
    pub(super) target: u8,
    pub(super) first: u8,
    pub(super) second: u8,
    pub(super) lasting: u8,
    /// Whether it has a time of its own, or waits for something.
    pub(super) waits: u8,
    pub(super) waits_for: u8,
    pub(super) at: u8,
}

impl<'a> Arbitrary<'a> for World {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let size = bytes.arbitrary()?;
        let count = bytes.arbitrary::<u8>()? % (BLOWS_MAX + 1);
        let blows = (0..count).map(|_| bytes.arbitrary()).collect::<arbitrary::Result<_>>()?;
        Ok(Self { size, blows, decisions: bytes.bytes(bytes.len())?.to_vec() })
    }
}
