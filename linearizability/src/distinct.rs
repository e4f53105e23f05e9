//! Distinct values: who reads a value knows which operation wrote it.
//!
//! Then a decision needs no search (Gibbons and Korach, "Testing shared memories", 1997). All
//! operations on one value, its write first and then its reads, must come one after the other, as must
//! the operations on a value and on the one that an update made of it: they are a *block*. A block
//! whose first return is before its last call fills all the time between the two: its *span*. Another
//! one has a moment at which all its operations are under way, and can take place all at once then.
//! The history is linearizable if and only if
//!
//! 1. within each block, no operation returned before one was called that has to come before it;
//! 2. no two spans overlap;
//! 3. no block without a span has all its moments within another block's span.
//!
//! Operations that never returned took effect if somebody saw it, and otherwise may be left out.

use crate::history::NEVER;
use crate::model::{Access, Model};
use crate::part::Item;

/// An order of these operations of one object, as places in the history; or, inside, nothing if there
/// is none. Nothing at all if the values are not distinct.
pub(crate) fn decide<M: Model>(model: &M, items: &[Item<M>]) -> Option<Option<Vec<usize>>> {
    let operations: Vec<_> = items.iter().map(|item| (item.input, item.output)).collect();
    let accesses = model.accesses(&operations)?;
    assert!(
        accesses.len() == operations.len(),
        "`Model::accesses` of {} names {} accesses for {} operations: it needs one for each, in their order",
        std::any::type_name::<M>(),
        accesses.len(),
        operations.len(),
    );
    let accesses = dense(accesses);
    let values = Values::new(items, &accesses)?;
    Some(order(items, &accesses, &values))
}

/// The same with numbers of values that are not much larger than the number of operations.
fn dense(accesses: Vec<Access>) -> Vec<Access> {
    let of = |access: &Access| match *access {
        Access::Read(value) | Access::Write(value) => [value, 0],
        Access::Update { from, to } => [from, to],
        Access::Nothing => [0, 0],
    };
    let largest = accesses.iter().flat_map(of).max().unwrap_or(0);
    if largest as usize <= 2 * accesses.len() {
        return accesses;
    }
    // The first value of an object stays 0.
    let mut values: Vec<u32> = accesses.iter().flat_map(of).chain([0]).collect();
    values.sort_unstable();
    values.dedup();
    let number = |value: u32| values.partition_point(|other| *other < value) as u32;
    let numbered = |access| match access {
        Access::Read(value) => Access::Read(number(value)),
        Access::Write(value) => Access::Write(number(value)),
        Access::Update { from, to } => Access::Update { from: number(from), to: number(to) },
        Access::Nothing => Access::Nothing,
    };
    accesses.into_iter().map(numbered).collect()
}

/// Who writes and reads each value.
struct Values {
    /// The item that writes it.
    writers: Vec<Option<usize>>,
    /// The items that read it and returned.
    readers: Vec<Vec<usize>>,
    /// The item that updates it, if that took effect; one of them.
    updaters: Vec<Option<usize>>,
    /// Items that changed nothing, and returned.
    idle: Vec<usize>,
}

impl Values {
    /// Nothing if two items write the same value.
    fn new<M: Model>(items: &[Item<M>], accesses: &[Access]) -> Option<Values> {
        let number = |access: &Access| match *access {
            Access::Read(value) | Access::Write(value) => value,
            Access::Update { from, to } => from.max(to),
            Access::Nothing => 0,
        };
        let count = accesses.iter().map(number).max().unwrap_or(0) as usize + 1;
        let mut values = Values {
            writers: vec![None; count],
            readers: vec![Vec::new(); count],
            updaters: vec![None; count],
            idle: Vec::new(),
        };
        for (place, access) in accesses.iter().enumerate() {
            let (Access::Write(value) | Access::Update { to: value, .. }) = access else {
                continue;
            };
            let writer = &mut values.writers[*value as usize];
            if *value == 0 || writer.is_some() {
                return None;
            }
            *writer = Some(place);
        }
        values.note_effects(items, accesses);
        Some(values)
    }

    /// Finds out what took effect: what returned, and what wrote a value that somebody saw.
    fn note_effects<M: Model>(&mut self, items: &[Item<M>], accesses: &[Access]) {
        let mut effective: Vec<bool> = items.iter().map(Item::has_returned).collect();
        let mut todo: Vec<usize> = (0..items.len()).filter(|&place| effective[place]).collect();
        while let Some(place) = todo.pop() {
            let seen = match accesses[place] {
                Access::Read(value) => {
                    self.readers[value as usize].push(place);
                    value
                }
                Access::Update { from, .. } => {
                    self.updaters[from as usize] = Some(place);
                    from
                }
                Access::Write(_) => continue,
                Access::Nothing => {
                    self.idle.push(place);
                    continue;
                }
            };
            if let Some(writer) = self.writers[seen as usize]
                && !std::mem::replace(&mut effective[writer], true)
            {
                todo.push(writer);
            }
        }
        for (value, writer) in self.writers.iter_mut().enumerate() {
            if writer.is_some_and(|writer| !effective[writer]) {
                *writer = None;
                debug_assert!(self.readers[value].is_empty());
            }
        }
    }

    /// Whether somebody saw a value that nobody wrote.
    fn has_invention(&self) -> bool {
        (1..self.writers.len()).any(|value| {
            let is_seen = !self.readers[value].is_empty() || self.updaters[value].is_some();
            is_seen && self.writers[value].is_none()
        })
    }
}

/// Operations that come one after the other.
struct Block {
    items: Vec<usize>,
    /// The first return; before all time for the block of the initial value.
    first_end: i64,
    /// The last call.
    last_call: i64,
}

impl Block {
    fn has_span(&self) -> bool {
        self.first_end < self.last_call
    }
}

fn order<M: Model>(items: &[Item<M>], accesses: &[Access], values: &Values) -> Option<Vec<usize>> {
    if values.has_invention() {
        return None;
    }
    let mut blocks = blocks(items, accesses, values)?;
    blocks.retain(|block| !block.items.is_empty());
    let (mut spans, others): (Vec<Block>, Vec<Block>) =
        blocks.into_iter().partition(Block::has_span);
    spans.sort_unstable_by_key(|block| block.first_end);
    if spans.windows(2).any(|pair| pair[1].first_end < pair[0].last_call) {
        return None;
    }
    let mut placed = Vec::with_capacity(spans.len() + others.len());
    for block in others {
        placed.push((moment(&spans, &block)?, 1, block));
    }
    placed.extend(spans.into_iter().map(|block| (block.first_end, 0, block)));
    placed.sort_by_key(|(moment, rank, _)| (*moment, *rank));
    let order = placed.into_iter().flat_map(|(_, _, block)| block.items);
    Some(order.map(|place| items[place].operation).collect())
}

/// A moment at which all operations of a block without a span can take place.
fn moment(spans: &[Block], block: &Block) -> Option<i64> {
    let behind = spans.partition_point(|span| span.first_end < block.last_call);
    match spans[..behind].last().filter(|span| block.last_call < span.last_call) {
        None => Some(block.last_call),
        // Within this span: only after its end.
        Some(span) if span.last_call < block.first_end => Some(span.last_call),
        Some(_) => None,
    }
}

/// All blocks, unless one is not in order within itself.
fn blocks<M: Model>(items: &[Item<M>], accesses: &[Access], values: &Values) -> Option<Vec<Block>> {
    let mut is_taken = vec![false; values.writers.len()];
    let begins = |value: usize| match values.writers[value] {
        Some(writer) => matches!(accesses[writer], Access::Write(_)),
        None => value == 0,
    };
    let mut blocks = Vec::new();
    for value in (0..values.writers.len()).filter(|&value| begins(value)) {
        blocks.push(block(items, accesses, values, value, &mut is_taken)?);
    }
    // Updates in a circle have no beginning, and of two updates of one value only one follows it.
    let is_left = |value: usize| values.writers[value].is_some() && !is_taken[value];
    if (0..values.writers.len()).any(is_left) {
        return None;
    }
    let alone = |&place: &usize| Block {
        items: vec![place],
        first_end: end(&items[place]),
        last_call: i64::from(items[place].call),
    };
    blocks.extend(values.idle.iter().map(alone));
    Some(blocks)
}

/// The block that begins with this value.
fn block<M: Model>(
    items: &[Item<M>],
    accesses: &[Access],
    values: &Values,
    mut value: usize,
    is_taken: &mut [bool],
) -> Option<Block> {
    let first_end = if value == 0 { i64::MIN } else { i64::MAX };
    let mut block = Block { items: Vec::new(), first_end, last_call: i64::MIN };
    loop {
        is_taken[value] = true;
        if let Some(writer) = values.writers[value] {
            add(&mut block, items, &[writer])?;
        }
        let mut readers = values.readers[value].clone();
        readers.sort_unstable_by_key(|&reader| items[reader].call);
        add(&mut block, items, &readers)?;
        match values.updaters[value].map(|updater| accesses[updater]) {
            Some(Access::Update { to, .. }) => value = to as usize,
            _ => return Some(block),
        }
    }
}

/// Adds operations that come after all that are there, and in any order among themselves. Nothing if
/// one of them returned before one that is there was called.
fn add<M: Model>(block: &mut Block, items: &[Item<M>], places: &[usize]) -> Option<()> {
    let last_call = block.last_call;
    for &place in places {
        let item = &items[place];
        if end(item) < last_call {
            return None;
        }
        block.items.push(place);
        block.first_end = block.first_end.min(end(item));
        block.last_call = block.last_call.max(i64::from(item.call));
    }
    Some(())
}

fn end<M: Model>(item: &Item<M>) -> i64 {
    if item.end == NEVER { i64::MAX } else { i64::from(item.end) }
}

#[cfg(test)]
mod tests {
    use super::Access::{self, Nothing, Read, Update, Write};
    use super::dense;

    #[test]
    fn large_numbers_of_values_become_small_ones() {
        let of = |large: u32, larger: u32| {
            vec![Write(large), Read(0), Update { from: large, to: larger }, Read(larger), Nothing]
        };
        assert_eq!(dense(of(u32::MAX - 1, u32::MAX)), of(1, 2));
        assert_eq!(dense(of(u32::MAX, 10)), of(2, 1));
        // What is small enough stays.
        assert_eq!(dense(of(3, 10)), of(3, 10));
        assert_eq!(dense(vec![Read(9)]), [Read(1)]);
        assert_eq!(dense(Vec::new()), Vec::<Access>::new());
    }
}
