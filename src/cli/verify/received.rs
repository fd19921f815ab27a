//! The envelope as the topmost Received and Return-Path fields tell it, for mail from a mailbox.

use crate::message::{Envelope, HeaderSection, MailFrom};
use std::net::IpAddr;

/// Fills in what is unknown, and says where each part was taken from.
pub(super) fn complete(envelope: &mut Envelope, section: &HeaderSection<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((index, field)) = section.named("Received").next() {
        let value = unfolded(field.value());
        let (helo, ip) = client(&value);
        if let (None, Some(ip)) = (envelope.client_ip, ip) {
            envelope.client_ip = Some(ip);
            notes.push(format!("client address {ip} taken from the topmost Received field (field {})", index + 1));
        }
        if let (None, Some(helo)) = (&envelope.helo, helo) {
            notes.push(format!("HELO {} taken from the same field", helo.escape_debug()));
            envelope.helo = Some(Envelope::text(helo.as_bytes()));
        }
    }
    if let (MailFrom::Unknown, Some((index, field))) = (&envelope.mail_from, section.named("Return-Path").next()) {
        let value = unfolded(field.value());
        let value = value.trim();
        let path = value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).unwrap_or(value);
        envelope.mail_from = if path.is_empty() { MailFrom::Null } else { MailFrom::Path(Envelope::text(path.as_bytes())) };
        notes.push(format!("MAIL FROM <{}> taken from the topmost Return-Path field (field {})", path.escape_debug(), index + 1));
    }
    if notes.is_empty() {
        notes.push("the message has no Received or Return-Path field to take an envelope from".into());
    }
    notes
}

fn unfolded(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace(['\r', '\n'], " ")
}

/// `from HELO (name [address]) by …`: what stands before `by`.
fn client(value: &str) -> (Option<&str>, Option<IpAddr>) {
    let Some(from) = value.trim_start().strip_prefix("from ") else { return (None, None) };
    let from = from.split(" by ").next().unwrap_or(from);
    let helo = from.split_whitespace().next();
    let mut addresses = from.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    let ip = addresses.find_map(|inside| inside.trim_start_matches("IPv6:").parse().ok());
    (helo, ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_read_from_what_servers_write() {
        for (value, helo, ip) in [
            ("from mx.a.example (mx.a.example [192.0.2.1]) by b with SMTP", Some("mx.a.example"), Some("192.0.2.1")),
            ("from x (y [IPv6:2001:db8::1]) by b", Some("x"), Some("2001:db8::1")),
            ("from [192.0.2.7] (unknown [198.51.100.1]) by b", Some("[192.0.2.7]"), Some("192.0.2.7")),
            ("by b with LMTP id 1", None, None),
        ] {
            let found = client(value);
            assert_eq!(found, (helo, ip.map(|ip| ip.parse().unwrap())), "{value}");
        }
    }
}
