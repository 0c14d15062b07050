//! Every kind of line, garbled word by word: the error names the line, points at the word, and says what would be right.

use super::*;
use crate::ids::PROCESSES_MAX;

/// A word that means nothing anywhere.
const NONSENSE: &str = "%%";

/// One line of each kind, of a file in which there are 64 processes and a client.
const LINES: &str = "\
limits safety=3s liveness=10s core_size=3 liveness_operations=2
network loss=3/100 delay_min=3ms fifo=yes
disk file=1:1:1 sync_mean=1ms
n1 rate=3/2 wall_offset=-2s
e1 @1us partition isolate=n1 for=1us
e2 @1ms flapping outbound=n0 down=1ms up=2ms for=1s
e3 @1s clog bridge=n1 side=n0 for=1s
e4 @1us partition ring for=1s
e5 @1us partition links=n0>n1,n1>n2 for=1s
e6 @1us swizzle clog=n0,n1 free=n1,n0 step=1ms
e7 @1us crash most-prominent kind=power outage=1s after-disk-operations=3
e8 @1us crash-all kind=power outage=1s
e9 @1us crash-loop n63 kind=process times=3 up=1ms outage=1ms
e10 @1us pause n1 for=1s clock=running
e11 @1us disk-stall n1 for=3s
e12 @1us administer most-prominent command=7
e13 @1us clock-rate n2 rate=3/2
e14 @1us clock-jump n2 wall=-60s
e15 @1us clock-freeze n2 for=0us
e16 @1us rot n1
e17 @1us disk-error n1 of=sync after=2 times=1 for=3s outage=1s
e18 @1us lose-disk n1 outage=1s
e19 @1us ruin n1 how=lost-write
e20 @1us old-image most-prominent for=5s outage=1s
e21 @n1:leads#2+30ms since=e0:ends rot n1
e22 @any:leads rot n1
e23 @e0:begins+3ms rot n1
net n0>n2#17 delay=1203 loss=1
disk n2#55 latency=1200
crash n1.0#3.2.7 file=1
client c0#3 think=77
core 0#0 member=1
expect failed ElectionSafety
hash 0f1e2d3c4b5a69788796a5b4c3d2e1f0
";

/// Reads a file whose third line is this one. Returns what is wrong with it.
fn error_of(line: &str) -> Option<ScenarioError> {
    let processes = PROCESSES_MAX;
    let text = format!("squall-scenario 1\nprocesses count={processes}\n{line}\ne0 @2s clog ring for=1s\n");
    match parse(&text, "garbled.scn") {
        Ok(scenario) => {
            let said = scenario.parameters().and_then(|_| scenario.check_milestones(&["leads"]));
            said.err().map(|misfit| misfit.at(&text, "garbled.scn"))
        }
        Err(error) => Some(error),
    }
}

/// The words of a line that is written as it should be, each with its column.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut column = 1;
    let place = |word| {
        let at = column;
        column += str::len(word) + 1;
        (at, word)
    };
    line.split(' ').map(place).collect()
}

/// The line with another in the place of one of its words.
fn with(line: &str, place: usize, other: Option<&str>) -> String {
    let words = line.split(' ').enumerate();
    let words = words.filter_map(|(at, word)| if at == place { other } else { Some(word) });
    words.collect::<Vec<_>>().join(" ")
}

/// Complains about an error that does not help who wrote the line. `span` is where the error may point at, or the end.
fn check(garbled: &str, error: &ScenarioError, span: std::ops::RangeInclusive<usize>) -> Result<(), String> {
    let says = !error.what.is_empty() && !error.expected.is_empty() && error.what != error.expected;
    let end = garbled.len() + 1;
    if error.line == 3 && (span.contains(&error.column) || error.column == end) && says {
        return Ok(());
    }
    Err(format!("{garbled}\n  {error}"))
}

#[test]
fn every_line_is_right_before_it_is_garbled() {
    let errors: Vec<ScenarioError> = LINES.lines().filter_map(error_of).collect();
    assert_eq!(errors, []);
    let named = |name: &&&str| LINES.lines().any(|line| line.split(' ').nth(2) == Some(**name));
    assert_eq!(crate::fault::Fault::NAMES.iter().filter(named).count(), crate::fault::Fault::NAMES.len());
}

#[test]
fn a_word_that_means_nothing_is_pointed_at() {
    let mut wrong = Vec::new();
    for line in LINES.lines() {
        for (place, (column, _)) in words(line).into_iter().enumerate() {
            let garbled = with(line, place, Some(NONSENSE));
            match error_of(&garbled) {
                Some(error) => wrong.extend(check(&garbled, &error, column..=column).err()),
                None => wrong.push(format!("{garbled}\n  is taken for a scenario")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_value_that_means_nothing_is_pointed_at() {
    let mut wrong = Vec::new();
    for line in LINES.lines() {
        for (place, (column, word)) in words(line).into_iter().enumerate() {
            let Some((key, value)) = word.split_once('=') else { continue };
            let garbled = with(line, place, Some(&format!("{key}={NONSENSE}")));
            match error_of(&garbled) {
                Some(error) => wrong.extend(check(&garbled, &error, column..=column + key.len() + 1).err()),
                None => wrong.push(format!("{garbled}\n  is taken for a scenario")),
            }
            let garbled = with(line, place, Some(&format!("{key}{NONSENSE}={value}")));
            match error_of(&garbled) {
                Some(error) => wrong.extend(check(&garbled, &error, column..=column + key.len() + 1).err()),
                None => wrong.push(format!("{garbled}\n  is taken for a scenario")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What remains may be a scenario: a key that has a default is gone, or a section has one key less. Or it is a section that
/// only he can refuse who knows all of them; that is not the simulator.
#[test]
fn a_word_that_is_missing_is_missed_where_it_should_stand() {
    let (mut wrong, mut sound) = (Vec::new(), Vec::new());
    for line in LINES.lines() {
        for (place, (column, _)) in words(line).into_iter().enumerate() {
            let garbled = with(line, place, None);
            match error_of(&garbled) {
                // A key may lack to the section as a whole; else the complaint is about the words that came forward.
                Some(error) if error.column == 1 => wrong.extend(check(&garbled, &error, 1..=1).err()),
                Some(error) => {
                    let next: usize = garbled.split(' ').skip(place).take(2).map(|word| word.len() + 1).sum();
                    wrong.extend(check(&garbled, &error, column..=column + next).err());
                }
                None => sound.push(format!("{line}\n  {garbled}")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    insta::assert_snapshot!(sound.join("\n"));
}

#[test]
fn a_word_that_stands_there_twice_is_one_too_many() {
    let mut wrong = Vec::new();
    for line in LINES.lines() {
        for (place, (column, word)) in words(line).into_iter().enumerate() {
            let garbled = with(line, place, Some(&format!("{word} {word}")));
            match error_of(&garbled) {
                Some(error) => wrong.extend(check(&garbled, &error, column..=garbled.len()).err()),
                None => wrong.push(format!("{garbled}\n  is taken for a scenario")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
