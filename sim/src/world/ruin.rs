//! What becomes of a disk apart from its process: it rots, is ruined, is lost, or goes back in time. docs/fault-model.md: "Rot",
//! "Ruin", "Amnesia".

use super::World;
use super::idle::IdleWhy;
use super::slot::Processes;
use crate::choice::{Choice, Draw, Purpose};
use crate::disk::SimDisk;
use crate::fault::{CrashKind, Ruin};
use crate::ids::ProcessId;
use crate::mark::FRAMEWORK;
use crate::process::{Extent, Oracle, Process, Workload};
use crate::sometimes;

/// Where a stretch of a disk may not rot, one so far behind it is tried, and so on round all of them: a prime, larger than
/// there are stretches.
const ROT_STRIDE: u64 = 1_000_000_007;

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// Bits flip in a place that was durable, or it is zeroed, or holds what nobody wrote.
    pub(super) fn rot(&mut self, id: ProcessId, fault: u32) {
        let extents = P::extents(&self.setup, id, &self.slots[id.slot()].disk);
        let processes = Processes::new(&self.slots, &self.network, &self.setup);
        let may_rot = self.oracle.may_rot(id, &extents, &processes);
        let Some(last) = (extents.len() as u64).checked_sub(1) else {
            drop(may_rot);
            return self.does_nothing(fault, IdleWhy::IsSpared);
        };
        let mut draw = draw(&mut self.choice, id, fault);
        let first = draw.range("extent", 0, last);
        let mut order = (0..=last).map(|turn| ((first + turn * ROT_STRIDE) % (last + 1)) as usize);
        let place = order.find(|place| may_rot(*place));
        drop(may_rot);
        let Some(place) = place else { return self.does_nothing(fault, IdleWhy::IsSpared) };
        let extent = &extents[place];
        rot_extent(&mut self.slots[id.slot()].disk, extent, &mut draw);
        self.oracle.rotted(id, extent);
        sometimes!(self.marks, FRAMEWORK, "a disk rotted", true);
    }

    /// The same without a budget, and worse.
    pub(super) fn ruin(&mut self, id: ProcessId, how: Ruin, fault: u32) {
        let extents = P::extents(&self.setup, id, &self.slots[id.slot()].disk);
        let processes = Processes::new(&self.slots, &self.network, &self.setup);
        let strikes = self.oracle.may_ruin(id, how, extents, &processes);
        let mut draw = draw(&mut self.choice, id, fault);
        let Some(extents) = pick(&mut draw, &strikes) else {
            return self.does_nothing(fault, IdleWhy::IsSpared);
        };
        let disk = &mut self.slots[id.slot()].disk;
        if how == Ruin::MisdirectedWrite {
            misdirect(disk, extents);
        } else {
            for extent in extents {
                ruin_extent(disk, how, extent, &mut draw);
            }
        }
        self.oracle.ruined(id, how, extents);
        let marks = &mut self.marks;
        sometimes!(marks, FRAMEWORK, "a write was lost", how == Ruin::LostWrite);
        sometimes!(marks, FRAMEWORK, "a write was misdirected", how == Ruin::MisdirectedWrite);
        sometimes!(marks, FRAMEWORK, "a file was truncated", how == Ruin::TruncatedFile);
        sometimes!(marks, FRAMEWORK, "a file went missing", how == Ruin::MissingFile);
        sometimes!(marks, FRAMEWORK, "all that was kept twice of something was lost", how == Ruin::LostPair);
    }

    pub(super) fn lose_disk(&mut self, id: ProcessId, outage_us: u64, fault: u32) {
        let processes = Processes::new(&self.slots, &self.network, &self.setup);
        if self.slots[id.slot()].stays_down || !self.oracle.may_lose_disk(id, &processes) {
            return self.does_nothing(fault, IdleWhy::IsSpared);
        }
        self.crash(id, CrashKind::PowerLoss, outage_us, fault);
        self.slots[id.slot()].disk.lose();
        self.oracle.disk_lost(id);
        sometimes!(self.marks, FRAMEWORK, "a disk was lost", true);
    }

    /// Keeps a copy of a disk; a later one replaces it.
    pub(super) fn keep_image(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        slot.image = Some(Box::new(slot.disk.worst_case_clone()));
    }

    /// The process dies, and comes back to the copy.
    pub(super) fn restore_image(&mut self, id: ProcessId, outage_us: u64, fault: u32) {
        let Some(image) = self.slots[id.slot()].image.take().filter(|_| !self.slots[id.slot()].stays_down)
        else {
            return self.does_nothing(fault, IdleWhy::IsDown);
        };
        self.crash(id, CrashKind::PowerLoss, outage_us, fault);
        self.slots[id.slot()].disk.restore(&image);
        self.oracle.image_restored(id);
        sometimes!(self.marks, FRAMEWORK, "a disk went back in time", true);
    }
}

fn draw(choice: &mut Choice, id: ProcessId, fault: u32) -> Draw<'_> {
    choice.draw(Purpose::Rot, u64::from(id.0), u64::from(fault))
}

fn pick<'a, T>(draw: &mut Draw<'_>, candidates: &'a [T]) -> Option<&'a T> {
    let last = (candidates.len() as u64).checked_sub(1)?;
    candidates.get(draw.range("extent", 0, last) as usize)
}

fn ruin_extent(disk: &mut SimDisk, how: Ruin, extent: &Extent, draw: &mut Draw<'_>) {
    match how {
        Ruin::Rot | Ruin::MisdirectedWrite => rot_extent(disk, extent, draw),
        Ruin::LostWrite | Ruin::LostPair => write_over(disk, extent, &[]),
        Ruin::TruncatedFile => disk.cut(&extent.file, extent.offset),
        Ruin::MissingFile => disk.unlink(&extent.file),
    }
}

fn rot_extent(disk: &mut SimDisk, extent: &Extent, draw: &mut Draw<'_>) {
    let at = draw.range("byte", 0, extent.bytes.saturating_sub(1));
    let (how, bits) = (draw.pick("how", &[1, 1, 1]), draw.bits("bits"));
    let damage = |bytes: &mut [u8]| match how {
        0 => bytes[at as usize] ^= 1 << (bits % 8),
        // What is zeros already would not change.
        1 if bytes.iter().any(|byte| *byte != 0) => bytes.fill(0),
        _ => {
            for (byte, place) in bytes.iter_mut().zip(0_u32..) {
                *byte ^= 1 | (bits >> (place % 56)) as u8;
            }
        }
    };
    disk.rot(&extent.file, extent.offset, extent.bytes, damage);
}

/// Puts these bytes there, as far as there is room, and zeros behind them.
fn write_over(disk: &mut SimDisk, extent: &Extent, with: &[u8]) {
    disk.rot(&extent.file, extent.offset, extent.bytes, |bytes| {
        let count = with.len().min(bytes.len());
        bytes[..count].copy_from_slice(&with[..count]);
        bytes[count..].fill(0);
    });
}

/// What stands in the first extent goes to the second, what stands there to the third, and so on; the first is empty.
fn misdirect(disk: &mut SimDisk, extents: &[Extent]) {
    let mut carried: Vec<u8> = Vec::new();
    for extent in extents {
        let mut found = Vec::new();
        disk.rot(&extent.file, extent.offset, extent.bytes, |bytes| found.extend_from_slice(bytes));
        write_over(disk, extent, &carried);
        carried = found;
    }
}
