//! What is said of a history.

/// How much work a decision may be. It is counted, not timed, so an answer is the same on every
/// machine and at every load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often the search may ask the model for a step: some ten millions a second for small states. Where its own
    /// tables take longer than the model, what it does with them counts too.
    /// To explain a violation it may ask as often once more, but seldom does: an explanation has a bound of its own, see
    /// [`Violation::minimal`].
    pub steps: u64,
    /// About how many bytes of memory its tables may take.
    pub bytes: u64,
}

impl Default for Limits {
    /// 50,000,000 steps and a gigabyte.
    fn default() -> Limits {
        Limits { steps: 50_000_000, bytes: 1 << 30 }
    }
}

/// A way to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Looking only at who read whose value, in polynomial time. Where a model cannot say so
    /// ([`Model::accesses`](crate::Model::accesses)), the answer is undecided.
    Distinct,
    /// Asking the model whether it knows a way of its own ([`Model::shortcut`](crate::Model::shortcut)). Where it does
    /// not, the answer is undecided.
    Shortcut,
    /// Trying orders, within the limits.
    Search,
}

/// What became of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<K> {
    /// The answer.
    pub answer: Answer<K>,
    /// What it took.
    pub work: Work,
}

/// What a decision took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How many objects the history was split into.
    pub objects: usize,
    /// How often the search asked the model for a step, explanations included; see [`Limits::steps`].
    pub steps: u64,
    /// The most bytes that the tables of one search took.
    pub bytes: u64,
}

/// Whether a history is linearizable. Operations are named by their places in
/// [`History::operations`](crate::History::operations).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<K> {
    /// It is: here is an order. Each operation that returned is in it; of those that never did, some: all that
    /// must have taken effect, and perhaps others that may have.
    Linearizable(Vec<usize>),
    /// It is not.
    NotLinearizable(Violation<K>),
    /// The limits were reached before that was known.
    Undecided(Undecided<K>),
}

impl<K> Answer<K> {
    /// Whether the answer is yes.
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Answer::Linearizable(_))
    }

    /// Whether the answer is no.
    pub fn is_violation(&self) -> bool {
        matches!(self, Answer::NotLinearizable(_))
    }
}

/// Why a history is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<K> {
    /// The object whose operations have no order.
    pub key: K,
    /// The operation with whose return it became certain: up to just before it there is an order. It may be one that
    /// returned later, if the explanation came to its bound; or if more than 16 operations are needed to show it with
    /// that return, and no more than these with a later one. It is one of `operations`.
    pub culprit: usize,
    /// Operations that cannot be ordered, in order of their calls, *even if no other operation had
    /// ever returned*: the others may take effect at any time after their calls, with any output, or
    /// never. (They are not simply left out. Without the writes, any single read would be a
    /// violation, and none would be explained.)
    pub operations: Vec<usize>,
    /// Whether `operations` is known to be as small as that: if any one of them had not returned
    /// either, there would be an order.
    ///
    /// It is not known if the explanation came to its bound. Each of its three parts (the culprit, the fewest operations,
    /// the longest orders) may take a third of [`Limits::steps`], but no more than 2,000,000 steps and four times those
    /// of the decision: what was decided in a second is explained in seconds. Larger limits do not lift that. Each
    /// question that it asks on the way may take a sixteenth of what is left, so it can come to its bound with most of
    /// the steps left. And all operations of all questions for the fewest are no more than 50,000,000.
    pub minimal: bool,
    /// The longest orders that were found of operations of this object up to the culprit's return,
    /// longest first. Each respects time and the model, and none can be continued to one with all of
    /// them. There is none if no operation can be the first.
    pub orders: Vec<Vec<usize>>,
}

impl<K> Violation<K> {
    /// The longest of the orders that contains this operation.
    pub fn longest_with(&self, operation: usize) -> Option<&[usize]> {
        self.orders.iter().find(|order| order.contains(&operation)).map(Vec::as_slice)
    }
}

/// How far the decision came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided<K> {
    /// How many objects were found to be linearizable.
    pub decided_objects: usize,
    /// How many operations those have.
    pub decided_operations: usize,
    /// What is left.
    pub open: Vec<Open<K>>,
}

/// An object that was not decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open<K> {
    /// The object.
    pub key: K,
    /// How many operations it has.
    pub operations: usize,
    /// How many of its operations the longest order has that was found. Until the last of *its*
    /// operations had to return, nothing is wrong.
    pub ordered: usize,
    /// What stopped the decision.
    pub stopped: Stopped,
}

/// What stopped a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// [`Limits::steps`].
    Steps,
    /// [`Limits::bytes`].
    Bytes,
    /// The values are not distinct, or the model cannot say whether they are, and no other means was asked for than
    /// [`Means::Distinct`].
    NotDistinct,
    /// The model knows no way of its own, and no other means was asked for after [`Means::Shortcut`].
    NoShortcut,
}
