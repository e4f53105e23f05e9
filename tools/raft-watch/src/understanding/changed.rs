//! Requests of a run with other numbers in them.

use std::ops::Range;

use labgob::Peek;
use labrpc::KeptRequest;
use run_record::names::Name;

use super::plan::{self, Plan};
use super::{Encoded, Place, Understanding};

impl Understanding {
    /// A request with these numbers in the fields of these names; none if it lacks one of the fields, or a
    /// number does not fit.
    ///
    /// Who gets it reads it once more: a Raft that says itself what its messages mean may mean
    /// something else by these names.
    pub(crate) fn with(
        &self,
        request: &KeptRequest,
        numbers: &[(Name, u64)],
    ) -> Option<KeptRequest> {
        let value = request.peek()?;
        let names: Vec<Name> = numbers.iter().map(|(name, _)| *name).collect();
        let parts = Plan::of(request.shape(), &names).read(value);
        let mut changes = Vec::new();
        for (name, number) in numbers {
            let part = parts.get(*name)?;
            let is_so = match name {
                Name::LastTerm => plan::term_of_entry(part) == Some(*number),
                _ => plan::number(part) == Some(*number),
            };
            if !is_so {
                changes.push((place_in(request, part), part.renumbered(*number)?));
            }
        }
        changes.sort_unstable_by_key(|(place, _)| place.start);
        let mut bytes = request.bytes().to_vec();
        for (place, number) in changes.into_iter().rev() {
            bytes.splice(place, number);
        }
        Some(request.with(bytes))
    }

    /// A request for a vote in this term, by a candidate whose log ends there.
    pub(crate) fn with_vote(
        &self,
        request: &KeptRequest,
        term: u64,
        last: Place,
    ) -> Option<KeptRequest> {
        let index = last.index.wrapping_add(self.bases.index.unwrap_or(0));
        let numbers = [(Name::Term, term), (Name::LastIndex, index), (Name::LastTerm, last.term)];
        self.with(request, &numbers)
    }

    /// A request of one candidate as another one's. Candidates may be counted from 0 or from 1.
    pub(crate) fn with_candidate(
        &self,
        request: &KeptRequest,
        former: usize,
        candidate: usize,
    ) -> Option<KeptRequest> {
        let value = request.peek()?;
        let parts = Plan::of(request.shape(), &[Name::Candidate]).read(value);
        let named = plan::number(parts.get(Name::Candidate)?)?;
        let first = named.checked_sub(former as u64).filter(|first| *first <= 1)?;
        self.with(request, &[(Name::Candidate, candidate as u64 + first)])
    }
}

/// Where in the bytes of a request a part of it lies.
fn place_in(request: &KeptRequest, part: Peek<'_>) -> Range<usize> {
    let start = part.bytes().as_ptr().addr() - request.bytes().as_ptr().addr();
    start..start + part.bytes().len()
}

impl<'a> From<&'a KeptRequest> for Encoded<'a> {
    fn from(request: &'a KeptRequest) -> Encoded<'a> {
        Encoded { bytes: request.bytes(), shape: request.shape(), value: request.peek() }
    }
}
