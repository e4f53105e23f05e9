use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use labgob::Gob;
use labrt::node;

use crate::observer::Label;
use crate::request::{Answer, CallId};

/// The right to answer one call, now or later, from any task.
///
/// If it is dropped without an answer, the call fails at once.
#[must_use = "a call whose `Reply` is dropped fails"]
pub struct Reply<R> {
    raw: RawReply,
    _type: PhantomData<fn(R)>,
}

impl<R: Gob> Reply<R> {
    pub(crate) fn new(raw: RawReply) -> Reply<R> {
        Reply { raw, _type: PhantomData }
    }

    /// Answers the call.
    pub fn send(self, reply: R) {
        self.raw.send(labgob::encode(&reply));
    }
}

impl<R> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", std::any::type_name::<R>())
    }
}

/// Where the answer to a call goes.
pub(crate) trait Answers: Send + Sync {
    /// The handler of a call has answered, or given up.
    fn answer(self: Arc<Self>, id: CallId, answer: Answer);

    /// The handler of a copy of a call's request has.
    fn answer_copy(self: Arc<Self>, label: Option<Arc<Label>>, answer: Answer);
}

/// What a handler answers.
enum Question {
    Call(CallId),
    Copy(Option<Arc<Label>>),
}

/// A [`Reply`] whose type is not known.
pub(crate) struct RawReply {
    network: Arc<dyn Answers>,
    question: Question,
    answered: bool,
}

impl RawReply {
    pub(crate) fn new(network: Arc<dyn Answers>, id: CallId) -> RawReply {
        RawReply { network, question: Question::Call(id), answered: false }
    }

    /// The right to answer a copy of a request, for the observer only.
    pub(crate) fn to_copy(network: Arc<dyn Answers>, label: Option<Arc<Label>>) -> RawReply {
        RawReply { network, question: Question::Copy(label), answered: false }
    }

    pub(crate) fn send(self, reply: Vec<u8>) {
        self.answer(Answer::Reply(reply));
    }

    pub(crate) fn misuse(self, words: String) {
        self.answer(Answer::Misuse(words));
    }

    fn pass_on(&mut self, answer: Answer) {
        let network = self.network.clone();
        match &mut self.question {
            Question::Call(id) => network.answer(*id, answer),
            Question::Copy(label) => network.answer_copy(label.take(), answer),
        }
    }

    fn answer(mut self, answer: Answer) {
        self.answered = true;
        // What follows is the network's and the caller's business: it must not be cut off if the
        // server that answers is killed at this moment.
        node::outside(|| self.pass_on(answer));
    }
}

impl Drop for RawReply {
    fn drop(&mut self) {
        if !self.answered {
            node::outside(|| self.pass_on(Answer::NoReply));
        }
    }
}
