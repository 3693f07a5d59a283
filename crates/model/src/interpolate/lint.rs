//! Warnings of templates: allowed, and most likely a mistake (N-T-3, N-T-5, N-OLD-01, M-TRAP-8).

use std::collections::BTreeSet;

use super::parse::{Modifier, Part, SELECTORS, Selector};
use super::{Argument, Form, Template};

/// Something that settings may say, and that their author should know of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateWarning {
    /// N-T-3.
    #[error("the template has no substitution, so `{0}:` is plain text: did you mean `%({0}:...)s`?")]
    NoSubstitution(&'static str),
    /// N-OLD-01.
    #[error("`%(name)s` without a selector is the older form: write `%(prop:name)s`")]
    OldForm,
    /// M-TRAP-8: one of the five that only builds with one codebase have.
    #[error("builds with several codebases have no property `{0}`: use `%(src:CODEBASE:{0})s`")]
    SeveralCodebases(&'static str),
    /// N-T-5.
    #[error("in builds with several codebases `got_revision` is a map and is shown as a literal")]
    GotRevisionMap,
}

impl Template {
    /// Likely mistakes that don't depend on the build.
    #[must_use]
    pub fn warnings(&self) -> Vec<TemplateWarning> {
        let mut warnings = Vec::new();
        if self.form == Form::Old {
            warnings.push(TemplateWarning::OldForm);
        }
        if self.parts.iter().all(|part| matches!(part, Part::Literal(_))) {
            let named = SELECTORS.into_iter().find(|selector| has_selector(&self.source, selector));
            warnings.extend(named.map(TemplateWarning::NoSubstitution));
        }
        warnings
    }

    /// Likely mistakes for builders that build several codebases.
    #[must_use]
    pub fn several_codebases_warnings(&self) -> Vec<TemplateWarning> {
        let read = self.properties_read();
        let mut warnings: Vec<_> = ["branch", "revision", "repository", "codebase", "project"]
            .into_iter()
            .filter(|name| read.contains(name))
            .map(TemplateWarning::SeveralCodebases)
            .collect();
        warnings.extend(read.contains("got_revision").then_some(TemplateWarning::GotRevisionMap));
        warnings
    }
}

/// `selector:` as a word of its own with something right after it, as in `worker:os_id`.
fn has_selector(text: &str, selector: &str) -> bool {
    text.match_indices(selector).any(|(at, _)| {
        let (before, from) = text.split_at(at);
        let after = from.strip_prefix(selector).and_then(|rest| rest.strip_prefix(':'));
        let word = |c: char| c.is_alphanumeric() || c == '_';
        !before.ends_with(word) && after.is_some_and(|after| after.starts_with(|c| word(c) || c == ':'))
    })
}

pub(super) fn collect_properties<'a>(template: &'a Template, names: &mut BTreeSet<&'a str>) {
    collect_from_parts(&template.parts, names);
    for argument in template.positional.iter().chain(template.keywords.values()) {
        match argument {
            Argument::Value(_) => {}
            Argument::Property(property) => {
                names.insert(&property.name);
            }
            Argument::Template(template) => collect_properties(template, names),
        }
    }
}

fn collect_from_parts<'a>(parts: &'a [Part], names: &mut BTreeSet<&'a str>) {
    for part in parts {
        let Part::Keyed(substitution) = part else { continue };
        if let Selector::Property(name) = &substitution.selector {
            names.insert(name);
        }
        match &substitution.modifier {
            Modifier::DefaultIfMissing(parts)
            | Modifier::DefaultIfFalse(parts)
            | Modifier::ReplaceIfExists(parts) => {
                collect_from_parts(parts, names);
            }
            Modifier::TernaryIfExists { yes, no } | Modifier::TernaryIfTrue { yes, no } => {
                collect_from_parts(yes, names);
                collect_from_parts(no, names);
            }
            Modifier::Required => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpolate::PropertyRef;

    fn warnings(source: &str) -> Vec<TemplateWarning> {
        Template::parse(source).map(|template| template.warnings()).unwrap_or_default()
    }

    #[test]
    fn n_t_3_a_template_without_substitution() {
        assert_eq!(warnings("worker:os_id"), [TemplateWarning::NoSubstitution("worker")]);
        assert_eq!(warnings("at src::revision"), [TemplateWarning::NoSubstitution("src")]);
        for fine in ["%(worker:os_id)s", "worker: idle", "mysrc:x", "prop", "", "%(prop:a)s of prop:a"] {
            assert_eq!(warnings(fine), [], "{fine}");
        }
    }

    #[test]
    fn n_old_01_comes_with_a_warning() {
        let warnings = Template::parse_old("%(branch)s").map(|template| template.warnings());
        assert_eq!(warnings, Ok(vec![TemplateWarning::OldForm]));
    }

    #[test]
    fn n_t_5_and_m_trap_8_properties_of_single_codebase_builds() {
        let template = Template::parse("%(prop:x:?|%(prop:got_revision)s|no)s %(kw:b)s")
            .map(|template| template.keyword("b", Argument::Property(PropertyRef::new("branch"))));
        assert_eq!(
            template.map(|template| template.several_codebases_warnings()),
            Ok(vec![TemplateWarning::SeveralCodebases("branch"), TemplateWarning::GotRevisionMap])
        );
    }
}
