//! Jinja templates, native: for messages that need no component.
//!
//! A template sees what it is given and nothing else: it can't read files, include others, or run for long. Fuel pays
//! for its instructions and for the bytes that it makes, so it bounds time and memory alike.
//!
//! Invariant: mistakes that can be seen without a build are found when the settings are read.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

/// One fuel pays for one instruction, or for 64 bytes: this is some 10 ms of work and 32 MiB at most.
const FUEL: u64 = 500_000;
/// The largest source of a template, in bytes.
const MAX_SOURCE: usize = 256 * 1024;
/// Templates have no names of their own; each is alone in its environment.
const NAME: &str = "template";

/// Treatment of `<`, `&` and the like in values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// They stay.
    Nothing,
    /// They become entities, unless the template says `| safe`.
    Html,
}

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct Template(Arc<Environment<'static>>);

/// Error of a template, or of its rendering for a build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the template: {text}")]
pub struct JinjaError {
    /// Line in the template, from 1.
    pub line: usize,
    /// The error in words, without the line.
    pub text: String,
    /// It fails with every build, and not just with this one.
    pub always: bool,
}

impl Template {
    /// Reads a template, and tries it with `sample`, which has every name that there will be: a name that it doesn't
    /// have is a mistake. Names below those in `open`, such as `build.properties`, may be any. The list is empty if all
    /// is well.
    #[must_use]
    pub fn read(
        source: &str,
        escape: Escape,
        sample: &Value,
        open: &[&str],
    ) -> (Option<Self>, Vec<JinjaError>) {
        if source.len() > MAX_SOURCE {
            let text = format!("it has {} bytes; {MAX_SOURCE} are the most", source.len());
            return (None, vec![JinjaError { line: 1, text, always: true }]);
        }
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(move |_| match escape {
            Escape::Nothing => AutoEscape::None,
            Escape::Html => AutoEscape::Html,
        });
        // A property that a build doesn't have is blank; nobody shall miss a mail for that.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        let mut syntax = SyntaxConfig::builder();
        syntax.keep_trailing_newline(true);
        if let Ok(syntax) = syntax.build() {
            environment.set_syntax(syntax);
        }
        if let Err(error) = environment.add_template_owned(NAME, source.to_owned()) {
            return (None, vec![fault(&error)]);
        }
        let template = Self(Arc::new(environment));
        let mut faults = template.unknown_names(source, sample, open);
        if faults.is_empty() {
            faults.extend(template.render(sample).err());
        }
        (Some(template), faults)
    }

    /// Renders the template with these values. It may take some milliseconds of computing: call it where that is allowed.
    ///
    /// # Errors
    /// When the template fails with them, or takes too long.
    pub fn render(&self, values: &Value) -> Result<String, JinjaError> {
        self.0.get_template(NAME).and_then(|template| template.render(values)).map_err(|error| fault(&error))
    }

    fn unknown_names(&self, source: &str, sample: &Value, open: &[&str]) -> Vec<JinjaError> {
        let Ok(template) = self.0.get_template(NAME) else { return Vec::new() };
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort_unstable();
        let global = |name: &str| self.0.globals().any(|(global, _)| global == name);
        let unknown = names.iter().filter_map(|name| match unknown_part(name, sample, open) {
            Some(part) if !global(&part.0) => Some((name, part)),
            _ => None,
        });
        let told = unknown.map(|(_, (part, nearest))| {
            let last = part.rsplit('.').next().unwrap_or(&part);
            let line = source.lines().position(|line| line.contains(last)).map_or(1, |index| index + 1);
            let hint = nearest.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default();
            JinjaError { line, text: format!("`{part}` stands for nothing{hint}"), always: true }
        });
        let mut faults: Vec<JinjaError> = told.collect();
        faults.dedup();
        faults
    }
}

/// The first part of a dotted name that the sample doesn't have, and what was probably meant.
fn unknown_part(name: &str, sample: &Value, open: &[&str]) -> Option<(String, Option<String>)> {
    let mut value = sample.clone();
    let mut path = String::new();
    for part in name.split('.') {
        let is_map = value.kind() == minijinja::value::ValueKind::Map;
        if !is_map || open.contains(&path.as_str()) {
            return None;
        }
        let known: Vec<String> = value.try_iter().ok()?.map(|key| key.to_string()).collect();
        let parent = path.clone();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(part);
        if !known.iter().any(|key| key == part) {
            let nearest = crate::nearest(part, known.iter().map(String::as_str));
            let whole =
                |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            return Some((path, nearest.map(whole)));
        }
        value = value.get_attr(part).ok()?;
    }
    None
}

fn fault(error: &Error) -> JinjaError {
    let text = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too long, or makes too much".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    let always = matches!(
        error.kind(),
        ErrorKind::SyntaxError
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest
    );
    JinjaError { line: error.line().unwrap_or(1), text, always }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::from(minijinja::value::Serde(serde_json::json!({
            "builder": "<linux>", "steps": [{"name": "compile"}],
            "build": {"number": 7, "properties": {}},
        })))
    }

    fn read(source: &str) -> (Option<Template>, Vec<JinjaError>) {
        Template::read(source, Escape::Html, &sample(), &["build.properties"])
    }

    fn rendered(source: &str) -> Result<String, JinjaError> {
        let (template, faults) = read(source);
        assert_eq!(faults, []);
        template
            .into_iter()
            .next()
            .ok_or("no template")
            .map_err(|text| JinjaError { line: 0, text: text.to_owned(), always: true })?
            .render(&sample())
    }

    #[test]
    fn m_x_08_values_are_escaped_and_missing_properties_are_blank() {
        let source = "<b>{{ builder }}</b> {{ build.properties.branch[0] }}{% for s in steps %}{{ s.name }}{% endfor %}\n";
        assert_eq!(rendered(source).as_deref(), Ok("<b>&lt;linux&gt;</b> compile\n"));
    }

    #[test]
    fn m_x_08_mistakes_are_found_before_there_is_a_build() {
        let told = |source: &str| read(source).1.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told("a\n{{ bilder }}{{ build.nubmer }}"),
            [
                "line 2 of the template: `bilder` stands for nothing: did you mean `builder`?",
                "line 2 of the template: `build.nubmer` stands for nothing: did you mean `build.number`?",
            ]
        );
        assert_eq!(told("\n\n{% if %}"), ["line 3 of the template: unexpected end of block"]);
        assert_eq!(told("{{ builder | shout }}"), ["line 1 of the template: filter shout is unknown"]);
        assert_eq!(told("{% for i in range(3) %}{{ i }}{% endfor %}"), Vec::<String>::new());
    }

    #[test]
    fn m_x_08_no_files_no_endless_work_no_endless_memory() {
        for (source, text) in [
            ("{% include '/etc/passwd' %}", "unknown statement include"),
            (
                "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
                "it takes too long",
            ),
            ("{{ 'x' * 90000000 }}", "it takes too long"),
        ] {
            let faults = read(source).1;
            assert!(faults.iter().any(|fault| fault.text.contains(text)), "{source}: {faults:?}");
        }
        let doubling = "{% set a = a ~ a %}".repeat(40);
        let faults = read(&format!("{{% set a = 'abcdefgh' %}}{doubling}")).1;
        assert!(faults.iter().any(|fault| fault.text.contains("makes too much")), "{faults:?}");
        assert!(read(&"x".repeat(MAX_SOURCE + 1)).0.is_none());
    }
}
