//! The bytes of the table, as a snapshot holds them: equal tables have equal bytes, and no other bytes are a table.
//!
//! All numbers are 8 bytes, little-endian. First how many sessions there are; then each, by its name: the name, its
//! last entry, `acknowledged_below`, its two bounds, how many answers it holds; then each answer, by its sequence: the
//! sequence, the term and the index of its entry, its length, its bytes.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use squall_raft::{LogIndex, LogPosition};

use super::session::{Answer, Session};
use super::{SessionId, SessionLimits, Sessions};

/// Bytes that are no session table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionsError {
    /// The place of the first byte that is wrong, or is missing.
    pub offset: u64,
    /// What should stand there.
    pub expected: &'static str,
}

/// Bytes of a session without answers, and of an answer without its own.
const SESSION_BYTES: usize = 6 * size_of::<u64>();
const ANSWER_BYTES: usize = 4 * size_of::<u64>();

impl Sessions {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let answers = || self.by_id.values().flat_map(Session::answers);
        let answers_bytes: usize = answers().map(|(_, answer)| ANSWER_BYTES + answer.result.len()).sum();
        let length = size_of::<u64>() + self.by_id.len() * SESSION_BYTES + answers_bytes;
        let mut out = BytesMut::with_capacity(length);
        out.put_u64_le(self.len());
        for (id, session) in &self.by_id {
            out.put_u64_le(id.0);
            out.put_u64_le(session.last_entry.0);
            out.put_u64_le(session.acknowledged_below);
            out.put_u64_le(session.max_answers);
            out.put_u64_le(session.max_answer_bytes);
            out.put_u64_le(session.answers().len() as u64);
            for (sequence, Answer { position, result }) in session.answers() {
                out.put_u64_le(sequence);
                out.put_u64_le(position.term.0);
                out.put_u64_le(position.index.0);
                out.put_u64_le(result.len() as u64);
                out.put_slice(result);
            }
        }
        assert_eq!(out.len(), length, "the length is computed before");
        out.freeze()
    }

    /// Reads a table, and copies its answers. It takes no more memory than in proportion to the bytes.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, SessionsError> {
        let mut reader = Reader { bytes, offset: 0 };
        let mut sessions = Self::default();
        let mut least_id = Some(1);
        for _ in 0..reader.number("the number of sessions")? {
            let id = SessionId(reader.number_from(least_id, "a session above the one before")?);
            let session = read_session(&mut reader, id, &mut sessions)?;
            sessions.digest = sessions.digest.wrapping_add(session.digest(id));
            sessions.by_id.insert(id, session);
            least_id = id.0.checked_add(1);
        }
        match bytes.len() - reader.offset {
            0 => Ok(sessions),
            _ => Err(reader.error("the end of the table")),
        }
    }
}

fn read_session(
    reader: &mut Reader<'_>,
    id: SessionId,
    sessions: &mut Sessions,
) -> Result<Session, SessionsError> {
    let at = reader.offset;
    let last_entry = reader.number_from(Some(id.0), "the last entry of a session, not before its first")?;
    let last_entry = LogIndex(last_entry);
    if sessions.by_activity.insert(last_entry, id).is_some() {
        return Err(SessionsError { offset: at as u64, expected: "a last entry that is no other session's" });
    }
    let acknowledged_below = reader.number("what is acknowledged")?;
    let max_answers = reader.number("the bound on answers")?;
    let max_answer_bytes = reader.number("the bound on their bytes")?;
    let limits = SessionLimits { max_sessions: 0, max_answers, max_answer_bytes };
    let mut session = Session::new(last_entry, limits);
    session.acknowledged_below = acknowledged_below;
    let mut least = Some(acknowledged_below);
    for _ in 0..reader.number("the number of answers")? {
        let sequence = reader.number_from(least, "an unacknowledged sequence above the one before")?;
        let term = reader.number("the term of an answer's entry")?;
        let at = reader.offset;
        let index = reader.number("the index of an answer's entry")?;
        if index <= id.0 || index > last_entry.0 {
            return Err(SessionsError { offset: at as u64, expected: "an entry of the session" });
        }
        let length = reader.number("the length of an answer")?;
        let result = Bytes::copy_from_slice(reader.take(length, "an answer")?);
        session.store(id, sequence, Answer { position: LogPosition::new(term, index), result });
        least = sequence.checked_add(1);
    }
    Ok(session)
}

/// Reads numbers and byte strings from the front of a slice; believes no number before it was compared with what is
/// there.
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn number(&mut self, expected: &'static str) -> Result<u64, SessionsError> {
        let mut word = [0; size_of::<u64>()];
        word.copy_from_slice(self.take(size_of::<u64>() as u64, expected)?);
        Ok(u64::from_le_bytes(word))
    }

    /// A number that is no less than `least`; where that is `None`, no number is large enough.
    fn number_from(&mut self, least: Option<u64>, expected: &'static str) -> Result<u64, SessionsError> {
        let error = self.error(expected);
        let number = self.number(expected)?;
        if least.is_some_and(|least| number >= least) { Ok(number) } else { Err(error) }
    }

    fn take(&mut self, length: u64, expected: &'static str) -> Result<&'a [u8], SessionsError> {
        let rest = &self.bytes[self.offset..];
        if length > rest.len() as u64 {
            return Err(self.error(expected));
        }
        // No truncation: it is at most a length in memory.
        let length = length as usize;
        self.offset += length;
        Ok(&rest[..length])
    }

    fn error(&self, expected: &'static str) -> SessionsError {
        SessionsError { offset: self.offset as u64, expected }
    }
}

impl fmt::Display for SessionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no session table: at byte {}; expected {}", self.offset, self.expected)
    }
}

impl std::error::Error for SessionsError {}
