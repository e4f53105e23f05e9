//! What the clients saw.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// Who called.
    pub client: u64,
    /// When, in any unit.
    pub call: u64,
    /// What the client asked for.
    pub input: I,
    /// What it got; `None` if the operation never returned. It may then have taken effect at any time
    /// after its call, or never.
    pub returned: Option<Returned<O>>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned<O> {
    /// When, in the unit of [`Operation::call`].
    pub at: u64,
    /// What the client got.
    pub output: O,
}

impl<I, O> Operation<I, O> {
    /// An operation that returned.
    pub fn new(client: u64, call: u64, input: I, at: u64, output: O) -> Operation<I, O> {
        Operation { client, call, input, returned: Some(Returned { at, output }) }
    }

    /// An operation that never returned.
    pub fn pending(client: u64, call: u64, input: I) -> Operation<I, O> {
        Operation { client, call, input, returned: None }
    }

    /// What the client got.
    pub fn output(&self) -> Option<&O> {
        self.returned.as_ref().map(|returned| &returned.output)
    }
}

/// Operations whose times make sense.
///
/// One operation is *before* another if it returned before the other was called. What happened at
/// the same time is concurrent: an operation that returned at 5 is not before one that was called at
/// 5. So where many things happen at one time (a coarse clock, a simulation), count events instead of
/// reading a clock: [`Recorder`] does. Otherwise violations between them stay unseen.
#[derive(Clone, Debug)]
pub struct History<I, O> {
    operations: Vec<Operation<I, O>>,
    /// Per operation, the place of its call among all events.
    calls: Vec<u32>,
    /// The same of its return, or [`NEVER`].
    returns: Vec<u32>,
}

/// The place of a return that never came.
pub(crate) const NEVER: u32 = u32::MAX;

/// How many operations a history may have.
pub const MOST_OPERATIONS: usize = 1 << 30;

/// Why operations are not a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// An operation returned before it was called.
    #[error(
        "operation {operation} of client {client} returned at {returned}, before it was called at {call}: \
         take both times from one clock that never goes back"
    )]
    ReturnBeforeCall {
        /// Its place among the operations.
        operation: usize,
        /// Who called.
        client: u64,
        /// When it was called.
        call: u64,
        /// When it returned.
        returned: u64,
    },
    /// A client called while its own earlier operation was under way.
    #[error(
        "client {client} called operation {second} at {call}, before its operation {first} returned at \
         {returned}: a client does one thing at a time, so give each thread a number of its own"
    )]
    Overlap {
        /// Who called.
        client: u64,
        /// The place of the earlier operation.
        first: usize,
        /// When that one returned.
        returned: u64,
        /// The place of the later one.
        second: usize,
        /// When that one was called.
        call: u64,
    },
    /// There are more operations than [`MOST_OPERATIONS`].
    #[error("a history of {0} operations is too long: at most 2^30 can be checked at once")]
    TooLong(usize),
}

impl<I, O> History<I, O> {
    /// Puts the operations, which may stand in any order, in order of time.
    ///
    /// A client may go on after an operation that never returned, since that is what clients do
    /// after a time-out.
    ///
    /// # Errors
    ///
    /// If the times cannot be.
    pub fn new(operations: Vec<Operation<I, O>>) -> Result<History<I, O>, HistoryError> {
        check_length(operations.len())?;
        check_returns(&operations)?;
        check_clients(&operations)?;
        let (calls, returns) = places(&operations);
        Ok(History { operations, calls, returns })
    }

    /// The operations, as they were given. All that speaks of an operation gives its place here.
    pub fn operations(&self) -> &[Operation<I, O>] {
        &self.operations
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing was ever called.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether the one operation returned before the other was called.
    ///
    /// # Panics
    ///
    /// If there is no such operation.
    pub fn is_before(&self, one: usize, other: usize) -> bool {
        self.returns[one] < self.calls[other]
    }

    /// The place of an operation's call among all events.
    pub(crate) fn call_place(&self, operation: usize) -> u32 {
        self.calls[operation]
    }

    /// The place of its return, or [`NEVER`].
    pub(crate) fn return_place(&self, operation: usize) -> u32 {
        self.returns[operation]
    }
}

fn check_length(length: usize) -> Result<(), HistoryError> {
    if length > MOST_OPERATIONS { Err(HistoryError::TooLong(length)) } else { Ok(()) }
}

fn check_returns<I, O>(operations: &[Operation<I, O>]) -> Result<(), HistoryError> {
    for (place, operation) in operations.iter().enumerate() {
        if let Some(returned) = &operation.returned
            && returned.at < operation.call
        {
            return Err(HistoryError::ReturnBeforeCall {
                operation: place,
                client: operation.client,
                call: operation.call,
                returned: returned.at,
            });
        }
    }
    Ok(())
}

fn check_clients<I, O>(operations: &[Operation<I, O>]) -> Result<(), HistoryError> {
    let end = |of: &Operation<I, O>| of.returned.as_ref().map_or(u64::MAX, |returned| returned.at);
    let mut order: Vec<u32> = (0..operations.len() as u32).collect();
    order.sort_unstable_by_key(|&place| {
        let operation = &operations[place as usize];
        (operation.client, operation.call, operation.returned.is_some(), end(operation), place)
    });
    let mut last: Option<usize> = None;
    for second in order.into_iter().map(|place| place as usize) {
        let operation = &operations[second];
        if let Some(first) = last.filter(|&first| operations[first].client == operation.client)
            && end(&operations[first]) > operation.call
        {
            return Err(HistoryError::Overlap {
                client: operation.client,
                first,
                returned: end(&operations[first]),
                second,
                call: operation.call,
            });
        }
        if operation.returned.is_some() {
            last = Some(second);
        }
    }
    Ok(())
}

/// The places of calls and returns among all events. At one time, calls come first.
fn places<I, O>(operations: &[Operation<I, O>]) -> (Vec<u32>, Vec<u32>) {
    let mut events = Vec::with_capacity(2 * operations.len());
    for (place, operation) in operations.iter().enumerate() {
        events.push((operation.call, false, place as u32));
        if let Some(returned) = &operation.returned {
            events.push((returned.at, true, place as u32));
        }
    }
    events.sort_unstable();
    let mut calls = vec![0; operations.len()];
    let mut returns = vec![NEVER; operations.len()];
    for (place, (_, is_return, operation)) in events.into_iter().enumerate() {
        let of = if is_return { &mut returns } else { &mut calls };
        of[operation as usize] = place as u32;
    }
    (calls, returns)
}

/// Takes down operations as they happen, with the number of each event as its time.
///
/// ```
/// use linearizability::Recorder;
///
/// let mut recorder = Recorder::new();
/// let put = recorder.call(1, "put x");
/// let get = recorder.call(2, "get"); // concurrent to the put
/// recorder.returned(get, "x");
/// recorder.returned(put, "ok");
/// recorder.call(1, "put y"); // never returns
/// assert_eq!(recorder.finish()?.len(), 3);
/// # Ok::<(), linearizability::HistoryError>(())
/// ```
///
/// A clone has seen what this one has seen up to then, and takes the tickets of it. From then on each has its own.
pub struct Recorder<I, O> {
    operations: Vec<Operation<I, O>>,
    events: u64,
    number: Number,
    /// Those that this one was cloned of, and how many of its operations are theirs.
    cloned: Vec<(Number, usize)>,
}

/// Which recorder of the process: tickets of another one are not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number(u64);

impl Number {
    fn next() -> Number {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Number(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// An operation that a [`Recorder`] knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    recorder: Number,
    place: usize,
}

impl Ticket {
    /// Its place among the history's operations.
    pub fn place(self) -> usize {
        self.place
    }
}

/// Without the recorder's number, which depends on what else the process does.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.place).finish()
    }
}

impl<I, O> Recorder<I, O> {
    /// A recorder that has seen nothing.
    pub fn new() -> Recorder<I, O> {
        Recorder { operations: Vec::new(), events: 0, number: Number::next(), cloned: Vec::new() }
    }

    /// A client calls.
    pub fn call(&mut self, client: u64, input: I) -> Ticket {
        self.operations.push(Operation::pending(client, self.events, input));
        self.events += 1;
        Ticket { recorder: self.number, place: self.operations.len() - 1 }
    }

    /// The operation returns. Of several returns of one operation only the first counts.
    ///
    /// # Panics
    ///
    /// If the ticket is another recorder's.
    pub fn returned(&mut self, ticket: Ticket, output: O) {
        assert!(self.has_given(ticket), "the ticket is another recorder's");
        let operation = &mut self.operations[ticket.place];
        if operation.returned.is_none() {
            operation.returned = Some(Returned { at: self.events, output });
            self.events += 1;
        }
    }

    /// Whether a ticket is of this one, or of one that this one was cloned of, from before that.
    fn has_given(&self, ticket: Ticket) -> bool {
        let before = |&(number, operations): &(Number, usize)| {
            ticket.recorder == number && ticket.place < operations
        };
        ticket.recorder == self.number || self.cloned.iter().any(before)
    }

    /// What was recorded.
    ///
    /// # Errors
    ///
    /// If a client called while its own earlier operation was under way and came to its end.
    pub fn finish(self) -> Result<History<I, O>, HistoryError> {
        History::new(self.operations)
    }
}

impl<I: Clone, O: Clone> Clone for Recorder<I, O> {
    fn clone(&self) -> Recorder<I, O> {
        let mut cloned = self.cloned.clone();
        cloned.push((self.number, self.operations.len()));
        Recorder {
            operations: self.operations.clone(),
            events: self.events,
            number: Number::next(),
            cloned,
        }
    }
}

impl<I: fmt::Debug, O: fmt::Debug> fmt::Debug for Recorder<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without its number, as a ticket.
        f.debug_struct("Recorder")
            .field("operations", &self.operations)
            .field("events", &self.events)
            .finish()
    }
}

impl<I, O> Default for Recorder<I, O> {
    fn default() -> Recorder<I, O> {
        Recorder::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(operations: Vec<Operation<(), ()>>) -> Result<History<(), ()>, HistoryError> {
        History::new(operations)
    }

    #[test]
    fn what_touches_is_concurrent() {
        let history = history(vec![
            Operation::new(1, 0, (), 5, ()),
            Operation::new(2, 5, (), 7, ()),
            Operation::new(3, 6, (), 9, ()),
            Operation::pending(4, 8, ()),
        ]);
        let history = history.unwrap();
        assert!(!history.is_before(0, 1), "both at 5");
        assert!(history.is_before(0, 2));
        assert!(history.is_before(1, 3));
        assert!(!history.is_before(3, 0), "it never returned");
    }

    #[test]
    fn times_that_cannot_be_are_refused() {
        let wrong = history(vec![Operation::new(1, 5, (), 4, ())]).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "operation 0 of client 1 returned at 4, before it was called at 5: take both times from \
             one clock that never goes back"
        );
        let wrong = history(vec![
            Operation::new(1, 3, (), 8, ()),
            Operation::new(2, 0, (), 9, ()),
            Operation::new(1, 0, (), 4, ()),
        ]);
        assert_eq!(
            wrong.unwrap_err().to_string(),
            "client 1 called operation 0 at 3, before its operation 2 returned at 4: a client does \
             one thing at a time, so give each thread a number of its own"
        );
    }

    #[test]
    fn a_client_may_go_on_after_a_time_out() {
        let operations = vec![
            Operation::pending(1, 0, ()),
            Operation::new(1, 1, (), 2, ()),
            Operation::pending(1, 2, ()),
            Operation::new(1, 2, (), 3, ()),
        ];
        assert_eq!(history(operations).unwrap().len(), 4);
    }

    #[test]
    fn a_second_return_changes_nothing() {
        let mut recorder = Recorder::new();
        let ticket = recorder.call(1, ());
        recorder.returned(ticket, "first");
        recorder.returned(ticket, "second");
        let history = recorder.finish().unwrap();
        assert_eq!(history.operations()[ticket.place()].output(), Some(&"first"));
    }

    #[test]
    #[should_panic(expected = "the ticket is another recorder's")]
    fn a_ticket_of_another_recorder_is_not_taken() {
        let (mut one, mut other) = (Recorder::new(), Recorder::<_, ()>::new());
        one.call(1, ());
        let ticket = other.call(1, ());
        one.returned(ticket, ());
    }

    #[test]
    fn a_clone_takes_the_tickets_from_before_it_was_made() {
        let mut first = Recorder::new();
        let before = first.call(1, ());
        let mut clone = first.clone();
        clone.returned(before, "of the clone");
        let ([after, of_clone], mut second) =
            ([first.call(2, ()), clone.call(2, ())], clone.clone());
        second.returned(of_clone, "of the clone's clone");
        assert!(second.has_given(before) && !second.has_given(after));
        assert!(!clone.has_given(after) && !first.has_given(of_clone));
        assert_ne!(after, of_clone);
        assert_eq!(format!("{after:?}"), format!("{of_clone:?}"));
        first.returned(before, "of the first");
        let output = |recorder: Recorder<_, _>| {
            *recorder.finish().unwrap().operations()[before.place()].output().unwrap()
        };
        assert_eq!(output(first), "of the first");
        assert_eq!([clone, second].map(output), ["of the clone"; 2]);
    }

    #[test]
    fn a_history_may_have_as_many_operations_as_it_says() {
        assert_eq!(MOST_OPERATIONS, 1_073_741_824);
        assert_eq!(check_length(MOST_OPERATIONS), Ok(()));
        let error = check_length(MOST_OPERATIONS + 1).unwrap_err();
        assert!(error.to_string().contains("1073741825 operations is too long: at most 2^30"));
        let empty = history(vec![]).unwrap();
        assert_eq!((empty.len(), empty.is_empty()), (0, true));
        assert!(!history(vec![Operation::pending(1, 0, ())]).unwrap().is_empty());
    }

    #[test]
    fn a_client_may_call_when_its_last_operation_returns_and_not_before() {
        let second_at = |call| {
            history(vec![Operation::new(1, 0, (), 5, ()), Operation::new(1, call, (), 9, ())])
        };
        assert!(second_at(5).is_ok() && second_at(6).is_ok());
        assert_eq!(
            second_at(4).unwrap_err(),
            HistoryError::Overlap { client: 1, first: 0, returned: 5, second: 1, call: 4 }
        );
        // What takes no time is before what begins then, wherever it stands.
        let operations = vec![Operation::new(1, 5, (), 9, ()), Operation::new(1, 5, (), 5, ())];
        assert!(history(operations).is_ok());
        // A call under way is in the way of one that never returns, too.
        let operations = vec![Operation::new(1, 0, (), 5, ()), Operation::pending(1, 4, ())];
        assert!(history(operations).is_err());
        // Other clients are not.
        let operations = vec![Operation::new(1, 0, (), 5, ()), Operation::new(2, 4, (), 9, ())];
        assert!(history(operations).is_ok());
    }

    #[test]
    fn calls_and_returns_have_places_among_all_events_and_calls_come_first() {
        let operations = vec![
            Operation::new(1, 7, (), 7, ()),
            Operation::new(2, 0, (), 7, ()),
            Operation::pending(3, 7, ()),
        ];
        let history = history(operations).unwrap();
        let calls: Vec<_> = (0..3).map(|operation| history.call_place(operation)).collect();
        let returns: Vec<_> = (0..3).map(|operation| history.return_place(operation)).collect();
        assert_eq!((calls, returns), (vec![1, 0, 2], vec![3, 4, NEVER]));
    }

    #[test]
    fn a_recorder_numbers_the_events_as_they_come() {
        let mut recorder = Recorder::default();
        let first = recorder.call(1, "a");
        let second = recorder.call(2, "b");
        recorder.returned(second, "x");
        recorder.returned(second, "again");
        recorder.returned(first, "y");
        let third = recorder.call(1, "c");
        assert_eq!((first.place(), second.place(), third.place()), (0, 1, 2));
        let expected = [
            Operation::new(1, 0, "a", 3, "y"),
            Operation::new(2, 1, "b", 2, "x"),
            Operation::pending(1, 4, "c"),
        ];
        assert_eq!(recorder.finish().unwrap().operations(), expected);
    }
}
