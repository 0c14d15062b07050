//! The post office: everything that is on its way between processes and clients.
//!
//! The event queue holds only places in here, so that its entries stay small whatever a message weighs.

use crate::ids::{Link, OperationId, ProcessId};
use crate::process::Process;

/// One piece of mail.
#[derive(Clone)]
pub(crate) enum Mail<P: Process> {
    /// From process to process.
    Letter(Letter<P>),
    /// From a client.
    Request {
        /// Whose, and which.
        operation: OperationId,
        /// Who is asked.
        to: ProcessId,
        /// What.
        request: P::Request,
        /// The step that sent it.
        cause: u64,
    },
    /// To a client.
    Response {
        /// The answer to this.
        operation: OperationId,
        /// Who answers.
        from: ProcessId,
        /// What.
        response: P::Response,
        /// The step that sent it.
        cause: u64,
    },
    /// Thrown out on its way; its arrival will go unnoticed.
    Void,
}

/// A message on a link.
#[derive(Clone)]
pub(crate) struct Letter<P: Process> {
    pub(crate) link: Link,
    /// The messages of a link are numbered from 1; copies share the number.
    pub(crate) number: u64,
    /// Which life the receiver was in when it was sent.
    pub(crate) life: u32,
    pub(crate) copy: LetterCopy,
    /// What sort of message it was when it was sent.
    pub(crate) kind: u8,
    /// The message; `None` where it was damaged and its receiver cannot read it.
    pub(crate) message: Option<P::Message>,
    /// The step that sent it.
    pub(crate) cause: u64,
}

/// Which copy of a message a letter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LetterCopy {
    Original,
    Duplicate,
    Ghost,
}

/// All mail on its way, by place.
#[derive(Clone)]
pub(crate) struct Post<P: Process> {
    mail: Vec<Option<Mail<P>>>,
    free: Vec<u32>,
}

impl<P: Process> Post<P> {
    pub(crate) fn new() -> Post<P> {
        Post { mail: Vec::new(), free: Vec::new() }
    }

    /// Takes in a piece of mail; says where it is.
    #[inline]
    pub(crate) fn put(&mut self, mail: Mail<P>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.mail[place as usize] = Some(mail);
            return place;
        }
        self.mail.push(Some(mail));
        u32::try_from(self.mail.len() - 1).expect("four billion messages do not fit into memory")
    }

    /// Hands out what is at a place, which is then free.
    #[inline]
    pub(crate) fn take(&mut self, place: u32) -> Mail<P> {
        self.free.push(place);
        self.mail[place as usize].take().expect("a place is taken once for each time it was given out")
    }

    /// What is at a place.
    #[inline]
    pub(crate) fn look(&self, place: u32) -> &Mail<P> {
        self.mail[place as usize].as_ref().expect("a place that was given out holds mail")
    }

    /// Throws out the nth letter on a link, ghosts apart, and hands it over; its place is freed on arrival.
    pub(crate) fn evict(&mut self, link: Link, nth: u64) -> Option<Letter<P>> {
        let is_candidate = |mail: &Option<Mail<P>>| matches!(mail, Some(Mail::Letter(letter)) if letter.link == link && letter.copy != LetterCopy::Ghost);
        let index = usize::try_from(nth).ok()?;
        let place = self.mail.iter_mut().filter(|mail| is_candidate(mail)).nth(index)?;
        match place.replace(Mail::Void) {
            Some(Mail::Letter(letter)) => Some(letter),
            Some(Mail::Request { .. } | Mail::Response { .. } | Mail::Void) | None => None,
        }
    }
}
