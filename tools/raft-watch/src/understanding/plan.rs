//! Where in a type the fields are that the rules need, worked out once from its shape.

use labgob::{Field, Peek, Primitive, Shape, View};
use run_record::names::{self, Name};

use crate::digest;

/// How deep fields are looked for: a header or a wrapper, and what is within.
const DEPTH: usize = 3;

/// What is done with each field of a struct, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Skip,
    Take(Name),
    Inside(Plan),
}

/// What values of a type may have that nobody here understands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread {
    /// Lists or bytes.
    pub(crate) lists: bool,
    pub(crate) marks: bool,
}

/// A field that may be meant. The least one is the likeliest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likely {
    rank: usize,
    depth: usize,
    /// Its place, after those of the structs that it is in.
    path: Vec<usize>,
}

/// The parts of a value that a [`Plan`] has found.
#[derive(Debug)]
pub(crate) struct Parts<'a>([Option<Peek<'a>>; KINDS]);

const KINDS: usize = Name::VariantNo as usize + 1;

impl<'a> Parts<'a> {
    pub(crate) fn get(&self, name: Name) -> Option<Peek<'a>> {
        self.0[name as usize]
    }
}

impl Plan {
    /// Where these fields are in a type: of several, the one whose name comes first in the table, wherever it is; of
    /// those with one name, the one that is furthest out.
    pub(crate) fn of(shape: &'static Shape, wanted: &[Name]) -> Plan {
        let mut plan = Plan::of_nothing(shape, wanted, DEPTH);
        for name in wanted {
            if let Some(Likely { path, .. }) = plan.likeliest(shape, *name) {
                plan.take(&path, *name);
            }
        }
        plan
    }

    /// Takes nothing yet, but knows the structs in which to look: not those that are themselves what is looked for.
    fn of_nothing(shape: &'static Shape, wanted: &[Name], depth: usize) -> Plan {
        let fields = fields(shape);
        let place_of = |name: &Name| {
            let ranks = fields.iter().map(|field| rank(field, *name)).enumerate();
            ranks.filter_map(|(place, rank)| Some((rank?, place))).min().map(|(_, place)| place)
        };
        let meant: Vec<usize> = wanted.iter().filter_map(place_of).collect();
        let step = |(place, field): (usize, &'static Field)| match depth > 1
            && is_wrapper(field)
            && !meant.contains(&place)
        {
            true => Step::Inside(Plan::of_nothing(field.ty.shape(), wanted, depth - 1)),
            false => Step::Skip,
        };
        Plan(fields.iter().enumerate().map(step).collect())
    }

    /// The field that is most likely meant, of those that are not taken.
    fn likeliest(&self, shape: &'static Shape, name: Name) -> Option<Likely> {
        let fields = fields(shape).iter().zip(&self.0).enumerate();
        let likely = fields.filter_map(|(place, (field, step))| match step {
            Step::Skip => Some(Likely { rank: rank(field, name)?, depth: 1, path: vec![place] }),
            Step::Take(_) => None,
            Step::Inside(inside) => {
                let Likely { rank, depth, mut path } = inside.likeliest(field.ty.shape(), name)?;
                path.insert(0, place);
                Some(Likely { rank, depth: depth + 1, path })
            }
        });
        likely.min()
    }

    /// Takes the next likeliest field in the place of one that it takes, unless there is none that `may` be.
    pub(crate) fn take_another(
        &mut self,
        name: Name,
        shape: &'static Shape,
        may: impl Fn(&Field) -> bool,
    ) {
        let Some(Likely { path, .. }) = self.likeliest(shape, name) else { return };
        let mut other = self.clone();
        other.leave(name);
        other.take(&path, name);
        if other.field_of(name, shape).is_some_and(may) {
            *self = other;
        }
    }

    /// Does not take this field after all.
    pub(crate) fn leave(&mut self, name: Name) {
        for step in &mut self.0 {
            match step {
                Step::Take(taken) if *taken == name => *step = Step::Skip,
                Step::Inside(inside) => inside.leave(name),
                Step::Skip | Step::Take(_) => {}
            }
        }
    }

    fn take(&mut self, path: &[usize], name: Name) {
        let [place, within @ ..] = path else { return };
        match &mut self.0[*place] {
            Step::Inside(inside) => inside.take(within, name),
            step => *step = Step::Take(name),
        }
    }

    /// True if it takes this field.
    pub(crate) fn has(&self, name: Name) -> bool {
        self.0.iter().any(|step| match step {
            Step::Skip => false,
            Step::Take(taken) => *taken == name,
            Step::Inside(inside) => inside.has(name),
        })
    }

    /// A field that it takes.
    pub(crate) fn field_of(&self, name: Name, shape: &'static Shape) -> Option<&'static Field> {
        self.0.iter().zip(fields(shape)).find_map(|(step, field)| match step {
            Step::Skip => None,
            Step::Take(taken) => (*taken == name).then_some(field),
            Step::Inside(inside) => inside.field_of(name, field.ty.shape()),
        })
    }

    /// True if it takes this field of the type itself, and an index stands beside it.
    pub(crate) fn stands_beside_index(&self, name: Name, shape: &'static Shape) -> bool {
        let taken = |step: &Step| matches!(step, Step::Take(taken) if *taken == name);
        self.0.iter().any(taken) && fields(shape).iter().any(|field| is_place(field.name))
    }

    /// The type of a field that it takes.
    pub(crate) fn shape_of(&self, name: Name, shape: &'static Shape) -> Option<&'static Shape> {
        self.field_of(name, shape).map(|field| field.ty.shape())
    }

    /// The fields that it does not take.
    pub(crate) fn left_out(&self, shape: &'static Shape) -> Vec<&'static Field> {
        let mut left = Vec::new();
        for (step, field) in self.0.iter().zip(fields(shape)) {
            match step {
                Step::Skip => left.push(field),
                Step::Take(_) => {}
                Step::Inside(inside) => left.extend(inside.left_out(field.ty.shape())),
            }
        }
        left
    }

    /// The parts of a value of the type.
    pub(crate) fn read<'a>(&self, value: Peek<'a>) -> Parts<'a> {
        let mut parts = Parts([None; KINDS]);
        self.read_into(value, &mut parts);
        parts
    }

    /// What values of the type may have beside what it takes.
    pub(crate) fn unread(&self, shape: &'static Shape) -> Unread {
        let fields = self.left_out(shape);
        let lists = fields.iter().any(|field| may_have_items(field.ty.shape()));
        let marks = fields.iter().any(|field| is_mark(field.name, field.ty.shape()));
        Unread { lists, marks }
    }

    /// The lists and bytes of a value that it does not take, as one number; none if all of them are empty.
    pub(crate) fn lists(&self, value: Peek<'_>) -> Option<u64> {
        let mut parts = Vec::new();
        self.add_lists(value, &mut parts);
        (!parts.is_empty()).then(|| digest::of(parts))
    }

    fn add_lists<'a>(&self, value: Peek<'a>, parts: &mut Vec<&'a [u8]>) {
        for ((_, field), step) in value.fields().zip(&self.0) {
            match step {
                Step::Skip if has_items(field) => parts.push(field.bytes()),
                Step::Skip | Step::Take(_) => {}
                Step::Inside(inside) => inside.add_lists(field, parts),
            }
        }
    }

    /// What may tell a follower something in a word, and it does not take: one number for each such field; 0 if it has
    /// nothing to tell.
    pub(crate) fn marks(&self, value: Peek<'_>) -> Vec<u64> {
        let mut all = Vec::new();
        self.add_marks(value, &mut all);
        all
    }

    fn add_marks(&self, value: Peek<'_>, marks: &mut Vec<u64>) {
        for ((name, field), step) in value.fields().zip(&self.0) {
            match step {
                Step::Skip if is_mark(name, field.shape()) => marks.push(mark(field)),
                Step::Skip | Step::Take(_) => {}
                Step::Inside(inside) => inside.add_marks(field, marks),
            }
        }
    }

    fn read_into<'a>(&self, value: Peek<'a>, parts: &mut Parts<'a>) {
        for ((_, field), step) in value.fields().zip(&self.0) {
            match step {
                Step::Skip => {}
                Step::Take(name) => parts.0[*name as usize] = Some(field),
                Step::Inside(inside) => inside.read_into(field, parts),
            }
        }
    }
}

/// The fields of a struct, past newtypes that serde passes through; none of anything else.
pub(crate) fn fields(shape: &'static Shape) -> &'static [Field] {
    match shape {
        Shape::Struct { fields: [only], transparent: true, .. } => fields(only.ty.shape()),
        Shape::Struct { fields, .. } => fields,
        _ => &[],
    }
}

/// A struct that may hold what is looked for. A conflict has a term and an index of its own.
fn is_wrapper(field: &Field) -> bool {
    let shape = field.ty.shape();
    let is_place = || fields(shape).iter().any(|field| is_place(field.name));
    !fields(shape).is_empty()
        && !is_whole_number(shape)
        && !names::is(field.name, Name::Conflict)
        && !is_place()
}

/// True for the name of an index: a term beside it is that of the entry there.
fn is_place(name: &str) -> bool {
    names::is(name, Name::Index) || names::is(name, Name::ConflictIndex)
}

/// True for the name of a term that a reply has of some entry.
pub(crate) fn is_term_of_entry(name: &str) -> bool {
    ["logterm", "entryterm"].into_iter().any(|term| names::same(name, term))
}

/// True for a list or for bytes that are not empty, also within a newtype or an `Option`.
fn has_items(value: Peek<'_>) -> bool {
    match value.shape() {
        Shape::Struct { fields: [_], .. } => value.fields().any(|(_, only)| has_items(only)),
        Shape::Option(_) => value.items().is_some_and(|mut some| some.any(has_items)),
        Shape::List(_) | Shape::Set(_) => {
            value.items().is_some_and(|mut items| items.next().is_some())
        }
        // Their length comes first.
        Shape::Map(..) | Shape::Primitive(Primitive::Bytes) => value.bytes() != [0],
        _ => false,
    }
}

/// True if [`has_items`] may be true of a value.
fn may_have_items(shape: &'static Shape) -> bool {
    match shape {
        Shape::Struct { fields: [only], .. } => may_have_items(only.ty.shape()),
        Shape::Option(some) => may_have_items(some.shape()),
        Shape::List(_) | Shape::Set(_) | Shape::Map(..) | Shape::Primitive(Primitive::Bytes) => {
            true
        }
        _ => false,
    }
}

/// True for a flag, what may be there or not, and what is one of several kinds; and for a number whose name says that
/// it may tell somebody to stand for election.
fn is_mark(name: &str, shape: &'static Shape) -> bool {
    const CALLED: [&str; 3] = ["transfer", "timeout", "campaign"];
    if is_whole_number(shape) && !may_be_none(shape) {
        let name = name.to_ascii_lowercase();
        return CALLED.into_iter().any(|called| name.contains(called));
    }
    match inner(shape) {
        Some(inner) => is_mark(name, inner),
        None => is_bool(shape) || matches!(shape, Shape::Option(_) | Shape::Enum { .. }),
    }
}

/// A mark as a number; 0 for a flag that is not set, none, the first kind, and no number: -1, or 0 if there is no -1.
fn mark(value: Peek<'_>) -> u64 {
    let is_nothing = match is_whole_number(value.shape()) && !may_be_none(value.shape()) {
        true if is_signed(value.shape()) => number(value) == Some(u64::MAX),
        true => matches!(number(value), Some(0 | u64::MAX)),
        // First comes which of two or more it is.
        false => value.bytes().first() == Some(&0),
    };
    if is_nothing { 0 } else { digest::of([value.bytes()]).max(1) }
}

fn is_signed(shape: &'static Shape) -> bool {
    use Primitive::{I8, I16, I32, I64, I128};
    match inner(shape) {
        Some(inner) => is_signed(inner),
        None => matches!(shape, Shape::Primitive(I8 | I16 | I32 | I64 | I128)),
    }
}

/// A type of one value, which tells nothing.
pub(crate) fn is_empty(shape: &'static Shape) -> bool {
    match shape {
        Shape::Primitive(Primitive::Unit) | Shape::Struct { fields: [], .. } => true,
        Shape::Tuple(items) => items.is_empty(),
        _ => false,
    }
}

/// True if some variant of an enum may hold a term.
pub(crate) fn has_variant_with_term(shape: &'static Shape) -> bool {
    let is_term = |field: &Field| {
        names::is(field.name, Name::Term)
            || fields(field.ty.shape()).iter().any(|field| names::is(field.name, Name::Term))
    };
    match (shape, inner(shape)) {
        (_, Some(inner)) => has_variant_with_term(inner),
        (Shape::Enum { variants, .. }, None) => {
            variants.iter().any(|variant| variant.fields.iter().any(is_term))
        }
        _ => false,
    }
}

/// A number of one byte.
pub(crate) fn is_byte(shape: &'static Shape) -> bool {
    match inner(shape) {
        Some(inner) => is_byte(inner),
        None => matches!(shape, Shape::Primitive(Primitive::U8 | Primitive::I8)),
    }
}

/// True if somebody may learn from a message what is committed: by a number of such a name, also one that may be none or
/// is in a variant of an enum.
pub(crate) fn tells_commit(shape: &'static Shape) -> bool {
    has_field(shape, DEPTH + 1, &|field| is_number_of(field, &COMMITTED) || is_place_of(field))
}

/// True if a message says what is committed together with the term of that entry.
pub(crate) fn tells_commit_with_term(shape: &'static Shape) -> bool {
    let is_term = |field: &Field| {
        let name = names::letters(field.name);
        let is_of = |name_of: &&str| name.starts_with(name_of);
        let named = COMMITTED.iter().any(|known| names::aliases(*known).iter().any(is_of));
        let ends = ["term", "epoch"].into_iter().any(|term| name.ends_with(term));
        named && ends && is_whole_number(field.ty.shape())
    };
    has_field(shape, DEPTH + 1, &|field| is_term(field) || is_place_of(field))
}

/// True if a message says where a snapshot of its sender ends: all in it is committed.
pub(crate) fn tells_snapshot(shape: &'static Shape) -> bool {
    /// The end of a log may be called so, and any index.
    const OTHERS: [&str; 3] = ["lastindex", "lastlogindex", "index"];
    let is_other = |name: &str| OTHERS.into_iter().any(|other| names::same(name, other));
    has_field(shape, DEPTH + 1, &|field| {
        is_number_of(field, &[Name::IncludedIndex]) && !is_other(field.name)
    })
}

const COMMITTED: [Name; 2] = [Name::Commit, Name::Applied];

fn is_number_of(field: &Field, known: &[Name]) -> bool {
    known.iter().any(|name| names::is(field.name, *name)) && is_whole_number(field.ty.shape())
}

/// True for an index with its term up to which all is committed.
fn is_place_of(field: &Field) -> bool {
    let shape = field.ty.shape();
    let is_of = |known: &Name| names::is(field.name, *known);
    COMMITTED.iter().any(is_of) && !is_whole_number(shape) && !fields(shape).is_empty()
}

/// True if there is such a field in a type, also in what may be none or is in a variant of an enum.
fn has_field(shape: &'static Shape, depth: usize, is: &dyn Fn(&Field) -> bool) -> bool {
    let has =
        |field: &Field| is(field) || (depth > 1 && has_field(field.ty.shape(), depth - 1, is));
    match shape {
        Shape::Struct { fields, .. } => fields.iter().any(has),
        Shape::Enum { variants, .. } => {
            variants.iter().any(|variant| variant.fields.iter().any(has))
        }
        Shape::Option(some) => has_field(some.shape(), depth, is),
        _ => false,
    }
}

/// How likely a field has this meaning, by its name and its type: the lowest is the likeliest. None if it cannot have
/// it.
fn rank(field: &Field, name: Name) -> Option<usize> {
    let shape = field.ty.shape();
    let of_type = match name {
        Name::Entries | Name::Command => true,
        Name::PreVote | Name::Transfer | Name::Done => is_bool(shape),
        Name::Yes if says_yes_or_no(shape) => {
            // Whatever it is called. But a flag that is called so comes first.
            return Some(names::rank(field.name, name).unwrap_or(usize::MAX));
        }
        Name::Yes => is_bool(shape),
        // What none of them stands for, 0 or -1, nobody can know.
        Name::LastIndex | Name::PrevIndex | Name::Commit | Name::IncludedIndex => {
            is_whole_number(shape) && !may_be_none(shape)
        }
        _ => is_whole_number(shape),
    };
    of_type.then(|| names::rank(field.name, name)).flatten()
}

pub(crate) fn is_bool(shape: &'static Shape) -> bool {
    match inner(shape) {
        Some(inner) => is_bool(inner),
        None => matches!(shape, Shape::Primitive(Primitive::Bool)),
    }
}

/// A whole number, also within a newtype or an `Option`.
pub(crate) fn is_whole_number(shape: &'static Shape) -> bool {
    use Primitive::{I8, I16, I32, I64, I128, U8, U16, U32, U64, U128};
    match (shape, inner(shape)) {
        (_, Some(inner)) => is_whole_number(inner),
        (Shape::Option(item), None) => is_whole_number(item.shape()),
        (Shape::Primitive(leaf), None) => {
            matches!(leaf, I8 | I16 | I32 | I64 | I128 | U8 | U16 | U32 | U64 | U128)
        }
        _ => false,
    }
}

fn may_be_none(shape: &'static Shape) -> bool {
    match inner(shape) {
        Some(inner) => may_be_none(inner),
        None => matches!(shape, Shape::Option(_)),
    }
}

/// An enum each of whose variants means yes or no, such as `Result`.
pub(crate) fn says_yes_or_no(shape: &'static Shape) -> bool {
    let Shape::Enum { variants, .. } = shape else { return false };
    !variants.is_empty() && variants.iter().all(|variant| yes_or_no(variant.name).is_some())
}

fn yes_or_no(variant: &str) -> Option<bool> {
    let is = |name| names::is(variant, name);
    if is(Name::VariantYes) { Some(true) } else { is(Name::VariantNo).then_some(false) }
}

/// What a newtype holds.
fn inner(shape: &'static Shape) -> Option<&'static Shape> {
    match shape {
        Shape::Struct { fields: [only], .. } => Some(only.ty.shape()),
        _ => None,
    }
}

/// A whole number. A negative one stands for itself modulo 2^64, so that -1 is the number before 0; and so is
/// the largest one of 32 bits, which is -1 too.
pub(crate) fn number(value: Peek<'_>) -> Option<u64> {
    match value.shape() {
        Shape::Struct { fields: [_], .. } => number(value.fields().next()?.1),
        Shape::Primitive(Primitive::U32) if value.number() == Some(u64::from(u32::MAX)) => {
            Some(u64::MAX)
        }
        _ => value.number().or_else(|| match value.view()? {
            View::Number(number) => u64::try_from(number).ok(),
            View::Negative(number) => i64::try_from(number).ok().map(i64::cast_unsigned),
            _ => None,
        }),
    }
}

/// The term of an entry; what is before the first one has none, which some write as -1.
pub(crate) fn term_of_entry(value: Peek<'_>) -> Option<u64> {
    value.number().or_else(|| match value.view() {
        Some(View::Negative(_) | View::Nothing) => Some(0),
        _ => number(value),
    })
}

/// Yes or no, by a flag or by the name of a variant; and what the variant holds.
pub(crate) fn answer(value: Peek<'_>) -> Option<(bool, Option<View>)> {
    match value.shape() {
        Shape::Struct { fields: [_], .. } => answer(value.fields().next()?.1),
        Shape::Enum { .. } => match value.view()? {
            View::Text(name) => Some((yes_or_no(&name)?, None)),
            View::Variant(name, content) => Some((yes_or_no(name)?, Some(*content))),
            _ => None,
        },
        _ => Some((value.bool()?, None)),
    }
}

/// A number by its name, in what a variant holds, with the place of the name in the table; no term that stands beside
/// an index.
pub(crate) fn number_within(view: &View, name: Name) -> Option<(usize, u64)> {
    if name == Name::Term && view.fields().iter().any(|(field, _)| is_place(field)) {
        return None;
    }
    let is_of_entry = |field: &str| name == Name::Term && is_term_of_entry(field);
    let numbers = view.fields().iter().filter(|(field, _)| !is_of_entry(field));
    numbers.filter_map(|(field, value)| Some((names::rank(field, name)?, value.number()?))).min()
}
