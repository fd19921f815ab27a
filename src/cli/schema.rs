//! `verdmarc schema`: prints or writes the JSON Schemas of the events.

use super::Exit;
use crate::event::schemas;
use anyhow::{Context, Result};
use std::io::Write as _;
use std::path::PathBuf;

/// Print the JSON Schema of an event, or write all of them to a folder.
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// The name of the event.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(schemas::NAMES), required_unless_present = "write")]
    event: Option<String>,
    /// Write all schemas and the AsyncAPI document to this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "event")]
    write: Option<PathBuf>,
}

impl Schema {
    /// Prints one schema or writes all files.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn run(self) -> Result<Exit> {
        if let Some(folder) = self.write {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            for (name, text) in schemas::files() {
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
            return Ok(Exit::Ok);
        }
        let name = self.event.unwrap_or_default();
        if let Some((_, text)) = schemas::files().into_iter().find(|(file, _)| *file == format!("{name}.schema.json")) {
            anstream::stdout().write_all(text.as_bytes())?;
        }
        Ok(Exit::Ok)
    }
}
