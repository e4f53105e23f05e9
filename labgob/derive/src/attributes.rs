//! The attributes of serde and of labgob: which are refused, and why.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, WherePredicate, token};

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Type,
    Variant,
    Field,
}

/// What the attributes of one place say.
#[derive(Default)]
pub(crate) struct Attributes {
    /// `#[serde(rename = "...")]`.
    pub(crate) rename: Option<String>,
    /// `#[serde(transparent)]`.
    pub(crate) transparent: Option<Span>,
    /// `#[gob(recursive)]`.
    pub(crate) recursive: bool,
    /// `#[gob(crate = "...")]`.
    pub(crate) labgob: Option<Path>,
    /// `#[gob(bound = "...")]`.
    pub(crate) bound: Option<Punctuated<WherePredicate, Token![,]>>,
}

impl Attributes {
    /// Reads the attributes of a type, variant or field.
    ///
    /// # Errors
    ///
    /// All refusals together, so that one build shows them all.
    pub(crate) fn read(attributes: &[Attribute], place: Place) -> Result<Attributes> {
        let mut found = Attributes::default();
        let mut errors: Option<Error> = None;
        for attribute in attributes {
            let result = if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| found.serde(&meta, &mut errors))
            } else if attribute.path().is_ident("gob") {
                attribute.parse_nested_meta(|meta| found.gob(&meta, place))
            } else {
                Ok(())
            };
            if let Err(error) = result {
                add(&mut errors, error);
            }
        }
        errors.map_or(Ok(found), Err)
    }

    fn serde(&mut self, meta: &ParseNestedMeta, errors: &mut Option<Error>) -> Result<()> {
        let name = meta.path.require_ident()?.unraw().to_string();
        if let Some(reason) = refusal(&name) {
            add(errors, meta.error(format!("labgob refuses `#[serde({name})]`: {reason}")));
            return skip_value(meta);
        }
        match name.as_str() {
            "rename" | "rename_all" | "rename_all_fields" => {
                if meta.input.peek(token::Paren) {
                    let text = format!(
                        "labgob refuses a one-sided `{name}`: the written and the read name must \
                         be the same"
                    );
                    add(errors, meta.error(text));
                    return skip_value(meta);
                }
                let new: LitStr = meta.value()?.parse()?;
                if name == "rename" {
                    self.rename = Some(new.value());
                }
                Ok(())
            }
            "transparent" => {
                self.transparent = Some(meta.path.segments[0].ident.span());
                Ok(())
            }
            // They change neither what is written nor what is read.
            "bound" | "crate" | "deny_unknown_fields" | "expecting" => skip_value(meta),
            _ => {
                let text = format!(
                    "labgob refuses `#[serde({name})]`: it does not know whether that can lose a \
                     field"
                );
                add(errors, meta.error(text));
                skip_value(meta)
            }
        }
    }

    fn gob(&mut self, meta: &ParseNestedMeta, place: Place) -> Result<()> {
        if meta.path.is_ident("recursive") && place == Place::Field {
            self.recursive = true;
            Ok(())
        } else if meta.path.is_ident("recursive") {
            Err(meta.error("`recursive` belongs on the field that leads back to the type"))
        } else if meta.path.is_ident("crate") && place == Place::Type {
            let path: LitStr = meta.value()?.parse()?;
            self.labgob = Some(path.parse()?);
            Ok(())
        } else if meta.path.is_ident("bound") && place == Place::Type {
            let bound: LitStr = meta.value()?.parse()?;
            let bound = bound.parse_with(Punctuated::parse_terminated)?;
            match self.bound.replace(bound) {
                None => Ok(()),
                Some(_) => Err(meta.error("one `bound` takes all bounds, with commas in between")),
            }
        } else {
            Err(meta.error(
                "expected `recursive` on a field, or `bound = \"...\"` or `crate = \"...\"` on a type",
            ))
        }
    }
}

/// Why labgob refuses a serde attribute, if it does.
fn refusal(name: &str) -> Option<&'static str> {
    Some(match name {
        "skip" | "skip_serializing" => {
            "the field would not be sent. Move it out of the type, or send it"
        }
        "skip_deserializing" => {
            "the field would be sent and then replaced by its default. Move it out of the type, \
             or receive it"
        }
        "skip_serializing_if" => {
            "the bytes have no field names, so the reader could not tell that the field is \
             absent. Make it an `Option`"
        }
        "default" => {
            "a field that did not arrive would silently get its default. Make it an `Option`"
        }
        "flatten" => "the fields would lose their fixed places. Make it a plain field",
        "untagged" | "tag" | "content" => {
            "the variant would have to be guessed from the content. Use serde's usual enum form"
        }
        "other" => "any unknown variant would silently become this one. Remove it",
        "alias" => {
            "names are compared when the types are, so a second name would never match. Use \
             `rename`"
        }
        "with" | "serialize_with" | "deserialize_with" => {
            "the function may write something else than the field's type says. Give the field a \
             type of its own, with its own `Serialize`, `Deserialize` and `Gob`"
        }
        "from" | "into" | "try_from" => {
            "another type would travel in place of this one. Derive `Gob` for that type and \
             convert outside"
        }
        "remote" | "getter" => {
            "the code is for another type, whose fields this one only repeats. Convert to a type \
             of your own"
        }
        "borrow" => "a decoded value owns its data. Use an owned type",
        _ => return None,
    })
}

/// Moves past the value of an attribute, `= ...` or `(...)`.
fn skip_value(meta: &ParseNestedMeta) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(token::Paren) {
        meta.parse_nested_meta(|inner| skip_value(&inner))?;
    }
    Ok(())
}

/// Adds an error to those found so far.
pub(crate) fn add(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

/// A field's or variant's name as serde writes it, without `r#`.
pub(crate) fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}
