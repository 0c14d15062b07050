//! Where the record of each entry is: 16 bytes an entry, in blocks, so that a log of any length grows without being copied
//! and loses its beginning without being moved.

use std::collections::VecDeque;

use crate::slot::Slot;

const PER_BLOCK: usize = 1024;

/// Where a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Which of the segments, counted from 0 in the order in which this life came to know them.
    pub(crate) segment: u32,
    /// How long the whole record is.
    pub(crate) record_bytes: u32,
    /// Where it begins in the file.
    pub(crate) offset: u64,
}

impl Place {
    /// Where the record of this slot is.
    pub(crate) fn of(slot: &Slot, segment: u32) -> Result<Self, &'static str> {
        let record_bytes = u32::try_from(slot.header.record_bytes()).map_err(|_| "it is too long")?;
        Ok(Self { segment, record_bytes, offset: slot.offset })
    }
}

/// The places of consecutive entries, in segments that never fall.
///
/// Invariant: all blocks but the last hold `PER_BLOCK`, and the last holds at least one; `gone` is less than `PER_BLOCK`.
#[derive(Clone, Default, Debug)]
pub(crate) struct Places {
    blocks: VecDeque<Vec<Place>>,
    /// So many at the beginning of the first block do not count any more.
    gone: usize,
}

impl Places {
    pub(crate) fn len(&self) -> usize {
        let in_last = self.blocks.back().map_or(0, Vec::len);
        self.blocks.len().saturating_sub(1) * PER_BLOCK + in_last - self.gone
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// # Panics
    /// Where there are no more than `position`.
    pub(crate) fn get(&self, position: usize) -> Place {
        let at = self.gone + position;
        self.blocks[at / PER_BLOCK][at % PER_BLOCK]
    }

    pub(crate) fn push(&mut self, place: Place) {
        match self.blocks.back_mut().filter(|block| block.len() < PER_BLOCK) {
            Some(block) => block.push(place),
            None => {
                let mut block = Vec::with_capacity(PER_BLOCK);
                block.push(place);
                self.blocks.push_back(block);
            }
        }
    }

    /// Keeps the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        let end = self.gone + len;
        self.blocks.truncate(end.div_ceil(PER_BLOCK));
        let before_last = self.blocks.len().saturating_sub(1) * PER_BLOCK;
        if let Some(block) = self.blocks.back_mut() {
            block.truncate(end - before_last);
        }
        self.forget_first(0);
    }

    /// How many are in segments before this one. They are the first.
    pub(crate) fn count_before(&self, segment: u32) -> usize {
        let is_before = |place: &Place| place.segment < segment;
        let whole = self.blocks.partition_point(|block| block.last().is_some_and(is_before));
        let in_block = self.blocks.get(whole).map_or(0, |block| block.partition_point(is_before));
        // Those that do not count any more may be all that there are.
        (whole * PER_BLOCK + in_block).min(self.gone + self.len()).saturating_sub(self.gone)
    }

    /// Forgets so many at the beginning.
    pub(crate) fn forget_first(&mut self, count: usize) {
        self.gone += count;
        while let Some(block) = self.blocks.front().filter(|block| block.len() <= self.gone) {
            self.gone -= block.len();
            self.blocks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Push { count: u16, next_segment: bool },
        Truncate { to_per_mille: u16 },
        Forget { segments: u8 },
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let deed = prop_oneof![
            4 => (1..1500_u16, any::<bool>())
                .prop_map(|(count, next_segment)| Deed::Push { count, next_segment }),
            1 => (0..=1000_u16).prop_map(|to_per_mille| Deed::Truncate { to_per_mille }),
            1 => (0..4_u8).prop_map(|segments| Deed::Forget { segments }),
        ];
        prop::collection::vec(deed, 1..20)
    }

    proptest! {
        #[test]
        fn blocks_hold_what_one_list_would(deeds in deeds()) {
            let (mut places, mut list) = (Places::default(), Vec::new());
            let (mut segment, mut offset) = (0, 0);
            for deed in deeds {
                match deed {
                    Deed::Push { count, next_segment } => {
                        segment += u32::from(next_segment);
                        for _ in 0..count {
                            offset += 64;
                            let place = Place { segment, record_bytes: 64, offset };
                            places.push(place);
                            list.push(place);
                        }
                    }
                    Deed::Truncate { to_per_mille } => {
                        let len = list.len() * usize::from(to_per_mille) / 1000;
                        places.truncate(len);
                        list.truncate(len);
                    }
                    Deed::Forget { segments } => {
                        let first: u32 = list.first().map_or(0, |place: &Place| place.segment);
                        let kept = first + u32::from(segments);
                        let gone = list.partition_point(|place| place.segment < kept);
                        prop_assert_eq!(places.count_before(kept), gone);
                        places.forget_first(gone);
                        list.drain(..gone);
                    }
                }
                prop_assert_eq!((places.len(), places.is_empty()), (list.len(), list.is_empty()));
                for position in (0..list.len()).step_by(97).chain(list.len().checked_sub(1)) {
                    prop_assert_eq!(places.get(position), list[position]);
                }
            }
        }
    }
}
