//! Judges the message of this folder with DNS answers from a file, and prints the verdict.

use jiff::Timestamp;
use verdmarc::config::Evaluation;
use verdmarc::dns::Zone;
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::verdict::evaluate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let message = std::fs::read("examples/message.eml")?;
    let zone = Zone::load("examples/zone.json")?;
    let mail_from = MailFrom::Path("ann@example.org".to_owned());
    let envelope = Envelope { client_ip: Some("198.51.100.7".parse()?), mail_from, ..Envelope::default() };
    let verdict = evaluate(&message, &envelope, &zone, Timestamp::now(), &Evaluation::default()).await;
    println!("DMARC {:?}, SPF {:?}, DKIM {:?}", verdict.dmarc, verdict.spf, verdict.dkim);
    Ok(())
}
