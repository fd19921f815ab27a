//! Reads the header fields of the settings, and the files that the settings name.

use super::error::{ExportError, refused};
use crate::config::Export;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::path::Path;

/// Reads a file that a setting names.
pub(super) fn read(setting: &str, path: &Path) -> Result<Vec<u8>, ExportError> {
    std::fs::read(path).map_err(|reason| ExportError::File { setting: setting.to_owned(), path: path.to_owned(), reason })
}

/// Returns the header fields of the settings, including those whose values are in files.
pub(super) fn headers(export: &Export) -> Result<HeaderMap, ExportError> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let name = HeaderName::try_from(name).map_err(refused)?;
        let mut value = HeaderValue::try_from(value).map_err(|_| refused(format!("the value of header field {name}")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok::<(), ExportError>(())
    };
    for (name, value) in &export.headers.0 {
        add(name, value)?;
    }
    for (name, path) in &export.header_files {
        let setting = format!("header_files.{name}");
        let wrong = |wrong| ExportError::Content { setting: setting.clone(), path: path.clone(), wrong };
        let value = String::from_utf8(read(&setting, path)?).map_err(|_| wrong("is no text"))?;
        add(name, value.trim_end_matches(['\r', '\n'])).map_err(|_| wrong("holds what no header field may have"))?;
    }
    Ok(headers)
}
