//! How faults are spelled: for each kind a line that is written and a line that is read, side by side.
//!
//! Reading also refuses what no world could carry out, such as a flapping link that is never up; so whoever
//! holds the faults of a parsed scenario need not ask again.

use std::fmt;

use super::error::{Complaint, ScenarioError};
use super::line::{Line, Needed};
use super::misfit::{Misfit, Subject};
use super::value::{self, Duration, List, SignedDuration};
use crate::fault::{CrashKind, CrashWhen, Cut, DiskFailure, Fault, FaultEvent, PausedClock, Ruin, Target};
use crate::ids::{PROCESSES_MAX, ProcessId, ProcessSet};

const CRASH_KINDS: [(&str, CrashKind); 2] =
    [("process", CrashKind::Process), ("power", CrashKind::PowerLoss)];
const CLOCKS: [(&str, PausedClock); 2] = [("running", PausedClock::Running), ("frozen", PausedClock::Frozen)];

const FAILURES: [(&str, DiskFailure); 4] = [
    ("read", DiskFailure::Read),
    ("write", DiskFailure::Write),
    ("sync", DiskFailure::Sync),
    ("space", DiskFailure::Space),
];

const RUINS: [(&str, Ruin); 6] = [
    ("rot", Ruin::Rot),
    ("lost-write", Ruin::LostWrite),
    ("misdirected-write", Ruin::MisdirectedWrite),
    ("truncated-file", Ruin::TruncatedFile),
    ("missing-file", Ruin::MissingFile),
    ("lost-pair", Ruin::LostPair),
];

const CUT_KEYS: [&str; 6] = ["isolate", "inbound", "outbound", "split", "bridge", "links"];
const CUTS: &str =
    "exactly one of `isolate=`, `inbound=`, `outbound=`, `split=`, `bridge=`, `links=`, `ring`";

/// Writes a fault: its name, whom it strikes, its figures.
pub(super) struct Written<'a>(pub(super) &'a Fault);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())?;
        match self.0 {
            Fault::Partition { cut, duration_us } | Fault::Clog { cut, duration_us } => {
                write!(f, " {cut} for={}", Duration(*duration_us))
            }
            Fault::Flapping { cut, down_us, up_us, duration_us } => {
                let (down, up, duration) = (Duration(*down_us), Duration(*up_us), Duration(*duration_us));
                write!(f, " {cut} down={down} up={up} for={duration}")
            }
            Fault::Swizzle { clog, free, step_us } => {
                let step = Duration(*step_us);
                write!(f, " clog={} free={} step={step}", List(clog.iter()), List(free.iter()))
            }
            Fault::Crash { process, kind, when, outage_us } => {
                write!(f, " {process} kind={} outage={}", kind_word(*kind), Duration(*outage_us))?;
                match when {
                    CrashWhen::Now => Ok(()),
                    CrashWhen::AfterDiskOperations(count) => {
                        write!(f, " after-disk-operations={count}")
                    }
                }
            }
            Fault::CrashAll { kind, outage_us } => {
                write!(f, " kind={} outage={}", kind_word(*kind), Duration(*outage_us))
            }
            Fault::CrashLoop { process, kind, times, up_us, outage_us } => {
                let (up, outage) = (Duration(*up_us), Duration(*outage_us));
                write!(f, " {process} kind={} times={times} up={up} outage={outage}", kind_word(*kind))
            }
            Fault::Pause { process, duration_us, clock } => {
                let clock = value::word_of(clock, &CLOCKS);
                write!(f, " {process} for={} clock={clock}", Duration(*duration_us))
            }
            Fault::DiskStall { process, duration_us } => {
                write!(f, " {process} for={}", Duration(*duration_us))
            }
            Fault::DiskError { process, failure, after, times, duration_us, outage_us } => {
                let (failure, duration) = (value::word_of(failure, &FAILURES), Duration(*duration_us));
                let outage = Duration(*outage_us);
                write!(f, " {process} of={failure} after={after}")?;
                write!(f, " times={times} for={duration} outage={outage}")
            }
            Fault::Rot { process } => write!(f, " {process}"),
            Fault::Ruin { process, how } => write!(f, " {process} how={}", value::word_of(how, &RUINS)),
            Fault::OldImage { process, duration_us, outage_us } => {
                let (duration, outage) = (Duration(*duration_us), Duration(*outage_us));
                write!(f, " {process} for={duration} outage={outage}")
            }
            Fault::LoseDisk { process, outage_us } => {
                write!(f, " {process} outage={}", Duration(*outage_us))
            }
            Fault::Administer { process, command } => write!(f, " {process} command={command}"),
            Fault::ClockRate { process, rate } => write!(f, " {process} rate={rate}"),
            Fault::ClockJump { process, wall_delta_us } => {
                write!(f, " {process} wall={}", SignedDuration(*wall_delta_us))
            }
            Fault::ClockFreeze { process, duration_us } => {
                write!(f, " {process} for={}", Duration(*duration_us))
            }
        }
    }
}

/// Prints as in a scenario: its name, whom it strikes, its figures.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Written(self))
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolate(target) => write!(f, "isolate={target}"),
            Self::Inbound(target) => write!(f, "inbound={target}"),
            Self::Outbound(target) => write!(f, "outbound={target}"),
            Self::Split(side) => write!(f, "split={}", List(members(*side))),
            Self::Bridge { bridge, side } => {
                write!(f, "bridge={bridge} side={}", List(members(*side)))
            }
            Self::Ring => f.write_str("ring"),
            Self::Links(links) => write!(f, "links={}", List(links.iter())),
        }
    }
}

/// Reads a fault: what follows the event's time.
pub(super) fn read(line: &mut Line<'_>) -> Result<Fault, ScenarioError> {
    let name = line.next("the name of a fault")?;
    line.need(needed(name.text))?;
    Ok(match name.text {
        "partition" => {
            Fault::Partition { cut: cut(line)?, duration_us: line.key("for", value::duration_us)? }
        }
        "flapping" => Fault::Flapping {
            cut: cut(line)?,
            down_us: line.key("down", some_duration_us)?,
            up_us: line.key("up", some_duration_us)?,
            duration_us: line.key("for", value::duration_us)?,
        },
        "clog" => Fault::Clog { cut: cut(line)?, duration_us: line.key("for", value::duration_us)? },
        "swizzle" => swizzle(line)?,
        "crash" => Fault::Crash {
            process: target(line)?,
            kind: line.key("kind", crash_kind)?,
            outage_us: line.key("outage", value::duration_us)?,
            when: line
                .maybe_key("after-disk-operations", at_least_one)?
                .map_or(CrashWhen::Now, CrashWhen::AfterDiskOperations),
        },
        "crash-all" => Fault::CrashAll {
            kind: line.key("kind", crash_kind)?,
            outage_us: line.key("outage", value::duration_us)?,
        },
        "crash-loop" => Fault::CrashLoop {
            process: target(line)?,
            kind: line.key("kind", crash_kind)?,
            times: line.key("times", value::number)?,
            up_us: line.key("up", value::duration_us)?,
            outage_us: line.key("outage", value::duration_us)?,
        },
        "pause" => Fault::Pause {
            process: target(line)?,
            duration_us: line.key("for", value::duration_us)?,
            clock: line.key("clock", |text| value::one_of(text, &CLOCKS))?,
        },
        "disk-stall" => {
            Fault::DiskStall { process: target(line)?, duration_us: line.key("for", value::duration_us)? }
        }
        "disk-error" => Fault::DiskError {
            process: target(line)?,
            failure: line.key("of", |text| value::one_of(text, &FAILURES))?,
            after: line.key("after", value::number)?,
            times: line.key("times", value::number)?,
            duration_us: line.key("for", value::duration_us)?,
            outage_us: line.key("outage", some_duration_us)?,
        },
        "rot" => Fault::Rot { process: target(line)? },
        "ruin" => {
            Fault::Ruin { process: target(line)?, how: line.key("how", |text| value::one_of(text, &RUINS))? }
        }
        "old-image" => Fault::OldImage {
            process: target(line)?,
            duration_us: line.key("for", value::duration_us)?,
            outage_us: line.key("outage", value::duration_us)?,
        },
        "lose-disk" => {
            Fault::LoseDisk { process: target(line)?, outage_us: line.key("outage", value::duration_us)? }
        }
        "administer" => {
            Fault::Administer { process: target(line)?, command: line.key("command", value::number)? }
        }
        "clock-rate" => {
            Fault::ClockRate { process: process(line)?, rate: line.key("rate", value::clock_rate)? }
        }
        "clock-jump" => Fault::ClockJump {
            process: process(line)?,
            wall_delta_us: line.key("wall", value::signed_duration_us)?,
        },
        "clock-freeze" => {
            Fault::ClockFreeze { process: process(line)?, duration_us: line.key("for", value::duration_us)? }
        }
        _ => return Err(line.error_at(name, format!("a fault: {}", Fault::NAMES.join(", ")))),
    })
}

/// The words without which a fault's line is not complete.
fn needed(fault: &str) -> &'static [Needed] {
    const WHOM: Needed =
        Needed::Bare { keys: &[], what: "target", expected: "a process, as `n3`, or `most-prominent`" };
    const WHOSE: Needed = Needed::Bare { keys: &[], what: "target", expected: "a process, as `n3`" };
    const LINKS: Needed = Needed::Bare { keys: &CUT_KEYS, what: "cut", expected: CUTS };
    const FOR: Needed = Needed::Key("for", || value::taken_by(value::duration_us));
    const DOWN: Needed = Needed::Key("down", || value::taken_by(value::duration_us));
    const UP: Needed = Needed::Key("up", || value::taken_by(value::duration_us));
    const STEP: Needed = Needed::Key("step", || value::taken_by(value::duration_us));
    const OUTAGE: Needed = Needed::Key("outage", || value::taken_by(value::duration_us));
    const WALL: Needed = Needed::Key("wall", || "a duration, as `-3ms`".to_owned());
    const TIMES: Needed = Needed::Key("times", || value::taken_by(value::number::<u32>));
    const AFTER: Needed = Needed::Key("after", || value::taken_by(value::number::<u64>));
    const COMMAND: Needed = Needed::Key("command", || value::taken_by(value::number::<u64>));
    const RATE: Needed = Needed::Key("rate", || "a ratio, as `3/2`".to_owned());
    const KIND: Needed = Needed::Key("kind", || value::words_of(&CRASH_KINDS));
    const CLOCK: Needed = Needed::Key("clock", || value::words_of(&CLOCKS));
    const OF: Needed = Needed::Key("of", || value::words_of(&FAILURES));
    const HOW: Needed = Needed::Key("how", || value::words_of(&RUINS));
    const CLOG: Needed = Needed::Key("clog", || "processes, as `n0,n2`".to_owned());
    const FREE: Needed = Needed::Key("free", || "the same processes, as `n2,n0`".to_owned());
    match fault {
        "partition" | "clog" => &[LINKS, FOR],
        "flapping" => &[LINKS, DOWN, UP, FOR],
        "swizzle" => &[CLOG, FREE, STEP],
        "crash" => &[WHOM, KIND, OUTAGE],
        "crash-all" => &[KIND, OUTAGE],
        "crash-loop" => &[WHOM, KIND, TIMES, UP, OUTAGE],
        "pause" => &[WHOM, FOR, CLOCK],
        "disk-stall" => &[WHOM, FOR],
        "disk-error" => &[WHOM, OF, AFTER, TIMES, FOR, OUTAGE],
        "rot" => &[WHOM],
        "ruin" => &[WHOM, HOW],
        "old-image" => &[WHOM, FOR, OUTAGE],
        "lose-disk" => &[WHOM, OUTAGE],
        "administer" => &[WHOM, COMMAND],
        "clock-rate" => &[WHOSE, RATE],
        "clock-jump" => &[WHOSE, WALL],
        "clock-freeze" => &[WHOSE, FOR],
        _ => &[],
    }
}

/// Says what of a fault cannot be in a world of so many processes, if anything.
pub(super) fn check(event: &FaultEvent, processes: u32) -> Result<(), Misfit> {
    if let Some(process) = event.processes().into_iter().find(|process| process.0 >= processes) {
        let subject = Subject::Word { event: event.id, word: process.to_string() };
        return Err(subject.misfit(value::nobody_called('n', process.0.into(), processes)));
    }
    let complain =
        |what: String| Subject::Event(event.id).misfit(Complaint::new(what, "a fault that can strike"));
    event.check(processes).map_err(complain)
}

fn cut(line: &mut Line<'_>) -> Result<Cut, ScenarioError> {
    if line.peek().is_some_and(|word| word.text == "ring") {
        line.next("`ring`")?;
        return Ok(Cut::Ring);
    }
    if let Some(bridge) = line.maybe_key("bridge", value::process)? {
        return Ok(Cut::Bridge { bridge, side: line.key("side", value::set)? });
    }
    let shapes = [
        line.maybe_key("isolate", value::target)?.map(Cut::Isolate),
        line.maybe_key("inbound", value::target)?.map(Cut::Inbound),
        line.maybe_key("outbound", value::target)?.map(Cut::Outbound),
        line.maybe_key("split", value::set)?.map(Cut::Split),
        line.maybe_key("links", value::links)?.map(Cut::Links),
    ];
    let expected = CUTS;
    let mut shapes = shapes.into_iter().flatten();
    match (shapes.next(), shapes.next()) {
        (Some(cut), None) => Ok(cut),
        (None, _) => Err(line.error_at_end("no links are named", expected)),
        (Some(_), Some(_)) => Err(line.error_at_end("links are named twice", expected)),
    }
}

fn swizzle(line: &mut Line<'_>) -> Result<Fault, ScenarioError> {
    let clog = line.key("clog", value::processes)?;
    let free = line.key("free", value::processes)?;
    let set: ProcessSet = clog.iter().copied().collect();
    let each_once = |order: &[ProcessId]| order.len() == set.len() as usize;
    if !each_once(&clog) || !each_once(&free) || set != free.iter().copied().collect() {
        return Err(line.error_at_end("others are freed than were clogged", "the same processes, each once"));
    }
    Ok(Fault::Swizzle { clog, free, step_us: line.key("step", value::duration_us)? })
}

fn target(line: &mut Line<'_>) -> Result<Target, ScenarioError> {
    let word = line.next("whom it strikes: a process, as `n3`, or `most-prominent`")?;
    line.read(word, value::target)
}

fn process(line: &mut Line<'_>) -> Result<ProcessId, ScenarioError> {
    let word = line.next("whom it strikes: a process, as `n3`")?;
    line.read(word, value::process)
}

fn crash_kind(text: &str) -> Result<CrashKind, Complaint> {
    value::one_of(text, &CRASH_KINDS)
}

fn kind_word(kind: CrashKind) -> &'static str {
    value::word_of(&kind, &CRASH_KINDS)
}

/// A duration that is not zero: two that alternate must let time pass.
fn some_duration_us(text: &str) -> Result<u64, Complaint> {
    match value::duration_us(text)? {
        0 => Err(Complaint::about(text, "a duration above zero")),
        duration_us => Ok(duration_us),
    }
}

fn at_least_one(text: &str) -> Result<u64, Complaint> {
    match value::number(text)? {
        0 => Err(Complaint::about(text, "a number from 1 up")),
        number => Ok(number),
    }
}

/// The members of a set, as often as they are wanted.
fn members(set: ProcessSet) -> impl Clone + Iterator<Item = ProcessId> {
    (0..PROCESSES_MAX).map(ProcessId).filter(move |process| set.contains(*process))
}
