//! What the fuzz targets do, as a library, so that it is compiled, linted and tested without a fuzzer.
//!
//! - `core_inputs` drives one core by a [`Run`] of inputs, honest ones from its own driver and hostile ones from
//!   its peers. The [`Driver`] plays disk and state machine by the rules of the core's boundary (it is the trusted part),
//!   and checks after each step what must hold whatever peers say: nothing falls that must only rise, nothing is
//!   promised that is not durable, nothing is applied twice. It knows nothing of a cluster.
//! - `wire_frames`, `profiles`, `scenarios` and `traces` read what comes from outside.
//! - `recovery` starts a node from a directory that was damaged or forged ([`Damage`]).
//! - `world` runs a whole cluster in the simulator, decided by the input ([`World`]).
//!
//! [`TARGETS`] has them all by their names. Every one has inputs in `corpus/` that are run again as tests.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod allocations;
mod disk;
mod driver;
mod input;
mod mark;
mod message;
mod promises;
mod recovery;
mod targets;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod world;

pub use driver::Driver;
pub use input::{Input, Run, Setup, Step};
pub use mark::Mark;
pub use recovery::{Damage, Start, check_directory};
pub use targets::{TARGETS, Target};
pub use text::{check_profile, check_scenario};
pub use trace::TraceFile;
pub use world::{World, cross_over, mutate};

use squall_raft::{Body, Message, NodeId, Term};
use squall_wire::HEADER_BYTES;

/// Checks one body in an honest frame.
///
/// # Panics
/// Where decoding is not sound.
pub fn check_body(body: &[u8]) {
    let frame = honest_frame(body);
    if let Ok((message, consumed)) = squall_wire::decode(&frame) {
        assert_eq!(consumed, frame.len(), "a frame is read to its end");
        check_wire(&message);
    }
}

/// A frame whose header is right, around any body.
fn honest_frame(body: &[u8]) -> Vec<u8> {
    let message = Message { from: NodeId(1), to: NodeId(2), term: Term(3), body: Body::TimeoutNow };
    let mut frame = Vec::new();
    squall_wire::encode(&message, &mut frame).expect("a message without entries fits a frame");
    let length = u32::try_from(body.len()).expect("fuzzers make short inputs");
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame[..8]), body);
    frame[8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    frame.truncate(HEADER_BYTES);
    frame.extend_from_slice(body);
    frame
}

/// Checks that a message survives the wire.
fn check_wire(message: &Message) {
    let mut frame = Vec::new();
    squall_wire::encode(message, &mut frame).expect("what a small frame held fits a frame");
    let (decoded, consumed) = squall_wire::decode(&frame).expect("what was encoded is decoded");
    assert_eq!((&decoded, consumed), (message, frame.len()));
}
