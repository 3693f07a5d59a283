//! Jinja templates, native: for messages that need no component.
//!
//! A template sees what it is given and nothing else: it can't read files or include others. Fuel pays for its instructions
//! and for the bytes that it makes; it does not pay for walking through a list that is never there as a whole, nor for the
//! depth of one. So templates are read and rendered in a process of their own, which may die of them: see [`TemplateJob`].
//!
//! Templates that were written for Buildbot work as they are (M-X-18): methods of Python's values are there, `%` behind a
//! text fills it in, and values are escaped as Jinja does it for Python.
//!
//! Invariant: mistakes that can be seen without a build are found when the settings are read.

mod data;
mod job;
mod names;
mod python;

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use names::{Miss, Misses};
use serde::{Deserialize, Serialize};

pub use data::{ListWithText, TupleOf};
pub use job::{Task, TemplateJob, TemplateOutcome};

/// One fuel pays for one instruction, or for 64 bytes: this is some 10 ms of work and 32 MiB at most.
const FUEL: u64 = 500_000;
/// The largest source of a template, in bytes.
const MAX_SOURCE: usize = 256 * 1024;
/// The longest text that a template makes, in bytes.
const MAX_TEXT: usize = 16 << 20;
/// Templates have no names of their own; each is alone in its environment.
const NAME: &str = "template";

/// Treatment of `<`, `&` and the like in values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Escape {
    /// They stay.
    Nothing,
    /// They become entities, unless the template says `| safe`.
    Html,
}

/// A template that has been parsed.
#[derive(Clone, Debug)]
pub(crate) struct Template(Arc<Environment<'static>>);

/// Error of a template, or of its rendering for a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
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
    pub(crate) fn read(
        source: &str,
        escape: Escape,
        sample: &Value,
        open: &[&str],
    ) -> (Option<Self>, Vec<JinjaError>) {
        let template = match Self::parse(source, escape) {
            Ok(template) => template,
            Err(fault) => return (None, vec![fault]),
        };
        let mut misses = template.unknown_names(source, sample, open);
        let trial = Misses::default();
        let tried = template.render(&trial.watch(sample, "", open));
        // Names that are written with a dot are found in any case, all others where the sample comes by.
        misses.extend(trial.take().into_iter().filter(|miss| !is_global(&template.0, &miss.name)));
        let told = misses.into_iter().map(|miss| JinjaError {
            line: miss.line(source),
            text: miss.text(),
            always: true,
        });
        let mut faults: Vec<JinjaError> = told.collect();
        if faults.is_empty() {
            faults.extend(tried.err());
        }
        (Some(template), faults)
    }

    /// Parses a template.
    ///
    /// # Errors
    /// When it is too long, or no template.
    pub(crate) fn parse(source: &str, escape: Escape) -> Result<Self, JinjaError> {
        if source.len() > MAX_SOURCE {
            let text = format!("it has {} bytes; {MAX_SOURCE} are the most", source.len());
            return Err(JinjaError { line: 1, text, always: true });
        }
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(move |_| match escape {
            Escape::Nothing => AutoEscape::None,
            Escape::Html => AutoEscape::Html,
        });
        // A property that a build doesn't have is blank; nobody shall miss a mail for that.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(names::call_method);
        environment.set_formatter(python::write_value);
        environment
            .add_template_owned(NAME, python::with_format_filters(source))
            .map_err(|error| fault(&error))?;
        Ok(Self(Arc::new(environment)))
    }

    /// Renders the template with these values.
    ///
    /// # Errors
    /// When the template fails with them, or makes too much.
    pub(crate) fn render(&self, values: &Value) -> Result<String, JinjaError> {
        let rendered = self.0.get_template(NAME).and_then(|template| template.render(values));
        let text = rendered.map_err(|error| fault(&error))?;
        if text.len() > MAX_TEXT {
            let text = format!("it makes more than {} MiB of text", MAX_TEXT >> 20);
            return Err(JinjaError { line: 1, text, always: false });
        }
        Ok(text)
    }

    fn unknown_names(&self, source: &str, sample: &Value, open: &[&str]) -> BTreeSet<Miss> {
        let mut environment = Environment::empty();
        // One whose names can't be dotted is looked through as it is.
        let template = match environment.add_template_owned(NAME, python::with_dotted_names(source)) {
            Ok(()) => environment.get_template(NAME),
            Err(_) => self.0.get_template(NAME),
        };
        let names = template.map(|template| template.undeclared_variables(true)).unwrap_or_default();
        let misses = names.iter().filter_map(|name| names::unknown_part(name, sample, open));
        misses.filter(|miss| !is_global(&self.0, &miss.name)).collect()
    }
}

fn is_global(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
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
        let source = "<b>{{ builder }}</b> {{ build.properties.branch[0] }}{% for s in steps %}{{ s.name }}{% endfor %}\n\n";
        assert_eq!(rendered(source).as_deref(), Ok("<b>&lt;linux&gt;</b> compile\n"), "one line end goes");
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
        // However they are written, and in a branch that the sample doesn't take.
        for (source, wanted) in [
            ("{{ build['nubmer'] }}", "`build.nubmer` stands for nothing: did you mean `build.number`?"),
            ("{{ build.get('nubmer') }}", "`build.nubmer` stands for nothing: did you mean `build.number`?"),
            (
                "{% if false %}{{ build['nubmer'] }}{% endif %}",
                "`build.nubmer` stands for nothing: did you mean `build.number`?",
            ),
            (
                "{% set b = build %}{{ b.nubmer }}",
                "`build.nubmer` stands for nothing: did you mean `build.number`?",
            ),
            (
                "{% for s in steps %}{{ s['nmae'] }}{% endfor %}",
                "`step.nmae` stands for nothing: did you mean `step.name`?",
            ),
        ] {
            assert_eq!(told(source), [format!("line 1 of the template: {wanted}")]);
        }
        for fine in [
            "{{ build.get('nubmer', 'x') }}",
            "{{ build['properties']['any'][0] }}",
            "{{ build.properties.get('x', ['y'])[0] }}{{ build.properties.get('x') }}",
        ] {
            assert_eq!(told(fine), Vec::<String>::new());
        }
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
