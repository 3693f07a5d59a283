//! `campanile send-change`: one change to a hook of dialect `base`, here or at a Buildbot master (H-CLI-01 to 08).

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ArgAction;
use reqwest::{StatusCode, Url, header};
use serde_json::{Map, Value};

use super::output::out;
use super::{address, moment};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Options {
    /// Author [default: the login name of the user running it]
    #[arg(short, long, alias = "author", value_name = "AUTHOR")]
    who: Option<String>,
    /// A file that the change touches; repeatable
    #[arg(short, long, value_name = "FILE")]
    file: Vec<String>,
    /// What the change is about
    #[arg(short, long, value_name = "TEXT", default_value = "post_build_request submission")]
    comments: String,
    /// Revision
    #[arg(short = 'R', long, value_name = "REV")]
    revision: Option<String>,
    /// When it was made: seconds since the epoch, or a date
    #[arg(short = 'W', long, value_name = "WHEN")]
    when: Option<String>,
    /// Branch
    #[arg(short, long)]
    branch: Option<String>,
    /// Category
    #[arg(short = 'C', long, value_name = "CAT")]
    category: Option<String>,
    /// Page that shows the change
    #[arg(long, value_name = "URL", value_parser = address::page)]
    revlink: Option<String>,
    /// NAME=VALUE, the value JSON or text, or a JSON object; repeatable, a later one wins
    #[arg(short, long, value_name = "PROP")]
    property: Vec<String>,
    /// Repository, required
    #[arg(short, long, value_name = "PATH")]
    repository: Option<String>,
    /// Project, required
    #[arg(short = 'P', long, value_name = "PROJ")]
    project: Option<String>,
    /// Codebase
    #[arg(long, value_name = "NAME")]
    codebase: Option<String>,
    /// Where to send it, by plain HTTP
    #[arg(short = 'H', long, value_name = "HOST[:PORT]", default_value = "localhost:8010")]
    host: String,
    /// Path there
    #[arg(short, long, value_name = "PATH", default_value = "/change_hook/base")]
    urlpath: String,
    /// Replaces host and path; http or https
    #[arg(long, value_parser = address::server)]
    url: Option<Url>,
    /// USER:PASSWORD, or env:NAME of a variable that holds it
    #[arg(long)]
    auth: Option<String>,
    /// Say what the hook answered; twice: also its body
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Print what would be sent, and send nothing
    #[arg(short, long, alias = "dry-run")]
    testing: bool,
    /// Print the hook's answer as JSON
    #[arg(long)]
    json: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    for (value, name) in [(&options.repository, "repository"), (&options.project, "project")] {
        if value.is_none() {
            eprintln!("{name} must be specified");
            eprintln!("Usage: campanile send-change --repository PATH --project PROJ [OPTIONS]");
            return Ok(super::usage_error());
        }
    }
    let params = match options.params() {
        Ok(params) => params,
        Err(error) => {
            eprintln!("campanile: {error:#}");
            return Ok(super::usage_error());
        }
    };
    if options.testing {
        out!("params: {params}");
        out!("host: {}", options.host);
        out!("urlpath: {}", options.urlpath);
        return Ok(ExitCode::SUCCESS);
    }
    options.send(params).await
}

impl Options {
    /// The form fields of H-BASE-02; options that were not given are not sent (H-CLI-04).
    fn params(&self) -> anyhow::Result<String> {
        let when = self.when.as_deref().map(seconds).transpose()?;
        let files = (!self.file.is_empty()).then(|| Value::from(self.file.clone()).to_string());
        let properties = self.properties()?.map(|properties| Value::from(properties).to_string());
        let fields = [
            ("author", Some(self.who.clone().unwrap_or_else(login_name))),
            ("files", files),
            ("comments", Some(self.comments.clone())),
            ("revision", self.revision.clone()),
            ("when", when),
            ("branch", self.branch.clone()),
            ("category", self.category.clone()),
            ("revlink", self.revlink.clone()),
            ("properties", properties),
            ("repository", self.repository.clone()),
            ("project", self.project.clone()),
            ("codebase", self.codebase.clone()),
        ];
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            if let Some(value) = value {
                form.append_pair(name, &value);
            }
        }
        Ok(form.finish())
    }

    /// H-CLI-03.
    fn properties(&self) -> anyhow::Result<Option<Map<String, Value>>> {
        let mut all = Map::new();
        for property in &self.property {
            if property.trim_start().starts_with('{') {
                let object: Map<String, Value> = serde_json::from_str(property).with_context(|| {
                    format!(
                        "`--property {property}`: not a JSON object; names and texts stand in double quotes"
                    )
                })?;
                all.extend(object);
            } else if let Some((name, value)) = property.split_once('=') {
                all.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into()));
            } else {
                bail!("`--property {property}`: write NAME=VALUE or a JSON object");
            }
        }
        Ok((!self.property.is_empty()).then_some(all))
    }

    async fn send(&self, params: String) -> anyhow::Result<ExitCode> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://{}/", self.host))
                .and_then(|host| host.join(&self.urlpath))
                .with_context(|| format!("`{}{}` is no address", self.host, self.urlpath))?,
        };
        let mut request = super::client::http()?
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, if self.json { "application/json" } else { "text/plain" })
            .body(params);
        if let Some((user, password)) = self.credentials()? {
            request = request.basic_auth(user, Some(password));
        }
        let response = request.send().await.with_context(|| format!("cannot send the change to {url}"))?;
        let status = response.status();
        let body = response.text().await.unwrap_or_default();
        let accepted = status == StatusCode::ACCEPTED;
        if self.json {
            out!("{body}");
        } else if self.verbose > 0 {
            out!("{status}");
            if self.verbose > 1 {
                out!("Raw response: {body}");
            }
        } else if !accepted {
            eprintln!("{status}: {body}");
        }
        Ok(if accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    #[allow(clippy::disallowed_methods)] // a variable that the user names on the command line
    fn credentials(&self) -> anyhow::Result<Option<(String, String)>> {
        let Some(auth) = &self.auth else { return Ok(None) };
        let text = match auth.strip_prefix("env:") {
            Some(name) => std::env::var(name).with_context(|| format!("`--auth env:{name}`"))?,
            None => auth.clone(),
        };
        match text.split_once(':') {
            Some((user, password)) => Ok(Some((user.to_owned(), password.to_owned()))),
            None => bail!("`--auth`: write USER:PASSWORD"),
        }
    }
}

fn seconds(when: &str) -> anyhow::Result<String> {
    if when.parse::<f64>().is_ok_and(f64::is_finite) {
        return Ok(when.to_owned());
    }
    let stamp = moment::date(when).with_context(|| "`--when`")?;
    Ok(stamp.as_seconds().to_string())
}

#[allow(clippy::disallowed_methods)] // the login name is the documented default
fn login_name() -> String {
    ["LOGNAME", "USER"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
