//! Black-box tests: the built program, real servers on loopback ports of their own, no look inside.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod bitbucket;
mod buildbot;
mod cage;
mod callbacks;
mod cli;
mod docs;
mod door;
mod durability;
mod forge_server;
mod forges;
mod gerrit;
mod gerrit_server;
mod github;
mod hooks;
mod irc;
mod irc_server;
mod languages;
mod look_ups;
mod mail;
mod new;
mod occasions;
mod operating;
mod parsed;
mod pollers;
mod push;
mod receiver;
mod relays;
mod retention;
mod sendmail;
mod sources;
mod supervised;
mod support;
mod swap;
mod traces;
mod upkeep;
