//! What the clients do: each reads and writes one register after the other, and writes no value twice.

use squall_sim::{Answer, ClientId, Draw, OperationId, Patience, Ratio, Step, Time, Workload};

use super::process::{BACKUP, KEYS, PRIMARY, Replica, Request, Response};

/// The clients. They keep nothing from one operation to the next.
#[derive(Clone)]
pub(crate) struct Clients;

impl Workload<Replica> for Clients {
    fn next(&mut self, client: ClientId, number: u64, draw: &mut Draw<'_>) -> Option<Step<Replica>> {
        let key = draw.range("key", 0, KEYS as u64 - 1) as usize;
        let request = if draw.chance("put", Ratio::new(1, 2)) {
            Request::Put { key, value: u64::from(client.0 + 1) << 32 | number }
        } else {
            Request::Get { key }
        };
        let is_astray = draw.chance("astray", Ratio::new(1, 50));
        Some(Step {
            think_us: draw.exponential("think", 10_000, 200_000),
            target: if is_astray { BACKUP } else { PRIMARY },
            request,
            timeout_us: 1_000_000,
        })
    }

    fn answered(&mut self, _: OperationId, _: Time, response: &Response) -> Answer {
        match response {
            Response::Value(_) | Response::Done => Answer::Done,
            Response::NotPrimary => Answer::Retry { target: PRIMARY, after_us: 1_000 },
        }
    }

    /// It may have taken place, and may yet: asking again would write twice.
    fn timed_out(&mut self, _: OperationId, _: Time) -> Patience {
        Patience::GivesUp
    }
}
