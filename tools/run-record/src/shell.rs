//! Text that users copy into a shell.

/// A text as one word of a command line. A plain one stays as it is.
pub fn word(text: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || "/._-+=:@,".contains(c) || (cfg!(windows) && c == '\\');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_string(),
        false if cfg!(windows) => format!("\"{text}\""),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
