//! Real IRC servers for the tests, and people who talk there.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::{free_port, patiently, skip};

/// An ngircd on a port of its own.
pub struct Ngircd {
    pub port: u16,
    pub folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Ngircd {
    /// Starts one with these lines below `[Global]`, and these sections; none if there is no ngircd, which is then said.
    pub async fn start(global: &str, sections: &str) -> Option<Self> {
        if Command::new("ngircd").arg("--version").stdout(Stdio::null()).status().is_err() {
            skip("ngircd is not installed: run the tests by `cargo xtask test`");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut conf = String::from(
            "[Global]\nInfo = test\nListen = 127.0.0.1\nMotdPhrase = hello\nPidFile = \nServerUID = 0\nServerGID = 0\n",
        );
        if !global.contains("Name") {
            writeln!(conf, "Name = irc.example.org").unwrap();
        }
        if !global.contains("Ports") {
            writeln!(conf, "Ports = {port}").unwrap();
        }
        write!(
            conf,
            "{global}\n[Limits]\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxNickLength = 20\nPongTimeout = 60\nConnectRetry = 1\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\nChrootDir =\nOperCanUseMode = yes\n\
             [Operator]\nName = root\nPassword = root\n{}",
            sections
                .replace("{port}", &port.to_string())
                .replace("{folder}", folder.path().to_str().unwrap())
        )
        .unwrap();
        std::fs::write(folder.path().join("ngircd.conf"), conf).unwrap();
        let mut server = Self { port, folder, child: None };
        server.restart().await;
        Some(server)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it (again), and waits until it answers.
    pub async fn restart(&mut self) {
        let child = Command::new("ngircd")
            .arg("-n")
            .arg("-f")
            .arg(self.folder.path().join("ngircd.conf"))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(self.folder.path().join("ngircd.log")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        patiently("ngircd answers", async || TcpStream::connect(("127.0.0.1", self.port)).await.ok()).await;
    }
}

/// Two of a network, linked: what happens when they lose each other.
pub async fn linked() -> Option<[Ngircd; 2]> {
    let link = |name: &str, to: &str, port: &str| {
        format!("[Server]\nName = {to}\nMyPassword = {name}\nPeerPassword = {to}\n{port}")
    };
    let first = Ngircd::start("", &link("irc.example.org", "two.example.org", "Passive = yes\n")).await?;
    let port = format!("Host = 127.0.0.1\nPort = {}\n", first.port);
    let second = link("two.example.org", "irc.example.org", &port);
    let second = Ngircd::start("Name = two.example.org\n", &second).await?;
    Some([first, second])
}

impl Drop for Ngircd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who talks at a server in the clear.
pub struct Person {
    pub nick: String,
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
    /// All that was heard, for failures.
    heard: Vec<String>,
}

impl Person {
    /// Signs on, and joins these channels (each with its key, if it has one).
    pub async fn arrive(port: u16, nick: &str, channels: &[&str]) -> Self {
        Self::arrive_with(port, nick, None, channels).await
    }

    pub async fn arrive_with(port: u16, nick: &str, pass: Option<&str>, channels: &[&str]) -> Self {
        let (read, write) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
        let lines = BufReader::new(read).lines();
        let mut person = Self { nick: nick.to_owned(), lines, write, heard: Vec::new() };
        if let Some(pass) = pass {
            person.send(&format!("PASS {pass}")).await;
        }
        person.send(&format!("NICK {nick}")).await;
        person.send(&format!("USER {nick} 0 * :{nick}")).await;
        person.until("the welcome", |line| line.split(' ').nth(1) == Some("001")).await;
        for channel in channels {
            person.send(&format!("JOIN {channel}")).await;
            person.until("the channel", |line| line.split(' ').nth(1) == Some("366")).await;
        }
        person
    }

    pub async fn send(&mut self, line: &str) {
        self.write.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    }

    pub async fn say(&mut self, to: &str, text: &str) {
        self.send(&format!("PRIVMSG {to} :{text}")).await;
    }

    /// The next line that fits; those before it are passed over.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let wait = async {
            loop {
                let line = self.lines.next_line().await.unwrap()?;
                if let Some(token) = line.strip_prefix("PING ") {
                    self.write.write_all(format!("PONG {token}\r\n").as_bytes()).await.unwrap();
                }
                let found = fits(&line);
                self.heard.push(line.clone());
                if found {
                    return Some(line);
                }
            }
        };
        match tokio::time::timeout(Duration::from_secs(90), wait).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("{}: {what}: the server hung up after {:#?}", self.nick, self.heard),
            Err(_) => panic!("{}: {what}: nothing came within 90 s after {:#?}", self.nick, self.heard),
        }
    }

    /// Waits for the bot to be in a channel.
    pub async fn sees(&mut self, nick: &str, channel: &str) {
        // Whoever was there before is in the list of names; whoever comes later joins.
        self.send(&format!("NAMES {channel}")).await;
        let (joins, named) = (format!(":{nick}!"), nick.to_owned());
        let here = channel.to_owned();
        self.until(&format!("{nick} joins {channel}"), |line| {
            let verb = line.split(' ').nth(1);
            let names = line.rsplit(':').next().unwrap_or_default();
            (line.starts_with(&joins) && verb == Some("JOIN") && line.contains(&here))
                || (verb == Some("353")
                    && names.split(' ').any(|name| name.trim_start_matches(['@', '+']) == named))
        })
        .await;
    }

    /// The bot's next message, to this person or in a channel: `PRIVMSG #ci yes?`.
    pub async fn hears(&mut self) -> String {
        let line = self
            .until("the bot says something", |line| {
                let verb = line.split(' ').nth(1);
                line.starts_with(":bb") && matches!(verb, Some("PRIVMSG" | "NOTICE"))
            })
            .await;
        assert!(line.len() <= 510, "{} bytes: {line}", line.len() + 2);
        let (_, rest) = line.split_once(' ').unwrap();
        rest.replacen(" :", " ", 1)
    }

    /// Says something in private and gives the answer.
    pub async fn asks(&mut self, text: &str) -> String {
        self.say("bb", text).await;
        let answer = self.hears().await;
        // Servers pass on whom it is for in their own spelling.
        let start = format!("PRIVMSG {} ", self.nick);
        answer.strip_prefix(&start).unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Says something to the bot in a channel and gives the answer.
    pub async fn asks_in(&mut self, channel: &str, text: &str) -> String {
        self.say(channel, &format!("bb: {text}")).await;
        let answer = self.hears().await;
        let start = format!("PRIVMSG {channel} ");
        answer.strip_prefix(&start).unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

/// An InspIRCd with Atheme's services: NickServ and SASL.
pub struct Services {
    pub port: u16,
    children: Vec<Child>,
    _folder: tempfile::TempDir,
}

impl Services {
    /// Starts both, and waits until NickServ is there; none if they are not installed, which is then said.
    pub async fn start() -> Option<Self> {
        for program in ["inspircd", "atheme-services"] {
            if Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_err()
            {
                skip(&format!("{program} is not installed: run the tests by `cargo xtask test`"));
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let (port, link) = (free_port(), free_port());
        for (name, text) in [
            ("inspircd.conf", include_str!("../irc/inspircd.conf")),
            ("atheme.conf", include_str!("../irc/atheme.conf")),
        ] {
            let text = text.replace("{port}", &port.to_string()).replace("{link}", &link.to_string());
            let text = text.replace("{folder}", folder.path().to_str().unwrap());
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let quiet = |command: &mut Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let server = quiet(
            Command::new("inspircd").args(["--nofork", "--runasroot", "--config"]).arg(path("inspircd.conf")),
        );
        let mut services = Self { port, children: vec![server], _folder: folder };
        patiently("InspIRCd answers", async || TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        let folder = services._folder.path();
        services.children.push(quiet(
            Command::new("atheme-services")
                .arg("-n")
                .arg("-c")
                .arg(folder.join("atheme.conf"))
                .arg("-D")
                .arg(folder)
                .arg("-l")
                .arg(folder.join("atheme.log"))
                .arg("-p")
                .arg(folder.join("atheme.pid")),
        ));
        let mut scout = Person::arrive(port, "scout", &[]).await;
        // Asked again and again: the services take a moment to link.
        for attempt in 0.. {
            assert!(attempt < 200, "NickServ did not come");
            scout.send("WHOIS NickServ").await;
            let end =
                scout.until("an answer", |line| matches!(line.split(' ').nth(1), Some("311" | "401"))).await;
            if end.contains(" 311 ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(services)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Person {
    /// Has NickServ keep the nickname, by this password.
    pub async fn registers(&mut self, password: &str) {
        self.say("NickServ", &format!("REGISTER {password} {}@example.org", self.nick)).await;
        self.until("NickServ registers", |line| {
            line.contains("NOTICE") && line.contains("is now registered")
        })
        .await;
    }

    /// The account that somebody is logged in to, if any.
    pub async fn account_of(&mut self, nick: &str) -> Option<String> {
        self.send(&format!("WHOIS {nick}")).await;
        let line = self.until("whois", |line| matches!(line.split(' ').nth(1), Some("330" | "318"))).await;
        let words: Vec<&str> = line.split(' ').collect();
        (words[1] == "330").then(|| words[4].to_owned())
    }
}
