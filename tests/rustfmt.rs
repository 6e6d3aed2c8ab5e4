//! rustfmt formats a use of `async_with!` like a call: all contexts and the whole block.

use std::io::Write;
use std::process::{Command, Stdio};

/// The output of rustfmt for a source text.
fn formatted(source: &str) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args([
            "--edition",
            "2024",
            "--emit",
            "stdout",
            "--config-path",
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rustfmt should be installed");
    let mut stdin = rustfmt.stdin.take().unwrap();
    stdin.write_all(source.as_bytes()).unwrap();
    drop(stdin);
    let output = rustfmt.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{source}");
    String::from_utf8(output.stdout).unwrap()
}

/// Checks that rustfmt turns `badly` into `well`, and does not change `well`.
fn check(badly: &str, well: &str) {
    let indented: String = well
        .lines()
        .map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("    {line}\n"),
        })
        .collect();
    let well = format!("async fn user() -> Result<()> {{\n{indented}    Ok(())\n}}\n");
    let badly = format!("async fn user() -> Result<()> {{\n{badly}\nOk(())\n}}\n");
    assert_eq!(formatted(&badly), well);
    assert_eq!(formatted(&well), well);
}

#[test]
fn rustfmt_formats_one_context() {
    check(
        "async_with!( tx=begin( pool ) ? ,{let   row=tx . get( 1 ) . await ?;\nif row==2{ return Ok( () ) }});",
        "\
async_with!(tx = begin(pool)?, {
    let row = tx.get(1).await?;
    if row == 2 {
        return Ok(());
    }
});",
    );
}

#[test]
fn rustfmt_formats_the_value_of_a_block() {
    check(
        "let  sum=async_with!(a=one( ),{a . len( )+1 });",
        "let sum = async_with!(a = one(), { a.len() + 1 });",
    );
}

#[test]
fn rustfmt_formats_several_contexts() {
    check(
        "async_with!(conn=connect( url ) ?,tx=begin( &mut *conn ) ?,_lock=lock( ),{tx . run( ) . await ?;});",
        "\
async_with!(
    conn = connect(url)?,
    tx = begin(&mut *conn)?,
    _lock = lock(),
    {
        tx.run().await?;
    }
);",
    );
}

#[test]
fn rustfmt_formats_joined_contexts() {
    check(
        "async_with!(join(a=first( 1 ) ?,b=second( 2 ) ?),c=third( ),{a . use_with( b,c ) . await});",
        "\
async_with!(join(a = first(1)?, b = second(2)?), c = third(), {
    a.use_with(b, c).await
});",
    );
}

#[test]
fn rustfmt_formats_catching_contexts() {
    check(
        "let kept=async_with!(catch(_s=suppress( is_missing ) ?),tx=begin( ) ?,{tx . run( ) . await ?});",
        "\
let kept = async_with!(catch(_s = suppress(is_missing)?), tx = begin()?, {
    tx.run().await?
});",
    );
    check(
        "let tried=async_with!(attempt::<Error>(tx=begin( ) ?),{tx . run( ) . await ?});",
        "let tried = async_with!(attempt::<Error>(tx = begin()?), { tx.run().await? });",
    );
}

#[test]
fn rustfmt_formats_nested_uses() {
    check(
        "async_with!(a=one( ),{async_with!(b=two( a ) ?,{b . run( ) . await ?;});});",
        "\
async_with!(a = one(), {
    async_with!(b = two(a)?, {
        b.run().await?;
    });
});",
    );
}

#[test]
fn rustfmt_breaks_long_lines() {
    check(
        "async_with!(connection=self.pool.connection_with_timeout(Duration::from_secs(5),Priority::High)?,transaction=begin_transaction(&mut *connection,IsolationLevel::Serializable)?,{transaction.run().await?;});",
        "\
async_with!(
    connection = self
        .pool
        .connection_with_timeout(Duration::from_secs(5), Priority::High)?,
    transaction = begin_transaction(&mut *connection, IsolationLevel::Serializable)?,
    {
        transaction.run().await?;
    }
);",
    );
}

#[test]
fn rustfmt_formats_patterns() {
    check(
        "async_with!((a,b)=pair( ),{a . run( b )});",
        "async_with!((a, b) = pair(), { a.run(b) });",
    );
    check(
        "async_with!(Session{id,..}=session( ) ?,{show( id )});",
        "async_with!(Session { id, .. } = session()?, { show(id) });",
    );
    check(
        "async_with!(_=session( ) ?,{show( 1 )});",
        "async_with!(_ = session()?, { show(1) });",
    );
}

#[test]
fn rustfmt_keeps_comments() {
    check(
        "\
// before
async_with!(tx=begin( ) ?,{
// in the block
let row=tx . get( ) . await ?;   // at the end of a line

/* alone */
show( row )
});",
        "\
// before
async_with!(tx = begin()?, {
    // in the block
    let row = tx.get().await?; // at the end of a line

    /* alone */
    show(row)
});",
    );
    check(
        "\
async_with!(
// the first
conn=connect( ) ?,
// the second
tx=begin( conn ) ?,   // of two
{tx . run( ) . await ?;}
);",
        "\
async_with!(
    // the first
    conn = connect()?,
    // the second
    tx = begin(conn)?, // of two
    {
        tx.run().await?;
    }
);",
    );
}

#[test]
fn rustfmt_accepts_a_comma_after_the_block() {
    check(
        "async_with!(a=one( ),{a . run( )},);",
        "async_with!(a = one(), { a.run() },);",
    );
}
