//! Giving a process an event, and carrying out what it wants done.

use super::World;
use super::slot::Stage;
use crate::choice::{Purpose, Ratio};
use crate::env::Env;
use crate::fault::CrashKind;
use crate::ids::{Link, ProcessId};
use crate::mark::FRAMEWORK;
use crate::network::Fate;
use crate::post::{Letter, LetterCopy, Mail};
use crate::process::{Oracle, Process, Violation, Workload};
use crate::queue::Event;
use crate::sometimes;
use crate::trace::RecordKind;

/// What a trace says of an outage that no fault caused.
const NO_FAULT: u32 = 0;

/// An event for a process, as the trace will show it.
#[derive(Clone, Copy)]
pub(super) struct Occasion {
    pub(super) kind: RecordKind,
    pub(super) cause: u64,
    pub(super) a: u64,
    pub(super) b: u64,
    /// The digest of what the process is given; its state's is added to it.
    pub(super) digest: u64,
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// Gives an event to a process that is up.
    #[inline]
    pub(super) fn act(
        &mut self,
        id: ProcessId,
        occasion: Occasion,
        give: impl FnOnce(&mut P, &mut Env<'_, P>),
    ) {
        self.step += 1;
        let slot = &mut self.slots[id.slot()];
        let process = slot.process.as_mut().expect("only a process that is up is given events");
        slot.disk.set_now(self.now);
        let mut env = Env {
            id,
            time: self.now,
            local: slot.clock.local(self.now),
            clock: &slot.clock,
            disk: &mut slot.disk,
            effects: &mut self.effects,
            marks: &mut self.user_marks,
        };
        give(process, &mut env);
        let digest = mix(occasion.digest, process.digest());
        let Occasion { kind, cause, a, b, .. } = occasion;
        self.record(Some(id), kind, cause, a, b, digest);
        self.carry_out(id);
    }

    /// Lets the oracle look, then carries out what the process wants done.
    #[inline]
    fn carry_out(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        let process = slot.process.as_mut().expect("it was just given an event");
        if let Err(violation) = self.oracle.after(self.now, id, process, &slot.disk) {
            self.violate(violation);
        }
        if let Some(at) = self.effects.wake_at.take() {
            self.set_timer(id, at);
        }
        self.hear_milestones(id);
        self.schedule_disk(id);
        self.send_all(id);
        if !self.effects.responses.is_empty() {
            let mut responses = core::mem::take(&mut self.effects.responses);
            for (operation, response) in responses.drain(..) {
                self.send_response(id, operation, response);
            }
            self.effects.responses = responses;
        }
        if let Some(reason) = self.effects.halt.take() {
            self.halt(id, &reason);
        }
        if let Some(outage_us) = self.effects.rest_us.take()
            && self.slots[id.slot()].process.is_some()
        {
            self.crash(id, CrashKind::Process, outage_us, NO_FAULT);
        }
    }

    /// Sends what a process has to send. What it says while it starts waits until its disk is done.
    #[inline]
    pub(super) fn send_all(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        if slot.stage == Stage::Starting {
            slot.held_sends.append(&mut self.effects.sends);
            return;
        }
        if self.effects.sends.is_empty() {
            return;
        }
        let mut sends = core::mem::take(&mut self.effects.sends);
        for (to, message) in sends.drain(..) {
            self.send(Link { from: id, to }, message);
        }
        self.effects.sends = sends;
    }

    /// Puts a message on a link, where it meets its fate.
    #[inline]
    pub(super) fn send(&mut self, link: Link, message: P::Message) {
        let state = self.network.link_mut(link);
        state.sent += 1;
        let number = state.sent;
        let kind = P::message_kind(&message);
        if state.is_cut() {
            return self.record_letter(RecordKind::Cut, link, kind, self.step);
        }
        let is_healed = state.is_healed();
        let fate = if is_healed {
            Fate::healed(self.now, self.parameters.limits.healed_delay_us)
        } else {
            let mut draw = self.choice.draw(Purpose::Network, link.word(), number);
            state.decide(self.now, &self.parameters.network, &mut draw)
        };
        let Some(arrival) = fate.arrival else {
            sometimes!(self.marks, FRAMEWORK, "a link lost a message", true);
            return self.record_letter(RecordKind::Lost, link, kind, self.step);
        };
        if let Some(nth) = fate.evicted {
            self.evict(link, nth);
        }
        let message = if self.parameters.network.codec {
            self.through_codec(link, number, &message, is_healed)
        } else {
            Some(message)
        };
        let life = self.slots[link.to.slot()].life;
        let cause = self.step;
        let letter = |copy, message| Mail::Letter(Letter { link, number, life, copy, kind, message, cause });
        if let Some(at) = fate.duplicate {
            let place = self.post.put(letter(LetterCopy::Duplicate, message.clone()));
            self.queue.push(at, Event::Arrival(place));
            self.network.link_mut(link).in_flight += 1;
            sometimes!(self.marks, FRAMEWORK, "a message was duplicated", true);
            self.record_letter(RecordKind::Duplicated, link, kind, self.step);
        }
        if let Some(at) = fate.ghost {
            let place = self.post.put(letter(LetterCopy::Ghost, message.clone()));
            self.queue.push(at, Event::Arrival(place));
        }
        let place = self.post.put(letter(LetterCopy::Original, message));
        self.queue.push(arrival, Event::Arrival(place));
        self.network.link_mut(link).in_flight += 1;
    }

    fn evict(&mut self, link: Link, nth: u64) {
        let Some(letter) = self.post.evict(link, nth) else { return };
        self.network.link_mut(link).in_flight -= 1;
        sometimes!(self.marks, FRAMEWORK, "a full link threw a message out", true);
        self.record_letter(RecordKind::Evicted, link, letter.kind, letter.cause);
    }

    /// Records what became of a letter that was not delivered, or not only.
    pub(super) fn record_letter(&mut self, kind: RecordKind, link: Link, message_kind: u8, cause: u64) {
        self.record(Some(link.to), kind, cause, u64::from(link.from.0), u64::from(message_kind), 0);
    }

    /// What the receiver will read of a message: the message itself, another one, or nothing.
    fn through_codec(
        &mut self,
        link: Link,
        number: u64,
        message: &P::Message,
        is_healed: bool,
    ) -> Option<P::Message> {
        self.frame.clear();
        P::encode(message, &mut self.frame);
        let corruption = if is_healed { Ratio::ZERO } else { self.parameters.network.corruption };
        // The wire's own draw: what befalls the bytes is decided apart from what befalls the message.
        let mut draw = self.choice.draw(Purpose::Wire, link.word(), number);
        let is_damaged = !self.frame.is_empty() && draw.chance("damage", corruption);
        if is_damaged {
            let last = self.frame.len() as u64 - 1;
            if draw.pick("how", &[3, 1]) == 0 {
                let bit = draw.range("bit", 0, last * 8 + 7);
                self.frame[(bit / 8) as usize] ^= 1 << (bit % 8);
            } else {
                self.frame.truncate(draw.range("length", 0, last) as usize);
            }
        }
        match P::decode(&self.frame) {
            Ok(decoded) if is_damaged => {
                let message =
                    format!("a damaged frame on {link} was believed: {message:?} became {decoded:?}");
                self.violate(Violation { class: "Codec", message });
                None
            }
            Ok(decoded) => Some(decoded),
            Err(_) if is_damaged => None,
            Err(reason) => {
                let message = format!("what {link} encoded is not decoded: {reason}; it was {message:?}");
                self.violate(Violation { class: "Codec", message });
                None
            }
        }
    }
}

/// Two digests in one word.
#[inline]
fn mix(first: u64, second: u64) -> u64 {
    first.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ second
}
