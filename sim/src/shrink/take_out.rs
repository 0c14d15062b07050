//! Delta debugging: heaps of pieces are taken out, many at once at first, then fewer and fewer.

use std::collections::BTreeSet;

use super::pieces::{self, Heap, Piece};
use super::{Judge, Shrinker};

impl<J: Judge> Shrinker<'_, J> {
    /// Takes out what can go of these heaps, so that in the end no single one can.
    pub(super) fn take_out(&mut self, heaps: Vec<Heap>) {
        let mut heaps = heaps;
        let mut together = heaps.len();
        while together > 0 && !self.judge.is_over() {
            let mut done = 0;
            while done < heaps.len() {
                let Some(taken) = self.take_out_next(&heaps[done..], together) else { break };
                done += taken * together;
                heaps.drain(done..heaps.len().min(done + together));
                // With what was taken other pieces went, since nothing asks for them any more.
                let present = pieces::all(&self.best);
                let is_present = |heap: &Heap| heap.iter().any(|piece| present.contains(piece));
                let later = heaps.split_off(done);
                heaps.retain(is_present);
                done = heaps.len();
                heaps.extend(later.into_iter().filter(is_present));
            }
            together = if together > heaps.len() { heaps.len() } else { together / 2 };
        }
    }

    /// Takes out the first stretch of so many heaps that can go; its number.
    fn take_out_next(&mut self, heaps: &[Heap], together: usize) -> Option<usize> {
        let best = self.best.clone();
        self.try_first(heaps.chunks(together).map(|stretch| {
            let pieces: BTreeSet<&Piece> = stretch.iter().flatten().collect();
            pieces::without(&best, &pieces)
        }))
    }
}
