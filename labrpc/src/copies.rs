//! Requests that reach their server twice.

use std::sync::Arc;

use crate::call::Target;
use crate::observer::Label;
use crate::request::Request;
use crate::slots::{Id, Slots};

/// Names a copy.
pub(crate) type CopyId = Id;

/// A copy of a request, on its way.
pub(crate) struct Copy {
    pub(crate) request: Request,
    pub(crate) target: Target,
    /// How the network's observer knows the call, if there is one.
    pub(crate) label: Option<Arc<Label>>,
}

/// The copies that are on their way.
pub(crate) type Copies = Slots<Copy>;
