//! Mails as files, for demonstrations, tests and relays that watch a folder (M-X-03): one `.eml` each.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::payload::StoredMail;
use crate::{Fault, FaultCode};

/// Writes the mail under a name that sorts by time and is the mail's own, so that writing it again adds nothing.
/// Returns the file's path.
pub(super) async fn write(folder: &Path, mail: StoredMail) -> Result<PathBuf, Fault> {
    let file = folder.join(file_name(&mail));
    let work = {
        let file = file.clone();
        tokio::task::spawn_blocking(move || replace(&file, &mail.raw)).await
    };
    settle(folder, work).map(|()| file)
}

/// Proves that mails can be written there, by a file that is removed again.
pub(super) async fn probe(folder: &Path) -> Result<(), Fault> {
    let file = folder.join(".campanile-probe");
    let work = tokio::task::spawn_blocking(move || {
        replace(&file, b"")?;
        fs::remove_file(&file)
    });
    settle(folder, work.await)
}

fn settle(folder: &Path, work: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), Fault> {
    let reason = match work {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    let text = format!("cannot write mails to `{}`: {reason}: make the folder writable", folder.display());
    Err(Fault::transient(FaultCode::Local, text))
}

/// The mail's own file name. A Message-ID may come from the settings, so nothing of it is trusted as a name.
fn file_name(mail: &StoredMail) -> String {
    let id = mail.envelope.message_id.trim_matches(['<', '>']);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "@.-_".contains(c) { c } else { '_' };
    let id: String = id.chars().take(150).map(safe).collect();
    format!("{}-{id}.eml", mail.envelope.rendered)
}

/// Writes all of it or nothing, even when the power goes.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut written = tempfile::Builder::new().prefix(".campanile-").suffix(".tmp").tempfile_in(folder)?;
    written.write_all(bytes)?;
    written.as_file().sync_all()?;
    written.persist(file).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::payload::Envelope;
    use super::*;

    #[tokio::test]
    async fn m_x_03_the_same_mail_twice_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let envelope = Envelope {
            message_id: "<../1@x.org>".to_owned(),
            rendered: "20260101T000000.000000Z".to_owned(),
            ..Envelope::default()
        };
        let mail = StoredMail { envelope, raw: b"Subject: x\r\n".to_vec() };
        let outbox = folder.path().join("out/box");
        for _ in 0..2 {
            write(&outbox, mail.clone()).await.unwrap();
        }
        probe(&outbox).await.unwrap();
        let names: Vec<_> = fs::read_dir(&outbox)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["20260101T000000.000000Z-.._1@x.org.eml"]);
    }
}
