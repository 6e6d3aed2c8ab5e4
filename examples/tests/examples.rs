//! The examples as programs: they succeed, and their output is compared.

#[path = "support/run_example.rs"]
mod support;

use support::run_example;

/// Runs an example and compares its output. `…` in an expected line stands for any text.
fn prints(name: &str, expected: &str) {
    let output = run_example(name, &[]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    assert_eq!(errors, "");
    let mut lines = printed.lines();
    for expected in expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let line = lines.next().map(str::trim).unwrap_or_default();
        let same = match expected.split_once('…') {
            Some((start, end)) => line.starts_with(start) && line.ends_with(end),
            None => line == expected,
        };
        assert!(same, "expected: {expected}\n but got: {line}\n{printed}");
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn http() {
    prints(
        "http",
        r#"
        greeted with "hello", and logged out
        met an error, and logged out
        was cancelled, and logged out
        the server stopped after it had answered "worth the wait"
        the server stopped, but 1 connections were cut off after 100ms
        "#,
    );
}

#[test]
fn temporary_files() {
    prints(
        "temporary_files",
        "
        sorted [0, 1, 2, 3], and of 2 files none is left
        failed because -1 is negative, and of 2 files none is left
        cancelled, and of 1 files none is left
        ",
    );
}

#[test]
fn nested_and_stack() {
    prints(
        "nested_and_stack",
        r#"
        nested: written in a directory that is just as temporary
        exporting ["users"]
          all is written, and the files are about to go
          exported 1 files
        exporting ["users", "orders"]
          all is written, and the files are about to go
          exported 2 files
          journal: begun, opened users, opened orders, completed
        exporting ["users", "users"]
          failed: …
          journal: begun, opened users, failed(())
        exporting ["a", "b", "c", "d"]
          all is written, and the files are about to go
          failed: there are too many tables
          journal: begun, opened a, opened b, opened c, opened d, failed(())
        "#,
    );
}

#[test]
fn suppress_and_retry() {
    prints(
        "suppress_and_retry",
        "
        imported 2 people, and skipped 2:
          CHECK constraint failed: age >= 0
          UNIQUE constraint failed: person.name
        an error that is no broken rule was raised
        attempt 1: the database is busy
        attempt 2: the database is busy
        attempt 3: the database is busy
        then 2 people had their birthday, once
        and after five attempts one gives up
        ",
    );
}

#[test]
fn axum_service() {
    prints(
        "axum_service",
        r#"
        POST /accounts/anna "100" -> 201
        POST /accounts/bert "0" -> 201
        POST /accounts/anna/transfers/bert "30" -> 200 transferred
        GET  /accounts/anna -> 200 70
        GET  /accounts/bert -> 200 30
        POST /accounts/anna/transfers/bert "500" -> 409 that cannot be done
        POST /accounts/anna/transfers/nobody "20" -> 404 there is no account "nobody"
        GET  /accounts/anna -> 200 70
        GET  /accounts/bert -> 200 30
        GET  /sessions -> 200 9 begun, 7 committed, 2 rolled back
        the service has stopped
        "#,
    );
}

#[test]
fn line_server() {
    prints(
        "line_server",
        "
        polite:  hello | ONE | bye
        halting: hello | the server ends
        silent:  hello | TWO | the server ends
        the server has ended with 0 open sessions: a client has halted the server
        ",
    );
}

#[test]
fn rotation() {
    prints(
        "rotation",
        "
        handled 2 requests, with no archive
          log.1: first | second | -- complete
        handled 6 requests, with an archive
          log.1: first | -- complete
          log.2: second | archived 18 bytes | -- complete
          log.3: archived 18 bytes | -- complete
        failed because of is a directory
          log.1: first | -- complete
        ",
    );
}

#[test]
fn job_worker() {
    prints(
        "job_worker",
        "
        attempt 1 to send a mail
        failed: the mail server is down
        attempt 1 to draw a cat
        attempt 1 to make a film
        stopped, 1 cut off, 2 left
        attempt 2 to send a mail
        attempt 2 to make a film
        attempt 1 to stop the service
        stopped, 0 cut off, 0 left
        job 1: did send a mail
        job 2: did draw a cat
        job 3: did make a film
        job 4: did stop the service
        ",
    );
}

#[test]
fn savepoints() {
    prints(
        "savepoints",
        r#"
        a step that failed: ["before", "after"]
        a step that was cancelled: ["before", "after"]
        a last step that was cancelled: ["before"]
        steps side by side: ["first", "third"]
        a transaction that was cancelled: []
        "#,
    );
}

#[test]
fn rate_limiter() {
    prints(
        "rate_limiter",
        "
        at    0 ms: a
        at  100 ms: b
        at  200 ms: busy
        503 Service Unavailable, so one every 200ms
        at  410 ms: hang
        no answer, so one every 400ms
        at 1110 ms: c
        at 1510 ms: d
        at 1810 ms: e
        at 2010 ms: f
        as fast as at first
        ",
    );
}

#[test]
fn runtime_smol() {
    prints(
        "runtime_smol",
        "
        failed because an entry is empty
        cancelled because it timed out
        begun
        done
        -- Completed
        begun
        -- Failed(())
        wait
        -- Cancelled
        limited
        -- Completed
        ",
    );
}

#[test]
fn runtime_futures() {
    prints(
        "runtime_futures",
        "
        done
        failed because it did not work
        cancelled
        the store saw [Completed, Failed(()), Cancelled]
        ",
    );
}
