//! What messages look like: header fields and bodies.

use super::senders::{Provider, Sender};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fastrand::Rng;
use std::fmt::Write;
use std::net::IpAddr;

const WORDS: &str = "the of and to in for is on that with your you this have are from our will please order account team new more \
    time service about delivery can been not all has was their we but they which when were there one out up if about what so \
    package tracking invoice customer support update available shipping number address payment received confirm status question \
    attached document meeting tomorrow schedule project review comments changes version release thanks regards best kind hello \
    morning afternoon week month year report quarterly results budget plan draft final signature contract agreement terms policy \
    privacy settings preferences unsubscribe newsletter offer discount season collection exclusive members events tickets travel";

/// Ready lines that bodies are put together from, so that a body costs a copy and not its thousands of words.
pub struct Lines {
    plain: Vec<String>,
    html: Vec<String>,
    base64: Vec<String>,
    words: Vec<&'static str>,
}

impl Lines {
    /// Lines of each kind, all under 998 octets.
    pub fn new(rng: &mut Rng) -> Self {
        let words: Vec<_> = WORDS.split_ascii_whitespace().collect();
        let mut lines = Self { plain: Vec::new(), html: Vec::new(), base64: Vec::new(), words };
        for _ in 0..1200 {
            let plain = lines.plain_line(rng);
            lines.plain.push(plain);
            let html = lines.html_line(rng);
            lines.html.push(html);
            let octets: Vec<u8> = (0..57).map(|_| rng.u8(..)).collect();
            lines.base64.push(BASE64.encode(octets));
        }
        lines
    }

    /// `count` words.
    pub fn words(&self, rng: &mut Rng, count: usize) -> String {
        (0..count).map(|_| self.words[rng.usize(..self.words.len())]).collect::<Vec<_>>().join(" ")
    }

    fn plain_line(&self, rng: &mut Rng) -> String {
        match rng.u8(..20) {
            0..3 => String::new(),
            3 => "-- ".to_owned(),
            4..6 => format!("> {}", self.words(rng, 9)),
            6 => format!("  * {}  {}", self.words(rng, 3), self.words(rng, 4)),
            7 => format!("{}=C3=A9 {} =", self.words(rng, 4), self.words(rng, 4)),
            _ => {
                let count = rng.usize(9..13);
                self.words(rng, count)
            }
        }
    }

    fn html_line(&self, rng: &mut Rng) -> String {
        let indent = " ".repeat(rng.usize(..12));
        match rng.u8(..8) {
            0 => format!("{indent}<tr>"),
            1 => format!("{indent}</td></tr>"),
            2 => format!("{indent}<td style=3D\"padding:{}px 0;font-family:Arial,sans-serif\" =", rng.u8(..40)),
            3 => format!("<a href=3D\"https://click.mail.test/{:016x}{:08x}\" =", rng.u64(..), rng.u32(..)),
            4 => format!("{indent}<p>{}</p>", self.words(rng, 7)),
            5 => format!("{indent}<img src=3D\"https://img.mail.test/{:08x}.png\" alt=3D\"\">", rng.u32(..)),
            _ => format!("{} =", self.words(rng, 10)),
        }
    }

    fn append(rng: &mut Rng, body: &mut Vec<u8>, lines: &[String], octets: usize) {
        let end = body.len() + octets;
        while body.len() < end {
            body.extend_from_slice(lines[rng.usize(..lines.len())].as_bytes());
            body.extend_from_slice(b"\r\n");
        }
    }

    /// A body of about `octets`, and the Content-Type and Content-Transfer-Encoding that go with it.
    pub fn body(&self, rng: &mut Rng, octets: usize) -> (Vec<u8>, Vec<(String, String)>) {
        let mut body = Vec::with_capacity(octets + 1024);
        let boundary = format!("----=_Part_{:012x}", rng.u64(..) >> 16);
        let kind = if octets > 60_000 { rng.u8(40..100) } else { rng.u8(..100) };
        let content_type = match kind {
            0..25 => {
                Self::append(rng, &mut body, &self.plain, octets);
                body.extend_from_slice(b"Regards\r\n");
                return (body, vec![field("Content-Type", "text/plain; charset=\"utf-8\""), encoding("quoted-printable")]);
            }
            25..40 => {
                body.extend_from_slice(b"<!DOCTYPE html><html><body>\r\n");
                Self::append(rng, &mut body, &self.html, octets);
                body.extend_from_slice(b"</body></html>\r\n");
                return (body, vec![field("Content-Type", "text/html; charset=UTF-8"), encoding("quoted-printable")]);
            }
            40..75 => {
                self.part(rng, &mut body, &boundary, "text/plain; charset=utf-8", octets / 6);
                self.part(rng, &mut body, &boundary, "text/html; charset=utf-8", octets * 5 / 6);
                format!("multipart/alternative;\r\n boundary=\"{boundary}\"")
            }
            _ => {
                self.part(rng, &mut body, &boundary, "text/plain; charset=utf-8", octets / 10);
                write(&mut body, &format!("--{boundary}\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n"));
                write(
                    &mut body,
                    "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n",
                );
                Self::append(rng, &mut body, &self.base64, octets * 9 / 10);
                format!("multipart/mixed; boundary=\"{boundary}\"")
            }
        };
        write(&mut body, &format!("--{boundary}--\r\n{}", if rng.bool() { "\r\n" } else { "" }));
        (body, vec![field("Content-Type", content_type)])
    }

    fn part(&self, rng: &mut Rng, body: &mut Vec<u8>, boundary: &str, content_type: &str, octets: usize) {
        let encoding = "Content-Transfer-Encoding: quoted-printable";
        write(body, &format!("--{boundary}\r\nContent-Type: {content_type}\r\n{encoding}\r\n\r\n"));
        let lines = if content_type.contains("html") { &self.html } else { &self.plain };
        Self::append(rng, body, lines, octets);
    }
}

fn write(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
}

/// A field: its name, and its value with the leading space and without the final CRLF.
pub fn field(name: &str, value: impl std::fmt::Display) -> (String, String) {
    (name.to_owned(), format!(" {value}"))
}

fn encoding(name: &str) -> (String, String) {
    field("Content-Transfer-Encoding", name)
}

/// The fields that the author's side writes.
pub fn author_fields(rng: &mut Rng, lines: &Lines, sender: &Sender, date: &jiff::Timestamp) -> Vec<(String, String)> {
    let domain = &sender.author;
    let id = rng.u64(..);
    let subject = if rng.u8(..5) == 0 {
        format!("=?UTF-8?B?{}?=", BASE64.encode(lines.words(rng, 5)))
    } else {
        let count = rng.usize(3..9);
        lines.words(rng, count)
    };
    let from = match rng.u8(..6) {
        0 => format!("no-reply@{domain}"),
        1 => format!("\"{}, Inc.\" <hello@{domain}>", lines.words(rng, 2)),
        2 => format!("=?utf-8?Q?Caf=C3=A9_{}?= <info@{domain}>", lines.words(rng, 1)),
        3 => format!("{} (Support) <support@{domain}>", lines.words(rng, 1)),
        _ => format!("{} <team.{}@{domain}>", lines.words(rng, 2), rng.u8(..)),
    };
    let mut fields = vec![
        field("Date", date.strftime("%a, %d %b %Y %H:%M:%S +0000")),
        field("From", from),
        field("Reply-To", format!("reply-{:x}@{domain}", rng.u32(..))),
        field("To", format!("recipient{}@receiver.example", rng.u16(..))),
        field("Message-ID", format!("<{id:016x}.{:08x}@{domain}>", rng.u32(..))),
        field("Subject", subject),
        field("MIME-Version", "1.0"),
    ];
    if rng.u8(..3) == 0 {
        fields.push(field("Cc", format!("a.{id:x}@receiver.example,\r\n b.{id:x}@receiver.example")));
        fields.push(field("References", format!("<{:016x}@receiver.example>\r\n <{:016x}@{domain}>", rng.u64(..), rng.u64(..))));
        fields.push(field("In-Reply-To", format!("<{:016x}@receiver.example>", rng.u64(..))));
    } else {
        fields.push(field("List-Unsubscribe", format!("<https://u.{domain}/{id:016x}>,\r\n <mailto:u-{id:x}@{domain}>")));
        fields.push(field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        fields.push(field("List-Id", format!("<{:x}.list.{domain}>", rng.u16(..))));
        fields.push(field("Feedback-ID", format!("{}:{}:campaign:esp{}", rng.u32(..), rng.u16(..), sender.provider)));
        fields.push(field("Precedence", "bulk"));
    }
    fields
}

/// Names that signers cover, in the order they name them.
pub const SIGNED: [&str; 12] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Reply-To",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
];

const EXTRA: [&str; 36] = [
    "X-Mailer",
    "X-Campaign-ID",
    "X-Message-Tag",
    "X-Tracking-ID",
    "X-Entity-Ref-ID",
    "X-Priority",
    "X-Spam-Score",
    "X-Spam-Status",
    "X-Spam-Report",
    "X-Virus-Scanned",
    "X-Originating-IP",
    "X-Auto-Response-Suppress",
    "X-MS-Exchange-Organization-SCL",
    "X-MS-Exchange-CrossTenant-Id",
    "X-MS-TrafficTypeDiagnostic",
    "X-MS-Office365-Filtering-Correlation-Id",
    "X-Forefront-Antispam-Report",
    "X-Microsoft-Antispam",
    "X-Microsoft-Antispam-Message-Info",
    "X-OriginatorOrg",
    "X-Google-Smtp-Source",
    "X-Gm-Message-State",
    "X-Received",
    "X-Google-DKIM-Signature",
    "X-Proofpoint-GUID",
    "X-Proofpoint-Virus-Version",
    "X-Mimecast-Spam-Score",
    "X-Report-Abuse",
    "X-CSA-Complaints",
    "X-Job",
    "X-Binding",
    "X-Delivery-Context",
    "X-SES-Outgoing",
    "Thread-Index",
    "Content-Language",
    "Auto-Submitted",
];

/// `count` fields that say nothing to us.
pub fn extra_fields(rng: &mut Rng, lines: &Lines, count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|_| {
            let name = EXTRA[rng.usize(..EXTRA.len())];
            let mut value = String::new();
            match rng.u8(..6) {
                0 => value = rng.u16(..).to_string(),
                1 => write!(value, "{:016x}-{:08x}", rng.u64(..), rng.u32(..)).unwrap(),
                2 => value = lines.words(rng, 6),
                3 => {
                    let octets: Vec<u8> = (0..rng.usize(30..240)).map(|_| rng.u8(..)).collect();
                    for (index, chunk) in BASE64.encode(octets).as_bytes().chunks(72).enumerate() {
                        value.push_str(if index == 0 { "" } else { "\r\n " });
                        value.push_str(std::str::from_utf8(chunk).unwrap());
                    }
                }
                4 => write!(value, "SCL:{};CTRY:DE;SFV:NSPM;\r\n\tH:mail.test;PTR:;CAT:NONE;DIR:INB", rng.u8(..9)).unwrap(),
                _ => value = lines.words(rng, 2),
            }
            field(name, value)
        })
        .collect()
}

/// One hop.
pub fn received(rng: &mut Rng, from: &str, ip: IpAddr, by: &str, date: &jiff::Timestamp) -> (String, String) {
    let literal = if ip.is_ipv6() { format!("IPv6:{ip}") } else { ip.to_string() };
    let date = date.strftime("%a, %d %b %Y %H:%M:%S +0000 (UTC)");
    let id = rng.u64(..) >> 16;
    field(
        "Received",
        format!(
            "from {from} ({from} [{literal}])\r\n\tby {by} (Postfix) with ESMTPS id {id:X}\r\n\tfor <recipient@receiver.example>; {date}"
        ),
    )
}

/// An Authentication-Results field of somebody else.
pub fn foreign_results(provider: &Provider, sender: &Sender) -> (String, String) {
    let (id, domain) = (&provider.domain, &sender.author);
    field(
        "Authentication-Results",
        format!("mx.{id};\r\n\tdkim=pass header.d={domain} header.s=s1;\r\n\tspf=none smtp.mailfrom={domain}"),
    )
}
