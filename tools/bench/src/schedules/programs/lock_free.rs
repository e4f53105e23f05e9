//! Bugs in containers without locks.

use super::Code;
use crate::schedules::runtime::{Atomic, Runtime, race};

const NODES: usize = 3;

/// A list of free nodes, which tasks take and give back.
struct FreeList<R: Runtime> {
    code: Code,
    /// The first node; in the mended form also how often it has changed, above [`FreeList::NODE`].
    head: R::Number,
    /// What follows each node; `NODES` stands for none.
    next: [R::Number; NODES],
    in_use: [R::Flag; NODES],
}

impl<R: Runtime> FreeList<R> {
    /// The bits of the head that are the node.
    const NODE: usize = 0xff;

    fn new(code: Code) -> Self {
        FreeList {
            code,
            head: Atomic::new(0),
            next: std::array::from_fn(|node| Atomic::new(node + 1)),
            in_use: std::array::from_fn(|_| Atomic::new(false)),
        }
    }

    /// The head that follows `head` and begins the list with `node`.
    fn changed(&self, head: usize, node: usize) -> usize {
        match self.code {
            Code::Mended => (head & !Self::NODE) + Self::NODE + 1 + node,
            Code::Buggy => node,
        }
    }

    fn take(&self) -> Option<usize> {
        loop {
            let head = self.head.load();
            let node = head & Self::NODE;
            let next = self.next.get(node)?.load();
            if self.head.replace(head, self.changed(head, next)) {
                let taken = self.in_use[node].swap(true);
                assert!(!taken, "two tasks have node {node}");
                return Some(node);
            }
        }
    }

    fn give_back(&self, node: usize) {
        self.in_use[node].store(false);
        loop {
            let head = self.head.load();
            self.next[node].store(head & Self::NODE);
            if self.head.replace(head, self.changed(head, node)) {
                return;
            }
        }
    }
}

/// Two tasks take nodes from a free list, and one gives one back.
///
/// Bug: a task takes the head if it is the node it was before, also if the list behind it changed.
/// Seen if: while one task is about to exchange the head, the other takes two nodes and gives the
/// first back; then the next one that is taken is in use.
pub(super) fn aba<R: Runtime>(code: Code) {
    race::<R, _>(
        FreeList::<R>::new(code),
        &[
            |list| {
                list.take();
                list.take();
            },
            |list| {
                let first = list.take();
                list.take();
                if let Some(node) = first {
                    list.give_back(node);
                }
            },
        ],
    );
}

const ITEMS: usize = 3;

/// Items that their owner takes from the bottom and thieves from the top.
struct Deque<R: Runtime> {
    code: Code,
    top: R::Number,
    bottom: R::Number,
    taken: [R::Flag; ITEMS],
}

impl<R: Runtime> Deque<R> {
    fn take(&self, item: usize) {
        let before = self.taken[item].swap(true);
        assert!(!before, "item {item} is taken twice");
    }

    fn pop(&self) {
        let last = self.bottom.load() - 1;
        self.bottom.store(last);
        let top = self.top.load();
        if top < last {
            return self.take(last);
        }
        if top == last && self.take_top(top) {
            self.take(last);
        }
        self.bottom.store(last + 1);
    }

    /// The owner moves the top past the last item; false if a thief was faster.
    fn take_top(&self, top: usize) -> bool {
        match self.code {
            Code::Mended => self.top.replace(top, top + 1),
            Code::Buggy => {
                self.top.store(top + 1);
                true
            }
        }
    }

    fn steal(&self) {
        let top = self.top.load();
        if top < self.bottom.load() && self.top.replace(top, top + 1) {
            self.take(top);
        }
    }
}

/// An owner takes three items while a thief steals two.
///
/// Bug: the owner takes the last item without asking whether a thief takes it at that moment.
/// Seen if: thief and owner come to the last item together, and the thief exchanges the top after
/// the owner has read it.
pub(super) fn work_stealing<R: Runtime>(code: Code) {
    race::<R, _>(
        Deque::<R> {
            code,
            top: Atomic::new(0),
            bottom: Atomic::new(ITEMS),
            taken: std::array::from_fn(|_| Atomic::new(false)),
        },
        &[|deque| (0..ITEMS).for_each(|_| deque.pop()), |deque| (0..2).for_each(|_| deque.steal())],
    );
}
