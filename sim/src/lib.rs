//! A deterministic simulator for processes that exchange messages, use disks and answer clients.
//!
//! It knows no protocol. A user implements [`Process`] (what runs), [`Oracle`] (what is held against it) and
//! [`Workload`] (what the clients do); a [`World`] runs them over virtual time on one thread, under the faults
//! of a plan, and is a plain value: it can be cloned at any point, and equal worlds run equally.
//!
//! Where to look: [`world`] is the event loop; [`network`](parameters::NetworkParameters), [`disk`] and
//! [`fault`] are what it does to processes; [`choice`] is where every random decision comes from; [`trace`] is
//! what is left of a run, [`scenario`] what it can be replayed from; [`profile`] and [`plan`] draw runs;
//! [`history`] checks what the clients saw. `examples/ping.rs` is a whole small world.

mod chacha;
pub mod choice;
pub mod client;
mod clock;
pub mod disk;
mod env;
pub mod fault;
pub mod history;
pub mod ids;
pub mod mark;
mod network;
pub mod parameters;
pub mod plan;
mod post;
pub mod process;
pub mod profile;
mod queue;
pub mod scenario;
pub mod time;
pub mod trace;
pub mod world;

pub use choice::{Choice, Draw, Purpose, Ratio};
pub use client::{Call, CallOutcome};
pub use disk::SimDisk;
pub use env::Env;
pub use fault::{Fault, FaultEvent};
pub use ids::{ClientId, Link, OperationId, ProcessId, ProcessSet};
pub use mark::{Mark, Marks};
pub use parameters::Parameters;
pub use process::{Answer, Oracle, Process, Step, Violation, Workload};
pub use time::{LocalTime, Time};
pub use world::{Processes, RunResult, Verdict, World};
