//! Writes the Received-SPF field (RFC 7208 9.1; D-11), without the explanation of `exp=` (F-24).

use super::field::{FieldWriter, pvalue};
use crate::event::{SpfBlock, SpfScope};
use crate::message::{Envelope, MailFrom};
use std::net::IpAddr;

/// The longest value that is written out, in characters.
const MAX_VALUE: usize = 320;

pub(super) fn write(spf: &SpfBlock, envelope: &Envelope, client_ip: Option<IpAddr>, receiver: &str) -> FieldWriter {
    let mut field = FieldWriter::new("Received-SPF");
    field.part(&[spf.result.as_str()]).part(&["(", spf.reason.text(), ")"]);
    let mut first = true;
    let mut pair = |field: &mut FieldWriter, key: &str, value: &str| {
        if !std::mem::take(&mut first) {
            field.glue(";");
        }
        field.part(&[key, "=", value]);
    };
    if let Some(ip) = client_ip {
        pair(&mut field, "client-ip", &ip.to_string());
    }
    match &envelope.mail_from {
        MailFrom::Unknown => {}
        MailFrom::Null => pair(&mut field, "envelope-from", "\"\""),
        MailFrom::Path(path) => pair(&mut field, "envelope-from", &quoted(path)),
    }
    if let Some(helo) = &envelope.helo {
        pair(&mut field, "helo", &pvalue(helo, MAX_VALUE));
    }
    pair(&mut field, "receiver", &pvalue(receiver, MAX_VALUE));
    pair(
        &mut field,
        "identity",
        match spf.scope {
            SpfScope::Mfrom => "mailfrom",
            SpfScope::Helo => "helo",
        },
    );
    if let Some(mechanism) = &spf.mechanism {
        pair(&mut field, "mechanism", &pvalue(mechanism, MAX_VALUE));
    }
    field
}

/// Returns `text` in quotes, which it always has in the standard's examples.
fn quoted(text: &str) -> String {
    let value = pvalue(text, MAX_VALUE);
    if value.starts_with('"') { value.into_owned() } else { format!("\"{value}\"") }
}
