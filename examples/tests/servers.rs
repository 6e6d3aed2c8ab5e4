//! The servers leave nothing behind, however their use ends.

#[path = "support/alone.rs"]
mod alone;

use std::fs::Permissions;
use std::future::{Future, pending, poll_fn};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::task::Poll;
use std::time::{Duration, Instant};

use alone::{alone, is_alone};
use anyhow::ensure;
use guard_core::{AsyncContext, async_with, drain, pending_cleanups, set_reporter};
use guard_examples::servers::{Server, mariadb, postgres, redis, redis_on};

/// The process and the directory of a server, which have to be gone after it.
struct Traces {
    pid: u32,
    directory: PathBuf,
}

impl Traces {
    fn of(server: &Server) -> Self {
        assert!(runs(server.pid()));
        assert!(server.directory().is_dir());
        Self {
            pid: server.pid(),
            directory: server.directory().to_owned(),
        }
    }

    #[track_caller]
    fn assert_gone(&self) {
        assert!(!runs(self.pid), "the server should have stopped");
        assert!(!self.directory.exists(), "the directory should be removed");
    }

    /// As `assert_gone`, after a while: for uses that end where nobody can wait for the server.
    #[track_caller]
    fn assert_gone_soon(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline && (runs(self.pid) || self.directory.exists()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.assert_gone();
    }
}

fn runs(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

type AnyServer = guard_core::BoxContext<'static, Server, anyhow::Error>;

/// Panics. In a separate function, so that the code after the call is not unreachable for the compiler.
fn panic_as_expected() {
    panic!("expected");
}

fn all() -> [AnyServer; 3] {
    [Box::pin(redis()), Box::pin(postgres()), Box::pin(mariadb())]
}

#[tokio::test]
async fn every_server_is_gone_when_its_block_ends() -> anyhow::Result<()> {
    for server in all() {
        let traces = async_with!(server = server?, { Traces::of(server) });
        traces.assert_gone();
    }
    Ok(())
}

#[tokio::test]
async fn every_server_is_gone_when_its_user_fails() {
    for server in all() {
        let mut traces = None;
        let failed: anyhow::Result<()> = async {
            async_with!(server = server?, {
                traces = Some(Traces::of(server));
                ensure!(1 > 2, "expected");
            });
            Ok(())
        }
        .await;
        assert_eq!(failed.unwrap_err().to_string(), "expected");
        traces.unwrap().assert_gone();
    }
}

#[tokio::test]
async fn every_server_is_gone_when_its_user_panics() {
    for server in all() {
        let (sender, traces) = tokio::sync::oneshot::channel();
        let user = tokio::spawn(async move {
            async_with!(server = server?, {
                assert!(sender.send(Traces::of(server)).is_ok());
                panic_as_expected();
            });
            anyhow::Ok(())
        });
        assert!(user.await.unwrap_err().is_panic());
        traces.await.unwrap().assert_gone();
    }
}

#[tokio::test]
async fn every_server_is_gone_when_its_user_is_cancelled() {
    for server in all() {
        let (sender, traces) = tokio::sync::oneshot::channel();
        let user = tokio::spawn(async move {
            async_with!(server = server?, {
                assert!(sender.send(Traces::of(server)).is_ok());
                pending::<()>().await;
            });
            anyhow::Ok(())
        });
        let traces = traces.await.unwrap();
        user.abort();
        assert!(user.await.unwrap_err().is_cancelled());
        drain().await;
        traces.assert_gone();
    }
}

#[tokio::test]
async fn a_server_whose_start_is_cancelled_leaves_nothing() {
    const NAME: &str = "a_server_whose_start_is_cancelled_leaves_nothing";
    // In a new process, whose children and temporary files are only those of the servers.
    if !is_alone() {
        let directory = tempfile::tempdir().unwrap();
        // A new directory is closed to other users. Servers that run as another user must be able to read it.
        std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        let status = alone(NAME).env("TMPDIR", directory.path()).status();
        assert!(status.unwrap().success());
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
        return;
    }
    set_reporter(|report| {
        eprintln!("{report}");
        std::process::exit(1);
    });
    for server in all() {
        let mut entering = server.enter();
        let once = poll_fn(|cx| Poll::Ready(Pin::new(&mut entering).poll(cx).is_pending()));
        assert!(once.await, "no server should start in one poll");
        drop(entering);
        assert_eq!(pending_cleanups().len(), 1);
        drain().await;
        assert_eq!(children(), [""; 0]);
    }
}

/// The child processes of this process.
fn children() -> Vec<String> {
    let mut children = Vec::new();
    for task in Path::new("/proc/self/task").read_dir().unwrap() {
        // A thread may end during the search.
        let of_task = std::fs::read_to_string(task.unwrap().path().join("children"));
        let of_task = of_task.unwrap_or_default();
        children.extend(of_task.split_whitespace().map(str::to_owned));
    }
    children
}

#[test]
fn a_server_stops_without_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let guard = runtime.block_on(redis().enter()).unwrap();
    let traces = Traces::of(&guard);
    drop(runtime);
    drop(guard);
    traces.assert_gone_soon();
}

/// Not a test by itself: the test below kills this process.
#[tokio::test]
async fn a_process_with_servers() {
    if !is_alone() {
        return;
    }
    let servers = async {
        async_with!(
            redis = redis()?,
            postgres = postgres()?,
            mariadb = mariadb()?,
            {
                for server in [redis, postgres, mariadb] {
                    println!("server {} {}", server.pid(), server.directory().display());
                }
                println!("all run");
                pending::<()>().await;
            }
        );
        anyhow::Ok(())
    };
    servers.await.unwrap();
}

#[test]
fn servers_do_not_outlive_a_process_that_is_killed() {
    let mut child = alone("a_process_with_servers")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut traces = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(server) = line.strip_prefix("server ") {
            let (pid, directory) = server.split_once(' ').unwrap();
            traces.push(Traces {
                pid: pid.parse().unwrap(),
                directory: directory.into(),
            });
        }
        if line == "all run" {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(traces.len(), 3);
    for traces in traces {
        traces.assert_gone_soon();
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_with_what_the_server_says() -> anyhow::Result<()> {
    async_with!(first = redis()?, {
        let Err(error) = redis_on(first.port()).enter().await else {
            anyhow::bail!("two servers have the same port");
        };
        assert!(
            format!("{error:#}").contains("Address already in use"),
            "{error:#}"
        );
    });
    Ok(())
}
