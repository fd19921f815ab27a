//! Reads how much memory the control group of this process allows.

use crate::config::Size;
use std::path::Path;

/// Returns the lowest limit of the process's control groups; `None` where there is no limit.
pub(super) fn memory_limit() -> Option<Size> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    limit(&groups, Path::new("/sys/fs/cgroup"))
}

/// Returns the lowest limit for `groups`, the content of /proc/self/cgroup, which has a line for
/// each hierarchy: number, controllers, path.
/// In a container the path may be a path of the host that does not exist there. Then the limit of
/// the root counts.
fn limit(groups: &str, root: &Path) -> Option<Size> {
    let of_hierarchy = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return None,
        };
        let group = root.join(path.trim_start_matches('/'));
        let groups = group.ancestors().take_while(|group| group.starts_with(&root));
        // "max" is not a number, and means that there is no limit.
        groups.filter_map(|group| std::fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok()).min()
    };
    groups.lines().filter_map(of_hierarchy).min().filter(|bytes| *bytes < NO_LIMIT).map(Size)
}

/// Bytes from which a limit counts as none. The first version of control groups writes the largest
/// multiple of the page size where there is no limit.
const NO_LIMIT: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_of_a_group_and_those_above_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("pods/memory.max", "1000\n");
        write("pods/small/memory.max", "500\n");
        write("pods/free/memory.max", "max\n");
        write("memory/old/memory.limit_in_bytes", "700\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        for (groups, expected) in [
            ("0::/pods/small\n", Some(500)),
            ("0::/pods/free\n", Some(1000)),
            ("0::/\n", None),
            ("0::/of/the/host\n", None),
            ("12:cpu,memory:/old\n3:pids:/pods\n", Some(700)),
            ("12:memory:/else\n", None),
            ("12:memory:/old\n0::/pods/small\n", Some(500)),
            ("nonsense\n", None),
            ("", None),
        ] {
            assert_eq!(limit(groups, folder.path()), expected.map(Size), "{groups}");
        }
        write("memory.max", "300\n");
        assert_eq!(limit("0::/of/the/host\n", folder.path()), Some(Size(300)), "the root of a container is its group");
    }
}
