//! Files that people write: whether they are text at all.

/// The text of the file called `file`, of which these are the bytes; `expected` says what it should have been.
///
/// # Errors
/// Where a byte is no UTF-8; says which, by line and column.
pub fn decode(bytes: Vec<u8>, file: &str, expected: &str) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let error_at = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..error_at]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let byte = error.as_bytes()[error_at];
        format!("{file}:{line}:{column}: the byte {byte:#04x} is no text (UTF-8); expected {expected}")
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn what_is_no_text_is_told_by_line_and_column() {
        let error_of = |bytes: &[u8]| decode(bytes.to_vec(), "it", "a poem").expect_err("it is no text");
        assert_eq!(error_of(b"\xff"), "it:1:1: the byte 0xff is no text (UTF-8); expected a poem");
        assert!(error_of(b"\xc3\xa4\n\xc3\xb6\xfe").starts_with("it:2:2: the byte 0xfe"));
        assert_eq!(decode("ö\n".into(), "it", "a poem").as_deref(), Ok("ö\n"));
    }
}
