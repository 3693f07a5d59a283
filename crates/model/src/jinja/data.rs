//! Values of templates as they go from one process to another: JSON, with marks for what JSON has no form for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Tuple};
use serde::{Serialize, Serializer};

/// Mark of a tuple, the only key of its object. No name in a template begins so.
const TUPLE: &str = "\0tuple";
/// Mark of a list with a text of its own, whose text is beside it.
const LIST: &str = "\0list";
const TEXT: &str = "\0text";

/// A sequence that templates see as Python's tuple.
#[derive(Clone, Debug)]
pub struct TupleOf<T>(pub T);

/// A list that reads as this text.
#[derive(Clone, Debug)]
pub struct ListWithText<T> {
    /// Its entries, as a sequence.
    pub items: T,
    /// The text that it is written as.
    pub text: String,
}

impl<T: Serialize> Serialize for TupleOf<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(TUPLE, &self.0)])
    }
}

impl<T: Serialize> Serialize for ListWithText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(LIST, &self.items)?;
        map.serialize_entry(TEXT, &self.text)?;
        map.end()
    }
}

/// Makes the values that templates see.
pub(super) fn value_of(data: serde_json::Value) -> Value {
    match data {
        serde_json::Value::Object(mut map) => {
            if let (1, Some(serde_json::Value::Array(items))) = (map.len(), map.get_mut(TUPLE)) {
                let items = std::mem::take(items);
                return Value::from(Tuple::new(items.into_iter().map(value_of).collect()));
            }
            if let (Some(serde_json::Value::Array(items)), Some(serde_json::Value::String(text))) =
                (map.get(LIST), map.get(TEXT))
            {
                let items = items.iter().cloned().map(value_of).collect();
                return Value::from_object(TextList { items, text: text.clone() });
            }
            let map = map.into_iter().map(|(key, data)| (key, value_of(data)));
            Value::from(map.collect::<BTreeMap<String, Value>>())
        }
        serde_json::Value::Array(items) => items.into_iter().map(value_of).collect::<Vec<_>>().into(),
        plain => Value::from(Serde(plain)),
    }
}

#[derive(Debug)]
struct TextList {
    items: Vec<Value>,
    text: String,
}

impl Object for TextList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jinja::{Escape, Task, TemplateJob};

    #[test]
    fn m_x_08_values_are_the_same_on_the_other_side() {
        let values = serde_json::json!({
            "tuple": TupleOf(vec!["a", "b"]), "one": {"two": [1, null, 2.5]},
            "list": ListWithText { items: vec![7, 8], text: "seven, eight".to_owned() },
        });
        let source = "{{ tuple }} {{ one.two }} {{ list }} {{ list[1] }} {{ list | length }}{% for n in list %} {{ n }}{% endfor %}";
        let job =
            TemplateJob { source: source.to_owned(), escape: Escape::Nothing, values, task: Task::Render };
        // As it arrives.
        let job: TemplateJob =
            serde_json::from_str(&serde_json::to_string(&job).unwrap_or_default()).unwrap_or(job);
        let text = job.run().text;
        assert_eq!(text.as_deref(), Some("('a', 'b') [1, None, 2.5] seven, eight 8 2 7 8"));
    }
}
