//! The corpus in the format of the conformance cases, one line of JSON a message.

use super::{ARRIVAL, Case, Corpus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use verdmarc::auth::cause::SesStatus;

/// Name of the file that holds the zone of every line beside it.
pub const ZONE_FILE: &str = "zone.json";

/// Writes `zone.json` and `corpus.jsonl` into `directory`.
pub fn write(corpus: &Corpus, directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    serde_json::to_writer_pretty(File::create(directory.join(ZONE_FILE))?, &corpus.zone.to_json())?;
    lines(&directory.join("corpus.jsonl"), corpus.cases.iter().map(|case| Value::Object(line(case))))
}

/// Writes one line for each value.
pub fn lines(file: &Path, values: impl Iterator<Item = Value>) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for value in values {
        writeln!(out, "{value}")?;
    }
    out.flush()
}

/// One message. Its zone is the file beside it.
pub fn line(case: &Case) -> Map<String, Value> {
    let mut line = unjudged(&case.id, &case.message, case);
    line.insert("expect".into(), expect(case));
    line
}

/// What a line holds without `expect`: `message` under the envelope of `case`.
pub fn unjudged(id: &str, message: &[u8], case: &Case) -> Map<String, Value> {
    let value = json!({
        "id": id,
        "source": "verdmarc corpus",
        "now": ARRIVAL,
        "zone_file": ZONE_FILE,
        "message_base64": BASE64.encode(message),
        "client_ip": case.client_ip.to_string(),
        "helo": case.helo,
        "mail_from": case.mail_from,
    });
    let Value::Object(line) = value else { unreachable!("an object was written") };
    line
}

fn expect(case: &Case) -> Value {
    let expected = &case.expected;
    let dkim: Vec<_> = expected
        .signatures
        .iter()
        .map(|signature| {
            json!({
                "d": signature.domain,
                "s": signature.selector,
                "a": signature.algorithm,
                "result": if signature.passes { "pass" } else { "fail" },
            })
        })
        .collect();
    let dmarc = match expected.dmarc {
        SesStatus::Pass => "pass",
        SesStatus::Fail => "fail",
        _ => "none",
    };
    let mut expect = json!({
        "spf": expected.spf.as_str(),
        "dkim": dkim,
        "dmarc": dmarc,
        "ses": {
            "spf": expected.spf_status().as_str(),
            "dkim": expected.dkim.as_str(),
            "dmarc": expected.dmarc.as_str(),
        },
    });
    if let Some(policy) = expected.published {
        expect["policy"] = policy.as_str().into();
    }
    if let Some(policy) = expected.dmarc_policy {
        expect["disposition"] = policy.as_str().into();
    }
    expect
}
