//! The probe that compares what a type's serde code does with the type's shape, and that knows
//! which field is being written or read.

use crate::Description;
use crate::depth::Guard;
use crate::fault::Fault;
use crate::probe::{Open, Probe};
use crate::shape::{Field, Primitive, Shape, Type};

/// Follows a value along its shape.
pub(crate) struct Checker {
    /// `Serialize` or `Deserialize`, for the error texts.
    who: &'static str,
    /// The shape of the next value.
    next: &'static Shape,
    /// The values whose parts are being followed, outermost first.
    open: Vec<Frame>,
    guard: Guard,
    /// Reading stops when fewer bytes are left.
    until: usize,
}

struct Frame {
    shape: &'static Shape,
    /// The variant's position, for an enum.
    variant: usize,
    /// How many parts have begun.
    begun: usize,
    /// How many parts there must be, if the shape tells.
    wanted: Option<usize>,
}

impl Checker {
    /// A checker of `Serialize`.
    pub(crate) fn of_serialize(shape: &'static Shape) -> Checker {
        let (open, guard) = (Vec::new(), Guard::new());
        Checker { who: "Serialize", next: shape, open, guard, until: 0 }
    }

    /// A checker of `Deserialize`.
    pub(crate) fn of_deserialize(shape: &'static Shape) -> Checker {
        Checker { who: "Deserialize", ..Checker::of_serialize(shape) }
    }

    /// A checker that stops `Deserialize` as soon as fewer than `left` bytes are left, so that it
    /// knows the field which the byte before them belongs to.
    pub(crate) fn until(shape: &'static Shape, left: usize) -> Checker {
        Checker { until: left, ..Checker::of_deserialize(shape) }
    }

    /// Where the walk is, such as `entries[2].command`. `None` at the outermost value.
    pub(crate) fn field(&self) -> Option<String> {
        let mut path = String::new();
        for frame in &self.open {
            let Some(at) = frame.begun.checked_sub(1) else { continue };
            path.push_str(&frame.step(at, path.is_empty()));
        }
        (!path.is_empty()).then_some(path)
    }

    /// Why `Deserialize` may have taken bytes that differ, just here, from those that `Serialize`
    /// writes; `None` if it should not have. `written` is what the latter writes here.
    pub(crate) fn other_form(&self, written: Option<u8>) -> Option<&'static str> {
        let is_key = |frame: &Frame| match frame.shape {
            Shape::Set(_) => true,
            Shape::Map(..) => !frame.begun.is_multiple_of(2),
            _ => false,
        };
        let owner = self.open.last().and_then(|frame| frame.shape.name());
        match self.next.shown() {
            _ if owner == Some("Duration") => Some("the nanoseconds are a second or more"),
            Shape::Set(_) | Shape::Map(..) if written != Some(0) => {
                Some("a key or an element is there twice")
            }
            _ if self.open.iter().any(is_key) => Some("keys or elements are not in their order"),
            _ => None,
        }
    }

    fn unlike(&self, does: &str) -> Fault {
        let declared = Description::of(self.next.shown()).name();
        Fault::shape(format!("{} {does}, but the type is declared as {declared}", self.who))
    }

    fn begin(&mut self, shape: &'static Shape, variant: usize, wanted: Option<usize>) {
        self.open.push(Frame { shape, variant, begun: 0, wanted });
    }
}

impl Frame {
    fn fields(&self) -> &'static [Field] {
        match self.shape {
            Shape::Struct { fields, .. } => fields,
            Shape::Enum { variants, .. } => variants[self.variant].fields,
            _ => &[],
        }
    }

    fn ty(&self, at: usize) -> Option<Type> {
        match self.shape {
            Shape::Struct { .. } | Shape::Enum { .. } => self.fields().get(at).map(|f| f.ty),
            Shape::Option(item) | Shape::List(item) | Shape::Set(item) => Some(*item),
            Shape::Array(item, len) => (at < *len).then_some(*item),
            Shape::Map(key, value) => Some(if at.is_multiple_of(2) { *key } else { *value }),
            Shape::Tuple(items) => items.get(at).copied(),
            Shape::Primitive(_) => None,
        }
    }

    /// One step of a path.
    fn step(&self, at: usize, first: bool) -> String {
        let dot = if first { "" } else { "." };
        match self.shape {
            Shape::Struct { fields, .. } => match fields.get(at) {
                Some(field) => format!("{dot}{}", field.name),
                None => String::new(),
            },
            Shape::Enum { variants, .. } => {
                let variant = &variants[self.variant];
                let colons = if first { "" } else { "::" };
                match variant.fields.get(at) {
                    Some(field) => format!("{colons}{}.{}", variant.name, field.name),
                    None => format!("{colons}{}", variant.name),
                }
            }
            Shape::List(_) | Shape::Set(_) | Shape::Array(..) => format!("[{at}]"),
            Shape::Map(..) => {
                let half = if at.is_multiple_of(2) { "key" } else { "value" };
                format!("[{half} {}]", at / 2)
            }
            Shape::Tuple(_) => format!("{dot}{at}"),
            Shape::Option(_) | Shape::Primitive(_) => String::new(),
        }
    }

    fn owner(&self) -> String {
        match self.shape {
            Shape::Enum { name, variants } => format!("{name}::{}", variants[self.variant].name),
            shape => shape.name().unwrap_or("the tuple").into(),
        }
    }

    /// A field that is declared and does not travel.
    fn lost(&mut self, who: &str, at: usize) -> Fault {
        let field = self.fields().get(at).map_or_else(|| at.to_string(), |f| f.name.into());
        let owner = self.owner();
        let action = if who == "Serialize" { "write" } else { "read" };
        self.begun = 0; // the fault is that of the whole, not of the part before
        Fault::shape(format!("{who} does not {action} field `{field}` of `{owner}`"))
    }

    fn undeclared(&mut self, who: &str, name: Option<&str>) -> Fault {
        let owner = self.owner();
        let what = name.map_or("more parts than".into(), |n| format!("field `{n}`, not among"));
        let action = if who == "Serialize" { "writes" } else { "reads" };
        self.begun = 0;
        Fault::shape(format!("{who} {action} {what} the declared fields of `{owner}`"))
    }
}

impl Probe for Checker {
    const SEES: bool = true;

    fn primitive(&mut self, primitive: Primitive) -> Result<(), Fault> {
        match self.next.shown() {
            Shape::Primitive(declared) if *declared == primitive => Ok(()),
            _ => Err(self.unlike(&format!("treats the value as {}", primitive.name()))),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Fault> {
        self.guard.check()?;
        let shape = self.next.shown();
        match (open, shape) {
            (Open::Struct(_), Shape::Struct { fields, .. }) => {
                self.begin(shape, 0, Some(fields.len()));
            }
            (Open::Tuple(_), Shape::Tuple(items)) => self.begin(shape, 0, Some(items.len())),
            (Open::Tuple(_), Shape::Array(_, len)) => self.begin(shape, 0, Some(*len)),
            (Open::Variant(index, name), Shape::Enum { variants, .. }) => {
                let at = index as usize;
                match variants.get(at) {
                    Some(variant) if alike(variant.name, name) => {
                        self.begin(shape, at, Some(variant.fields.len()));
                    }
                    _ => return Err(self.unlike(&format!("has `{name}` as variant {index}"))),
                }
            }
            (Open::Option, Shape::Option(_))
            | (Open::List, Shape::List(_) | Shape::Set(_))
            | (Open::Map, Shape::Map(..)) => self.begin(shape, 0, None),
            (open, _) => {
                let does = match open {
                    Open::Struct(count) => format!("treats the value as a struct of {count}"),
                    Open::Tuple(len) => format!("treats the value as a tuple of {len}"),
                    Open::Variant(_, name) => format!("treats the value as variant `{name}`"),
                    Open::Option => "treats the value as an option".into(),
                    Open::List => "treats the value as a list".into(),
                    Open::Map => "treats the value as a map".into(),
                };
                return Err(self.unlike(&does));
            }
        }
        Ok(())
    }

    fn part(&mut self, name: Option<&'static str>) -> Result<(), Fault> {
        let who = self.who;
        let Some(frame) = self.open.last_mut() else {
            return Err(Fault::shape(format!("{who} has a part outside of any value")));
        };
        let at = frame.begun;
        let Some(ty) = frame.ty(at) else { return Err(frame.undeclared(who, name)) };
        if let (Some(name), Some(declared)) = (name, frame.fields().get(at))
            && !alike(declared.name, name)
        {
            let known = frame.fields().iter().any(|field| alike(field.name, name));
            let fault = if known { frame.lost(who, at) } else { frame.undeclared(who, Some(name)) };
            return Err(fault);
        }
        frame.begun += 1;
        self.next = ty.shape();
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        // An option shows whether it is one by its part; a map has as many values as keys.
        let who = self.who;
        match self.open.last_mut() {
            Some(frame) if frame.wanted.is_some_and(|wanted| frame.begun < wanted) => {
                let at = frame.begun;
                return Err(frame.lost(who, at));
            }
            Some(Frame { shape: Shape::Map(..), begun, .. }) if !begun.is_multiple_of(2) => {
                return Err(Fault::shape(format!("{who} has a key without a value")));
            }
            _ => {}
        }
        self.open.pop();
        Ok(())
    }

    fn left(&mut self, bytes: usize) -> Result<(), Fault> {
        if bytes < self.until { Err(Fault::shape("the place looked for")) } else { Ok(()) }
    }
}

/// Whether two names are the same but for what serde's `rename_all` changes.
fn alike(declared: &str, name: &str) -> bool {
    let plain = |c: &char| *c != '_' && *c != '-';
    let lower = |c: char| c.to_ascii_lowercase();
    declared.chars().filter(plain).map(lower).eq(name.chars().filter(plain).map(lower))
}
