//! The tools that callbacks are built with: `wit-bindgen` for C and Go, and `wasm-tools component`.
//!
//! They are the libraries that the tools of these names are made of, with the arguments that the Makefiles of
//! `guest-examples/` use: building the callbacks takes no tool that has to be installed first.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding};

/// `wit-bindgen LANGUAGE`.
#[derive(Parser)]
#[command(name = "wit-bindgen")]
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

/// `wasm-tools component`.
#[derive(Parser)]
#[command(name = "wasm-tools")]
enum WasmTools {
    #[command(subcommand)]
    Component(Component),
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

/// Makes the bindings of one language.
pub(crate) fn wit_bindgen(args: &[String]) -> Result<ExitCode> {
    let (mut generator, contract): (Box<dyn WorldGenerator>, Contract) =
        match WitBindgen::parse_from(with_name("wit-bindgen", args)) {
            WitBindgen::C { options, contract } => (options.build(), contract),
            WitBindgen::Go { options, contract } => (options.build(), contract),
        };
    let (mut resolve, world) = read_world(&contract.wit, &contract.world)?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    for (name, bytes) in files.iter() {
        write(&contract.out_dir.join(name), bytes)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a core module a component.
pub(crate) fn wasm_tools(args: &[String]) -> Result<ExitCode> {
    let WasmTools::Component(command) = WasmTools::parse_from(with_name("wasm-tools", args));
    match command {
        Component::Embed { wit, module, world, output } => {
            let (resolve, world) = read_world(&wit, &world)?;
            let mut bytes = read(&module)?;
            wit_component::embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
            write(&output, &bytes)?;
        }
        Component::New { module, adapt, output } => {
            let mut encoder = ComponentEncoder::default();
            encoder.validate(true).module(&read(&module)?)?;
            if let Some(adapt) = adapt {
                let (name, path) = adapt.split_once('=').context("`--adapt` is `NAME=PATH`")?;
                encoder.adapter(name, &read(Path::new(path))?)?;
            }
            write(&output, &encoder.encode()?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn with_name<'a>(name: &'a str, args: &'a [String]) -> impl Iterator<Item = &'a str> {
    std::iter::once(name).chain(args.iter().map(String::as_str))
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
