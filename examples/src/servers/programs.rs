//! Finds installed programs.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

/// A program in one of the `usual` directories, or in `PATH`. The error says how to install the `package`
/// that has it.
pub(super) fn find(name: &str, usual: &[PathBuf], package: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    usual
        .iter()
        .cloned()
        .chain(env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            anyhow!(
                "`{name}` is not installed; this installs it: sudo apt-get install --yes {package}"
            )
        })
}

/// The directories `{parent}/{version}/{below}`, the latest version first.
pub(super) fn versions(parent: &str, below: &str) -> Vec<PathBuf> {
    let Ok(entries) = Path::new(parent).read_dir() else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join(below)))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_an_error_with_the_command_that_installs_it() {
        let error = find("no-such-server", &["/nowhere".into()], "such-a-package").unwrap_err();
        let message = error.to_string();
        assert!(message.contains("`no-such-server` is not installed"));
        assert!(message.contains("apt-get install --yes such-a-package"));
    }

    #[test]
    fn the_latest_version_comes_first_and_by_number() {
        let parent = tempfile::tempdir().unwrap();
        for version in ["9", "15", "14", "latest"] {
            std::fs::create_dir(parent.path().join(version)).unwrap();
        }
        let found = versions(parent.path().to_str().unwrap(), "bin");
        let expected = ["15/bin", "14/bin", "9/bin"].map(|path| parent.path().join(path));
        assert_eq!(found, expected);
    }
}
