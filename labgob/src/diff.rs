//! How two descriptions differ, in sentences.

use std::collections::BTreeSet;

use crate::describe::{Description, Node, Part, Place};

/// More differences than these are not worth a line: the types are simply different.
const MOST: usize = 4;

/// A forged description may go on inwards for as long as the input.
const DEEPEST: usize = 32;

/// How the type in the bytes differs from the wanted one, the first few differences.
///
/// Empty if the two have nothing in common worth comparing.
pub(crate) fn differences(found: &Description, wanted: &Description) -> Vec<String> {
    let mut diff = Diff { found, wanted, seen: BTreeSet::new(), depth: 0, lines: Vec::new() };
    if diff.related() {
        diff.types("", 0, 0);
    }
    diff.lines.truncate(MOST);
    diff.lines
}

struct Diff<'a> {
    found: &'a Description,
    wanted: &'a Description,
    // Recursive types lead back to pairs already compared.
    seen: BTreeSet<(Place, Place)>,
    depth: usize,
    lines: Vec<String>,
}

impl Diff<'_> {
    /// Whether the two look like versions of one type.
    fn related(&self) -> bool {
        match (self.found.node(0), self.wanted.node(0)) {
            (Node::Struct(a, these), Node::Struct(b, those)) => a == b || share(these, those),
            (Node::Enum(a, these), Node::Enum(b, those)) => a == b || share(these, those),
            (Node::Generic(a, _), Node::Generic(b, _)) => a == b,
            (Node::Array(..), Node::Array(..)) | (Node::Tuple(_), Node::Tuple(_)) => true,
            _ => false,
        }
    }

    fn types(&mut self, path: &str, found: Place, wanted: Place) {
        let enough = self.depth >= DEEPEST || self.lines.len() >= MOST;
        if !enough && self.seen.insert((found, wanted)) {
            self.depth += 1;
            self.unseen_types(path, found, wanted);
            self.depth -= 1;
        }
    }

    fn unseen_types(&mut self, path: &str, found: Place, wanted: Place) {
        match (self.found.node(found), self.wanted.node(wanted)) {
            (Node::Struct(a, these), Node::Struct(b, those)) => {
                self.names(path, a, b);
                self.fields(path, b, these, those);
            }
            (Node::Enum(a, these), Node::Enum(b, those)) => {
                self.names(path, a, b);
                let type_name = |_: &Description, _: &(String, Vec<Part>)| String::new();
                self.lists(("variant", path, b), these, those, type_name);
                for (name, fields) in those {
                    if let Some((_, old)) = these.iter().find(|(old, _)| old == name) {
                        let owner = format!("{b}::{name}");
                        let colons = if path.is_empty() { "" } else { "::" };
                        self.fields(&format!("{path}{colons}{name}."), &owner, old, fields);
                    }
                }
            }
            (Node::Generic(a, these), Node::Generic(b, those)) if a == b => {
                let suffixes: &[&str] = match b.as_str() {
                    "Option" => &[""],
                    "BTreeMap" => &["[key]", "[value]"],
                    _ => &["[]"],
                };
                for ((suffix, old), new) in suffixes.iter().zip(these).zip(those) {
                    self.types(&format!("{path}{suffix}"), *old, *new);
                }
            }
            (Node::Array(old, m), Node::Array(new, n)) if m == n => {
                self.types(&format!("{path}[]"), *old, *new);
            }
            (Node::Tuple(these), Node::Tuple(those)) if these.len() == those.len() => {
                for (at, (old, new)) in these.iter().zip(those).enumerate() {
                    self.types(&format!("{path}.{at}"), *old, *new);
                }
            }
            (old, new) if old == new && matches!(old, Node::Primitive(_)) => {}
            _ if path.is_empty() => {}
            _ => {
                let (a, b) = (self.found.name_at(found), self.wanted.name_at(wanted));
                self.lines.push(format!("field `{path}` has type {a} instead of {b}"));
            }
        }
    }

    fn names(&mut self, path: &str, found: &str, wanted: &str) {
        if found != wanted {
            let at = if path.is_empty() { String::new() } else { format!(" of field `{path}`") };
            let found = short(found);
            self.lines.push(format!("the type{at} is called `{found}` instead of `{wanted}`"));
        }
    }

    fn fields(&mut self, path: &str, owner: &str, these: &[Part], those: &[Part]) {
        let type_name = |of: &Description, part: &Part| of.name_at(part.1);
        self.lists(("field", path, owner), these, those, type_name);
        for (name, new) in those {
            if let Some((_, old)) = these.iter().find(|(old, _)| old == name) {
                let dot = if path.is_empty() || path.ends_with('.') { "" } else { "." };
                self.types(&format!("{path}{dot}{name}"), *old, *new);
            }
        }
    }

    /// Missing, added, renamed and reordered names in two lists of fields or of variants.
    fn lists<T>(
        &mut self,
        (noun, path, owner): (&str, &str, &str),
        these: &[(String, T)],
        those: &[(String, T)],
        type_name: impl Fn(&Description, &(String, T)) -> String,
    ) {
        let dot = if path.is_empty() || path.ends_with('.') { "" } else { "." };
        let old = |name: &str| these.iter().any(|(other, _)| other == name);
        let new = |name: &str| those.iter().any(|(other, _)| other == name);
        let mut lines = Vec::new();
        let mut renamed = BTreeSet::new();
        for (at, part) in those.iter().enumerate().filter(|(_, (name, _))| !old(name)) {
            let name = &part.0;
            let twin = these.get(at).filter(|(name, _)| !new(name)).filter(|twin| {
                type_name(self.found, twin) == type_name(self.wanted, part)
                    && these.len() == those.len()
            });
            lines.push(match twin {
                Some((twin, _)) => {
                    renamed.insert(at);
                    let twin = short(twin);
                    format!("{noun} `{path}{dot}{name}` is renamed: it is `{twin}` in the bytes")
                }
                None => format!("{noun} `{path}{dot}{name}` is missing"),
            });
        }
        for (at, (name, _)) in these.iter().enumerate() {
            if !new(name) && !renamed.contains(&at) && lines.len() < MOST {
                let name = short(name);
                lines.push(format!("{noun} `{path}{dot}{name}` is added: `{owner}` has none"));
            }
        }
        let kept = |list: &[(String, T)], other: &dyn Fn(&str) -> bool| {
            list.iter().map(|(name, _)| name.clone()).filter(|n| other(n)).collect::<Vec<_>>()
        };
        let (before, after) = (kept(these, &new), kept(those, &old));
        if before != after {
            let (before, after) = (short(&before.join(", ")), short(&after.join(", ")));
            let text = format!("{noun}s of `{owner}` are reordered: {before} instead of {after}");
            lines.push(text);
        }
        self.lines.append(&mut lines);
    }
}

fn share<T>(these: &[(String, T)], those: &[(String, T)]) -> bool {
    these.iter().any(|(name, _)| those.iter().any(|(other, _)| name == other))
}

/// A name from the bytes may be forged: as long as they are, and with what would disturb a terminal.
fn short(name: &str) -> String {
    match name.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", name[..end].escape_debug()),
        None => name.escape_debug().to_string(),
    }
}
