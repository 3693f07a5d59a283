//! Healthy targets: two web servers and a mail relay in this process, which note when news of each build came.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use campanile_testing::receiver::Receiver;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The word before a build's number in its builder's name, which is in all that is told of it.
pub(crate) const WORD: &str = "neighbour-";

/// Times at which news of a build came, by its number.
pub(crate) type Receipts = BTreeMap<u64, Vec<Instant>>;

/// All healthy targets of an engine.
pub(crate) struct Sinks {
    packets: Receiver,
    builds: Receiver,
    mails: Arc<Mutex<Receipts>>,
    relay: u16,
}

impl Sinks {
    pub(crate) async fn start() -> Self {
        let mails = Arc::<Mutex<Receipts>>::default();
        let relay = relay(Arc::clone(&mails)).await;
        Self { packets: Receiver::kind().await, builds: Receiver::kind().await, mails, relay }
    }

    /// Their tables; web servers are left alone for this long between two pushes.
    pub(crate) fn settings(&self, pause: &str) -> String {
        let Self { packets, builds, relay, .. } = self;
        format!(
            "[outbound]\nallow = [\"127.0.0.1\"]\n\n\
             [[http_status_push]]\nname = \"packets\"\nserver_url = \"http://127.0.0.1:{}/\"\n\
             buffer_delay = {pause}\n\n\
             [[http_status_push]]\nname = \"builds\"\nform = \"builds\"\nserver_url = \"http://127.0.0.1:{}/\"\n\
             buffer_delay = {pause}\n\n\
             [[mail]]\nname = \"mails\"\nfromaddr = \"ci@example.org\"\nsend_to_interested_users = false\n\
             extra_recipients = [\"dev@example.org\"]\nrelayhost = \"127.0.0.1\"\nsmtp_port = {relay}\n\n",
            packets.port, builds.port
        )
    }

    /// Name and receipts of each target.
    pub(crate) fn receipts(&self) -> [(&'static str, Receipts); 3] {
        let of = |receiver: &Receiver| {
            let mut receipts = Receipts::new();
            for got in receiver.got() {
                note(&mut receipts, &got.body, got.at);
            }
            receipts
        };
        [
            ("packets", of(&self.packets)),
            ("builds", of(&self.builds)),
            ("mails", self.mails.lock().unwrap().clone()),
        ]
    }

    /// The packets that came, in their order.
    pub(crate) fn packets(&self) -> Vec<serde_json::Value> {
        self.packets.packets()
    }
}

/// Notes each build of a text once.
fn note(receipts: &mut Receipts, text: &str, at: Instant) {
    let mut seen = std::collections::BTreeSet::new();
    for rest in text.split(WORD).skip(1) {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if let Ok(number) = digits.parse()
            && seen.insert(number)
        {
            receipts.entry(number).or_default().push(at);
        }
    }
}

/// A mail relay that takes all and keeps when it came.
async fn relay(mails: Arc<Mutex<Receipts>>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mails = Arc::clone(&mails);
            tokio::spawn(async move {
                // A client that hangs up is gone.
                let _ = take_mails(stream, &mails).await;
            });
        }
    });
    port
}

async fn take_mails(stream: TcpStream, mails: &Mutex<Receipts>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let mut mail: Option<String> = None;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer = match &mut mail {
            Some(text) if line != ".\r\n" => {
                text.push_str(&line);
                ""
            }
            Some(_) => {
                let text = mail.take().unwrap_or_default();
                let subject = text.lines().find(|line| line.starts_with("Subject:")).unwrap_or_default();
                note(&mut mails.lock().unwrap(), subject, Instant::now());
                "250 taken\r\n"
            }
            None if line.starts_with("DATA") => {
                mail = Some(String::new());
                "354 go on\r\n"
            }
            None => "250 sink\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
