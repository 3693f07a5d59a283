//! Leaves values that say nothing out of packets (P-FLT-01 to P-FLT-03).

use serde_json::{Map, Value};

/// The meaning of zeros, beside the values that never say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// Numbers always say something.
    Kept,
    /// Zeros say nothing, as in 2014.
    Dropped,
}

/// Cleans the values of a payload; its own keys stay, with null where nothing is left.
pub(super) fn clean_payload(payload: &mut Map<String, Value>, zeros: Zeros) {
    for value in payload.values_mut() {
        clean(value, zeros);
        if is_empty(value, zeros) {
            *value = Value::Null;
        }
    }
}

fn clean(value: &mut Value, zeros: Zeros) {
    match value {
        Value::Object(map) => map.retain(|_, value| {
            clean(value, zeros);
            !is_empty(value, zeros)
        }),
        Value::Array(list) => {
            let mut all_empty = true;
            for item in list.iter_mut() {
                clean(item, zeros);
                if is_empty(item, zeros) {
                    *item = Value::Null;
                } else {
                    all_empty = false;
                }
            }
            if all_empty {
                *value = Value::Null;
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value, zeros: Zeros) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => zeros == Zeros::Dropped && number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cleaned(value: Value, zeros: Zeros) -> Value {
        let Value::Object(mut map) = value else { panic!() };
        clean_payload(&mut map, zeros);
        map.into()
    }

    #[test]
    fn p_flt_01_p_flt_02_empty_values_go_and_the_payloads_own_keys_stay() {
        let build = json!({"number": 0, "text": [], "reason": "", "done": false, "eta": null, "name": "b",
            "times": [1, null], "steps": [{"a": ""}, {"a": "x", "b": {}}], "blame": ["", ""]});
        assert_eq!(
            cleaned(json!({"build": build, "state": "", "list": [[], {}]}), Zeros::Kept),
            json!({"build": {"number": 0, "name": "b", "times": [1, null], "steps": [null, {"a": "x"}]},
                "state": null, "list": null})
        );
    }

    #[test]
    fn p_flt_03_numbers_say_something_unless_told_otherwise() {
        let payload = json!({"results": 0, "build": {"number": 0, "results": 0, "eta": 0.0, "n": 1}});
        assert_eq!(cleaned(payload.clone(), Zeros::Kept), payload);
        assert_eq!(cleaned(payload, Zeros::Dropped), json!({"results": null, "build": {"n": 1}}));
    }
}
