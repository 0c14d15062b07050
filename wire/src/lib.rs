//! The bytes of the core's messages: protobuf in checksummed, length-limited frames.
//!
//! The core knows nothing of this crate, and this crate nothing of sockets: it turns one [`Message`] into
//! one frame, and one frame into one `Message`. What a message *means* is not judged here; what the core
//! could not even represent (a missing field, an unknown kind, a size beyond all bounds) is refused with an
//! error that says what and why. It does not compress, encrypt or authenticate.
//!
//! ```
//! use squall_raft::{Body, Message, NodeId, Term};
//!
//! let message = Message { from: NodeId(1), to: NodeId(2), term: Term(3), body: Body::TimeoutNow };
//! let mut bytes = Vec::new();
//! squall_wire::encode(&message, &mut bytes)?;
//! let (decoded, consumed) = squall_wire::decode(&bytes)?;
//! assert_eq!((decoded, consumed), (message, bytes.len()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Message`]: squall_raft::Message

#![forbid(unsafe_code)]

mod convert;
mod error;
mod frame;
mod limits;
mod schema;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, EncodeError};
pub use frame::{HEADER_BYTES, decode, decode_bytes, encode};
pub use limits::{MAX_BODY_BYTES, MAX_CONFIG_BYTES, MAX_ENTRIES, check_config};
