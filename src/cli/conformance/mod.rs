//! `verdmarc conformance`: evaluates cases of this project and of others, and compares the verdicts
//! with expectations.

mod case;
mod compare;
mod expect;

use super::Exit;
use crate::config::{Discovery, Evaluation, Source};
use crate::verdict::{Verdict, evaluate};
use anyhow::{Context, Result, bail};
use case::Case;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Run cases: print a line for each that differs, and a closing line.
#[derive(Debug, clap::Args)]
pub struct Conformance {
    /// Files with one case per line.
    #[arg(required = true, value_name = "FILE.jsonl")]
    files: Vec<PathBuf>,
    /// Compare nothing: print the results of each case as one line of JSON.
    #[arg(long)]
    results: bool,
    /// How organizational domains are found, where a case does not say.
    #[arg(long, value_enum)]
    discovery: Option<Discovery>,
    /// Settings under the cases' own options; without it the defaults, and no trusted networks. The
    /// environment is not read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A zone for cases that have none of their own (`zone_overrides` of a case are laid over it).
    #[arg(long, value_name = "FILE")]
    zone: Option<PathBuf>,
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Conformance {
    /// Runs all cases in order.
    ///
    /// # Errors
    /// A file cannot be read or has no cases, or a line is not a case; the error names file and
    /// line.
    pub async fn run(self) -> Result<Exit> {
        let shared = match &self.zone {
            None => None,
            Some(path) => Some(case::SharedZone::read(path)?),
        };
        let settings = self.settings()?;
        let mut tally = Tally::default();
        let mut out = std::io::stdout().lock();
        for file in &self.files {
            let mut empty = true;
            for (number, line) in lines(file)?.enumerate() {
                let at = || format!("{}, line {}", file.display(), number + 1);
                let line = line.with_context(at)?;
                if line.trim().is_empty() {
                    continue;
                }
                empty = false;
                let case = Case::parse(&line).with_context(at)?;
                let subject = case.subject(&settings, shared.as_ref()).with_context(|| format!("{}: case {}", at(), case.id))?;
                let verdict = evaluate(&subject.message, &subject.envelope, &subject.zone, subject.now, &subject.settings).await;
                if self.results {
                    writeln!(out, "{}", found(&case, &verdict))?;
                    continue;
                }
                tally.count(&mut out, &case, &compare::differences(&case, &subject, &verdict))?;
            }
            if empty {
                bail!("{}: no cases", file.display());
            }
        }
        if self.results {
            return Ok(Exit::Ok);
        }
        writeln!(out, "{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped)?;
        Ok(if tally.failed == 0 { Exit::Ok } else { Exit::Differs })
    }
}

impl Conformance {
    fn settings(&self) -> Result<Evaluation> {
        let config = match &self.config {
            None => crate::config::Config::default(),
            Some(path) => Source { file: Some(path.clone()), variables: Vec::new() }.load()?,
        };
        let mut settings = config.evaluation();
        if config.receiver.trusted_networks.is_none() {
            // The clients of cases have addresses of any kind, also those of private networks.
            settings.trusted_networks.clear();
        }
        settings.discovery = self.discovery.unwrap_or(settings.discovery);
        Ok(settings)
    }
}

impl Tally {
    fn count(&mut self, out: &mut impl Write, case: &Case, differences: &[String]) -> Result<()> {
        if case.judges_nothing() {
            self.skipped += 1;
            writeln!(out, "skip {}: nothing to judge", case.id)?;
        } else if differences.is_empty() {
            self.passed += 1;
        } else if case.is_advisory() {
            self.skipped += 1;
            writeln!(out, "skip {}: {} ({})", case.id, differences.join("; "), case.flags.join(", "))?;
        } else {
            self.failed += 1;
            writeln!(out, "FAIL {}: {}", case.id, differences.join("; "))?;
        }
        Ok(())
    }
}

fn lines(file: &Path) -> Result<impl Iterator<Item = std::io::Result<String>>> {
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(BufReader::new(opened).lines())
}

/// Returns one line of `--results`.
fn found(case: &Case, verdict: &Verdict) -> serde_json::Value {
    let authentication = &verdict.authentication;
    let dmarc = &authentication.dmarc;
    let dkim: Vec<_> = authentication
        .dkim
        .iter()
        .map(|signature| json!({"d": signature.d, "s": signature.s, "a": signature.a, "result": signature.result}))
        .collect();
    json!({
        "id": case.id,
        "spf": authentication.spf.result,
        "dkim": dkim,
        "arc": authentication.arc.result,
        "dmarc": dmarc.result,
        "policy": dmarc.published_policy,
        "disposition": verdict.dmarc_policy,
        "authorDomain": authentication.author_domain,
        "reasons": dmarc.reasons,
    })
}
