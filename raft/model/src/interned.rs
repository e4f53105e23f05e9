//! Things that are kept once each, and called by numbers.

use std::fmt::Debug;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::fingerprint::{Fingerprint, Renaming};

/// A part of a state, that has a fingerprint under each renaming.
pub(crate) trait Part: PartialEq + Debug {
    fn fingerprint(&self, renaming: &Renaming) -> Fingerprint;
}

/// A part with its fingerprints, as it is handed over to be kept.
#[derive(Debug)]
pub(crate) struct Printed<T> {
    part: T,
    prints: Vec<Fingerprint>,
}

impl<T: Part> Printed<T> {
    pub(crate) fn new(part: T, renamings: &[Renaming]) -> Printed<T> {
        let prints = renamings.iter().map(|renaming| part.fingerprint(renaming)).collect();
        Printed { part, prints }
    }
}

/// Parts of one kind, each kept once.
#[derive(Debug)]
pub(crate) struct Interned<T> {
    parts: Vec<T>,
    /// The fingerprints of all parts, one for each renaming.
    prints: Vec<Fingerprint>,
    renamings: usize,
    numbers: HashMap<Fingerprint, u32, FxBuildHasher>,
}

impl<T: Part> Interned<T> {
    pub(crate) fn new(renamings: usize) -> Interned<T> {
        let numbers = HashMap::with_hasher(FxBuildHasher);
        Interned { parts: Vec::new(), prints: Vec::new(), renamings, numbers }
    }

    /// The number of a part, which is a new one for a part that was not there.
    ///
    /// # Panics
    /// If another part has the same fingerprint: then some of it is not in its fingerprint.
    pub(crate) fn keep(&mut self, printed: Printed<T>) -> u32 {
        let Printed { part, prints } = printed;
        let new = self.parts.len() as u32;
        let number = *self.numbers.entry(prints[0]).or_insert(new);
        if number == new {
            self.parts.push(part);
            self.prints.extend(prints);
        } else {
            let known = &self.parts[number as usize];
            assert!(*known == part, "one fingerprint for two parts: {known:?} and {part:?}");
        }
        number
    }

    pub(crate) fn get(&self, number: u32) -> &T {
        &self.parts[number as usize]
    }

    /// The part's fingerprints, one for each renaming.
    pub(crate) fn prints(&self, number: u32) -> &[Fingerprint] {
        let first = number as usize * self.renamings;
        &self.prints[first..first + self.renamings]
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }
}
