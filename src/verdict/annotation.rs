//! The fields on top of the annotated message (Decisions).

use super::field::{FieldWriter, pvalue};
use crate::auth::cause::SesStatus;
use crate::auth::dmarc::Policy;
use crate::message::{Envelope, MailFrom, Path};

/// Our fields, in the order of the Decisions: Return-Path, Authentication-Results, Received-SPF, the verdicts, the policy.
pub(super) fn fields(
    envelope: &Envelope,
    authentication_results: FieldWriter,
    received_spf: FieldWriter,
    prefix: &str,
    statuses: [(&str, SesStatus); 3],
    policy: Option<Policy>,
) -> Vec<u8> {
    let (results, spf) = (authentication_results.finish(), received_spf.finish());
    let mut fields = String::with_capacity(results.len() + spf.len() + 512);
    fields.push_str(&return_path(envelope).unwrap_or_default());
    fields.push_str(&results);
    fields.push_str(&spf);
    let mut verdict =
        |name: &str, value: &str| [prefix, name, ": ", value, "\r\n"].iter().for_each(|piece| fields.push_str(piece));
    for (name, status) in statuses {
        verdict(name, status.as_str());
    }
    if let Some(policy) = policy {
        verdict("DMARC-Policy", &policy.as_str().to_ascii_uppercase());
    }
    fields.into_bytes()
}

/// None when MAIL FROM is unknown, or is no path that could be written between angle brackets.
fn return_path(envelope: &Envelope) -> Option<String> {
    match &envelope.mail_from {
        MailFrom::Unknown => None,
        MailFrom::Null => Some("Return-Path: <>\r\n".into()),
        MailFrom::Path(path) => {
            Path::parse(path.as_bytes())?;
            // A path may hold UTF-8, which a header field may not without SMTPUTF8: then it is written as a value.
            if path.is_ascii() {
                Some(format!("Return-Path: <{path}>\r\n"))
            } else {
                Some(format!("Return-Path: <{}>\r\n", pvalue(path, 320)))
            }
        }
    }
}
