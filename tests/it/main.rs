//! Black-box tests: the built program, real servers on loopback ports of their own, no look inside.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod bitbucket;
mod buildbot;
mod callbacks;
mod cli;
mod docs;
mod door;
mod durability;
mod forges;
mod gerrit;
mod github;
mod hooks;
mod irc;
mod languages;
mod look_ups;
mod mail;
mod new;
mod occasions;
mod openapi;
mod operating;
mod other_cis;
mod parsed;
mod pollers;
mod push;
mod recovery;
mod relays;
mod retention;
mod sandbox;
mod sendmail;
mod sources;
mod supervised;
mod swap;
mod tenants;
mod tokens;
mod traces;
mod upkeep;
