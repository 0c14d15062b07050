//! The clients' side of sessions: who shares one, which request bears which number, and what is acknowledged.
//!
//! Clients that share a session pipeline their requests through it, so that they overtake one another. Each new session
//! counts from 0 again. A client acknowledges late as often as not, so that answers pile up.

use std::collections::BTreeSet;

use squall_replica::{SessionId, Ticket};
use squall_sim::{ClientId, Draw, Ratio};

use crate::machine::Command;
use crate::server::{Ask, Response};

/// The sessions of all clients that have one.
#[derive(Clone, Debug)]
pub(super) struct ClientSessions {
    /// How many clients have one; they are the first.
    clients: u64,
    sharers: u64,
    /// How many operations close their session instead.
    close: Ratio,
    shared: Vec<Shared>,
    /// What each client has under way in its session.
    under_way: Vec<Option<UnderWay>>,
}

/// A session, as the clients know it that share it.
#[derive(Clone, Debug, Default)]
struct Shared {
    standing: Standing,
    next_sequence: u64,
    acknowledged_below: u64,
    /// The requests that somebody still wants answered.
    wanted: BTreeSet<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Standing {
    #[default]
    Closed,
    /// One of the clients has asked for it; the others do without for so long.
    Opening,
    Open(SessionId),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum UnderWay {
    Opening,
    Request(Ticket),
}

impl ClientSessions {
    /// Of so many clients the first `in_sessions` have sessions, `sharers` of them one.
    pub(super) fn new(clients: u32, in_sessions: u64, sharers: u64, close: Ratio) -> Self {
        let shared = u64::from(clients).min(in_sessions).div_ceil(sharers);
        Self {
            clients: in_sessions,
            sharers,
            close,
            shared: (0..shared).map(|_| Shared::default()).collect(),
            under_way: vec![None; clients as usize],
        }
    }

    /// What this client asks next, where it would ask for this command. Nothing of it is under way.
    pub(super) fn ask(&mut self, client: ClientId, command: Command, draw: &mut Draw<'_>) -> Ask {
        if u64::from(client.0) >= self.clients {
            return Ask::Command(command);
        }
        let close = self.close;
        let shared = self.shared_by(client);
        let (ask, under_way) = match shared.standing {
            Standing::Opening => (Ask::Command(command), None),
            Standing::Closed => {
                shared.standing = Standing::Opening;
                (Ask::OpenSession, Some(UnderWay::Opening))
            }
            Standing::Open(session) if draw.chance("close", close) => {
                shared.standing = Standing::Closed;
                (Ask::CloseSession(session), None)
            }
            Standing::Open(session) => {
                let ticket = shared.ticket(session, draw.chance("withhold", Ratio::new(1, 2)));
                (Ask::InSession(ticket, command), Some(UnderWay::Request(ticket)))
            }
        };
        self.under_way[client.slot()] = under_way;
        ask
    }

    /// Whether the client may ask again for what it has under way, though it may have taken effect.
    pub(super) fn may_ask_again(&self, client: ClientId) -> bool {
        matches!(self.under_way[client.slot()], Some(UnderWay::Request(_)))
    }

    /// What the client had under way is over: it was answered so, or the client gave it up.
    pub(super) fn finish(&mut self, client: ClientId, response: Option<&Response>) {
        let Some(under_way) = self.under_way[client.slot()].take() else { return };
        let shared = self.shared_by(client);
        match under_way {
            UnderWay::Opening => {
                let opened = response.and_then(|response| match response {
                    Response::Opened(session) => Some(*session),
                    Response::Applied(_)
                    | Response::Closed
                    | Response::AlreadyAcknowledged
                    | Response::SessionExpired
                    | Response::SessionFull
                    | Response::Read { .. }
                    | Response::Dropped
                    | Response::ReadRefused(_)
                    | Response::Refused(_) => None,
                });
                let standing = opened.map_or(Standing::Closed, Standing::Open);
                *shared = Shared { standing, ..Shared::default() };
            }
            UnderWay::Request(ticket) if shared.standing == Standing::Open(ticket.session) => {
                shared.wanted.remove(&ticket.sequence);
                if response == Some(&Response::SessionExpired) {
                    shared.standing = Standing::Closed;
                }
            }
            // Of a session that is another by now.
            UnderWay::Request(_) => {}
        }
    }

    fn shared_by(&mut self, client: ClientId) -> &mut Shared {
        let place = u64::from(client.0) / self.sharers;
        &mut self.shared[usize::try_from(place).expect("no more than there are clients")]
    }
}

impl Shared {
    /// The next request's ticket. It acknowledges all below what somebody still wants, or withholds that.
    fn ticket(&mut self, session: SessionId, withholds: bool) -> Ticket {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.wanted.insert(sequence);
        if !withholds {
            self.acknowledged_below = *self.wanted.first().expect("this one is wanted");
        }
        Ticket { session, sequence, acknowledged_below: self.acknowledged_below }
    }
}
