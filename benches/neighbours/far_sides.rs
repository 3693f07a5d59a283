//! A far side in trouble, beside three targets whose far sides are well: ages of what these hear.

use std::time::Duration;

use campanile_testing::{Engine, Silent, free_port};

use crate::load::{Ages, percentile, run};
use crate::sink::Sinks;
use crate::{Goal, Row};

/// Length of a run.
const SECONDS: u64 = 12;
/// Greatest ratio of the 99th percentile beside a neighbour to the one without.
const TIMES: f64 = 1.5;

/// A target whose far side is in trouble.
struct Neighbour {
    name: &'static str,
    /// Its table.
    settings: String,
    /// The far side, for as long as the run lasts.
    _far_side: Option<Silent>,
}

/// All neighbours, in the order of their rows.
async fn all() -> Vec<Neighbour> {
    let (silent, blackhole) = (Silent::accepting().await, Silent::blackhole().await);
    let web = Silent::accepting().await;
    vec![
        Neighbour {
            name: "mail relay that takes connections and says nothing",
            settings: mail(silent.port),
            _far_side: Some(silent),
        },
        Neighbour {
            name: "mail relay behind a firewall that drops all",
            settings: mail(blackhole.port),
            _far_side: Some(blackhole),
        },
        Neighbour {
            name: "mail relay that refuses connections",
            settings: mail(free_port()),
            _far_side: None,
        },
        Neighbour {
            name: "web server that takes requests and says nothing",
            settings: format!(
                "[[http_status_push]]\nname = \"neighbour\"\nform = \"builds\"\n\
                 server_url = \"http://127.0.0.1:{}/\"\n",
                web.port
            ),
            _far_side: Some(web),
        },
    ]
}

pub(crate) fn mail(port: u16) -> String {
    format!(
        "[[mail]]\nname = \"neighbour\"\nfromaddr = \"ci@example.org\"\nsend_to_interested_users = false\n\
         extra_recipients = [\"dev@example.org\"]\nrelayhost = \"127.0.0.1\"\nsmtp_port = {port}\n"
    )
}

pub(crate) async fn measure() {
    let mut alone = ages("").await;
    let mut besides = Vec::new();
    for neighbour in all().await {
        besides.push((neighbour.name, ages(&neighbour.settings).await));
    }
    // Once more at the end, for what the machine did meanwhile.
    let again = ages("").await;
    alone.all.extend(again.all);
    for (name, mut beside) in besides {
        for part in [50, 99] {
            let row = Row {
                name: format!("{name}: age, p{part}"),
                beside: percentile(&mut beside.all, part),
                alone: percentile(&mut alone.all, part),
                unit: "ms",
                goal: Goal::Times(TIMES),
            };
            row.print();
        }
        if beside.lost > 0 {
            println!("{name}: {} receipts are LOST", beside.lost);
        }
    }
}

/// Runs the load beside a neighbour, or beside none.
async fn ages(neighbour: &str) -> Ages {
    let sinks = Sinks::start().await;
    let engine = Engine::start(&[sinks.settings("0.05").as_str(), neighbour].concat());
    // What a neighbour does to others begins when its slots are taken.
    tokio::time::sleep(Duration::from_millis(500)).await;
    run(&engine, &sinks, SECONDS).await
}
