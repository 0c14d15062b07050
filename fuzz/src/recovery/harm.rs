//! What becomes of the files: bytes go bad, pages land elsewhere, files are cut, exchanged, lost, invented. Or a piece of
//! them is forged: changed, and its checksums made right, so that whoever reads it believes that it was written so.

use arbitrary::Arbitrary;
use squall_storage::{Part, Piece};

use super::files::Files;
use super::seal;

const PAGE_BYTES: usize = 4096;

/// Something that happens to the files.
#[derive(Clone, Debug, Arbitrary)]
pub(crate) enum Harm {
    /// A piece that has a meaning of its own is changed.
    Strike(Strike),
    /// A stretch of a file becomes the same byte throughout.
    Fill { file: u8, at: u16, length: u16, byte: u8 },
    /// Bytes of a file become these.
    Overwrite { file: u8, at: u16, bytes: [u8; 6] },
    /// A page of one file lands in another, or elsewhere in the same.
    Misdirect { from: u8, from_page: u8, to: u8, to_page: u8 },
    /// A file is cut or grows.
    SetLength { file: u8, pages: u8, bytes: u16 },
    /// A file is lost.
    Remove { file: u8 },
    /// Two files change places.
    Exchange { one: u8, other: u8 },
    /// A file that nobody made: it is called so and holds what another one holds, from there on.
    Invent { name: Name, like: u8, from: u16 },
}

/// What becomes of a piece.
#[derive(Clone, Debug, Arbitrary)]
pub(crate) struct Strike {
    /// Which piece, modulo their number.
    piece: u16,
    /// Where in it, modulo its length.
    at: u16,
    change: Change,
    /// Whether its other copy is changed, too, or the record of a slot, or the slot of a record.
    twice: bool,
    /// Whether the checksums are made right.
    is_forged: bool,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Change {
    /// A bit of a byte.
    Flip(u8),
    Byte(u8),
    /// Four bytes, from a multiple of four on.
    Short(u32),
    /// Eight bytes, from a multiple of eight on.
    Long(u64),
    /// A number of eight bytes, there, becomes so much greater.
    Add(i8),
}

/// The names that a storage's files have, and others.
#[derive(Clone, Debug, Arbitrary)]
pub(crate) enum Name {
    Identity,
    HardState,
    HardStateAside,
    Segment(u8),
    Snapshot { index: u8, life: u8, is_aside: bool },
    Received,
    Foreign(u8),
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Identity => "identity".to_owned(),
            Self::HardState => "hard-state".to_owned(),
            Self::HardStateAside => "hard-state.new".to_owned(),
            Self::Segment(number) => format!("log-{number:020}"),
            Self::Snapshot { index, life, is_aside } => {
                format!("snapshot-{index:020}-{life:010}{}", if *is_aside { ".new" } else { "" })
            }
            Self::Received => "received-snapshot".to_owned(),
            Self::Foreign(number) => format!("log-{number}"),
        }
    }
}

impl Harm {
    /// Whether bytes are afterwards believed that no storage wrote.
    pub(crate) fn forges(&self) -> bool {
        match self {
            Self::Strike(strike) => strike.is_forged,
            Self::Fill { .. }
            | Self::Overwrite { .. }
            | Self::Misdirect { .. }
            | Self::SetLength { .. }
            | Self::Remove { .. }
            | Self::Exchange { .. }
            | Self::Invent { .. } => false,
        }
    }

    pub(super) fn strike(&self, files: &mut Files, pieces: &[Piece]) {
        let names = files.names();
        if names.is_empty() {
            return;
        }
        let name = |file: u8| names[usize::from(file) % names.len()].as_str();
        match self {
            Self::Strike(strike) => strike.carry_out(files, pieces),
            Self::Fill { file, at, length, byte } => {
                let bytes = stretch(files, name(*file), (*at).into(), (*length).into());
                bytes.fill(*byte);
            }
            Self::Overwrite { file, at, bytes } => {
                let place = stretch(files, name(*file), (*at).into(), bytes.len());
                place.copy_from_slice(&bytes[..place.len()]);
            }
            Self::Misdirect { from, from_page, to, to_page } => {
                let from =
                    stretch(files, name(*from), usize::from(*from_page) * PAGE_BYTES, PAGE_BYTES).to_vec();
                let to = stretch(files, name(*to), usize::from(*to_page) * PAGE_BYTES, PAGE_BYTES);
                let count = from.len().min(to.len());
                to[..count].copy_from_slice(&from[..count]);
            }
            Self::SetLength { file, pages, bytes } => {
                let length = usize::from(pages % 32) * PAGE_BYTES + usize::from(*bytes) % PAGE_BYTES;
                files.bytes_mut(name(*file)).into_iter().for_each(|file| file.resize(length, 0xA7));
            }
            Self::Remove { file } => files.lose(name(*file)),
            Self::Exchange { one, other } => {
                let (first, second) = (files.bytes(name(*one)).to_vec(), files.bytes(name(*other)).to_vec());
                files.put(name(*one), second);
                files.put(name(*other), first);
            }
            Self::Invent { name: invented, like, from } => {
                let like = files.bytes(name(*like));
                let bytes = like[usize::from(*from).min(like.len())..].to_vec();
                files.put(&invented.text(), bytes);
            }
        }
    }
}

/// So many bytes of a file, as far as it has them; the place is taken modulo its length.
fn stretch<'a>(files: &'a mut Files, name: &str, at: usize, length: usize) -> &'a mut [u8] {
    let bytes = files.bytes_mut(name).map_or(&mut [][..], Vec::as_mut_slice);
    let at = at % bytes.len().max(1);
    let end = (at + length).min(bytes.len());
    &mut bytes[at..end]
}

impl Strike {
    fn carry_out(&self, files: &mut Files, pieces: &[Piece]) {
        let Some(place) = usize::from(self.piece).checked_rem(pieces.len()) else { return };
        let struck = &pieces[place];
        let twin = |other: &&Piece| self.twice && are_twins(struck, other);
        for piece in core::iter::once(struck).chain(pieces.iter().find(twin)) {
            let range = seal::range(piece);
            let Some(bytes) = files.bytes_mut(&piece.file).and_then(|file| file.get_mut(range)) else {
                return;
            };
            self.change(bytes);
            if self.is_forged {
                seal::seal(files, piece, pieces);
            }
        }
    }

    fn change(&self, bytes: &mut [u8]) {
        let at = usize::from(self.at) % bytes.len().max(1);
        let word = |width: usize| at - at % width..at - at % width + width;
        match self.change {
            Change::Flip(bit) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (bit % 8)),
            Change::Byte(value) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = value),
            Change::Short(value) => {
                let place = bytes.get_mut(word(4));
                place.into_iter().for_each(|place| place.copy_from_slice(&value.to_le_bytes()));
            }
            Change::Long(value) => {
                let place = bytes.get_mut(word(8));
                place.into_iter().for_each(|place| place.copy_from_slice(&value.to_le_bytes()));
            }
            Change::Add(delta) => {
                let Some(place) = bytes.get_mut(word(8)) else { return };
                let value = u64::from_le_bytes((&*place).try_into().expect("a word of eight bytes"));
                place.copy_from_slice(&value.wrapping_add_signed(delta.into()).to_le_bytes());
            }
        }
    }
}

/// Whether these are two copies of a piece, or a record and its slot.
fn are_twins(one: &Piece, other: &Piece) -> bool {
    let is_same = match (one.part, other.part) {
        (Part::Slot(a), Part::Record(b)) | (Part::Record(a), Part::Slot(b)) => a == b,
        (a, b) => a == b && one.offset != other.offset,
    };
    one.file == other.file && is_same
}
