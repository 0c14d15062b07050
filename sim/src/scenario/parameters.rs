//! The simulator's own parameters as sections of a scenario.
//!
//! `disk` and `clock` hold what is true of every process; a section called like a process (`n2`) holds what
//! is different there.

use super::fields::Fields;
use super::misfit::{Misfit, Subject};
use super::section::Section;
use super::value;
use crate::disk::DiskParameters;
use crate::ids::{PROCESSES_MAX, ProcessId};
use crate::parameters::{
    CLIENTS_MAX, ClientParameters, ClockParameters, Limits, NetworkParameters, Parameters,
};

/// The sections that [`parameters_from`] reads; others belong to the user.
const NAMES: [&str; 6] = ["processes", "network", "clients", "limits", "disk", "clock"];

/// Writes the parameters as sections.
#[must_use]
pub fn sections_of(parameters: &Parameters) -> Vec<Section> {
    let Parameters { network, disks, clocks, clients, limits } = parameters.clone();
    let (disk, clock) = (most_common(&disks), most_common(&clocks));
    let mut sections = vec![
        Section::new("processes").with("count", &disks.len()),
        written("network", network, network_fields),
        written("clients", clients, client_fields),
        written("limits", limits, limit_fields),
        written("disk", disk, disk_fields),
        written("clock", clock, clock_fields),
    ];
    let all: Vec<(String, String)> =
        sections[4..].iter().flat_map(|section| section.values.clone()).collect();
    for (slot, (mut disk, mut clock)) in (0..).zip(disks.into_iter().zip(clocks)) {
        let mut fields = Fields::write(&ProcessId(slot).to_string());
        disk_fields(&mut fields, &mut disk);
        clock_fields(&mut fields, &mut clock);
        let mut own = fields.into_section();
        own.values.retain(|stated| !all.contains(stated));
        if !own.values.is_empty() {
            sections.push(own);
        }
    }
    sections
}

/// Reads the parameters out of a scenario's sections; what is not stated is as in [`Parameters::calm`].
///
/// # Errors
/// Where a value cannot be read, a key is not known, or the whole cannot be simulated.
pub fn parameters_from(sections: &[Section]) -> Result<Parameters, Misfit> {
    let find = |name: &str| sections.iter().find(|section| section.name == name);
    let mut count = 3;
    read(find("processes"), &mut count, |fields, count| fields.number("count", count))?;
    if !(1..=PROCESSES_MAX).contains(&count) {
        let expected = format!("1 to {PROCESSES_MAX}");
        return Err(Misfit::of_key("processes", "count", format!("it is {count}"), expected));
    }
    check_processes(sections, count)?;
    let mut parameters = Parameters::calm(count, 1);
    read(find("network"), &mut parameters.network, network_fields)?;
    read(find("clients"), &mut parameters.clients, client_fields)?;
    read(find("limits"), &mut parameters.limits, limit_fields)?;
    let (mut disk, mut clock) = (DiskParameters::default(), ClockParameters::default());
    read(find("disk"), &mut disk, disk_fields)?;
    read(find("clock"), &mut clock, clock_fields)?;
    parameters.disks.fill(disk);
    parameters.clocks.fill(clock);
    for (process, both) in (0..).zip(parameters.disks.iter_mut().zip(&mut parameters.clocks)) {
        read(find(&ProcessId(process).to_string()), &mut { both }, |fields, (disk, clock)| {
            disk_fields(fields, disk);
            clock_fields(fields, clock);
        })?;
    }
    check_bounds(&parameters)?;
    assert_eq!(parameters.check(), Ok(()), "each value was checked where it was read");
    Ok(parameters)
}

/// The names of the sections that [`parameters_from`] reads, beside those called like a process.
#[must_use]
pub fn section_names() -> &'static [&'static str] {
    &NAMES
}

/// Whether [`parameters_from`] reads the section of that name.
#[must_use]
pub fn is_parameter_section(name: &str) -> bool {
    NAMES.contains(&name) || process_of(name).is_some()
}

/// The process that a section is called like.
fn process_of(name: &str) -> Option<u64> {
    name.strip_prefix('n').and_then(|digits| value::number(digits).ok())
}

/// Whether a section is about one of so many processes, or about none at all.
pub(super) fn concerns_one_of(section: &Section, processes: u32) -> bool {
    process_of(&section.name).is_none_or(|number| number < u64::from(processes))
}

/// Sections about processes are about those that there are.
fn check_processes(sections: &[Section], count: u32) -> Result<(), Misfit> {
    for section in sections {
        let Some(number) = process_of(&section.name) else { continue };
        if number >= u64::from(count) {
            let subject = Subject::Section(section.name.clone());
            return Err(subject.misfit(value::nobody_called('n', number, count)));
        }
        if section.name != format!("n{number}") {
            return Err(Misfit::of_section(&section.name, "it is not known", format!("`n{number}`")));
        }
    }
    Ok(())
}

/// What a value's own spelling cannot say.
fn check_bounds(parameters: &Parameters) -> Result<(), Misfit> {
    let (processes, clients) = (parameters.processes(), parameters.clients.count);
    if clients > CLIENTS_MAX {
        let expected = format!("0 to {CLIENTS_MAX}");
        return Err(Misfit::of_key("clients", "count", format!("it is {clients}"), expected));
    }
    let Limits { liveness_us, core_size, .. } = parameters.limits;
    if liveness_us > 0 && !(1..=processes).contains(&core_size) {
        let expected = format!("1 to {processes}, since the run has a liveness phase");
        return Err(Misfit::of_key("limits", "core_size", format!("it is {core_size}"), expected));
    }
    Ok(())
}

fn network_fields(fields: &mut Fields, network: &mut NetworkParameters) {
    fields.duration_us("delay_min", &mut network.delay_us_min);
    fields.duration_us("delay_mean", &mut network.delay_us_mean);
    fields.probability("tail", &mut network.tail);
    fields.number("tail_factor_max", &mut network.tail_factor_max);
    fields.probability("loss", &mut network.loss);
    fields.probability("duplication", &mut network.duplication);
    fields.duration_us("duplicate_delay_mean", &mut network.duplicate_delay_us_mean);
    fields.flag("fifo", &mut network.fifo);
    fields.number("capacity", &mut network.capacity);
    fields.probability("ghosts", &mut network.ghosts);
    fields.duration_us("ghost_delay_max", &mut network.ghost_delay_us_max);
    fields.flag("codec", &mut network.codec);
    fields.probability("corruption", &mut network.corruption);
}

fn client_fields(fields: &mut Fields, clients: &mut ClientParameters) {
    fields.number("count", &mut clients.count);
    fields.duration_us("delay_min", &mut clients.delay_us_min);
    fields.duration_us("delay_mean", &mut clients.delay_us_mean);
    fields.probability("loss", &mut clients.loss);
}

fn limit_fields(fields: &mut Fields, limits: &mut Limits) {
    fields.duration_us("safety", &mut limits.safety_us);
    fields.duration_us("liveness", &mut limits.liveness_us);
    fields.number("core_size", &mut limits.core_size);
    fields.flag("core_is_alone", &mut limits.core_is_alone);
    fields.duration_us("healed_delay", &mut limits.healed_delay_us);
    fields.number("liveness_operations", &mut limits.liveness_operations);
    fields.number("events", &mut limits.events);
}

fn disk_fields(fields: &mut Fields, disk: &mut DiskParameters) {
    let (latency, crash) = (&mut disk.latency, &mut disk.crash);
    fields.duration_us("read_mean", &mut latency.read_us_mean);
    fields.duration_us("write_mean", &mut latency.write_us_mean);
    fields.duration_us("sync_mean", &mut latency.sync_us_mean);
    fields.duration_us("latency_max", &mut latency.us_max);
    let (file, page, sector) = (&mut crash.file, &mut crash.page, &mut crash.sector);
    fields.weights("file", [&mut file.kept, &mut file.dropped, &mut file.torn]);
    fields.weights("page", [&mut page.kept, &mut page.dropped, &mut page.damaged]);
    fields.weights("sector", [&mut sector.new, &mut sector.old, &mut sector.garbage]);
    let (extent, growth, directory) = (&mut crash.extent, &mut crash.growth, &mut crash.directory);
    fields.weights("extent", [&mut extent.whole, &mut extent.prefix, &mut extent.suffix]);
    fields.weights("growth", [&mut growth.zeros, &mut growth.garbage]);
    fields.weights("directory", [&mut directory.kept, &mut directory.ordered, &mut directory.scattered]);
}

fn clock_fields(fields: &mut Fields, clock: &mut ClockParameters) {
    fields.signed_duration_us("wall_offset", &mut clock.wall_offset_us);
    fields.clock_rate("rate", &mut clock.rate);
}

fn written<T>(name: &str, mut value: T, table: fn(&mut Fields, &mut T)) -> Section {
    let mut fields = Fields::write(name);
    table(&mut fields, &mut value);
    fields.into_section()
}

fn read<T>(
    section: Option<&Section>,
    value: &mut T,
    table: impl FnOnce(&mut Fields, &mut T),
) -> Result<(), Misfit> {
    let Some(section) = section else {
        return Ok(());
    };
    let mut fields = Fields::read(section);
    table(&mut fields, value);
    fields.finish()
}

/// The value that most of them have; among equals the first.
fn most_common<T: Clone + Default + PartialEq>(values: &[T]) -> T {
    let count = |value: &T| values.iter().filter(|other| *other == value).count();
    values.iter().rev().max_by_key(|value| count(value)).cloned().unwrap_or_default()
}
