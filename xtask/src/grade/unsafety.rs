//! `unsafe` in a student's own code, named before anything is built.
//!
//! This is for a clear message. What it cannot see (a macro's doing, a file of another kind) the compiler
//! refuses: see [`super::intake`].

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};

use super::allowed::Allowed;
use super::files::sources;
use super::student::Student;

/// Words that step out of what the language guards. All but the first are attributes that reach the linker.
const WORDS: [&str; 4] = ["unsafe", "no_mangle", "export_name", "link_section"];
/// How many places are named.
const NAMED: usize = 5;

/// Why a crate is not graded, if `unsafe` is not allowed and it has some.
///
/// # Errors
/// If its files cannot be read.
pub(crate) fn problem(student: &Student, allowed: &Allowed) -> Result<Option<String>> {
    if allowed.unsafe_code || student.is_ours() {
        return Ok(None);
    }
    let mut places = Vec::new();
    for (file, text) in sources(&student.root)? {
        let found = found(&text).into_iter();
        places.extend(found.map(|(line, word)| format!("`{word}` at {}:{line}", file.display())));
    }
    let more = places.len().saturating_sub(NAMED);
    places.truncate(NAMED);
    if more > 0 {
        places.push(format!("{more} more"));
    }
    Ok((!places.is_empty()).then(|| {
        let places = places.join(", ");
        format!(
            "it has code that the language does not guard: {places} (if it may: --allow-unsafe)"
        )
    }))
}

/// The lines with one of the words, and which.
fn found(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    // Without recursion: see `tokens`.
    let mut left: Vec<TokenStream> = text.parse().into_iter().collect();
    while let Some(stream) = left.pop() {
        for tree in stream {
            match tree {
                TokenTree::Group(group) => left.push(group.stream()),
                TokenTree::Ident(name) => {
                    let line = name.span().start().line;
                    found
                        .extend(WORDS.iter().filter(|word| name == word).map(|word| (line, *word)));
                }
                _ => {}
            }
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nfn a() { let x = \"unsafe\"; }\n\
                    macro_rules! m { () => { unsafe { f() } } }\n#[unsafe(no_mangle)] fn g() {}";
        assert_eq!(found(text), [(4, "unsafe"), (5, "no_mangle"), (5, "unsafe")]);
        assert_eq!(found("fn ("), []);
    }
}
