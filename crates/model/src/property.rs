//! Named values that travel with changes and builds (M-PR-01 to M-PR-06).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::Value;

/// A property's value and who set it.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Any JSON value.
    pub value: Value,
    /// Free text: `Change`, `Builder`, `Scheduler`...
    pub source: String,
}

/// Properties by name; iterates sorted by name (M-PR-02).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties(BTreeMap<String, Property>);

impl Properties {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a property; a later setting wins (M-PR-03).
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>, source: impl Into<String>) {
        self.0.insert(name.into(), Property { value: value.into(), source: source.into() });
    }

    /// Adds all of `other`, which win over what is here (M-PR-03).
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The property of this name, with its source.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.0.get(name)
    }

    /// The value of this name; none when it was never set (M-PR-06).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.get(name).map(|property| &property.value)
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.0.iter().map(|(name, property)| (name.as_str(), property))
    }

    /// Number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The map form, name to `[value, source]` (M-PR-02).
    #[must_use]
    pub fn to_map_form(&self) -> Value {
        let pair =
            |property: &Property| Value::from(vec![property.value.clone(), property.source.clone().into()]);
        self.0
            .iter()
            .map(|(name, property)| (name.clone(), pair(property)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

impl Serialize for Properties {
    /// The list form, `[name, value, source]` sorted by name (M-PR-02).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (name, property) in &self.0 {
            list.serialize_element(&(name, &property.value, &property.source))?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Properties {
    /// Takes the list form, or an object of plain values, whose source is then `Build`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrMap;

        impl<'de> Visitor<'de> for ListOrMap {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of values by name, or a list of `[name, value, source]`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Properties, A::Error> {
                let mut properties = Properties::new();
                while let Some((name, value, source)) = list.next_element::<(String, Value, String)>()? {
                    properties.set(name, value, source);
                }
                Ok(properties)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
                let mut properties = Properties::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    properties.set(name, value, "Build");
                }
                Ok(properties)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Properties, E> {
                Ok(Properties::new())
            }
        }

        deserializer.deserialize_any(ListOrMap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_pr_02_list_and_map_forms_are_sorted() {
        let mut properties = Properties::new();
        properties.set("b", 1, "Build");
        properties.set("a", Value::Null, "Change");
        assert_eq!(
            serde_json::to_string(&properties).ok().as_deref(),
            Some(r#"[["a",null,"Change"],["b",1,"Build"]]"#)
        );
        assert_eq!(properties.to_map_form().to_string(), r#"{"a":[null,"Change"],"b":[1,"Build"]}"#);
    }

    #[test]
    fn m_pr_01_reads_both_forms_with_any_value() {
        let list: Properties = serde_json::from_str(r#"[["x",{"k":[1]},"Scheduler"]]"#).unwrap_or_default();
        assert_eq!(list.get("x").map(|p| p.source.as_str()), Some("Scheduler"));
        let map: Properties = serde_json::from_str(r#"{"x":{"k":[1]}}"#).unwrap_or_default();
        assert_eq!(map.value("x"), list.value("x"));
        assert_eq!(map.get("x").map(|p| p.source.as_str()), Some("Build"));
    }

    #[test]
    fn m_pr_03_later_settings_win_and_m_pr_06_missing_is_absent() {
        let mut properties = Properties::new();
        properties.set("a", 1, "Change");
        let mut later = Properties::new();
        later.set("a", 2, "Build");
        properties.extend(later);
        assert_eq!(properties.value("a"), Some(&Value::from(2)));
        assert_eq!(properties.value("nope"), None);
    }
}
