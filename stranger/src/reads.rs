//! Linearizable reads without an entry in the log (`RawNode::read_index`).
//!
//! The crate forgets a read without a word where the leader is new or another is elected: whoever waits too long is
//! told so, and may ask again.

use std::collections::BTreeMap;

use bytes::Bytes;
use squall_raft::{LogIndex, ReadId};
use squall_sim::OperationId;

/// The reads of one life.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Node and life: nobody else calls a read by the same name.
    name: [u64; 2],
    next: u64,
    /// Wait for the crate's word, by number.
    asked: BTreeMap<u64, Read>,
    /// Wait until the state machine has applied an index.
    ready: BTreeMap<(LogIndex, u64), Read>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) operation: OperationId,
    pub(crate) query: Bytes,
    /// In ticks of this life.
    asked_at: u64,
}

impl Reads {
    pub(crate) fn new(node: u64, boot: u64) -> Self {
        Self { name: [node, boot], next: 1, asked: BTreeMap::new(), ready: BTreeMap::new() }
    }

    fn context(&self, number: u64) -> Vec<u8> {
        let [node, boot] = self.name;
        [node, boot, number].map(u64::to_le_bytes).concat()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> u64 {
        (self.asked.len() + self.ready.len()) as u64
    }

    /// A read begins; returns its number, and by what the crate is to call it.
    pub(crate) fn ask(&mut self, operation: OperationId, query: Bytes, now: u64) -> (ReadId, Vec<u8>) {
        let number = self.next;
        self.next += 1;
        self.asked.insert(number, Read { operation, query, asked_at: now });
        (ReadId(number), self.context(number))
    }

    /// The crate says from where on a read may be served; `None` where nobody waits for it, in this life.
    pub(crate) fn settle(&mut self, context: &[u8], index: LogIndex) -> Option<ReadId> {
        let number = u64::from_le_bytes(*context.last_chunk::<8>()?);
        if context != self.context(number) {
            return None;
        }
        let read = self.asked.remove(&number)?;
        self.ready.insert((index, number), read);
        Some(ReadId(number))
    }

    /// The next read that needs no more than what is applied.
    pub(crate) fn serve(&mut self, applied: LogIndex) -> Option<Read> {
        let first = self.ready.first_entry()?;
        (first.key().0 <= applied).then(|| first.remove())
    }

    /// The next read that has waited for the crate's word since before `tick`.
    pub(crate) fn give_up(&mut self, tick: u64) -> Option<Read> {
        let first = self.asked.first_entry()?;
        (first.get().asked_at < tick).then(|| first.remove())
    }

    /// When the read was asked that has waited for the crate's word longest.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.asked.first_key_value().map(|(_, read)| read.asked_at)
    }
}

#[cfg(test)]
mod tests {
    use squall_sim::ClientId;

    use super::*;

    #[test]
    fn a_read_is_settled_once_and_by_its_own_name_only() {
        let operation = OperationId { client: ClientId(1), number: 2 };
        let mut reads = Reads::new(0, 3);
        let (read, context) = reads.ask(operation, Bytes::new(), 0);
        for (node, boot) in [(1, 3), (0, 2)] {
            let (_, other) = Reads::new(node, boot).ask(operation, Bytes::new(), 0);
            assert_eq!(reads.settle(&other, LogIndex(5)), None, "node {node}, life {boot}");
        }
        assert_eq!(reads.settle(&context, LogIndex(5)), Some(read));
        assert_eq!(reads.settle(&context, LogIndex(5)), None);
        assert!(reads.serve(LogIndex(4)).is_none());
        assert!(reads.serve(LogIndex(5)).is_some_and(|read| read.operation == operation));
    }
}
