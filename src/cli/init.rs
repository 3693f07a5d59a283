//! `campanile init`: looks at a Buildbot master, writes settings that go with it, and says what to add to master.cfg.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use toml::Value;
use url::Url;

use super::address;
use super::output::{out, printable};
use campanile_ci::buildbot::{ForceScheduler, Master, MasterError};
use campanile_config::{Secret, random_bytes};
use campanile_outbound::{Allowed, Outbound, SystemResolver};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Where the master's pages start
    #[arg(long, value_name = "URL", value_parser = address::server)]
    buildbot: Url,
    /// Who logs in there, where its pages ask for that
    #[arg(long, requires = "password")]
    user: Option<String>,
    /// The password that goes with it; better given in the environment, where others don't see it
    #[arg(long, env = "BUILDBOT_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Where the engine is to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8020")]
    listen: SocketAddr,
    /// Where the settings and a new token are written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

/// The builders and force schedulers of a master.
struct Seen {
    builders: Vec<(String, Vec<String>)>,
    schedulers: Vec<ForceScheduler>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let url = options.buildbot.clone();
    if !url.username().is_empty() || url.password().is_some() {
        bail!(
            "the address of `{}` holds a name or password: give them by `--user` and `--password`",
            url.host_str().unwrap_or_default()
        );
    }
    let inside = inside(&url).await?;
    let seen =
        look(&options, &inside).await.with_context(|| format!("cannot look at the Buildbot at {url}"))?;
    let settings = options.dir.join("campanile.toml");
    let token_file = options.dir.join("api-token");
    std::fs::create_dir_all(&options.dir)
        .with_context(|| format!("cannot make `{}`", options.dir.display()))?;
    let token = token()?;
    // The settings first: where there are some already, nothing is written at all.
    write_new(&settings, &settings_text(&options, &inside, &seen), 0o644)?;
    write_new(&token_file, &format!("{token}\n"), 0o600)?;
    eprintln!("wrote {} and {}: {} builders", settings.display(), token_file.display(), seen.builders.len());
    eprintln!(
        "add this to master.cfg, and reconfigure the master; then: campanile serve --config {}",
        settings.display()
    );
    out!("{}", master_cfg(options.listen, &token));
    Ok(ExitCode::SUCCESS)
}

/// Addresses of the master that lie inside, which the settings must open.
async fn inside(url: &Url) -> anyhow::Result<BTreeSet<IpAddr>> {
    let named = url.clone();
    let found = tokio::task::spawn_blocking(move || named.socket_addrs(|| None)).await?;
    let addresses = found.with_context(|| format!("cannot find `{}`", url.host_str().unwrap_or_default()))?;
    let nothing = Allowed::default();
    Ok(addresses.into_iter().map(|address| address.ip()).filter(|ip| nothing.check(*ip).is_err()).collect())
}

async fn look(options: &Options, inside: &BTreeSet<IpAddr>) -> anyhow::Result<Seen> {
    let allowed = Allowed::new(inside.iter().copied().map(Into::into).collect());
    let outbound = Outbound::new(allowed, Arc::new(SystemResolver));
    let password = || options.password.as_deref().map(Secret::new);
    let login = options.user.clone().and_then(|user| Some((user, password()?)));
    let master = Master::at(options.buildbot.clone(), login, &outbound)?;
    let builders = master.builders().await.map_err(|error| match error {
        MasterError::Unknown(said) => {
            anyhow::anyhow!("{said}: there is no Buildbot of 0.9 or later at this address")
        }
        other => other.into(),
    })?;
    // Some masters let nobody see these.
    let schedulers = master.force_schedulers().await.unwrap_or_default();
    Ok(Seen { builders, schedulers })
}

/// 256 bits, in hexadecimal.
fn token() -> anyhow::Result<String> {
    let bytes = random_bytes::<32>().context("this machine gives no random numbers")?;
    Ok(hex::encode(bytes))
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot write `{}`: move away what is there", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn settings_text(options: &Options, inside: &BTreeSet<IpAddr>, seen: &Seen) -> String {
    let mut text = format!(
        "# Settings of Campanile for the Buildbot at {url}\n\
         # `campanile check --connect` looks at all of it; the pages in docs/ say what else there is.\n\n\
         [server]\n\
         listen = {listen}\n\
         url = {url}              # links in messages lead to the master's own pages\n\
         url_style = \"modern\"\n\
         api_token = {{ file = \"api-token\" }}\n\n\
         # What the master's reporter leaves out is asked for here.\n\
         [buildbot]\n\
         url = {url}\n",
        url = quoted(options.buildbot.as_str()),
        listen = quoted(&options.listen.to_string()),
    );
    if let Some(user) = &options.user {
        text += &format!("user = {}\npassword = {{ env = \"BUILDBOT_PASSWORD\" }}\n", quoted(user));
    }
    text += "\n# `force` and `stop`, from IRC say, go to the same master.\n[control]\nkind = \"buildbot\"\n";
    if !inside.is_empty() {
        let addresses: Vec<String> = inside.iter().map(|ip| quoted(&ip.to_string())).collect();
        text += &format!(
            "\n# The master is inside of this network.\n[outbound]\nallow = [{}]\n",
            addresses.join(", ")
        );
    }
    text += "\n# Mails lie in a folder until you name a relay instead.\n\
             [[mail]]\n\
             name = \"developers\"\n\
             fromaddr = \"buildbot@example.org\"\n\
             transport = \"file:outbox\"\n\
             # relayhost = \"mail.example.org\"\n\
             # use_tls = true\n\
             # lookup = \"example.org\"          # ada -> ada@example.org\n\
             author_addresses = true         # git's authors have addresses\n\
             mode = [\"failing\", \"problem\"]\n\
             extra_recipients = [\"buildbot@example.org\"]\n\
             # builders = [...]                # leave it away for all\n\n";
    if seen.builders.is_empty() {
        text += "# The master has no builders yet.\n";
    } else {
        text += "# The master's builders, with their tags and force schedulers:\n";
    }
    for (name, tags) in &seen.builders {
        let forces = seen.schedulers.iter().filter(|scheduler| scheduler.builder_names.contains(name));
        let forces: Vec<&str> = forces.map(|scheduler| scheduler.name.as_str()).collect();
        let mut line = format!("#   {}", quoted(name));
        if !tags.is_empty() {
            line += &format!("   tags: {}", tags.join(", "));
        }
        if !forces.is_empty() {
            line += &format!("   forced by: {}", forces.join(", "));
        }
        text += &printable(&line);
        text.push('\n');
    }
    text
}

/// The lines of docs/connect/buildbot.md, with this engine's address and token.
fn master_cfg(listen: SocketAddr, token: &str) -> String {
    format!(
        r#"from buildbot.plugins import reporters

def whole(master, ctx):
    return {{"body": ctx["build"], "type": "json", "subject": None}}

c["services"].append(reporters.HttpStatusPush(
    "http://{listen}/api/v1/events/buildbot",
    headers={{"Authorization": "Bearer {token}"}},
    generators=[reporters.BuildStartEndStatusGenerator(
        start_formatter=reporters.MessageFormatterFunctionRaw(whole),
        end_formatter=reporters.MessageFormatterFunctionRaw(whole, want_steps=True, want_logs_content=True),
    )],
))"#
    )
}
