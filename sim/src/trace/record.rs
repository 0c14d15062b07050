//! One line of a trace: what happened, when, to whom, and which earlier step caused it.
//!
//! A record is small and plain, so that hashing every one of them costs nanoseconds. What was said in a
//! message or done by a process enters as a digest; the words themselves are rebuilt by running again.

use std::fmt;

use bincode::{Decode, Encode};

use crate::ids::ProcessId;

/// The `process` of a record that concerns none.
pub const NO_PROCESS: u32 = u32::MAX;

/// The file of a completed disk operation that concerned none.
pub const NO_FILE: u64 = u64::MAX;

/// Something that happened in a simulated world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Record {
    /// The number of the world's step, from 1; one step may leave several records.
    pub step: u64,
    /// Virtual microseconds since the run began.
    pub time_us: u64,
    /// The process it happened to, or [`NO_PROCESS`].
    pub process: u32,
    /// What happened.
    pub kind: RecordKind,
    /// The step that caused this one; 0 where nothing did.
    pub cause: u64,
    /// First detail; what it means is the kind's ([`RecordKind::details`]).
    pub a: u64,
    /// Second detail, likewise.
    pub b: u64,
    /// Digest of the contents (a message, a state); 0 where there are none.
    pub digest: u64,
}

/// Declares the kinds once, so that a kind, its name and the names of its details cannot drift apart.
macro_rules! record_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal ($a:literal, $b:literal);)*) => {
        /// What a [`Record`] is about. A record's process is the receiver where there is a sender too.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
        #[repr(u8)]
        pub enum RecordKind {
            $($(#[$doc])* $kind,)*
        }

        impl RecordKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The kind's name, as it stands in JSON lines and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// What the record's `a` and `b` mean; an empty name says that the word is not used.
            #[must_use]
            pub const fn details(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$kind => ($a, $b),)*
                }
            }
        }
    };
}

record_kinds! {
    /// A process began a life; the digest is its state's.
    Started = "started" ("life", "");
    /// A process ended by its own word, such as after a failed write.
    Halted = "halted" ("life", "");
    /// A process lost its memory, but the machine's page cache lives on.
    Crashed = "crashed" ("fault", "life");
    /// A process lost its memory and whatever was not synced.
    PowerLost = "power-lost" ("fault", "life");
    /// A process stopped taking part, keeping its memory.
    Paused = "paused" ("fault", "");
    /// A paused process went on.
    Resumed = "resumed" ("fault", "");
    /// A message was delivered; the digest is the message's and the receiver's state after it.
    Delivered = "delivered" ("from", "message");
    /// A copy kept for long was delivered, perhaps to a later life of its receiver.
    GhostDelivered = "ghost-delivered" ("from", "message");
    /// The link lost a message.
    Lost = "lost" ("from", "message");
    /// A partition cut a message off, when it was sent or on its way.
    Cut = "cut" ("from", "message");
    /// A full link threw a message out.
    Evicted = "evicted" ("from", "message");
    /// A message reached a process that is down.
    Undelivered = "undelivered" ("from", "message");
    /// The link made a second copy of a message.
    Duplicated = "duplicated" ("from", "number");
    /// The bytes of a message were damaged, and the codec refused them.
    Refused = "refused" ("from", "number");
    /// A process's timer fired.
    TimerFired = "timer-fired" ("local_us", "");
    /// A disk operation took effect.
    DiskCompleted = "disk-completed" ("operation", "file");
    /// All disk operations that a process had issued are done.
    DiskIdle = "disk-idle" ("operations", "");
    /// A client sent a request, for the first time or once more.
    Called = "called" ("client", "number");
    /// A client's request reached a process; the digest is the process's state after it.
    Requested = "requested" ("client", "number");
    /// An answer reached its client; the process is the one that gave it.
    Responded = "responded" ("client", "number");
    /// A client gave up waiting; what became of its operation is unknown.
    TimedOut = "timed-out" ("client", "number");
    /// An operator's command reached a process.
    Administered = "administered" ("fault", "command");
    /// A fault began to act; the digest is the number of its kind.
    FaultBegan = "fault-began" ("fault", "");
    /// A fault ceased.
    FaultEnded = "fault-ended" ("fault", "");
    /// The run entered another phase.
    PhaseBegan = "phase-began" ("phase", "core");
    /// An oracle found a promise broken.
    Violated = "violated" ("class", "");
}

impl Record {
    /// The details that the record has, by their names.
    pub fn details(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let (a, b) = self.kind.details();
        let has_file = self.kind != RecordKind::DiskCompleted || self.b != NO_FILE;
        let b = if has_file { b } else { "" };
        [(a, self.a), (b, self.b)].into_iter().filter(|(name, _)| !name.is_empty())
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} @{}us", self.step, self.time_us)?;
        if self.process != NO_PROCESS {
            write!(f, " {}", ProcessId(self.process))?;
        }
        write!(f, " {}", self.kind)?;
        for (name, value) in self.details() {
            write!(f, " {name}={value}")?;
        }
        if self.digest != 0 {
            write!(f, " digest={:016x}", self.digest)?;
        }
        if self.cause != 0 {
            write!(f, " because of #{}", self.cause)?;
        }
        Ok(())
    }
}
