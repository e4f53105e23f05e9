//! What a reply says.

use labgob::{Field, Peek, Shape};
use run_record::names::{self, Name};

use super::plan::{self, Plan};

/// What a reply says, as far as it is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The server's term, or perhaps only the request's: some send that back.
    pub(crate) term: Option<u64>,
    /// `voteGranted` or `success`.
    pub(crate) yes: Option<bool>,
    /// Up to which index a follower says that its log is the leader's.
    pub(crate) upto: Option<u64>,
    /// What is beyond `upto` the follower does not accept yet, however low that is.
    pub(crate) exact: bool,
}

impl Reply {
    pub(crate) fn new(term: u64, yes: bool, upto: Option<u64>) -> Reply {
        Reply { yes: Some(yes), upto, ..Reply::of_term(term) }
    }

    /// One that says no more than its term.
    pub(crate) fn of_term(term: u64) -> Reply {
        Reply { term: Some(term).filter(|term| *term > 0), ..Reply::default() }
    }
}

/// True for the name of a number that may be a term, the time, or a configuration's epoch.
fn may_be_any(name: &str) -> bool {
    ["t", "epoch"].into_iter().any(|any| names::same(name, any))
}

/// How to read the replies of a type.
#[derive(Debug)]
pub(crate) struct ReplyPlan {
    plan: Plan,
    /// The value as a whole is the answer.
    whole: bool,
    /// The type that is read.
    shape: &'static Shape,
}

impl ReplyPlan {
    /// How to read replies to RequestVote and AppendEntries.
    pub(crate) fn of(shape: &'static Shape) -> ReplyPlan {
        let whole = plan::is_bool(shape) || plan::says_yes_or_no(shape);
        let wanted = [Name::Term, Name::Yes, Name::Accepted, Name::Flushed];
        let mut plan = Plan::of(shape, &wanted);
        // A term beside an index is that of an entry, if another one may be the reply's.
        if plan.stands_beside_index(Name::Term, shape) {
            plan.take_another(Name::Term, shape, |field| {
                !plan::is_term_of_entry(field.name) && !may_be_any(field.name)
            });
        }
        let term = plan.field_of(Name::Term, shape).map(|field| field.name);
        let is_term = |field: &&Field| {
            field.name.to_ascii_lowercase().ends_with("term")
                && plan::is_whole_number(field.ty.shape())
        };
        let has_another = || plan.left_out(shape).iter().any(is_term);
        if term
            .is_some_and(|term| plan::is_term_of_entry(term) || may_be_any(term) && has_another())
        {
            plan.leave(Name::Term);
        }
        ReplyPlan { plan, whole, shape }
    }

    /// The same of replies that need not have a term: what may be anything is none there.
    pub(crate) fn of_another(shape: &'static Shape) -> ReplyPlan {
        let mut read = ReplyPlan::of(shape);
        if read.plan.field_of(Name::Term, shape).is_some_and(|field| may_be_any(field.name)) {
            read.plan.leave(Name::Term);
        }
        read
    }

    /// True if it may say its term, or is nothing but a yes or no.
    pub(crate) fn may_have_term(&self) -> bool {
        let answer = self.plan.shape_of(Name::Yes, self.shape);
        self.whole || self.plan.has(Name::Term) || answer.is_some_and(plan::has_variant_with_term)
    }

    pub(crate) fn has_answer(&self) -> bool {
        self.whole || self.plan.has(Name::Yes)
    }

    pub(crate) fn read(&self, value: Peek<'_>) -> Reply {
        let parts = self.plan.read(value);
        let answer = if self.whole { Some(value) } else { parts.get(Name::Yes) };
        let answer = answer.and_then(plan::answer);
        let number = |name| {
            let beside = parts.get(name).and_then(plan::number);
            let within = || plan::number_within(answer.as_ref()?.1.as_ref()?, name);
            let Some((rank, within)) = within() else { return beside };
            // Of several names the one that comes first in the table counts, also within a variant.
            let is_better = |field: &Field| names::rank(field.name, name) <= Some(rank);
            let field = self.plan.field_of(name, self.shape);
            beside.filter(|_| field.is_some_and(is_better)).or(Some(within))
        };
        let (matched, flushed) = (number(Name::Accepted), number(Name::Flushed));
        // What is not on its disk nobody may count.
        let exact = flushed.is_some_and(|flushed| matched.is_none_or(|upto| flushed < upto));
        Reply {
            // A reply that leaves its term at nothing says nothing about it.
            term: number(Name::Term).filter(|term| *term > 0),
            yes: answer.as_ref().map(|(yes, _)| *yes),
            upto: if exact { flushed } else { matched },
            exact,
        }
    }
}
