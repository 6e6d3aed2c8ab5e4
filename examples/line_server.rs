//! A server in which each connection is a task of a group: none outlives the server, and a broken one ends it.
//!
//! ```sh
//! cargo run -p guard-examples --example line_server
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use guard_core::{GroupError, async_context, async_with, deadline, task_group, yield_resource};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A connection that is greeted, and told goodbye also where its task is aborted.
#[async_context]
async fn session(stream: TcpStream, open: Arc<AtomicUsize>) -> io::Result<BufReader<TcpStream>> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"hello\n").await?;
    open.fetch_add(1, Relaxed);
    let outcome = yield_resource!(stream);
    open.fetch_sub(1, Relaxed);
    let goodbye: &[u8] = if outcome.is_completed() {
        b"bye\n"
    } else {
        b"the server ends\n"
    };
    stream.write_all(goodbye).await?;
    stream.shutdown().await
}

/// Answers each line with the line in capital letters, until the client says `quit`. On `halt` the server has to end.
async fn answer(stream: TcpStream, open: Arc<AtomicUsize>) -> io::Result<()> {
    async_with!(stream = session(stream, open)?, {
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 && line != "quit\n" {
            if line == "halt\n" {
                return Err(io::Error::other("a client has halted the server"));
            }
            stream.write_all(line.to_uppercase().as_bytes()).await?;
            line.clear();
        }
        Ok(())
    })
}

async fn serve(listener: TcpListener, open: Arc<AtomicUsize>) -> Result<(), GroupError<io::Error>> {
    async_with!(connections = task_group()?, {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(connections.spawn(answer(stream, open.clone()))),
                Err(error) => println!("a connection was not accepted: {error}"),
            }
        }
    })
}

/// Three clients, one after the other. The last one halts the server while the second one is connected.
async fn clients(address: SocketAddr) -> io::Result<()> {
    let connect = async |lines: &str| {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        stream.write_all(lines.as_bytes()).await?;
        io::Result::Ok(stream)
    };
    let rest = async |mut stream: BufReader<TcpStream>| {
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        io::Result::Ok(text.trim_end().replace('\n', " | "))
    };

    println!("polite:  {}", rest(connect("one\nquit\n").await?).await?);
    let mut silent = connect("two\n").await?;
    let (mut hello, mut answer) = (String::new(), String::new());
    silent.read_line(&mut hello).await?;
    silent.read_line(&mut answer).await?;
    println!("halting: {}", rest(connect("halt\n").await?).await?);
    println!(
        "silent:  {} | {} | {}",
        hello.trim(),
        answer.trim(),
        rest(silent).await?
    );
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let open = Arc::new(AtomicUsize::new(0));
    async_with!(_limit = deadline(Duration::from_secs(60))?, {
        let server = async {
            let error = serve(listener, open.clone()).await.unwrap_err();
            // Each session has ended by now, also that of the task which was aborted.
            (error, open.load(Relaxed))
        };
        let ((error, open), said) = tokio::join!(server, clients(address));
        said?;
        println!("the server has ended with {open} open sessions: {error}");
    });
    Ok(())
}
