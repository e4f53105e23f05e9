//! `#[derive(Gob)]`: writes a type's shape, and refuses what could lose a field.
//!
//! The macro implements `labgob::Gob` and nothing else; serde's own derives write the code that
//! moves the bytes. It reads their `#[serde(...)]` attributes and refuses each that leaves a field
//! out, fills one in, or makes the written form differ from the read one, since labgob's bytes
//! have no field names that could tell.
//!
//! `attributes.rs` holds the refusals, `expand.rs` the generated code.

mod attributes;
mod expand;

use proc_macro::TokenStream;

/// Implements `labgob::Gob` for a struct or enum.
///
/// Use it with serde's derives: `#[derive(Serialize, Deserialize, Gob)]`.
///
/// - `#[gob(recursive)]` on a field: its type leads back to this one, such as the
///   `Option<Box<Node>>` of a `Node`, also by way of other types. One field of each circle needs
///   it. It tells the compiler not to follow the shape any further, and does not count for the
///   fingerprint; on a field that does not lead back it changes nothing.
/// - `#[gob(crate = "path")]` on the type: where labgob is, if not at `::labgob`.
/// - `#[gob(bound = "T: Bound, U::Part: Bound")]` on the type: these bounds take the place of `Gob` for each type
///   parameter, as serde's `bound` does. For parameters that are not encoded themselves.
/// - A parameter that the type bounds by `Gob`, as in `struct Signed<T: Gob>`, needs `#[serde(bound = "T: Gob")]`
///   beside it, or serde's code stops with E0283. One without a bound needs nothing.
///
/// # Errors
///
/// Compile errors, at the attribute or type concerned: serde attributes that can lose or blur a
/// field, recursive fields without the mark, borrowed data, unions, bounds that are none.
#[proc_macro_derive(Gob, attributes(gob))]
pub fn derive_gob(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
