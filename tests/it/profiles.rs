//! The page on profiles, `docs/profiles.md`, held against the code that reads them.

use squall_scenarios::profile::{self, Profile};
use squall_sim::profile as sim;
use toml::{Table, Value};

/// The profile that stands in the page, with every key.
fn page() -> &'static str {
    let text = include_str!("../../docs/profiles.md");
    let (_, rest) = text.split_once("```toml\n").expect("the page holds a profile");
    rest.split_once("```").expect("the profile ends").0
}

/// The keys that the parser knows in a section. It names them when it meets one that it does not know.
fn known_keys(section: &str) -> Vec<String> {
    let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
    let refusal =
        profile::parse(&format!("{header}nonsense = 0\n"), "probe").expect_err("nonsense is no key");
    let (_, expected) = refusal.split_once("expected").unwrap_or_else(|| panic!("[{section}]: {refusal}"));
    let known: Vec<String> = expected.lines().next().into_iter().flat_map(in_backticks).collect();
    assert!(known.len() > 1, "[{section}]: {refusal}");
    known
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The keys that the parser knows and the table lacks, in a section and those below it.
fn missing_keys(section: &str, table: &Table) -> Vec<String> {
    let mut missing = Vec::new();
    for key in known_keys(section) {
        let path = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match table.get(&key) {
            None => missing.push(path),
            Some(Value::Table(below)) => missing.extend(missing_keys(&path, below)),
            Some(_) => {}
        }
    }
    missing
}

#[test]
fn the_page_states_every_key_that_the_parser_knows() {
    let table: Table = page().parse().expect("the page holds TOML");
    assert_eq!(missing_keys("", &table), [""; 0]);
}

#[test]
fn a_key_that_a_page_forgets_is_missed_however_deep_it_stands() {
    let mut table: Table = page().parse().expect("the page holds TOML");
    let network = table["network"].as_table_mut().expect("a section");
    network["partition"].as_table_mut().expect("a recurring fault").remove("lasts");
    table.remove("limits");
    assert_eq!(missing_keys("", &table), ["network.partition.lasts", "limits"]);
}

#[test]
fn the_page_explains_every_key_that_it_states() {
    let unexplained = |line: &&str| line.contains('=') && !line.contains(" # ");
    assert_eq!(page().lines().filter(unexplained).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_page_gives_the_defaults_and_where_there_are_none_the_storm() {
    let page = profile::parse(page(), "docs/profiles.md").expect("the page holds a profile");
    let storm = profile::load("storm").expect("the storm is built in");
    let defaults = Profile {
        swarm: sim::Swarm::default(),
        network: sim::Network::default(),
        process: sim::Process::default(),
        disk: sim::Disk::default(),
        clock: sim::Clock::default(),
        clients: sim::Clients::default(),
        limits: sim::Limits::default(),
        ..storm
    };
    assert_eq!(page, defaults);
}
