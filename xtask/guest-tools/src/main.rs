//! The tools that callbacks are built with: `wit-bindgen` for C and Go, `wasm-tools`, and the adapter for Go.
//!
//! They are the libraries that the tools of these names are made of, with the arguments that the Makefiles of
//! `guest-examples/` use: building the callbacks takes no tool that has to be installed first. A program of its own,
//! as they take a minute to compile and most chores need none of them; `xtask` builds it when a callback does.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding};

#[derive(Parser)]
#[command(name = "campanile-guest-tools")]
enum Tool {
    /// Makes bindings of a contract.
    #[command(subcommand)]
    WitBindgen(WitBindgen),
    /// Makes components.
    #[command(subcommand)]
    WasmTools(WasmTools),
    /// Writes the module that turns WASI preview 1, which Go speaks, into that of components.
    GoAdapter { output: PathBuf },
}

/// `wit-bindgen LANGUAGE`.
#[derive(Subcommand)]
enum WitBindgen {
    C {
        #[command(flatten)]
        options: wit_bindgen_c::Opts,
        #[command(flatten)]
        contract: Contract,
    },
    Go {
        #[command(flatten)]
        options: wit_bindgen_go::Opts,
        #[command(flatten)]
        contract: Contract,
    },
}

#[derive(Args)]
struct Contract {
    wit: PathBuf,
    #[arg(long)]
    world: String,
    #[arg(long)]
    out_dir: PathBuf,
}

/// `wasm-tools COMMAND`.
#[derive(Subcommand)]
enum WasmTools {
    #[command(subcommand)]
    Component(Component),
    /// Encodes a module or component that is written as text.
    Parse {
        text: PathBuf,
        #[arg(short)]
        output: PathBuf,
    },
}

#[derive(Subcommand)]
enum Component {
    /// Writes into a core module what its world is.
    Embed {
        wit: PathBuf,
        module: PathBuf,
        #[arg(long)]
        world: String,
        #[arg(short)]
        output: PathBuf,
    },
    /// Wraps a core module into a component.
    New {
        module: PathBuf,
        /// `NAME=PATH` of a module that stands between the core module and the engine.
        #[arg(long)]
        adapt: Option<String>,
        #[arg(short)]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Tool::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(tool: Tool) -> Result<()> {
    match tool {
        Tool::WitBindgen(language) => wit_bindgen(language),
        Tool::WasmTools(WasmTools::Component(command)) => component(command),
        Tool::WasmTools(WasmTools::Parse { text, output }) => {
            let bytes =
                wat::parse_file(&text).with_context(|| format!("`{}` cannot be encoded", text.display()))?;
            write(&output, &bytes)
        }
        Tool::GoAdapter { output } => write(&output, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
    }
}

/// Makes the bindings of one language.
fn wit_bindgen(language: WitBindgen) -> Result<()> {
    let (mut generator, contract): (Box<dyn WorldGenerator>, Contract) = match language {
        WitBindgen::C { options, contract } => (options.build(), contract),
        WitBindgen::Go { options, contract } => (options.build(), contract),
    };
    let (mut resolve, world) = read_world(&contract.wit, &contract.world)?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    for (name, bytes) in files.iter() {
        write(&contract.out_dir.join(name), bytes)?;
    }
    Ok(())
}

/// Makes a core module a component.
fn component(command: Component) -> Result<()> {
    match command {
        Component::Embed { wit, module, world, output } => {
            let (resolve, world) = read_world(&wit, &world)?;
            let mut bytes = read(&module)?;
            wit_component::embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
            write(&output, &bytes)
        }
        Component::New { module, adapt, output } => {
            let mut encoder = ComponentEncoder::default();
            encoder.validate(true).module(&read(&module)?)?;
            if let Some(adapt) = adapt {
                let (name, path) = adapt.split_once('=').context("`--adapt` is `NAME=PATH`")?;
                encoder.adapter(name, &read(Path::new(path))?)?;
            }
            let bytes =
                encoder.encode().with_context(|| format!("`{}` makes no component", module.display()))?;
            write(&output, &bytes)
        }
    }
}

fn read_world(wit: &Path, name: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(name))?;
    Ok((resolve, world))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{Tool, run};
    use clap::Parser as _;
    use std::fs;

    #[test]
    fn a_text_becomes_a_component_of_its_world() {
        let dir = std::env::temp_dir().join(format!("campanile-guest-tools-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = |name: &str| dir.join(name).display().to_string();
        fs::write(path("a.wit"), "package a:b; world w { export f: func() -> u32; }").unwrap();
        fs::write(path("a.wat"), "(module (func (export \"f\") (result i32) i32.const 7))").unwrap();
        let tool = |args: &[&str]| {
            run(Tool::try_parse_from([&["campanile-guest-tools", "wasm-tools"], args].concat()).unwrap())
        };

        tool(&["parse", &path("a.wat"), "-o", &path("core.wasm")]).unwrap();
        let args = ["component", "embed", &path("a.wit"), &path("core.wasm"), "--world", "w"];
        tool(&[&args, &["-o", &path("embedded.wasm")][..]].concat()).unwrap();
        tool(&["component", "new", &path("embedded.wasm"), "-o", &path("made/a.wasm")]).unwrap();

        let made = fs::read(path("made/a.wasm")).unwrap();
        assert_eq!(made.get(4..8), Some(&[0x0d, 0, 1, 0][..]), "the header of a component");
        assert!(tool(&["component", "new", &path("made/a.wasm"), "-o", &path("b.wasm")]).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
