//! An ordered map whose clone costs nothing: pages of pairs, shared until they change.
//!
//! A snapshot of the state machine is a clone that is read while the machine works on. What changes meanwhile is
//! copied: the list of pages once, and each page that is written to, once. Of the libraries with such a map, one is under
//! a licence that this project does not take, and the other takes twice as long for a write as the map of the standard
//! library, which this one does not.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Pairs of one page, at most.
const PAGE_PAIRS: usize = 64;

/// A map from keys to values, in order of the keys.
///
/// Invariant: no page is empty; keys rise within a page, and from page to page.
#[derive(Clone, Default)]
pub(super) struct Pages {
    pages: Arc<Vec<Page>>,
    len: u64,
    /// Bytes of all keys and values.
    bytes: u64,
}

#[derive(Clone)]
struct Page {
    /// The first key, at hand for the search.
    first: Bytes,
    pairs: Arc<Vec<(Bytes, Bytes)>>,
}

/// A place between two pairs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Cursor {
    page: usize,
    pair: usize,
}

impl Pages {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of all keys and values.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let pairs = &self.pages.get(self.page_of(key))?.pairs;
        let place = pairs.binary_search_by(|(other, _)| other[..].cmp(key)).ok()?;
        Some(&pairs[place].1)
    }

    /// Sets the key's value, and returns the one that it had.
    pub(super) fn set(&mut self, key: &[u8], value: Bytes) -> Option<Bytes> {
        let place = self.page_of(key);
        self.bytes += value.len() as u64;
        let pages = Arc::make_mut(&mut self.pages);
        let Some(page) = pages.get_mut(place) else {
            let first = Bytes::copy_from_slice(key);
            pages.push(Page { first: first.clone(), pairs: Arc::new(vec![(first, value)]) });
            self.note_new(key);
            return None;
        };
        let pairs = Arc::make_mut(&mut page.pairs);
        match pairs.binary_search_by(|(other, _)| other[..].cmp(key)) {
            Ok(found) => {
                let before = std::mem::replace(&mut pairs[found].1, value);
                self.bytes -= before.len() as u64;
                return Some(before);
            }
            Err(place) => {
                let key = Bytes::copy_from_slice(key);
                if place == 0 {
                    page.first = key.clone();
                }
                pairs.insert(place, (key, value));
            }
        }
        if pairs.len() > PAGE_PAIRS {
            // Keys that only rise leave full pages behind; others leave room on both sides.
            let at_the_end = place + 1 == pages.len() && pairs_end_with(&pages[place], key);
            let cut = if at_the_end { PAGE_PAIRS } else { PAGE_PAIRS / 2 };
            let upper = Arc::make_mut(&mut pages[place].pairs).split_off(cut);
            pages.insert(place + 1, Page { first: upper[0].0.clone(), pairs: Arc::new(upper) });
        }
        self.note_new(key);
        None
    }

    /// Removes the key, and returns its value.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Bytes> {
        let place = self.page_of(key);
        let found = self.pages.get(place)?.pairs.binary_search_by(|(other, _)| other[..].cmp(key)).ok()?;
        let pages = Arc::make_mut(&mut self.pages);
        let pairs = Arc::make_mut(&mut pages[place].pairs);
        let (_, value) = pairs.remove(found);
        match pairs.first() {
            None => {
                pages.remove(place);
            }
            Some((first, _)) if found == 0 => pages[place].first = first.clone(),
            Some(_) => {}
        }
        self.len -= 1;
        self.bytes -= (key.len() + value.len()) as u64;
        Some(value)
    }

    /// The place of the first pair behind this key.
    pub(super) fn after(&self, key: &[u8]) -> Cursor {
        let page = self.page_of(key);
        let Some(Page { pairs, .. }) = self.pages.get(page) else { return Cursor::default() };
        let pair = pairs.partition_point(|(other, _)| other[..] <= *key);
        if pair == pairs.len() { Cursor { page: page + 1, pair: 0 } } else { Cursor { page, pair } }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.pages.iter().flat_map(|page| page.pairs.iter()).map(|(key, value)| (key, value))
    }

    /// The pair behind the cursor, which is moved past it.
    pub(super) fn next_at(&self, cursor: &mut Cursor) -> Option<(&Bytes, &Bytes)> {
        let pairs = &self.pages.get(cursor.page)?.pairs;
        let (key, value) = &pairs[cursor.pair];
        cursor.pair += 1;
        if cursor.pair == pairs.len() {
            *cursor = Cursor { page: cursor.page + 1, pair: 0 };
        }
        Some((key, value))
    }

    /// The page in which the key is, or would be: the last that does not begin behind it, or the first of all.
    fn page_of(&self, key: &[u8]) -> usize {
        self.pages.partition_point(|page| page.first[..] <= *key).saturating_sub(1)
    }

    fn note_new(&mut self, key: &[u8]) {
        self.len += 1;
        self.bytes += key.len() as u64;
    }
}

fn pairs_end_with(page: &Page, key: &[u8]) -> bool {
    page.pairs.last().is_some_and(|(last, _)| last[..] == *key)
}

/// What counts is what is in it, not how it is cut into pages.
impl PartialEq for Pages {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Pages {}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn check(pages: &Pages, model: &BTreeMap<Vec<u8>, Vec<u8>>) {
        let pairs = || model.iter().map(|(key, value)| (&key[..], &value[..]));
        assert!(pages.iter().map(|(key, value)| (&key[..], &value[..])).eq(pairs()));
        assert_eq!(pages.len(), model.len() as u64);
        assert_eq!(pages.bytes(), pairs().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>());
        let mut cursor = Cursor::default();
        let read =
            std::iter::from_fn(|| pages.next_at(&mut cursor).map(|(key, value)| (&key[..], &value[..])));
        assert!(read.eq(pairs()));
        for key in 0..400_u16 {
            let mut cursor = pages.after(&key.to_be_bytes());
            let next = pages.next_at(&mut cursor).map(|(key, _)| &key[..]);
            let behind = (Bound::Excluded(key.to_be_bytes().to_vec()), Bound::Unbounded);
            assert_eq!(next, model.range(behind).next().map(|(key, _)| &key[..]));
        }
        assert!(pages.pages.iter().all(|page| (1..=PAGE_PAIRS).contains(&page.pairs.len())));
        assert!(pages.pages.iter().all(|page| page.first == page.pairs[0].0));
    }

    #[test]
    fn keys_that_only_rise_fill_their_pages() {
        let mut pages = Pages::default();
        for number in 0..1_000_u32 {
            pages.set(&number.to_be_bytes(), Bytes::new());
        }
        assert_eq!(pages.pages.len(), 1_000_usize.div_ceil(PAGE_PAIRS));
    }

    proptest! {
        /// Enough keys for several pages, and clones that must not see what comes after them.
        #[test]
        fn it_is_a_map_and_its_clones_stay_as_they_were(
            steps in vec((0..400_u16, any::<Option<u8>>(), 0..50_u8), 0..1500),
        ) {
            let (mut pages, mut model) = (Pages::default(), BTreeMap::new());
            let mut clones = Vec::new();
            for (key, value, clone) in steps {
                let key = key.to_be_bytes().to_vec();
                let before = match value {
                    Some(value) => {
                        let value = vec![value; usize::from(value) % 5];
                        prop_assert_eq!(pages.get(&key).map(|value| value.to_vec()), model.get(&key).cloned());
                        (pages.set(&key, value.clone().into()), model.insert(key, value))
                    }
                    None => (pages.remove(&key), model.remove(&key)),
                };
                prop_assert_eq!(before.0.map(|value| value.to_vec()), before.1);
                if clone == 0 {
                    clones.push((pages.clone(), model.clone()));
                }
            }
            check(&pages, &model);
            for (pages, model) in clones {
                check(&pages, &model);
            }
        }
    }
}
