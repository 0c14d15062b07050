//! Paths: a name behind each slash, from the root. No path is relative, and no two name the same inode.

use crate::Error;

/// A path whose names are what names may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Path<'a> {
    /// As it was given, but for the root, which has no name and so no slash.
    bytes: &'a [u8],
}

impl<'a> Path<'a> {
    pub(crate) fn parse(bytes: &'a [u8], max_name_bytes: u64) -> Result<Self, Error> {
        if bytes == b"/" {
            return Ok(Self { bytes: b"" });
        }
        let path = Self { bytes };
        if bytes.first() != Some(&b'/') || !path.names().all(is_name) {
            return Err(Error::BadPath);
        }
        if path.names().any(|name| name.len() as u64 > max_name_bytes) {
            return Err(Error::NameTooLong);
        }
        Ok(path)
    }

    /// Its names, from the root.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'/').skip(1)
    }

    /// The path of the directory and the name in it; the root is in no directory.
    pub(crate) fn split(self) -> Option<(Self, &'a [u8])> {
        let slash = self.bytes.iter().rposition(|byte| *byte == b'/')?;
        Some((Self { bytes: &self.bytes[..slash] }, &self.bytes[slash + 1..]))
    }

    /// Whether it leads through `other`, and further.
    pub(crate) fn is_below(self, other: Self) -> bool {
        self.bytes.strip_prefix(other.bytes).is_some_and(|rest| rest.first() == Some(&b'/'))
    }
}

pub(crate) fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &str) -> Path<'_> {
        Path::parse(bytes.as_bytes(), 5).expect("a path")
    }

    #[test]
    fn a_path_has_a_name_behind_each_slash_and_the_root_has_none() {
        assert!(path("/a/b.c").names().eq([&b"a"[..], b"b.c"]));
        assert_eq!(path("/").names().count(), 0);
        assert_eq!(path("/a/b").split(), Some((path("/a"), &b"b"[..])));
        assert_eq!(path("/a").split(), Some((path("/"), &b"a"[..])));
        assert_eq!(path("/").split(), None);
    }

    #[test]
    fn a_path_is_below_those_that_it_leads_through_and_not_below_itself_or_a_longer_name() {
        assert!(path("/a/b").is_below(path("/a")) && path("/a").is_below(path("/")));
        for (one, other) in [("/a", "/a"), ("/ab", "/a"), ("/a", "/a/b"), ("/", "/")] {
            assert!(!path(one).is_below(path(other)), "{one} below {other}");
        }
    }

    #[test]
    fn what_is_no_path_or_has_too_long_a_name_is_refused() {
        for bytes in ["", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/\0", "a/b"] {
            assert_eq!(Path::parse(bytes.as_bytes(), 5), Err(Error::BadPath), "{bytes:?}");
        }
        assert_eq!(Path::parse(b"/12345/123456", 5), Err(Error::NameTooLong));
        assert!(Path::parse(b"/12345/...", 5).is_ok());
    }
}
