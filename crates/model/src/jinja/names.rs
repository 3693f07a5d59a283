//! Names in a template that stand for nothing: found in its text, and by trying it on a sample that notes each miss.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// The first part of a dotted name that the sample doesn't have.
pub(super) fn unknown_part(name: &str, sample: &Value, open: &[&str]) -> Option<Miss> {
    let mut value = sample.clone();
    let mut path = String::new();
    for part in name.split('.') {
        if value.kind() != ValueKind::Map || open.contains(&path.as_str()) || METHODS.contains(&part) {
            return None;
        }
        let known: Vec<String> = value.try_iter().ok()?.map(|key| key.to_string()).collect();
        if !known.iter().any(|key| key == part) {
            return Some(Miss::new(&path, part, &known));
        }
        path = joined(&path, part);
        value = value.get_attr(part).ok()?;
    }
    None
}

/// Methods that values have of Python's, which are no names of ours.
const METHODS: [&str; 4] = ["get", "items", "keys", "values"];

/// A name that stands for nothing, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Miss {
    /// The whole name, dotted.
    pub(super) name: String,
    nearest: Option<String>,
}

impl Miss {
    fn new(parent: &str, part: &str, known: &[String]) -> Self {
        let nearest = crate::nearest(part, known.iter().map(String::as_str));
        Self { name: joined(parent, part), nearest: nearest.map(|name| joined(parent, name)) }
    }

    /// The miss in words.
    pub(super) fn text(&self) -> String {
        let hint = self.nearest.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default();
        format!("`{}` stands for nothing{hint}", self.name)
    }

    /// Line of the source in which the name stands, from 1.
    pub(super) fn line(&self, source: &str) -> usize {
        let last = self.name.rsplit('.').next().unwrap_or(&self.name);
        source.lines().position(|line| line.contains(last)).map_or(1, |index| index + 1)
    }
}

fn joined(parent: &str, part: &str) -> String {
    if parent.is_empty() { part.to_owned() } else { format!("{parent}.{part}") }
}

/// Misses that a trial has noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Misses(Arc<Mutex<BTreeSet<Miss>>>);

impl Misses {
    pub(super) fn take(&self) -> BTreeSet<Miss> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The sample, with maps that note which of their names were asked for in vain; all but those in `open`.
    pub(super) fn watch(&self, value: &Value, path: &str, open: &[&str]) -> Value {
        if open.contains(&path) {
            return value.clone();
        }
        match value.kind() {
            ValueKind::Map => {
                let keys = value.try_iter().into_iter().flatten();
                let entries = keys.filter_map(|key| {
                    let inner = value.get_item(&key).ok()?;
                    let inner = self.watch(&inner, &joined(path, &key.to_string()), open);
                    Some((key, inner))
                });
                Value::from_object(Watched {
                    path: path.to_owned(),
                    entries: entries.collect(),
                    misses: self.clone(),
                })
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().into_iter().flatten();
                // An entry of `steps` is a step, as the loop that goes through them calls it.
                let one = path.strip_suffix('s').unwrap_or(path);
                let one = one.rsplit('.').next().unwrap_or(one);
                items.map(|item| self.watch(&item, one, open)).collect()
            }
            _ => value.clone(),
        }
    }
}

/// A map of the sample.
#[derive(Debug)]
struct Watched {
    path: String,
    entries: Vec<(Value, Value)>,
    misses: Misses,
}

impl Watched {
    fn find(&self, key: &Value) -> Option<Value> {
        self.entries.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Finds a value by its name, and notes a name that there is not.
    fn find_known(&self, key: &Value) -> Option<Value> {
        let found = self.find(key);
        if let (None, Some(part)) = (&found, key.as_str().filter(|part| !METHODS.contains(part))) {
            let known: Vec<String> = self.entries.iter().map(|(known, _)| known.to_string()).collect();
            let miss = Miss::new(&self.path, part, &known);
            self.misses.0.lock().unwrap_or_else(PoisonError::into_inner).insert(miss);
        }
        found
    }
}

impl Object for Watched {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find_known(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries.iter().map(|(key, _)| key.clone()).collect())
    }
}

/// Calls a method of Python's; `get` of a map with a default may ask for what isn't there.
pub(super) fn call_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if let (Some(map), "get", Some(key)) = (value.downcast_object_ref::<Watched>(), method, arguments.first())
    {
        let found = match arguments.get(1) {
            Some(default) => map.find(key).unwrap_or_else(|| default.clone()),
            None => map.find_known(key).unwrap_or_else(|| Value::from(())),
        };
        return Ok(found);
    }
    unknown_method_callback(state, value, method, arguments)
}
