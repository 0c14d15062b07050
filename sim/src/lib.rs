//! A deterministic simulator for processes that exchange messages, use disks and answer clients.
//!
//! It knows no protocol. A user implements [`Process`] (what runs), [`Oracle`] (what is held against it) and
//! [`Workload`] (what the clients do); a [`World`] runs them over virtual time on one thread, under the faults
//! of a plan, and is a plain value: it can be cloned at any point, and equal worlds run equally.
//!
//! Where to look: [`world`] is the event loop; [`network`](parameters::NetworkParameters), [`disk`] and
//! [`fault`] are what it does to processes; [`choice`] is where every random decision comes from; [`trace`] is
//! what is left of a run, [`scenario`] what it can be replayed from; [`profile`] and [`plan`] draw runs;
//! [`history`] checks what the clients saw; [`system`] puts all this together for a user's system. `examples/tickets.rs` is a
//! small one, and `examples/primary_backup/` a whole one, which docs/your-own-system.md goes through.
//!
//! # Why a run can be taken apart
//!
//! A decision is keyed by the event that it decides, never by its place in a sequence: whatever else happens or does
//! not happen in a run, the delay of the seventeenth message from n0 to n1 is the same.
//!
//! ```
//! use squall_sim::{Choice, Link, ProcessId, Purpose};
//!
//! let link = Link { from: ProcessId(0), to: ProcessId(1) };
//! let delay = |choice: &mut Choice, number| {
//!     choice.draw(Purpose::Network, link.word(), number).exponential("delay", 1_000, 50_000)
//! };
//! let (mut busy, mut quiet) = (Choice::from_seed(7), Choice::from_seed(7));
//! let delays: Vec<u64> = (1..=20).map(|number| delay(&mut busy, number)).collect();
//! assert_eq!(delay(&mut quiet, 17), delays[16]);
//! ```

pub mod anchor;
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
pub mod milestone;
mod network;
pub mod parameters;
pub mod plan;
mod post;
pub mod process;
pub mod profile;
mod queue;
pub mod scenario;
pub mod shrink;
pub mod system;
pub mod text;
pub mod time;
pub mod trace;
pub mod world;

pub use anchor::Anchor;
pub use choice::{Choice, Draw, Purpose, Ratio};
pub use client::{Call, CallOutcome};
pub use disk::SimDisk;
pub use env::Env;
pub use fault::{Fault, FaultEvent};
pub use ids::{ClientId, Link, OperationId, ProcessId, ProcessSet};
pub use mark::{Mark, Marks};
pub use milestone::Milestone;
pub use parameters::Parameters;
pub use process::{Answer, Oracle, Patience, Process, Step, Violation, Workload};
pub use system::{System, Tally};
pub use time::{LocalTime, Time};
pub use world::{Processes, RunResult, Verdict, World};
