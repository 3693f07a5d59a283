//! Errors of templates, in words that 0.8 users know (N-ERR-01 to N-ERR-13).

/// Nested templates beyond this are refused, so that no text can exhaust the stack.
pub(super) const MAX_DEPTH: usize = 100;
/// Widths beyond this are refused, so that no text can exhaust memory.
pub(super) const MAX_WIDTH: usize = 10_000;

/// An error of a template's text and where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {kind}")]
pub struct TemplateError {
    /// Beginning of the innermost substitution with the error, in characters from 1 over the whole text.
    pub column: usize,
    /// The kind of error.
    pub kind: TemplateErrorKind,
}

/// Kinds of errors in a template's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// N-ERR-01.
    #[error("invalid Interpolate substitution without selector '{0}'")]
    NoSelector(String),
    /// N-ERR-02.
    #[error("invalid Interpolate selector '{0}'")]
    UnknownSelector(String),
    /// N-ERR-03.
    #[error("invalid Interpolate default type '{0}'")]
    UnknownModifier(String),
    /// N-ERR-04.
    #[error("Property name must be alphanumeric for prop Interpolation '{0}'")]
    PropertyName(String),
    /// N-ERR-05.
    #[error("Keyword must be alphanumeric for kw Interpolation '{0}'")]
    KeywordName(String),
    /// N-ERR-06.
    #[error("Codebase must be alphanumeric for src Interpolation '{0}'")]
    CodebaseName(String),
    /// N-ERR-07.
    #[error("Attribute must be alphanumeric for src Interpolation '{0}'")]
    AttributeName(String),
    /// N-ERR-08.
    #[error("Must specify both codebase and attribute for src Interpolation '{0}'")]
    NoAttribute(String),
    /// N-ERR-09.
    #[error("invalid Interpolate ternary delimiter '('")]
    TernaryDelimiter,
    /// N-ERR-10.
    #[error("invalid Interpolate ternary expression '{tail}' with delimiter '{delimiter}'")]
    Ternary {
        /// The text that follows the delimiter.
        tail: String,
        /// The delimiter; blank when there is none.
        delimiter: String,
    },
    /// Like N-ERR-04, for workers.
    #[error("Name must be alphanumeric for worker Interpolation '{0}'")]
    WorkerName(String),
    /// Like N-ERR-04, for secrets.
    #[error("Name must be alphanumeric for secret Interpolation '{0}'")]
    SecretName(String),
    /// A `%` that begins nothing (N-LEX-04).
    #[error("a lone '%' begins no substitution: write '%%' for a percent sign")]
    LonePercent,
    /// A key whose `)` is missing (N-LEX-04).
    #[error("substitution '%({0}' is never closed: add ')s'")]
    Unclosed(String),
    /// A key without the letter `s` (N-LEX-02, N-LEX-04, N-T-4).
    #[error("substitution '%({0})' lacks its conversion letter: add s")]
    NoLetter(String),
    /// A width or precision that no text needs.
    #[error("a width or precision of more than {max} in '%({0})'", max = MAX_WIDTH)]
    TooWide(String),
    /// A bare `%s` where keys are used (N-POS-03).
    #[error("a bare '%s' stands for nothing here: name it, as in '%(prop:branch)s', or write '%%s'")]
    BarePercent,
    /// A key where a list of arguments is used (N-POS-01).
    #[error("substitution '%({0})s' in a template with positional arguments: use '%s'")]
    KeyedPositional(String),
    /// Not as many arguments as `%s` (N-POS-01).
    #[error("the text has {wanted} '%s' for {given} positional arguments")]
    ArgumentCount {
        /// Number of `%s` in the text.
        wanted: usize,
        /// Number of arguments.
        given: usize,
    },
    /// N-POS-02.
    #[error("Interpolate takes either positional or keyword substitutions, not both.")]
    BothArguments,
    /// Deeper than anybody writes by hand.
    #[error("substitutions are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

/// Reasons for a template to have no text for a build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// N-SEL-06.
    #[error("secret `{0}` is not in the secret store: add it, or correct its name")]
    MissingSecret(String),
    /// N-SEL-06.
    #[error("secret `{0}` is asked for, but there is no secret store")]
    NoSecretStore(String),
    /// N-OLD-01.
    #[error("the build has no property `{0}`: give a default, as in `%({0}:-none)s`")]
    MissingProperty(String),
    /// More than anybody reads.
    #[error("the text has more than 1 MiB")]
    TooLong,
}
