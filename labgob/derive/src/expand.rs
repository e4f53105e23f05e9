//! The generated implementation.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, GenericParam, Ident, Path, Result, Type};

use crate::attributes::{Attributes, Place, add, plain};

/// Implements `Gob` for the type.
///
/// # Errors
///
/// All that is refused, together.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = None;
    let attributes = Attributes::read(&input.attrs, Place::Type).unwrap_or_else(|error| {
        add(&mut errors, error);
        Attributes::default()
    });
    for parameter in &input.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            let text = "labgob refuses borrowed data: a decoded value owns its data, so the type \
                        can have no lifetimes";
            add(&mut errors, Error::new(lifetime.span(), text));
        }
    }
    let labgob = attributes.labgob.clone().unwrap_or_else(|| syn::parse_quote!(::labgob));
    let mut writer = Writer { owner: &input.ident, labgob, errors };
    let name = attributes.rename.clone().unwrap_or_else(|| plain(&input.ident));
    let (shape, min_bytes) = writer.shape(&input.data, &name, &attributes);
    if let Some(errors) = writer.errors {
        return Err(errors);
    }

    let labgob = writer.labgob;
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    match attributes.bound {
        Some(bounds) => generics.make_where_clause().predicates.extend(bounds),
        None => {
            for parameter in generics.type_params_mut() {
                parameter.bounds.push(syn::parse_quote!(#labgob::Gob));
            }
        }
    }
    let (for_impl, for_type, bounds) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #for_impl #labgob::Gob for #ident #for_type #bounds {
            const SHAPE: &'static #labgob::Shape = &#shape;
            const MIN_BYTES: usize = #min_bytes;
        }
    })
}

struct Writer<'a> {
    owner: &'a Ident,
    labgob: Path,
    errors: Option<Error>,
}

impl Writer<'_> {
    /// The type's shape and the fewest bytes it takes.
    fn shape(
        &mut self,
        data: &Data,
        name: &str,
        attributes: &Attributes,
    ) -> (TokenStream, TokenStream) {
        let labgob = self.labgob.clone();
        let transparent = attributes.transparent.is_some();
        if let Some(span) = attributes.transparent
            && !matches!(data, Data::Struct(data) if data.fields.len() == 1)
        {
            self.refuse(span, "labgob allows `transparent` only on a struct of one field");
        }
        match data {
            Data::Struct(data) => {
                let fields = self.fields(&data.fields);
                let min_bytes = self.min_bytes(&data.fields);
                let shape = quote! {
                    #labgob::Shape::Struct {
                        name: #name,
                        fields: &[#fields],
                        transparent: #transparent,
                    }
                };
                (shape, min_bytes)
            }
            Data::Enum(data) => {
                let mut variants = TokenStream::new();
                let mut names = BTreeSet::new();
                for variant in &data.variants {
                    let attributes = self.attributes(&variant.attrs, Place::Variant);
                    let name = attributes.rename.unwrap_or_else(|| plain(&variant.ident));
                    self.refuse_if_known(&mut names, &name, "variants", variant.span());
                    let fields = self.fields(&variant.fields);
                    variants.extend(quote! {
                        #labgob::Variant { name: #name, fields: &[#fields] },
                    });
                }
                let shape = quote! {
                    #labgob::Shape::Enum { name: #name, variants: &[#variants] }
                };
                // The variant's number. Its fields do not count, so that a recursive enum does
                // not need itself to know this.
                (shape, quote!(1))
            }
            Data::Union(data) => {
                self.refuse(data.union_token.span, "labgob refuses unions");
                (quote!(), quote!(0))
            }
        }
    }

    fn fields(&mut self, fields: &Fields) -> TokenStream {
        let labgob = self.labgob.clone();
        let mut tokens = TokenStream::new();
        let mut names = BTreeSet::new();
        for (at, field) in fields.iter().enumerate() {
            let attributes = self.attributes(&field.attrs, Place::Field);
            let own = field.ident.as_ref().map_or_else(|| at.to_string(), plain);
            let name = attributes.rename.unwrap_or(own);
            self.refuse_if_known(&mut names, &name, "fields", field.span());
            let ty = &field.ty;
            let reference = if attributes.recursive {
                quote_spanned!(ty.span()=> #labgob::Type::recursive::<#ty>())
            } else {
                if let Some(span) = mention(quote!(#ty), self.owner) {
                    let text = "labgob needs `#[gob(recursive)]` on a field that leads back to \
                                its own type";
                    self.refuse(span, text);
                }
                quote_spanned!(ty.span()=> #labgob::Type::of::<#ty>())
            };
            tokens.extend(quote!(#labgob::Field { name: #name, ty: #reference },));
        }
        tokens
    }

    fn min_bytes(&self, fields: &Fields) -> TokenStream {
        let labgob = &self.labgob;
        let each = fields.iter().map(|field| {
            let ty: &Type = &field.ty;
            quote_spanned!(ty.span()=> + <#ty as #labgob::Gob>::MIN_BYTES)
        });
        quote!(0 #(#each)*)
    }

    fn attributes(&mut self, attributes: &[syn::Attribute], place: Place) -> Attributes {
        Attributes::read(attributes, place).unwrap_or_else(|error| {
            add(&mut self.errors, error);
            Attributes::default()
        })
    }

    /// Two of one name could change places, and nobody would notice.
    fn refuse_if_known(
        &mut self,
        names: &mut BTreeSet<String>,
        name: &str,
        what: &str,
        span: Span,
    ) {
        if !names.insert(name.to_string()) {
            self.refuse(span, &format!("labgob refuses two {what} of the name `{name}`"));
        }
    }

    fn refuse(&mut self, span: Span, text: &str) {
        add(&mut self.errors, Error::new(span, text));
    }
}

/// Where a type names its owner, by name or as `Self`.
fn mention(ty: TokenStream, owner: &Ident) -> Option<Span> {
    use proc_macro2::TokenTree::{Group, Ident, Punct};
    let mut within_path = false;
    for token in ty {
        match &token {
            // `other::Node` is another type than `Node`.
            Ident(ident) if !within_path && (ident == owner || ident == "Self") => {
                return Some(ident.span());
            }
            Group(group) => {
                if let Some(span) = mention(group.stream(), owner) {
                    return Some(span);
                }
            }
            _ => {}
        }
        within_path = matches!(&token, Punct(punct) if punct.as_char() == ':');
    }
    None
}
