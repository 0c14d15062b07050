//! States and messages as bytes: numbers, the lowest byte first. A message ends with a hash of the rest, by which one that was
//! damaged on its way is refused.

use xxhash_rust::xxh3::xxh3_64;

use super::process::{KEYS, Message, State};

const STORE: u8 = 0;
const STORED: u8 = 1;

/// A state as it lies on a disk.
pub(crate) fn state_bytes(state: &State) -> Vec<u8> {
    let numbers = [state.version].into_iter().chain(state.values);
    numbers.flat_map(u64::to_le_bytes).collect()
}

/// The state that these bytes are, if they are one.
pub(crate) fn state_of(bytes: &[u8]) -> Option<State> {
    let (chunks, []) = bytes.as_chunks() else { return None };
    let numbers: Vec<u64> = chunks.iter().copied().map(u64::from_le_bytes).collect();
    let (version, values) = numbers.split_first()?;
    Some(State { version: *version, values: <[u64; KEYS]>::try_from(values).ok()? })
}

pub(crate) fn encode(message: &Message, out: &mut Vec<u8>) {
    let begin = out.len();
    match message {
        Message::Store(state) => {
            out.push(STORE);
            out.extend(state_bytes(state));
        }
        Message::Stored(version) => {
            out.push(STORED);
            out.extend(version.to_le_bytes());
        }
    }
    out.extend(xxh3_64(&out[begin..]).to_le_bytes());
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Message, String> {
    let (body, hash) = bytes.split_last_chunk().ok_or("it is too short for a hash")?;
    if xxh3_64(body) != u64::from_le_bytes(*hash) {
        return Err("its hash is another".to_owned());
    }
    let message = match body {
        [STORE, rest @ ..] => state_of(rest).map(Message::Store),
        [STORED, rest @ ..] => rest.try_into().ok().map(|bytes| Message::Stored(u64::from_le_bytes(bytes))),
        _ => None,
    };
    message.ok_or_else(|| format!("no message has these {} bytes", bytes.len()))
}

/// A digest of a state, for traces.
pub(crate) fn digest(state: &State) -> u64 {
    xxh3_64(&state_bytes(state))
}
