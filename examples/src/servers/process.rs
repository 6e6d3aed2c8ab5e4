//! The process and the directory of a server. Neither of them outlives this process.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// How long a server may take to stop, before it is killed.
const STOP: Duration = Duration::from_secs(30);
/// How long a killed process may take to end, or a shell to start.
const KILL: Duration = Duration::from_secs(10);
/// How long a program that prepares the data may take.
const PREPARE: Duration = Duration::from_secs(120);

/// A shell script that runs the server as its child, and sends it the signals that it reads from standard
/// input.
///
/// The input ends when nobody is left to stop the server: the context was dropped without a runtime, or this
/// process was killed. Then the shell stops the server and removes the directory. `$1` is the directory, `$2`
/// the signal that stops the server.
const SUPERVISOR: &str = r#"
    directory=$1 stop=$2
    shift 2
    exec 3<&0
    "$@" <&- 3<&- >>"$directory/server.log" 2>&1 &
    server=$!
    echo "$server"
    {
        while read -r signal; do kill -s "$signal" "$server"; done
        kill -s "$stop" "$server"
        exit 0
    } <&3 >&- &
    watch=$!
    wait "$server"
    kill "$watch"
    wait "$watch" && rm -rf -- "$directory"
"#;

/// A temporary directory in which a server can write.
pub(super) struct Directory {
    directory: TempDir,
    user: Option<User>,
}

/// The user of the server's process if this process runs as root, which PostgreSQL refuses to do.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Directory {
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix(format!("{name}-"))?;
        let user = if fs::metadata(directory.path())?.uid() == 0 {
            let nobody = User::named("nobody")?;
            chown(directory.path(), Some(nobody.uid), Some(nobody.gid))?;
            Some(nobody)
        } else {
            None
        };
        Ok(Self { directory, user })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Whether `path` is in this directory.
    pub(super) fn contains(&self, path: &Path) -> bool {
        match (path.canonicalize(), self.path().canonicalize()) {
            (Ok(path), Ok(directory)) => path.starts_with(directory),
            _ => false,
        }
    }

    /// The log of the server.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.path().join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Runs a program to its end, as the user of the server.
    pub(super) async fn prepare(&self, command: &[String]) -> anyhow::Result<()> {
        let command = self.as_user(command);
        let output = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(self.path())
            .env("TMPDIR", self.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(PREPARE, output)
            .await
            .with_context(|| format!("{} takes too long", command[0]))??;
        ensure!(
            output.status.success(),
            "{} failed: {}{}",
            command.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        Ok(())
    }

    /// Removes the directory. Unlike the destructor, it returns an error.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        Ok(self.directory.close()?)
    }

    fn as_user(&self, command: &[String]) -> Vec<String> {
        let setpriv = self.user.map(|User { uid, gid }| {
            [
                "setpriv".to_owned(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ]
        });
        let setpriv = setpriv.into_iter().flatten();
        setpriv.chain(command.iter().cloned()).collect()
    }
}

impl User {
    fn named(name: &str) -> anyhow::Result<Self> {
        let users = fs::read_to_string("/etc/passwd")?;
        users
            .lines()
            .find_map(|line| {
                let mut fields = line.split(':');
                if fields.next()? != name {
                    return None;
                }
                let uid = fields.nth(1)?.parse().ok()?;
                let gid = fields.next()?.parse().ok()?;
                Some(Self { uid, gid })
            })
            .with_context(|| format!("there is no user `{name}` to run a server as"))
    }
}

/// A server, and the shell that supervises it.
pub(super) struct Process {
    // Dropped first: at the end of its input the shell stops the server.
    signals: ChildStdin,
    shell: Child,
    pid: u32,
    stop: &'static str,
}

impl Process {
    pub(super) async fn start(
        directory: &Directory,
        stop: &'static str,
        command: &[String],
    ) -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(directory.path())
            .arg(stop)
            .args(directory.as_user(command))
            .current_dir(directory.path())
            .env("TMPDIR", directory.path())
            // An interrupt at the terminal must not reach the server: this process decides how it stops.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell reports every signal there. The server's own errors are in its log.
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(signals), Some(output)) = (shell.stdin.take(), shell.stdout.take()) else {
            unreachable!("both streams are pipes")
        };
        let mut pid = String::new();
        timeout(KILL, BufReader::new(output).read_line(&mut pid)).await??;
        Ok(Self {
            signals,
            shell,
            pid: pid.trim().parse()?,
            stop,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.shell.try_wait()?.is_some())
    }

    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        if self.ends_by(self.stop, STOP).await? {
            return Ok(());
        }
        self.kill().await?;
        bail!("the server had to be killed: it did not stop in {STOP:?}")
    }

    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        ensure!(self.ends_by("KILL", KILL).await?, "the server survives");
        Ok(())
    }

    async fn ends_by(&mut self, signal: &str, patience: Duration) -> anyhow::Result<bool> {
        // A shell that has ended sends no signals.
        let _ = self
            .signals
            .write_all(format!("{signal}\n").as_bytes())
            .await;
        match timeout(patience, self.shell.wait()).await {
            Ok(ended) => Ok(ended.map(|_| true)?),
            Err(_) => Ok(false),
        }
    }
}
