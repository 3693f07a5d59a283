//! The numbered rules of `docs/spec/interpolate.md` as tests.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Argument, PropertyRef, RenderError, Scope, Secrets, Template, TemplateErrorKind};
use crate::{Change, Patch, Properties, SourceStamp};

fn properties() -> Properties {
    let mut properties = Properties::new();
    for (name, value) in [
        ("s", json!("x")),
        ("e", json!("")),
        ("n", Value::Null),
        ("z", json!(0)),
        ("f", json!(false)),
        ("t", json!(true)),
        ("i", json!(5)),
        ("l", json!(["a", "b"])),
        ("event.change.id", json!("I1")),
    ] {
        properties.set(name, value, "Build");
    }
    properties
}

fn stamps() -> Vec<SourceStamp> {
    vec![SourceStamp { revision: Some("abc".to_owned()), ..SourceStamp::default() }]
}

fn render(source: &str) -> Result<String, String> {
    let template = Template::parse(source)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    render_template(&template)
}

fn render_template(template: &Template) -> Result<String, String> {
    template.render(&Scope::new(&properties(), &stamps())).map_err(|error| error.to_string())
}

fn errors(source: &str) -> Vec<(usize, String)> {
    match Template::parse(source) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| (error.column, error.kind.to_string())).collect(),
    }
}

#[test]
fn every_vector_renders_as_the_page_says() {
    for (number, source, text) in [
        ("N-TV-01", "%(prop:s)s", "x"),
        ("N-KEY-04", "%(prop:m)s", ""),
        ("N-EV-01", "%(prop:n)s", ""),
        ("N-SEL-01", "%(prop:n:-d)s", ""),
        ("N-TV-05", "%(prop:e:-d)s", ""),
        ("N-TV-06", "%(prop:e:~d)s", "d"),
        ("N-TV-07", "%(prop:z:~d)s", "d"),
        ("N-EV-03", "%(prop:z)s", "0"),
        ("N-TV-09", "%(prop:t)s", "True"),
        ("N-EV-03", "%(prop:f:-d)s", "False"),
        ("N-TV-11", "%(prop:l)s", "['a', 'b']"),
        ("N-TV-12", "%(prop:n:+y)s", "y"),
        ("N-TV-13", "%(prop:m:+y)s", ""),
        ("N-TV-14", "%(prop:n:?|A|B)s", "A"),
        ("N-TV-15", "%(prop:n:#?|A|B)s", "B"),
        ("N-TV-16", "%(prop:m:?:A:B)s", "B"),
        ("N-TV-17", "%(prop:m:?|A|B|C)s", "B|C"),
        ("N-TV-18", "%(prop:s:?||B)s", ""),
        ("N-TV-19", "%(prop:s:#?:-bar:baz)s", "-bar"),
        ("N-TV-20", "%(prop:s:?|%(prop:m:?|1|2)s|z)s", "2"),
        ("N-TV-21", "%(prop:s:?|(a|b)|c)s", "(a|b)"),
        ("N-TV-22", "%(src::revision)s", "abc"),
        ("N-TV-23", "%(src::branch:-master)s", ""),
        ("N-TV-24", "%(src::branch:~master)s", "master"),
        ("N-TV-25", "%(src:x:revision:-none)s", "none"),
        ("N-TV-26", "%(src::nope:-none)s", "none"),
        ("N-KEY-01", "%(prop:m:-a:b:c)s", "a:b:c"),
        ("N-LEX-01", "%(prop:m:-%(prop:m2:-%(prop:s)s)s)s", "x"),
        ("N-TV-29", "%(prop:m:~%(src::revision:-unknown)s)s", "abc"),
        ("N-LEX-03", "%(prop:m:-50%%)s", "50%"),
        ("N-LEX-03", "100%% %(prop:i)s", "100% 5"),
        ("N-TV-32", "%(prop:i)5s", "    5"),
        ("N-KEY-02", "%(prop:event.change.id)s", "I1"),
        ("N-LEX-06", "%(prop:s)s%(prop:s)s %(prop:m:-)s|%(prop:z:-d)s", "xx |0"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{number}: {source}");
    }
}

#[test]
fn every_mistake_has_its_text() {
    for (number, source, problem) in [
        ("N-ERR-04", "%(prop:a+b)s", "Property name must be alphanumeric for prop Interpolation 'a+b'"),
        ("N-ERR-01", "%(foo)s", "invalid Interpolate substitution without selector 'foo'"),
        ("N-ERR-02", "%(foo:x)s", "invalid Interpolate selector 'foo'"),
        ("N-ERR-08", "%(src:a)s", "Must specify both codebase and attribute for src Interpolation 'a'"),
        ("N-ERR-03", "%(prop:s:d)s", "invalid Interpolate default type 'd'"),
        ("N-ERR-03", "%(prop:s:#d)s", "invalid Interpolate default type '#'"),
        ("N-ERR-10", "%(prop:s:?|abc)s", "invalid Interpolate ternary expression 'abc' with delimiter '|'"),
        ("N-ERR-12", "%(prop:s:?|ab)s", "invalid Interpolate ternary expression 'ab' with delimiter '|'"),
        (
            "N-ERR-10",
            "%(prop:s:?|(a|b))s",
            "invalid Interpolate ternary expression '(a|b)' with delimiter '|'",
        ),
        ("N-ERR-11", "%(prop:s:)s", "invalid Interpolate default type ''"),
        ("N-ERR-11", "%(prop:s:?)s", "invalid Interpolate ternary expression '' with delimiter ''"),
        ("N-ERR-11", "%(prop:s:#?)s", "invalid Interpolate ternary expression '' with delimiter ''"),
        ("N-LEX-04", "%(prop:s:?(a(b)c)s", "substitution '%(prop:s:?(a(b)c)s' is never closed: add ')s'"),
        ("N-ERR-09", "%(prop:s:#?(a)b)s", "invalid Interpolate ternary delimiter '('"),
        ("N-ERR-05", "%(kw:a b)s", "Keyword must be alphanumeric for kw Interpolation 'a b'"),
        (
            "N-ERR-06",
            "%(src:a b:revision)s",
            "Codebase must be alphanumeric for src Interpolation 'a b:revision'",
        ),
        ("N-ERR-07", "%(src::a b:-x)s", "Attribute must be alphanumeric for src Interpolation ':a b:-x'"),
        ("N-ERR-14", "%(worker:a b)s", "Name must be alphanumeric for worker Interpolation 'a b'"),
        ("N-ERR-14", "%(secret:a b)s", "Name must be alphanumeric for secret Interpolation 'a b'"),
        ("N-LEX-04", "%(prop:a)", "substitution '%(prop:a)' lacks its conversion letter: add s"),
        ("N-LEX-04", "%(prop:a)d", "substitution '%(prop:a)' lacks its conversion letter: add s"),
        ("N-LEX-04", "%(prop:a) started", "substitution '%(prop:a)' lacks its conversion letter: add s"),
        ("N-LEX-04", "%(prop:a  100%", "substitution '%(prop:a  100%' is never closed: add ')s'"),
        ("N-LEX-04", "100%", "a lone '%' begins no substitution: write '%%' for a percent sign"),
        ("N-LEX-04", "100% sure", "a lone '%' begins no substitution: write '%%' for a percent sign"),
        ("N-LEX-02", "%(prop:a)99999s", "a width or precision of more than 10000 in '%(prop:a)'"),
    ] {
        assert_eq!(
            errors(source),
            [(source.find('%').unwrap_or(0) + 1, problem.to_owned())],
            "{number}: {source}"
        );
    }
}

#[test]
fn n_err_13_all_errors_of_a_template_with_their_columns() {
    let found = errors("ü %(foo)s %(prop:a:-b %(bar:x)s %)s\n%(prop:a+b:d)s %s");
    assert_eq!(
        found,
        [
            (3, "invalid Interpolate substitution without selector 'foo'".to_owned()),
            (23, "invalid Interpolate selector 'bar'".to_owned()),
            (33, "a lone '%' begins no substitution: write '%%' for a percent sign".to_owned()),
            (37, "Property name must be alphanumeric for prop Interpolation 'a+b:d'".to_owned()),
            (37, "invalid Interpolate default type 'd'".to_owned()),
            (52, TemplateErrorKind::BarePercent.to_string()),
        ]
    );
}

#[test]
fn n_lex_02_width_precision_and_alignment() {
    for (source, text) in [
        ("%(prop:i)-3s|", "5  |"),
        ("%(prop:l).3s|", "['a|"),
        ("%(prop:l)6.3s|", "   ['a|"),
        ("%(prop:l).0s|", "|"),
        ("%(prop:m:-äöü).2s|", "äö|"),
        ("%(prop:m:-äöü)4s|", " äöü|"),
        ("%(prop:l)2s", "['a', 'b']"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
}

#[test]
fn n_key_03_names_may_be_empty() {
    assert_eq!(render("%(prop::-gone)s").as_deref(), Ok("gone"));
    assert_eq!(render("%(src:::-gone)s").as_deref(), Ok("gone"));
    assert_eq!(render("%(prop:größe_1.x-y:-gone)s").as_deref(), Ok("gone"));
}

#[test]
fn n_key_05_any_character_delimits() {
    assert_eq!(render("%(prop:s:?→a→b)s").as_deref(), Ok("a"));
    assert_eq!(render("%(prop:m:#?::b)s").as_deref(), Ok("b"));
    assert_eq!(render("%(prop:m:??a?b?c)s").as_deref(), Ok("b?c"));
}

#[test]
fn n_sel_02_every_attribute_of_a_stamp() {
    let mut stamp = SourceStamp {
        codebase: "lib".to_owned(),
        repository: "git://x".to_owned(),
        project: "p".to_owned(),
        ..SourceStamp::default()
    };
    stamp.changes = vec![Change { number: 4, ..Change::default() }];
    let attributes = "%(src:lib:codebase)s %(src:lib:repository)s %(src:lib:project)s %(src:lib:hasPatch)s \
                      %(src:lib:patch_level:-none)s %(src:lib:patch_author:-none)s";
    let properties = Properties::new();
    let with = |stamp: &SourceStamp, source: &str| {
        Template::parse(source).map(|t| t.render(&Scope::new(&properties, std::slice::from_ref(stamp))))
    };
    assert_eq!(with(&stamp, attributes), Ok(Ok("lib git://x p False none none".to_owned())));
    let changes = with(&stamp, "%(src:lib:changes)s").map(Result::unwrap_or_default);
    assert!(changes.is_ok_and(|text| text.starts_with("[{'at': '?', 'branch': None") && text.contains("'number': 4")));
    stamp.patch = Some(Patch { level: 1, author: "ada".to_owned(), ..Patch::default() });
    assert_eq!(with(&stamp, attributes), Ok(Ok("lib git://x p True 1 ada".to_owned())));
}

#[test]
fn n_sel_03_the_recipe_for_what_was_built() {
    let recipe = "%(prop:got_revision:-%(src::revision)s)s";
    assert_eq!(render(recipe).as_deref(), Ok("abc"));
}

#[test]
fn n_sel_04_keywords_are_rendered_before_use_and_shared_with_nested_templates() {
    let inner = Template::parse("<%(prop:s)s%(kw:b:-)s>").unwrap_or_else(|_| unreachable!("it is valid"));
    let template = Template::parse("%(kw:a)s %(prop:m:-%(kw:b)s)s %(kw:c:-none)s").map(|template| {
        template.keyword("a", Argument::Template(inner)).keyword("b", Argument::Value(json!([1])))
    });
    assert_eq!(template.map(|template| render_template(&template)), Ok(Ok("<x> [1] none".to_owned())));
    let hosted = BTreeMap::from([("c".to_owned(), json!("host"))]);
    let (properties, stamps) = (properties(), stamps());
    let scope = Scope { keywords: Some(&hosted), ..Scope::new(&properties, &stamps) };
    assert_eq!(Template::parse("%(kw:c)s").map(|t| t.render(&scope)), Ok(Ok("host".to_owned())));
}

#[test]
fn n_sel_05_worker_and_its_older_name() {
    let info: Map<String, Value> = [("admin".to_owned(), json!("ada"))].into_iter().collect();
    let (properties, stamps) = (properties(), stamps());
    let scope = Scope { worker: Some(&info), ..Scope::new(&properties, &stamps) };
    let text = Template::parse("%(worker:admin)s %(slave:admin)s %(worker:os:-?)s").map(|t| t.render(&scope));
    assert_eq!(text, Ok(Ok("ada ada ?".to_owned())));
    assert_eq!(render("%(worker:admin:-nobody)s").as_deref(), Ok("nobody"));
}

#[test]
fn n_sel_06_a_missing_secret_is_an_error_and_never_the_replacement() {
    let secrets = Secrets::new(|name| (name == "key").then(|| "hunter2".to_owned()));
    let (properties, stamps) = (properties(), stamps());
    let scope = Scope { secrets: Some(&secrets), ..Scope::new(&properties, &stamps) };
    let render = |source: &str| Template::parse(source).map(|template| template.render(&scope));
    assert_eq!(render("%(secret:other:-d)s"), Ok(Err(RenderError::MissingSecret("other".to_owned()))));
    assert_eq!(render("%(prop:s:?|a|%(secret:other)s)s"), Ok(Ok("a".to_owned())), "N-EV-04");
    assert!(secrets.used().is_empty());
    assert_eq!(render("k=%(secret:key)s"), Ok(Ok("k=hunter2".to_owned())));
    assert_eq!(secrets.used().redact("k=hunter2"), "k=<key>");
    let unscoped = Template::parse("%(secret:key)s").map(|t| t.render(&Scope::new(&properties, &stamps)));
    assert_eq!(unscoped, Ok(Err(RenderError::NoSecretStore("key".to_owned()))));
}

#[test]
fn n_ev_table_every_cell() {
    for (how, missing, null, falsy, truthy) in [
        ("", "", "", "0", "x"),
        (":-R", "R", "", "0", "x"),
        (":~R", "R", "R", "R", "x"),
        (":+R", "", "R", "R", "R"),
        (":?|Y|N", "N", "Y", "Y", "Y"),
        (":#?|Y|N", "N", "N", "N", "Y"),
    ] {
        for (name, text) in [("m", missing), ("n", null), ("z", falsy), ("s", truthy)] {
            assert_eq!(render(&format!("%(prop:{name}{how})s")).as_deref(), Ok(text), "{name}{how}");
        }
    }
}

#[test]
fn n_pos_01_positional_arguments() {
    let property = Argument::Property(PropertyRef::new("s"));
    let inner = Template::parse("%(prop:i)s").map(Argument::Template);
    let arguments =
        vec![Argument::Value(json!(true)), property, inner.unwrap_or(Argument::Value(Value::Null))];
    let template = Template::with_arguments("%s, %-3s|%s%%", arguments.clone(), BTreeMap::new());
    assert_eq!(template.map(|template| render_template(&template)), Ok(Ok("True, x  |5%".to_owned())));
    let wrong = Template::with_arguments("%s %(prop:s)s", arguments, BTreeMap::new());
    assert_eq!(
        wrong.map_err(|errors| errors.into_iter().map(|error| error.kind).collect::<Vec<_>>()),
        Err(vec![
            TemplateErrorKind::KeyedPositional("prop:s".to_owned()),
            TemplateErrorKind::ArgumentCount { wanted: 1, given: 3 }
        ])
    );
}

#[test]
fn n_pos_02_not_both_kinds_of_arguments() {
    let value = Argument::Value(json!(1));
    let both = Template::with_arguments("", vec![value.clone()], BTreeMap::from([("a".to_owned(), value)]));
    let text = "Interpolate takes either positional or keyword substitutions, not both.";
    assert!(both.is_err_and(|errors| errors.iter().map(|e| e.kind.to_string()).eq([text])));
}

#[test]
fn n_pos_03_a_bare_percent_s_needs_arguments() {
    assert_eq!(errors("a %s"), [(3, TemplateErrorKind::BarePercent.to_string())]);
}

#[test]
fn n_pos_05_property_references_keep_the_type() {
    let properties = properties();
    let mut reference = PropertyRef { default: json!([9]), ..PropertyRef::new("z") };
    assert_eq!(reference.value(&properties), &json!([9]));
    reference.default_when_false = false;
    assert_eq!(reference.value(&properties), &json!(0));
    reference.name = "m".to_owned();
    assert_eq!(reference.value(&properties), &json!([9]));
    assert_eq!(PropertyRef::new("m").value(&properties), &Value::Null);
}

#[test]
fn n_old_01_the_older_form() {
    let mut properties = properties();
    properties.set("a:b", "colon", "Build");
    let scope = Scope::new(&properties, &[]);
    let render = |source: &str| Template::parse_old(source).map(|template| template.render(&scope));
    for (source, text) in [
        ("%(s)s 100%%", "x 100%"),
        ("%(m:-d)s", "d"),
        ("%(n)s", ""),
        ("%(e:~d)s", "d"),
        ("%(s:+y)s%(m:+y)s", "y"),
        ("%(a:b)s", "colon"),
        ("%(m:-%(s)s)s", "%(s)s"),
        ("%(m:-a:~b)s", "b"),
    ] {
        assert_eq!(render(source), Ok(Ok(text.to_owned())), "{source}");
    }
    assert_eq!(render("%(m)s"), Ok(Err(RenderError::MissingProperty("m".to_owned()))));
    assert!(Template::parse_old("%(m)").is_err());
}

#[test]
fn n_key_06_nesting_has_an_end_before_the_stack_has() {
    let nested = |depth: usize| format!("{}x{}", "%(prop:m:-".repeat(depth), ")s".repeat(depth));
    assert_eq!(render(&nested(100)).as_deref(), Ok("x"));
    assert!(errors(&nested(101)).iter().any(|(_, text)| *text == TemplateErrorKind::TooDeep.to_string()));
    assert!(!errors(&nested(20_000)).is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,60}") {
        let _ = render(&source);
        let _ = Template::parse_old(&source).map(|template| render_template(&template));
    }

    #[test]
    fn no_nearly_valid_text_makes_it_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "%(", "prop:", "src:", "kw:", "secret:", ":", "s", ")s", ")", "(", "%", "%%", "-", "~", "+", "?", "#?",
                "|", "ü", "m", "9", ".", "%s", " ",
            ]),
            0..40,
        ),
    ) {
        let source = pieces.concat();
        if let Err(errors) = Template::parse(&source) {
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.iter().all(|error| error.column <= source.chars().count() + 1));
        }
        let _ = render(&source);
        let _ = Template::parse_old(&source).map(|template| render_template(&template));
        let arguments = vec![Argument::Value(json!("%s"))];
        let _ = Template::with_arguments(&source, arguments, BTreeMap::new()).map(|t| render_template(&t));
    }

    #[test]
    fn n_lex_05_text_without_percent_is_unchanged(source in "[^%]{0,80}") {
        prop_assert_eq!(render(&source), Ok(source));
    }

    #[test]
    fn n_lex_05_values_are_never_read_again(value in "[%(prop:s)]{0,30}|\\PC{0,30}") {
        let mut properties = Properties::new();
        properties.set("v", value.as_str(), "Build");
        let text = Template::parse("%(prop:v)s%(prop:m:-%(prop:v)s)s%(prop:v:?|%(prop:v)s|)s")
            .map(|template| template.render(&Scope::new(&properties, &[])));
        prop_assert_eq!(text, Ok(Ok(value.repeat(3))));
    }
}
