//! How the moment of a fault is spelled: `@2s` of the run, or an anchor, as `@n1:leads#2+30ms since=e3:begins`.
//!
//! Which milestones there are is for the processes to say (`Scenario::check_milestones`); whether the events that are named
//! exist, for the file as a whole (`Scenario::parameters`).

use std::fmt;

use super::error::{Complaint, ScenarioError};
use super::line::{Line, Word};
use super::section;
use super::value::{self, Duration};
use crate::anchor::{Anchor, Turn};
use crate::ids::ProcessId;
use crate::time::Time;

/// Whoever passes a milestone.
const ANYBODY: &str = "any";

const BEGINS: &str = "begins";
const ENDS: &str = "ends";

/// Writes the moment of a fault.
pub(super) struct Written<'a>(pub(super) Option<&'a Anchor>, pub(super) Time);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written(anchor, Time(us)) = *self;
        let Some(anchor) = anchor else { return write!(f, "@{}", Duration(us)) };
        write!(f, "@{}", Awaited(anchor))?;
        if us > 0 {
            write!(f, "+{}", Duration(us))?;
        }
        write_since(anchor, f)
    }
}

/// What is awaited, without its delay and from when on it is counted.
struct Awaited<'a>(&'a Anchor);

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Anchor::Passed { milestone, process, nth, since: _ } => {
                match process {
                    Some(process) => write!(f, "{process}:{milestone}")?,
                    None => write!(f, "{ANYBODY}:{milestone}")?,
                }
                if *nth == 1 { Ok(()) } else { write!(f, "#{nth}") }
            }
            Anchor::Turned(turn) => turn.fmt(f),
        }
    }
}

fn write_since(anchor: &Anchor, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match anchor {
        Anchor::Passed { since: Some(turn), .. } => write!(f, " since={turn}"),
        Anchor::Passed { since: None, .. } | Anchor::Turned(_) => Ok(()),
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Awaited(self).fmt(f)?;
        write_since(self, f)
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Turn::Begins(event) => write!(f, "e{event}:{BEGINS}"),
            Turn::Ends(event) => write!(f, "e{event}:{ENDS}"),
        }
    }
}

/// Reads when a fault strikes: what it waits for, if anything, and the time.
pub(super) fn read(line: &mut Line<'_>) -> Result<(Option<Anchor>, Time), ScenarioError> {
    let word = line.next("when it strikes, as `@250ms` or `@n1:leads+30ms`")?;
    let (mut anchor, at) = if word.text.contains(':') {
        let (anchor, at) = read_anchor(word, line)?;
        (Some(anchor), at)
    } else {
        (None, line.read(word, moment)?)
    };
    let Some(stated) = line.peek_key("since") else { return Ok((anchor, at)) };
    let Some(Anchor::Passed { since, .. }) = &mut anchor else {
        return Err(
            line.error_at(stated, "`since=` beside a milestone alone, as `@n1:leads since=e3:begins`")
        );
    };
    *since = line.maybe_key("since", turn)?;
    Ok((anchor, at))
}

fn read_anchor(word: Word<'_>, line: &Line<'_>) -> Result<(Anchor, Time), ScenarioError> {
    let Some(word) = word.strip_prefix('@') else {
        return Err(line.error_at(word, "an anchor, as `@n1:leads+30ms`"));
    };
    let (awaited, at) = match word.split_once('+') {
        Some((awaited, delay)) => (awaited, line.read(delay, delay_us)?),
        None => (word, Time::START),
    };
    Ok((read_awaited(awaited, line)?, at))
}

fn read_awaited(word: Word<'_>, line: &Line<'_>) -> Result<Anchor, ScenarioError> {
    let (who, what) = word.split_once(':').expect("a word without a colon is a moment");
    if section::event_number(who.text).is_some() {
        return Ok(Anchor::Turned(line.read(word, turn)?));
    }
    let process = match who.text {
        ANYBODY => None,
        _ => Some(line.read(who, whoever)?),
    };
    let (milestone, nth) = match what.split_once('#') {
        Some((milestone, nth)) => (milestone, line.read(nth, from_the_first)?),
        None => (what, 1),
    };
    let milestone = line.read(milestone, section::name)?;
    Ok(Anchor::Passed { milestone, process, nth, since: None })
}

/// The turn of another event, as `e3:begins`.
fn turn(text: &str) -> Result<Turn, Complaint> {
    let complaint = || Complaint::about(text, "an event's beginning or end, as `e3:begins` or `e3:ends`");
    let (event, turn) = text.split_once(':').ok_or_else(complaint)?;
    let event = section::event_number(event).ok_or_else(complaint)??;
    match turn {
        BEGINS => Ok(Turn::Begins(event)),
        ENDS => Ok(Turn::Ends(event)),
        _ => Err(complaint()),
    }
}

/// A moment of the run, as `@250ms`.
fn moment(text: &str) -> Result<Time, Complaint> {
    let expected =
        format!("a moment, as `@250ms`, at most {}us, or an anchor, as `@n1:leads+30ms`", Time::END.0);
    let complaint = || Complaint::about(text, expected);
    text.strip_prefix('@').and_then(time).ok_or_else(complaint)
}

fn delay_us(text: &str) -> Result<Time, Complaint> {
    let expected = || format!("a delay, as `30ms`, at most {}us", Time::END.0);
    time(text).ok_or_else(|| Complaint::about(text, expected()))
}

fn time(text: &str) -> Option<Time> {
    value::duration_us(text).ok().map(Time).filter(|time| *time <= Time::END)
}

fn whoever(text: &str) -> Result<ProcessId, Complaint> {
    value::process(text).map_err(|Complaint { what, expected }| {
        Complaint::new(what, format!("{expected}, `{ANYBODY}`, or an event, as `e3`"))
    })
}

fn from_the_first(text: &str) -> Result<u32, Complaint> {
    match value::number(text)? {
        0 => Err(Complaint::about(text, "a number from 1 up")),
        number => Ok(number),
    }
}
