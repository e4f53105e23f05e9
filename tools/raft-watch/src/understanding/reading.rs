//! How to read the messages of one method and type.

use std::sync::Arc;

use labgob::{Field, Peek, Shape};
use run_record::names::{self, Name};

use super::missing::{Missing, Part};
use super::plan::{self, Parts, Plan, Unread, fields};
use super::reply::{Reply, ReplyPlan};
use super::{Append, Bases, Entries, EntryPlan, Install, Leader, Method, Place, Request};
use crate::digest;

#[derive(Debug)]
pub(crate) enum Reading {
    Vote(Plan),
    /// The entries' place may be known, and not how to read them.
    Append(Plan, Unread, Option<Arc<EntryPlan>>),
    /// And who leads, if the message does not name it.
    Beat(Plan, Leader),
    Install(Plan),
    Reply(ReplyPlan),
    Stand,
    /// It promises nothing.
    Nothing,
    Unknown,
}

const VOTE: &[Name] = &[Name::Term, Name::LastIndex, Name::LastTerm, Name::PreVote, Name::Transfer];
pub(super) const APPEND: &[Name] =
    &[Name::Term, Name::Leader, Name::PrevIndex, Name::PrevTerm, Name::Entries, Name::Commit];
/// Indexes of what is before the first entry.
const NOTHING: [u64; 2] = [0, u64::MAX];
const INSTALL: &[Name] = &[
    Name::Term,
    Name::Leader,
    Name::IncludedIndex,
    Name::IncludedTerm,
    Name::Offset,
    Name::Done,
    Name::Entries,
];

impl Reading {
    /// Works out how to read a type, and notes what cannot be read.
    pub(crate) fn of(
        method: &str,
        reply: bool,
        shape: &'static Shape,
        missing: &mut Missing,
    ) -> Reading {
        hearsay(method, reply, shape, missing);
        let look = Look { method: names::method(method), shape, missing };
        match (Method::of(method), reply) {
            (Method::PreVote, _) => Reading::Nothing,
            (Method::Vote, false) => look.vote(),
            (Method::Append, false) => look.append(),
            (Method::Beat, false) => look.beat(),
            (Method::Vote, true) => look.reply(Part::VoteReplies),
            (Method::Append, true) => look.reply(Part::AppendReplies),
            (Method::Beat | Method::Install, true) => Reading::Reply(ReplyPlan::of_another(shape)),
            (Method::Install, false) => look.install(),
            (Method::TimeoutNow, _) => look.timeout_now(reply),
            (Method::Other, _) => look.other_or_empty(reply),
        }
    }

    pub(crate) fn request<'a>(&self, value: Peek<'a>, bases: &mut Bases) -> Request<'a> {
        match self {
            Reading::Vote(plan) => vote(plan, value, bases),
            Reading::Append(plan, unread, entries) => {
                append((plan, *unread), entries.as_ref(), value, bases)
            }
            Reading::Beat(plan, otherwise) => {
                let parts = plan.read(value);
                let Some(term) = parts.get(Name::Term).and_then(plan::number) else {
                    return Request::Unknown;
                };
                let commit = parts.get(Name::Commit).and_then(plan::number);
                let commit = commit.map(|commit| bases.commit(commit));
                let leader = leader(&parts, *otherwise);
                Request::Beat { term, leader, commit, message: digest::of([value.bytes()]) }
            }
            Reading::Install(plan) => install(plan, value, *bases),
            Reading::Stand => Request::Stand,
            Reading::Nothing => Request::Nothing,
            Reading::Reply(_) | Reading::Unknown => Request::Unknown,
        }
    }

    /// What cannot be known of a message although its type is understood, and why.
    pub(crate) fn trouble(
        &self,
        value: Peek<'_>,
        request: &Request<'_>,
    ) -> Option<(Part, &'static str)> {
        const UNREAD: &str = "has a number that is none";
        let part = match (self, request) {
            (Reading::Vote(_), Request::Unknown) => Part::Votes,
            (Reading::Append(..), Request::Unknown) => Part::Appends,
            (Reading::Install(_) | Reading::Beat(..), Request::Unknown) => Part::Others,
            (Reading::Beat(plan, _), _) => {
                // Some leave it at nothing, and others answer as to an AppendEntries.
                let prev = plan.read(value).get(Name::PrevIndex).and_then(plan::number);
                return prev.is_some_and(|prev| !NOTHING.contains(&prev)).then_some((
                    Part::Others,
                    "may check what an AppendEntries without entries does",
                ));
            }
            _ => return None,
        };
        Some((part, UNREAD))
    }

    pub(crate) fn reply(&self, value: Peek<'_>) -> Reply {
        match self {
            Reading::Reply(plan) => plan.read(value),
            _ => Reply::default(),
        }
    }
}

/// Who leads, as a message names it.
fn leader(parts: &Parts<'_>, otherwise: Leader) -> Leader {
    parts.get(Name::Leader).and_then(plan::number).map_or(otherwise, Leader::Named)
}

fn vote<'a>(plan: &Plan, value: Peek<'a>, bases: &mut Bases) -> Request<'a> {
    let parts = plan.read(value);
    if parts.get(Name::PreVote).and_then(|flag| plan::answer(flag)).is_some_and(|(yes, _)| yes) {
        return Request::Nothing;
    }
    let number = |name| plan::number(parts.get(name)?);
    let last_term = parts.get(Name::LastTerm).and_then(plan::term_of_entry);
    match (number(Name::Term), number(Name::LastIndex), last_term) {
        (Some(term), Some(index), Some(last_term)) => {
            bases.learn_index(index, last_term);
            Request::Vote { term, last: Place { index: bases.index(index), term: last_term } }
        }
        _ => Request::Unknown,
    }
}

fn append<'a>(
    (plan, unread): (&Plan, Unread),
    entries: Option<&Arc<EntryPlan>>,
    value: Peek<'a>,
    bases: &mut Bases,
) -> Request<'a> {
    let parts = plan.read(value);
    let number = |name| plan::number(parts.get(name)?);
    let prev_term = parts.get(Name::PrevTerm).and_then(plan::term_of_entry);
    match (number(Name::Term), number(Name::PrevIndex), prev_term) {
        (Some(term), Some(index), Some(prev_term)) => {
            let commit = number(Name::Commit).map(|commit| {
                bases.learn_commit(commit);
                bases.commit(commit)
            });
            let entries = match (parts.get(Name::Entries), entries) {
                (Some(list), Some(plan)) => Entries::Encoded(list, plan.clone()),
                _ => Entries::Unknown,
            };
            let prev = Place { index: bases.index(index), term: prev_term };
            let is_bare = unread.lists && entries.are_none();
            let other = if is_bare { plan.lists(value) } else { None };
            let marks = if unread.marks { plan.marks(value) } else { Vec::new() };
            let leader = leader(&parts, Leader::Sender);
            Request::Append(Append { term, leader, prev, commit, entries, other, marks })
        }
        _ => Request::Unknown,
    }
}

fn install<'a>(plan: &Plan, value: Peek<'a>, bases: Bases) -> Request<'a> {
    let parts = plan.read(value);
    let number = |name| plan::number(parts.get(name)?);
    let included_term = parts.get(Name::IncludedTerm).and_then(plan::term_of_entry);
    match (number(Name::Term), number(Name::IncludedIndex), included_term) {
        (Some(term), Some(index), Some(of)) => Request::Install(Install {
            term,
            leader: leader(&parts, Leader::Sender),
            last: Place { index: bases.index(index), term: of },
            offset: number(Name::Offset).unwrap_or(0),
            done: parts.get(Name::Done).and_then(plan::answer).is_none_or(|(done, _)| done),
            bytes: value.bytes().len() as u64,
            part: (!plan.has(Name::Offset)).then(|| digest::of([value.bytes()])),
        }),
        _ => Request::Unknown,
    }
}

/// Looks at the type of a method's message.
struct Look<'m> {
    method: &'m str,
    shape: &'static Shape,
    missing: &'m mut Missing,
}

impl Look<'_> {
    fn vote(self) -> Reading {
        let plan = Plan::of(self.shape, VOTE);
        let needed = [
            (Name::Term, "term"),
            (Name::LastIndex, "last_log_index"),
            (Name::LastTerm, "last_log_term"),
        ];
        if let Some((_, name)) = needed.into_iter().find(|(name, _)| !plan.has(*name)) {
            self.lacks(Part::Votes, name);
            return Reading::Unknown;
        }
        // A mark that nobody knows may be the one of a pre-vote.
        let is_mark = |name: &&str| {
            let known = |one| names::is(name, one) && plan.has(one);
            !known(Name::PreVote) && !names::is(name, Name::Transfer)
        };
        let small = plan.left_out(self.shape).into_iter().find(is_small_number);
        let mark = marks(self.shape).into_iter().find(is_mark);
        if let Some(mark) = mark.or(small.map(|field| field.name)) {
            let why = format!("nobody here knows what `{mark}` of {} means", self.method);
            self.missing.note(Part::Votes, why);
            return Reading::Unknown;
        }
        Reading::Vote(plan)
    }

    fn append(mut self) -> Reading {
        let plan = Plan::of(self.shape, APPEND);
        if !plan.has(Name::Term) {
            self.lacks(Part::Appends, "term");
            return Reading::Unknown;
        }
        let needed = [(Name::PrevIndex, "prev_log_index"), (Name::PrevTerm, "prev_log_term")];
        if let Some((_, name)) = needed.into_iter().find(|(name, _)| !plan.has(*name)) {
            self.lacks(Part::Appends, name);
            return Reading::Beat(plan, Leader::Sender);
        }
        let entries = self.entries(&plan);
        if !plan.has(Name::Commit) {
            self.missing.note(Part::Commit, lacks(self.method, "leader_commit", self.shape));
        }
        let unread = plan.unread(self.shape);
        Reading::Append(plan, unread, entries)
    }

    fn entries(&mut self, plan: &Plan) -> Option<Arc<EntryPlan>> {
        let Some(list) = plan.shape_of(Name::Entries, self.shape) else {
            self.missing.note(Part::Entries, lacks(self.method, "entries", self.shape));
            return None;
        };
        // Perhaps it is the one of the entries.
        let is_term = |field: &&&Field| {
            field.name.to_ascii_lowercase().ends_with("term")
                && plan::is_whole_number(field.ty.shape())
        };
        let other_term = plan.left_out(self.shape).iter().find(is_term).map(|field| field.name);
        match EntryPlan::of(list) {
            Ok(plan) if plan.is_by_place() && other_term.is_some() => {
                let why = format!(
                    "the entries of {} cannot be read: which is their term, their number or `{}`, is not \
                     clear",
                    self.method,
                    other_term.unwrap_or_default()
                );
                self.missing.note(Part::Entries, why);
                None
            }
            Ok(plan) => {
                if !plan.has_command {
                    let why =
                        format!("the entries of {} have no `command` or the like", self.method);
                    self.missing.note(Part::Commands, why);
                }
                Some(Arc::new(plan))
            }
            Err(why) => {
                let why = format!("the entries of {} cannot be read: {why}", self.method);
                self.missing.note(Part::Entries, why);
                None
            }
        }
    }

    fn beat(self) -> Reading {
        let plan = Plan::of(self.shape, APPEND);
        if !plan.has(Name::Term) {
            return self.other();
        }
        // Who does not lead has neither of these to tell.
        let is_leaders = |name| {
            let field = plan.field_of(name, self.shape);
            field.is_some_and(|field| names::letters(field.name).starts_with("leader"))
        };
        let otherwise = match is_leaders(Name::Term) || is_leaders(Name::Commit) {
            true => Leader::Sender,
            false => Leader::Unsaid,
        };
        Reading::Beat(plan, otherwise)
    }

    /// What it lacks is as if nobody knew the method.
    fn install(self) -> Reading {
        let plan = Plan::of(self.shape, INSTALL);
        let needed = [
            (Name::Term, "term"),
            (Name::IncludedIndex, "last_included_index"),
            (Name::IncludedTerm, "last_included_term"),
        ];
        if let Some((_, name)) = needed.into_iter().find(|(name, _)| !plan.has(*name)) {
            self.lacks(Part::Others, name);
            return Reading::Unknown;
        }
        let entries = plan.shape_of(Name::Entries, self.shape);
        let named = |field: &&Field| {
            EntryPlan::of(field.ty.shape()).is_ok_and(|entries| !entries.is_by_place())
        };
        if entries.is_some_and(|list| EntryPlan::of(list).is_ok())
            || plan.left_out(self.shape).iter().any(named)
        {
            let why = format!("{} brings entries behind its snapshot", self.method);
            self.missing.note(Part::Others, why);
            return Reading::Unknown;
        }
        Reading::Install(plan)
    }

    /// Tells its receiver to stand for election, if it says no more than who wants it to.
    fn timeout_now(self, reply: bool) -> Reading {
        const ASKS: &[Name] = &[
            Name::Term,
            Name::Leader,
            Name::Candidate,
            Name::PrevIndex,
            Name::PrevTerm,
            Name::LastIndex,
            Name::LastTerm,
        ];
        const ANSWERS: &[Name] = &[Name::Term, Name::Yes];
        let known = if reply { ANSWERS } else { ASKS };
        let is_known = |field: &Field| {
            let shape = field.ty.shape();
            let is_plain = plan::is_whole_number(shape) || plan::is_bool(shape);
            is_plain && known.iter().any(|name| names::is(field.name, *name))
        };
        let fields = fields(self.shape);
        let is_plain = plan::is_bool(self.shape) || plan::is_whole_number(self.shape);
        let says_no_more = plan::is_empty(self.shape)
            || !fields.is_empty() && fields.iter().all(is_known)
            || reply && is_plain;
        match says_no_more {
            true if reply => Reading::Nothing,
            true => Reading::Stand,
            false => self.other(),
        }
    }

    /// Nobody knows it. If it has no fields it can still tell somebody to stand for election.
    fn other_or_empty(self, reply: bool) -> Reading {
        match plan::is_empty(self.shape) {
            true if reply => Reading::Nothing,
            true => {
                let why = format!("{} may tell a server to stand for election", self.method);
                self.missing.note(Part::NotTold, why);
                Reading::Nothing
            }
            false => self.other(),
        }
    }

    fn reply(self, part: Part) -> Reading {
        let plan = ReplyPlan::of(self.shape);
        if !plan.may_have_term() {
            let what = format!("the reply to {}", self.method);
            self.missing.note(Part::ReplyTerms, lacks(&what, "term", self.shape));
        }
        if !plan.has_answer() {
            let name = if part == Part::VoteReplies { "vote_granted" } else { "success" };
            let what = format!("the reply to {}", self.method);
            self.missing.note(part, lacks(&what, name, self.shape));
        }
        Reading::Reply(plan)
    }

    fn other(self) -> Reading {
        let why = format!("nobody here knows what {} means", self.method);
        self.missing.note(Part::Others, why);
        Reading::Unknown
    }

    fn lacks(self, part: Part, name: &str) {
        self.missing.note(part, lacks(self.method, name, self.shape));
    }
}

/// Notes what is not only learned from AppendEntries.
pub(super) fn hearsay(method: &str, reply: bool, shape: &'static Shape, missing: &mut Missing) {
    let may_be_learned = match (Method::of(method), reply) {
        (Method::Other, _) => false,
        // With its term a follower knows it without a look at what is before the entries.
        (Method::Append | Method::Beat, false) => plan::tells_commit_with_term(shape),
        (Method::Install, false) => plan::tells_commit(shape),
        _ => plan::tells_commit(shape) || plan::tells_snapshot(shape),
    };
    if may_be_learned {
        let method = names::method(method);
        let why = format!("a server may learn from {method} what is committed");
        missing.note(Part::Hearsay, why);
    }
}

fn lacks(what: &str, name: &str, shape: &'static Shape) -> String {
    let fields: Vec<&str> = fields(shape).iter().map(|field| field.name).collect();
    let fields = match fields[..] {
        [] => "it has no fields".to_string(),
        _ => format!("fields {}", fields.join(", ")),
    };
    format!("{what} has no `{name}` or the like: {fields}")
}

/// Names of numbers that say what kind of message it is, or how they end.
const KINDS: [&str; 5] = ["kind", "type", "phase", "stage", "mode"];

/// True for a number that has few values, unless it says who sends the message.
fn is_small_number(field: &&Field) -> bool {
    let name = field.name.to_ascii_lowercase();
    let who = ["id", "from", "to", "candidate", "leader", "sender", "peer", "server", "node"];
    let says_who = who.into_iter().chain(["version"]).any(|who| name.ends_with(who));
    !says_who && plan::is_byte(field.ty.shape())
}

/// The names of the flags of a message, and of what else is one of few.
fn marks(shape: &'static Shape) -> Vec<&'static str> {
    fn is_one_of_few(shape: &'static Shape) -> bool {
        match shape {
            Shape::Option(some) => is_one_of_few(some.shape()),
            Shape::Enum { .. } => true,
            _ => plan::is_bool(shape),
        }
    }
    let is_mark = |field: &Field| {
        let name = field.name.to_ascii_lowercase();
        let named = KINDS.iter().any(|kind| name.ends_with(kind));
        named || names::is(field.name, Name::PreVote) || is_one_of_few(field.ty.shape())
    };
    let mut all = Vec::new();
    for field in fields(shape) {
        match is_mark(field) {
            true => all.push(field.name),
            false => all.extend(marks(field.ty.shape())),
        }
    }
    all
}
