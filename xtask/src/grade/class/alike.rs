//! Which crates have nearly the same code.
//!
//! By winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting",
//! 2003): each run of [`GRAM`] tokens has a hash, and of each [`WINDOW`] of neighbouring hashes the smallest
//! is kept as a mark. So two crates with `GRAM + WINDOW - 1` equal tokens in a row have a mark in common,
//! wherever these stand.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use crate::grade::files::{sources, too_much_source};
use crate::grade::tokens::{Token, tokens};
use crate::labs::Lab;
use crate::{skeleton, workspace};

/// Names are all alike to us, so it takes many tokens to say something.
const GRAM: usize = 24;
const WINDOW: usize = 16;
/// With fewer marks than this there is too little code to compare.
const LEAST_MARKS: usize = 20;
/// What share of the smaller one's marks makes two crates nearly equal.
const NEARLY_EQUAL: f64 = 0.5;
/// How many places of a pair are shown: the longest.
const PLACES: usize = 3;
/// How many pairs of a crate are listed: if a whole class began with the same code, each is a pair with each.
pub(crate) const PAIRS_OF_ONE: usize = 3;

/// What students can read here: it may be copied as well.
const OURS: [&str; 10] = [
    "raft",
    "rsm",
    "kv",
    "shardctrler",
    "shardkv",
    "zoo/blocking-raft",
    "zoo/kv-zoo",
    "zoo/odd-rafts",
    "zoo/raft-zoo",
    "zoo/shard-zoo",
];

/// Two crates with much code in common.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) one: String,
    pub(crate) two: String,
    /// Of the smaller one's code, from 0 to 1.
    pub(crate) share: f64,
    /// The longest places, as `file:line-line` in each.
    pub(crate) places: Vec<(String, String)>,
}

/// The marks of a crate, with the place of each.
type Marks = BTreeMap<u64, Place>;

/// Some lines of a file.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
struct Place {
    file: String,
    from: usize,
    to: usize,
}

struct Crate {
    name: String,
    marks: Marks,
    /// It is one of this workspace's.
    ours: bool,
}

/// The pairs of crates of a class that are nearly equal, or nearly equal to one of this workspace's, the most
/// equal first. What cannot be read, is no Rust or too much of it is not compared.
pub(crate) fn pairs<'a>(lab: &Lab, crates: impl Iterator<Item = (&'a str, &'a Path)>) -> Vec<Pair> {
    let given = marks_of([("", skeleton::source(lab).unwrap_or_default())].into_iter());
    let of = |name: String, dir: &Path, ours: bool| {
        let sources = match too_much_source(dir) {
            Ok(None) => sources(dir).unwrap_or_default(),
            _ => Vec::new(),
        };
        let texts =
            sources.iter().map(|(file, text)| (file.to_str().unwrap_or("?"), text.as_str()));
        let mut marks = marks_of(texts);
        marks.retain(|mark, _| !given.contains_key(mark));
        Crate { name, marks, ours }
    };
    let root = workspace();
    let ours = OURS.map(|path| of(format!("{path} of this workspace"), &root.join(path), true));
    let all: Vec<Crate> =
        crates.map(|(name, dir)| of(name.to_string(), dir, false)).chain(ours).collect();
    let mut pairs = Vec::new();
    for (place, one) in all.iter().enumerate().filter(|(_, one)| !one.ours) {
        pairs.extend(all[place + 1..].iter().filter_map(|two| pair(one, two)));
    }
    // Of equal ones, those first of which one can be read by all.
    let ours = |pair: &Pair| all.iter().any(|one| one.ours && one.name == pair.two);
    pairs.sort_by(|a, b| b.share.total_cmp(&a.share).then(ours(b).cmp(&ours(a))));
    pairs
}

/// Those of the pairs, the most equal first, that are among the first of one of the two.
pub(crate) fn most_equal(pairs: &[Pair]) -> Vec<&Pair> {
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut listed = Vec::new();
    for pair in pairs {
        let among_first = [&pair.one, &pair.two].map(|name| {
            let seen = seen.entry(name).or_default();
            *seen += 1;
            *seen <= PAIRS_OF_ONE
        });
        if among_first.contains(&true) {
            listed.push(pair);
        }
    }
    listed
}

fn pair(one: &Crate, two: &Crate) -> Option<Pair> {
    let least = one.marks.len().min(two.marks.len());
    if least < LEAST_MARKS {
        return None;
    }
    let common: Vec<(&Place, &Place)> =
        one.marks.iter().filter_map(|(mark, at)| Some((at, two.marks.get(mark)?))).collect();
    let share = common.len() as f64 / least as f64;
    (share >= NEARLY_EQUAL).then(|| Pair {
        one: one.name.clone(),
        two: two.name.clone(),
        share,
        places: longest(common),
    })
}

/// The longest places in common, those that lie side by side taken together.
fn longest(mut common: Vec<(&Place, &Place)>) -> Vec<(String, String)> {
    common.sort_by(|a, b| a.partial_cmp(b).expect("places have an order"));
    let mut joined: Vec<(Place, Place)> = Vec::new();
    for (one, two) in common {
        match joined.last_mut() {
            Some((a, b)) if a.touches(one) && b.touches(two) => {
                a.to = a.to.max(one.to);
                b.to = b.to.max(two.to);
            }
            _ => joined.push((one.clone(), two.clone())),
        }
    }
    joined.sort_by_key(|(one, _)| std::cmp::Reverse(one.to - one.from));
    joined.truncate(PLACES);
    joined.into_iter().map(|(one, two)| (one.to_string(), two.to_string())).collect()
}

impl Place {
    /// True if the other one follows, with at most a line between.
    fn touches(&self, other: &Place) -> bool {
        self.file == other.file && (self.from..=self.to + 2).contains(&other.from)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}-{}", self.file, self.from, self.to)
    }
}

/// The marks of some files.
fn marks_of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Marks {
    let mut marks = Marks::new();
    for (file, text) in files {
        for (mark, from, to) in winnow(&tokens(text).unwrap_or_default()) {
            marks.entry(mark).or_insert_with(|| Place { file: file.to_string(), from, to });
        }
    }
    marks
}

/// The marks of some tokens, each with its first and its last line.
fn winnow(tokens: &[Token]) -> Vec<(u64, usize, usize)> {
    let gram = |tokens: &[Token]| {
        let mut hasher = DefaultHasher::new();
        tokens.iter().for_each(|token| token.kind.hash(&mut hasher));
        (hasher.finish(), tokens[0].line, tokens[GRAM - 1].line)
    };
    let grams: Vec<_> = tokens.windows(GRAM).map(gram).collect();
    // The last of the smallest ones: neighbouring windows then mostly keep the same.
    let least = |window: &[(u64, usize, usize)]| {
        window.iter().rev().min_by_key(|(hash, ..)| *hash).copied()
    };
    let mut marks: Vec<_> =
        grams.windows(WINDOW.min(grams.len()).max(1)).filter_map(least).collect();
    marks.dedup();
    marks
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lab() -> &'static Lab {
        Lab::named("2").expect("a lab")
    }

    /// The pairs among crates with these sources.
    fn found(crates: &[(&str, &str)]) -> Vec<Pair> {
        let top = tempfile::tempdir().expect("a folder");
        let dirs = crates.iter().map(|(name, text)| {
            let dir = top.path().join(name);
            fs::create_dir_all(dir.join("src")).expect("a folder");
            fs::write(dir.join("src/lib.rs"), text).expect("a file");
            (*name, dir)
        });
        let dirs: Vec<_> = dirs.collect();
        pairs(lab(), dirs.iter().map(|(name, dir)| (*name, dir.as_path())))
    }

    fn text(path: &str) -> String {
        fs::read_to_string(workspace().join(path)).expect("a source")
    }

    #[test]
    fn a_copy_with_other_names_in_another_order_is_found() {
        let own = text("zoo/blocking-raft/src/lib.rs");
        let blocks: Vec<&str> = own.split_inclusive("\n}\n").collect();
        let (first, rest) = blocks.split_at(blocks.len() / 2);
        let moved = [rest, first].concat().concat();
        let renamed = moved.replace("term", "epoch").replace("leader", "chief");
        let pairs = found(&[("ann", &own), ("bob", &renamed)]);
        let names: Vec<_> = pairs.iter().map(|pair| (&*pair.one, &*pair.two)).collect();
        assert!(names.contains(&("ann", "bob")), "{pairs:?}");
        // That both are ours is seen as well.
        assert!(names.contains(&("bob", "zoo/blocking-raft of this workspace")), "{pairs:?}");
        assert!(pairs.iter().all(|pair| pair.share > 0.8), "{pairs:?}");
        assert!(pairs[0].places[0].0.starts_with("src/lib.rs:"), "{pairs:?}");
    }

    #[test]
    fn different_rafts_are_different() {
        let one = text("zoo/raft-zoo/src/server.rs") + &text("zoo/raft-zoo/src/election.rs");
        let pairs = found(&[("cid", &one), ("dan", &text("raft/src/server.rs"))]);
        assert!(pairs.iter().all(|pair| pair.two.ends_with("of this workspace")), "{pairs:?}");
        assert!(!pairs.is_empty());
    }

    #[test]
    fn of_many_pairs_the_most_equal_of_each_crate_are_listed() {
        let pair = |one: usize, two: usize| Pair {
            one: one.to_string(),
            two: two.to_string(),
            share: 1.0,
            places: Vec::new(),
        };
        let all = (0..20).flat_map(|one| (one + 1..20).map(move |two| (one, two)));
        let pairs: Vec<Pair> = all.map(|(one, two)| pair(one, two)).collect();
        let listed = most_equal(&pairs);
        for one in (0..20).map(|one| one.to_string()) {
            let of_one = listed.iter().filter(|pair| pair.one == one || pair.two == one).count();
            assert!(of_one >= PAIRS_OF_ONE, "{one}: {listed:?}");
        }
        assert!(listed.len() <= 20 * PAIRS_OF_ONE, "{listed:?}");
        assert_eq!(most_equal(&pairs[..3]).len(), 3);
    }

    #[test]
    fn what_the_skeleton_gives_does_not_count() {
        let skeleton = skeleton::source(lab()).expect("the skeleton");
        let pairs = found(&[("ann", skeleton), ("bob", skeleton)]);
        assert!(pairs.is_empty(), "{pairs:?}");
    }

    #[test]
    fn so_many_equal_tokens_have_a_mark_in_common() {
        let token = |kind| Token { kind, line: 1 };
        let common: Vec<Token> =
            (1000..1000 + GRAM + WINDOW - 1).map(|n| token(n as u64)).collect();
        for before in 0..40 {
            let one: Vec<Token> = (0..before).map(token).chain(common.clone()).collect();
            let two: Vec<Token> = common.iter().copied().chain((500..600).map(token)).collect();
            let two = winnow(&two);
            assert!(winnow(&one).iter().any(|mark| two.contains(mark)), "{before}");
        }
    }
}
