//! Numbers in words that a person can take in: thousands, durations, rates, and commands to be typed.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in its two largest units: `3 h 12 min`, `12.3 s`, `45 ms`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days {} h", thousands(seconds / 86_400), seconds % 86_400 / 3_600),
    }
}

/// `count` of something: `1 seed`, `2 seeds`.
pub(crate) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// So many threads, as cores where each has one of its own and none is left.
pub(crate) fn jobs(jobs: u16, cores: u16) -> String {
    count(jobs.into(), if jobs == cores { "core" } else { "thread" })
}

/// So many lines that tell what happens in a scenario: faults, and what is decided otherwise than by default.
pub(crate) fn faults_and_decisions(number: u64) -> String {
    match number {
        1 => "1 fault or decision".to_owned(),
        _ => format!("{} faults and decisions", thousands(number)),
    }
}

/// How this program was called, so that a command in a report can be typed as it stands.
pub(crate) fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains('/') { quoted(&called) } else { "squall".to_owned() }
}

/// A word of a command, in quotes where a shell would take it apart.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./=:,+@%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped_from_the_right() {
        let grouped = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn durations_keep_their_two_largest_units() {
        let millis = [45, 12_345, 192_000, 11_520_000, 200_000_000].map(Duration::from_millis).map(duration);
        assert_eq!(millis, ["45 ms", "12.3 s", "3 min 12 s", "3 h 12 min", "2 days 7 h"]);
    }

    #[test]
    fn threads_are_cores_where_there_are_as_many() {
        assert_eq!(
            [jobs(1, 1), jobs(1, 2), jobs(2, 2), jobs(1_000, 2)],
            ["1 core", "1 thread", "2 cores", "1,000 threads"]
        );
    }

    #[test]
    fn a_word_with_spaces_or_quotes_survives_the_shell() {
        assert_eq!(quoted("profiles/storm.toml"), "profiles/storm.toml");
        assert_eq!(quoted("my storm's.toml"), r"'my storm'\''s.toml'");
    }
}
