//! The clients' side: thinking, calling, waiting, giving up. Every call goes down in the history.

use super::World;
use crate::choice::Purpose;
use crate::client::{Call, CallOutcome, ClientState};
use crate::ids::{ClientId, OperationId, ProcessId};
use crate::mark::FRAMEWORK;
use crate::network::exponential;
use crate::post::Mail;
use crate::process::{Answer, Oracle, Patience, Process, Workload};
use crate::queue::{Event, Sequence};
use crate::sometimes;
use crate::trace::RecordKind;

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// The client makes up its mind on its next operation.
    pub(super) fn think(&mut self, id: ClientId) {
        let client = &mut self.clients[id.slot()];
        let mut draw = self.choice.draw(Purpose::Client, u64::from(id.0), client.number);
        let Some(step) = self.workload.next(id, client.number, &mut draw) else {
            client.state = ClientState::Finished;
            return;
        };
        client.call_event = self.queue.push(self.now.after(step.think_us), Event::Call(id));
        client.timeout_event = Sequence::default();
        client.target = step.target;
        client.state = ClientState::Thinking(step);
    }

    /// The client calls, or tries once more.
    pub(super) fn handle_call(&mut self, id: ClientId, event: Sequence) {
        let client = &mut self.clients[id.slot()];
        if event != client.call_event {
            return;
        }
        let operation = OperationId { client: id, number: client.number };
        let place = match core::mem::replace(&mut client.state, ClientState::Finished) {
            ClientState::Thinking(step) => {
                client.timeout_event = self.queue.push(self.now.after(step.timeout_us), Event::Timeout(id));
                let (called, request) = (self.now, step.request);
                self.history.push(Call { operation, called, request, outcome: CallOutcome::Unknown });
                self.history.len() - 1
            }
            ClientState::Waiting(place) => place,
            ClientState::Finished => return,
        };
        client.state = ClientState::Waiting(place);
        client.hops += 1;
        client.is_answered = false;
        self.step += 1;
        let to = client.target;
        let processes = self.parameters.processes();
        assert!(to.0 < processes, "{id} asks {to} of {processes} processes");
        let cause = self.clients[id.slot()].cause;
        self.record(Some(to), RecordKind::Called, cause, u64::from(id.0), operation.number, 0);
        let request = self.history[place].request.clone();
        let mail = Mail::Request { operation, to, request, cause: self.step };
        self.post_on_client_link(id, 0, mail);
    }

    /// Answers a client, if it still listens and was not answered yet.
    pub(super) fn send_response(&mut self, from: ProcessId, operation: OperationId, response: P::Response) {
        let client = &mut self.clients[operation.client.slot()];
        let is_waiting = matches!(client.state, ClientState::Waiting(_)) && client.number == operation.number;
        if is_waiting && !client.is_answered {
            client.is_answered = true;
            let mail = Mail::Response { operation, from, response, cause: self.step };
            self.post_on_client_link(operation.client, 1, mail);
        }
    }

    /// Sends a request (way 0) or an answer (way 1).
    fn post_on_client_link(&mut self, id: ClientId, way: u64, mail: Mail<P>) {
        let arrival = if self.core().is_some() {
            self.now.after(self.parameters.limits.healed_delay_us)
        } else {
            let parameters = &self.parameters.clients;
            let hop = self.clients[id.slot()].hops * 2 + way;
            let mut draw = self.choice.draw(Purpose::ClientLink, u64::from(id.0), hop);
            if draw.chance("loss", parameters.loss) {
                return;
            }
            let delay_us = exponential(&mut draw, "delay", parameters.delay_us_mean);
            self.now.after(parameters.delay_us_min).after(delay_us)
        };
        let place = self.post.put(mail);
        self.queue.push(arrival, Event::Arrival(place));
    }

    /// An answer reaches its client.
    pub(super) fn handle_response(
        &mut self,
        operation: OperationId,
        from: ProcessId,
        response: P::Response,
        cause: u64,
    ) {
        let id = operation.client;
        let client = &mut self.clients[id.slot()];
        let ClientState::Waiting(place) = client.state else { return };
        if client.number != operation.number {
            return;
        }
        self.step += 1;
        client.cause = self.step;
        self.record(Some(from), RecordKind::Responded, cause, u64::from(id.0), operation.number, 0);
        match self.workload.answered(operation, self.now, &response) {
            Answer::Retry { target, after_us } => {
                let is_known = target.0 < self.parameters.processes();
                let client = &mut self.clients[id.slot()];
                client.target = if is_known { target } else { from };
                client.call_event = self.queue.push(self.now.after(after_us), Event::Call(id));
                sometimes!(self.marks, FRAMEWORK, "a request was tried elsewhere", target != from);
                return;
            }
            Answer::Done => {
                self.answered += 1;
                self.count_fresh_answer(id);
            }
            Answer::Refused => {}
        }
        self.history[place].outcome = CallOutcome::Returned { at: self.now, response };
        self.clients[id.slot()].number += 1;
        self.think(id);
    }

    /// The client has waited long enough.
    pub(super) fn handle_timeout(&mut self, id: ClientId, event: Sequence) {
        let client = &mut self.clients[id.slot()];
        if event != client.timeout_event {
            return;
        }
        let operation = OperationId { client: id, number: client.number };
        self.step += 1;
        client.cause = self.step;
        self.record(None, RecordKind::TimedOut, 0, u64::from(id.0), operation.number, 0);
        let patience = self.workload.timed_out(operation, self.now);
        sometimes!(self.marks, FRAMEWORK, "a client gave up waiting", patience == Patience::GivesUp);
        sometimes!(self.marks, FRAMEWORK, "a client asked again", patience != Patience::GivesUp);
        let client = &mut self.clients[id.slot()];
        match patience {
            Patience::GivesUp => {
                client.number += 1;
                self.think(id);
            }
            Patience::AsksAgain { target, timeout_us } => {
                client.target = target;
                client.call_event = self.queue.push(self.now, Event::Call(id));
                client.timeout_event = self.queue.push(self.now.after(timeout_us), Event::Timeout(id));
            }
        }
    }
}
