use std::fmt;
use std::sync::Arc;

use labgob::{Peek, Shape};

use crate::observer::Message;
use crate::request::MethodType;

/// A request as it travelled, kept to be made again: of another server, or with other arguments. For
/// checkers, which do not know the types of what they see. See
/// [`CallEvent::keep`](crate::CallEvent::keep) and
/// [`ClientEnd::call_kept`](crate::ClientEnd::call_kept).
#[derive(Clone)]
pub struct KeptRequest {
    pub(crate) method: Arc<str>,
    pub(crate) types: MethodType,
    pub(crate) args: Vec<u8>,
}

impl KeptRequest {
    /// The method's name on the wire.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The arguments as they are encoded.
    pub fn bytes(&self) -> &[u8] {
        &self.args
    }

    /// The shape of their type.
    pub fn shape(&self) -> &'static Shape {
        self.types.args.shape
    }

    /// Looks into the arguments.
    pub fn peek(&self) -> Option<Peek<'_>> {
        Message::new(&self.args, self.types.args).peek()
    }

    /// The same request with other arguments, which must be encoded as those are: else whoever is
    /// called panics.
    #[must_use]
    pub fn with(&self, args: Vec<u8>) -> KeptRequest {
        KeptRequest { args, ..self.clone() }
    }

    /// A reply to it, of which these are the bytes.
    pub fn reply<'a>(&self, bytes: &'a [u8]) -> Message<'a> {
        Message::new(bytes, self.types.reply)
    }
}

impl fmt::Debug for KeptRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.method, Message::new(&self.args, self.types.args))
    }
}
