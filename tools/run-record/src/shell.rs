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

/// A variable that a command line sets for its command alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// The variable.
    pub name: &'a str,
    /// The whole word as it is written: `NAME='a value'`.
    pub written: &'a str,
}

/// The variables that a command line begins with, and what is behind them.
///
/// Only what sets a variable and does nothing else counts: a value is of plain letters, of text between single quotes,
/// and of quotes behind a backslash. The first word that is anything else begins the rest.
pub fn assignments(line: &str) -> (Vec<Assignment<'_>>, &str) {
    let (mut found, mut rest) = (Vec::new(), line);
    while let Some((one, behind)) = assignment(rest) {
        found.push(one);
        rest = behind;
    }
    (found, rest)
}

fn assignment(line: &str) -> Option<(Assignment<'_>, &str)> {
    let (name, value) = line.split_once('=')?;
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(is_letter)
    {
        return None;
    }
    let (written, behind) = line.split_at(name.len() + 1 + end_of_value(value)?);
    Some((Assignment { name, written }, behind.strip_prefix(' ')?))
}

/// Where a value ends: at a space outside of quotes.
fn end_of_value(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\'' => quoted = !quoted,
            '\n' => return None,
            _ if quoted => {}
            ' ' => return Some(place),
            // The one way to write a quote between quotes.
            '\\' if characters.next()?.1 == '\'' => {}
            c if c.is_alphanumeric() || "_-+=,.:/@%".contains(c) => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_begins_with_variables_and_nothing_else_counts() {
        let names = |line| assignments(line).0.iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names("A=1 B= cargo test"), ["A", "B"]);
        let (found, rest) =
            assignments("RAFT_ZOO='it'\\''s;  2' LAB_SETTING=cuts=1,losses=0 cargo test");
        let written: Vec<_> = found.iter().map(|one| one.written).collect();
        assert_eq!(written, ["RAFT_ZOO='it'\\''s;  2'", "LAB_SETTING=cuts=1,losses=0"]);
        assert_eq!(rest, "cargo test");
        for bad in [
            "rm -rf x; cargo",
            "A=$(rm) cargo",
            "A=1; cargo",
            "A='1 cargo",
            "A=1",
            "A='1\nB=2' cargo",
            "A=\\n cargo",
            "1A=2 cargo",
            "=2 cargo",
            "A=\"x\" cargo",
            "A=`x` cargo",
            "A=1  B=2 cargo ",
        ] {
            let (found, rest) = assignments(bad);
            assert!(found.len() <= 1 && !rest.starts_with("cargo"), "{bad}: {found:?}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_shell_sets_a_variable_to_what_was_quoted() {
        for value in [
            "plain",
            "x  y",
            " x ",
            "it's",
            "a\tb",
            "",
            "$HOME `id` \\ \"q\"",
            "für 漢字",
            "cargo test",
        ] {
            let line = format!("B=1 A={} cargo test", word(value));
            let (found, rest) = assignments(&line);
            assert_eq!((found.len(), rest), (2, "cargo test"), "{line}");
            let print = format!("{} sh -c 'printf %s \"$A\"'", found[1].written);
            let said = std::process::Command::new("sh").args(["-c", &print]).output();
            assert_eq!(String::from_utf8_lossy(&said.expect("sh runs").stdout), value);
        }
    }
}
