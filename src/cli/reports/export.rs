//! Writes reports to files. Each file appears whole or not at all, and a report that cannot be
//! written does not prevent the others.

use super::report::Report;
use super::selection::{Selection, for_each};
use crate::cli::shown::count;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::report::shortened;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    /// The folder to write to; it is created if it does not exist.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    pub(super) selection: Selection,
}

/// Longest file names in bytes that are tried. Most file systems take 255; one that encrypts file
/// names takes only 143.
const LONGEST: [usize; 2] = [255, 143];
/// Permissions of a new file before the umask: every user may read and write.
const MODE: u32 = 0o666;

pub(super) fn export(config: &Config, Export { to, selection }: &Export) -> Result<Exit, Failure> {
    let unusable = |error: io::Error| Failure::new(Exit::Internal, format!("cannot write to {}: {error}", to.display()));
    std::fs::create_dir_all(to).map_err(unusable)?;
    let (mut written, mut failed) = (0_usize, 0_usize);
    for_each(config, selection.domain.as_ref(), selection.since, |report| {
        match write(to, &report) {
            Ok(()) => written += 1,
            Err(error) => {
                failed += 1;
                let Report { attributes, .. } = &report;
                let (id, domain) = (attributes.id.escape_debug(), &attributes.policy_domain);
                Failure::new(Exit::Internal, format!("report {id} about {domain} is not written: {error}")).print();
            }
        }
        Ok(())
    })?;
    // The name of a file is on the disk only when its folder is.
    File::open(to).and_then(|folder| folder.sync_all()).map_err(unusable)?;
    writeln!(anstream::stdout(), "{} written to {}", count(written, "report"), to.display())?;
    match failed {
        0 => Ok(Exit::Ok),
        failed => {
            Err(Failure::new(Exit::Internal, format!("{} could not be written to {}", count(failed, "report"), to.display())))
        }
    }
}

/// Writes one report under its file name, or under as much of the name as the file system takes.
fn write(folder: &Path, Report { attributes, bytes, .. }: &Report) -> io::Result<()> {
    let refused = |why: &str| io::Error::new(ErrorKind::InvalidFilename, why.to_owned());
    let name = &attributes.file_name;
    if !is_file_name(name) {
        return Err(refused("its record names no usable file"));
    }
    let permissions = Permissions::from_mode(MODE);
    let mut file = tempfile::Builder::new().prefix(".verdmarc-").suffix(".part").permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    for most in LONGEST {
        let Some(name) = shortened(name, most) else { break };
        match file.persist(folder.join(&*name)) {
            Ok(_) => return Ok(()),
            Err(refused) if refused.error.kind() == ErrorKind::InvalidFilename => file = refused.file,
            Err(refused) => return Err(refused.error),
        }
    }
    Err(refused("the file system takes no name as long as its period and its id"))
}

/// Returns whether a file with this name stays in its folder, even if somebody else wrote the
/// record.
fn is_file_name(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-!".contains(&byte);
    name.ends_with(".xml.gz") && !name.starts_with('.') && name.len() <= 1_000 && name.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;
    use crate::event::ReportAttributes;

    fn report(domain: &str, file_name: &str) -> Report {
        let attributes = ReportAttributes {
            id: "0".repeat(32),
            policy_domain: "a.example".parse().unwrap(),
            submitter: "mx.example".parse().unwrap(),
            begin: 1,
            end: 2,
            file_name: file_name.replace("DOMAIN", domain),
            subject: String::new(),
            generation: 0,
            part: 0,
            profile: Profile::Rfc9990,
            addresses: Vec::new(),
            rows: 1,
            messages: 1,
        };
        Report { attributes, time: None, bytes: b"document".to_vec() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_name_stays_in_its_folder() {
        assert!(is_file_name("mx.example!a.example!1!2!ab.xml.gz"));
        for name in ["../a.xml.gz", "/a.xml.gz", "a/b.xml.gz", ".xml.gz", "a.xml", "a\0.xml.gz"] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_the_file_system_does_not_take_is_shortened_and_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let domain = format!("{}.example", [&"d".repeat(60); 3].map(String::as_str).join("."));
        let report = report(&domain, "mx.example!DOMAIN!1769817600!1769903999!0123456789abcdef0123456789abcdef.xml.gz");
        write(folder.path(), &report).unwrap();
        let found = names(folder.path());
        assert_eq!(found.len(), 1);
        assert!(report.attributes.file_name.len() > 255 && found[0].len() == 255, "{found:?}");
        assert!(found[0].starts_with("mx.example!ddd"), "{found:?}");
        assert!(found[0].ends_with("!1769817600!1769903999!0123456789abcdef0123456789abcdef.xml.gz"), "{found:?}");
        assert_eq!(std::fs::read(folder.path().join(&found[0])).unwrap(), b"document");
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let report = report("a.example", "mx.example!DOMAIN!1!2!ab.xml.gz");
        // A folder has the name of the file, so that the last step fails after the document was
        // written.
        std::fs::create_dir(folder.path().join(&report.attributes.file_name)).unwrap();
        write(folder.path(), &report).unwrap_err();
        assert_eq!(names(folder.path()), [report.attributes.file_name.as_str()]);
        std::fs::remove_dir(folder.path().join(&report.attributes.file_name)).unwrap();
        write(folder.path(), &report).unwrap();
        write(folder.path(), &report).unwrap();
        assert_eq!(names(folder.path()), [report.attributes.file_name.as_str()], "the same report is the same file");
    }
}
