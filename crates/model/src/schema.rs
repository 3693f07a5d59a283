//! Schemas of the types that write themselves as JSON, for the API's description.

use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, ArrayItems, KnownFormat, ObjectBuilder, SchemaFormat, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{Properties, Results, Timestamp};

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let seconds =
            ObjectBuilder::new().schema_type(Type::Number).description(Some("seconds since the epoch"));
        let date = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("taken too, and never written"));
        AnyOfBuilder::new().item(seconds).item(date).into()
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for Results {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.map(Self::name);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for Results {}

impl PartialSchema for Properties {
    /// A list of `[name, value, source]`; taken as an object of values by name too.
    fn schema() -> RefOr<Schema> {
        let one = ArrayBuilder::new().items(ArrayItems::False).min_items(Some(3)).max_items(Some(3));
        let one = one.prefix_items([text(), anything(), text()]);
        let list = ArrayBuilder::new().items(one);
        let map = ObjectBuilder::new().description(Some("values by name; taken, and never written"));
        AnyOfBuilder::new().item(list).item(map).into()
    }
}

impl ToSchema for Properties {}

fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn anything() -> Schema {
    use utoipa::openapi::schema::SchemaType;
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
}
