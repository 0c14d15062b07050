//! What arrives: messages at processes, requests at processes, answers at clients.

use super::World;
use super::act::Occasion;
use crate::ids::{Link, ProcessId};
use crate::mark::FRAMEWORK;
use crate::post::{Letter, LetterCopy, Mail};
use crate::process::{Oracle, Process, Workload};
use crate::sometimes;
use crate::trace::RecordKind;

/// How much mail waits for a process that does not listen. What comes on top is lost, as in a full socket.
const INBOX_MAX: usize = 4_096;

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// Mail has reached the end of its way.
    #[inline]
    pub(super) fn handle_arrival(&mut self, place: u32) {
        let to = match self.post.look(place) {
            Mail::Letter(letter) => {
                let link = letter.link;
                if !self.may_leave_link(place, link) {
                    return;
                }
                link.to
            }
            Mail::Request { to, .. } => *to,
            Mail::Response { .. } | Mail::Void => return self.open(place),
        };
        let slot = &mut self.slots[to.slot()];
        if slot.process.is_none() || slot.is_listening() || slot.inbox.len() >= INBOX_MAX {
            self.open(place);
        } else {
            slot.inbox.push(place);
        }
    }

    /// A letter is at the end of its link; whether it gets off there.
    #[inline]
    fn may_leave_link(&mut self, place: u32, link: Link) -> bool {
        let state = self.network.link_mut(link);
        if state.is_clogged() {
            state.stalled.push(place);
            return false;
        }
        if state.is_cut() {
            sometimes!(self.marks, FRAMEWORK, "a partition cut a message in flight", true);
            self.discard(place);
            return false;
        }
        true
    }

    /// The link has room for another letter. One that waits for its receiver still takes up room, as in TCP.
    #[inline]
    fn make_room(&mut self, letter: &Letter<P>) {
        if letter.copy != LetterCopy::Ghost {
            self.network.link_mut(letter.link).in_flight -= 1;
        }
    }

    /// Hands mail to its receiver, if there is one that listens.
    #[inline]
    fn open(&mut self, place: u32) {
        match self.post.take(place) {
            Mail::Letter(letter) => {
                self.make_room(&letter);
                self.deliver(letter);
            }
            Mail::Request { operation, to, request, cause } => {
                let (a, b) = (u64::from(operation.client.0), operation.number);
                if !self.slots[to.slot()].is_listening() {
                    self.step += 1;
                    self.record(Some(to), RecordKind::Undelivered, cause, a, b, 0);
                    return;
                }
                let occasion = Occasion { kind: RecordKind::Requested, cause, a, b, digest: 0 };
                self.act(to, occasion, |process, env| process.request(operation, request, env));
            }
            Mail::Response { operation, from, response, cause } => {
                self.handle_response(operation, from, response, cause);
            }
            Mail::Void => {}
        }
    }

    #[inline]
    fn deliver(&mut self, letter: Letter<P>) {
        let Letter { link, number, life, copy, kind, message, cause } = letter;
        let Some(message) = message else {
            self.step += 1;
            sometimes!(self.marks, FRAMEWORK, "a damaged frame was refused", true);
            return self.record_letter(RecordKind::Refused, link, kind, cause);
        };
        if !self.slots[link.to.slot()].is_listening() {
            self.step += 1;
            return self.record_letter(RecordKind::Undelivered, link, kind, cause);
        }
        let state = self.network.link_mut(link);
        let is_overtaken = copy == LetterCopy::Original && number < state.arrived;
        state.arrived = state.arrived.max(number);
        sometimes!(self.marks, FRAMEWORK, "a message overtook an earlier one", is_overtaken);
        let record_kind = match copy {
            LetterCopy::Original | LetterCopy::Duplicate => RecordKind::Delivered,
            LetterCopy::Ghost => RecordKind::GhostDelivered,
        };
        let is_late_ghost = copy == LetterCopy::Ghost && life != self.slots[link.to.slot()].life;
        sometimes!(self.marks, FRAMEWORK, "a ghost reached a later life of its receiver", is_late_ghost);
        let digest = P::digest_message(&message);
        let (a, b) = (u64::from(link.from.0), u64::from(kind));
        let occasion = Occasion { kind: record_kind, cause, a, b, digest };
        self.act(link.to, occasion, |process, env| process.receive(link.from, message, env));
    }

    /// A letter is cut off at the end of its way.
    fn discard(&mut self, place: u32) {
        if let Mail::Letter(letter) = self.post.take(place) {
            self.make_room(&letter);
            self.step += 1;
            self.record_letter(RecordKind::Cut, letter.link, letter.kind, letter.cause);
        }
    }

    /// Everything that stalled on a link arrives, in order.
    pub(super) fn release(&mut self, link: Link) {
        let state = self.network.link_mut(link);
        if state.is_clogged() {
            return;
        }
        let mut stalled = core::mem::take(&mut state.stalled);
        sometimes!(self.marks, FRAMEWORK, "a clog released several messages at once", stalled.len() > 1);
        for place in stalled.drain(..) {
            self.handle_arrival(place);
        }
        self.network.link_mut(link).stalled = stalled;
    }

    /// The process listens again, or never will: it gets what came in the meantime, in order, or nobody does.
    pub(super) fn empty_inbox(&mut self, id: ProcessId) {
        let mut inbox = core::mem::take(&mut self.slots[id.slot()].inbox);
        for place in inbox.drain(..) {
            self.open(place);
        }
        self.slots[id.slot()].inbox = inbox;
    }
}
