//! The languages that projects can be in: their support files, and the commands that build and test them.

use campanile_callbacks::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Rust,
    C,
    #[value(alias = "js")]
    Javascript,
    #[value(alias = "py")]
    Python,
    Go,
}

/// The commands that build and test a project.
pub(super) struct Steps {
    pub(super) build: &'static str,
    pub(super) test: &'static str,
    /// The component that the build makes.
    pub(super) component: String,
}

impl Language {
    /// Its folder below `templates`.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Javascript => "javascript",
            Self::Python => "python",
            Self::Go => "go",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Javascript => "JavaScript",
            Self::Python => "Python",
            Self::Go => "Go",
        }
    }

    pub(super) fn steps(self, callback: Kind) -> Steps {
        let name = callback.name();
        let (build, test, component) = match self {
            Self::Rust => {
                let file = name.replace('-', "_");
                (
                    "cargo build --release --target wasm32-unknown-unknown",
                    "cargo test",
                    format!("target/wasm32-unknown-unknown/release/{file}.wasm"),
                )
            }
            Self::C | Self::Go => ("make", "make check", format!("{name}.wasm")),
            Self::Javascript => ("npm ci && npm run build", "npm test", format!("{name}.wasm")),
            Self::Python => ("make", "python3 -m unittest", format!("{name}.wasm")),
        };
        Steps { build, test, component }
    }

    /// Folders and files of the repository that go into a project as they are, and where to: nothing is published
    /// from which a project could fetch them.
    pub(super) fn support(self, callback: Kind) -> Vec<(&'static str, &'static str)> {
        let mut support = self.library().to_vec();
        if self == Self::Go && callback == Kind::MessageFormatter {
            // Its bindings exist for this one only.
            support.push(("guest-examples/go/campanile/formatter.go", "campanile/formatter.go"));
        }
        support
    }

    fn library(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &[
                ("guest-examples/rust/campanile-guest", "campanile-guest"),
                ("wit/0.1.1", "campanile-guest/wit"),
                // Cargo drops what the project does not use, and keeps the tried versions of what it does.
                ("guest-examples/rust/Cargo.lock", "Cargo.lock"),
                ("guest-examples/rust/rustfmt.toml", "rustfmt.toml"),
            ],
            Self::Javascript => {
                &[("guest-examples/javascript/campanile-guest", "campanile-guest"), ("wit/0.1.1", "wit")]
            }
            Self::C => &[("guest-examples/c/campanile", "campanile"), ("wit/0.1.1", "wit")],
            Self::Go => &[
                ("guest-examples/go/campanile/campaniletest", "campanile/campaniletest"),
                ("guest-examples/go/campanile/status.go", "campanile/status.go"),
                ("guest-examples/go/campanile/text.go", "campanile/text.go"),
                ("guest-examples/go/campanile/text_test.go", "campanile/text_test.go"),
                ("guest-examples/go/campanile/url.go", "campanile/url.go"),
                ("guest-examples/go/go.mod", "go.mod"),
                ("guest-examples/go/go.sum", "go.sum"),
                ("wit/0.1.1", "wit"),
            ],
            Self::Python => &[
                ("guest-examples/python/campanile", "campanile"),
                ("guest-examples/python/requirements.txt", "requirements.txt"),
                ("wit/0.1.1", "wit"),
            ],
        }
    }
}
