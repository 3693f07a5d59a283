//! Far sides that say nothing: one that takes connections, and one that does not even do that.

use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

/// A far side that says nothing; gone when it is dropped.
pub struct Silent {
    pub port: u16,
    /// Ends the task that holds its connections.
    _task: tokio::task::JoinSet<()>,
    _taken: Vec<std::net::TcpStream>,
}

impl Silent {
    /// Accepts connections and says nothing.
    pub async fn accepting() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        Self { port, _task: task, _taken: Vec::new() }
    }

    /// Answers no attempt to connect, as what is behind a firewall: its backlog is full.
    pub async fn blackhole() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
        let taken: Vec<_> = std::iter::from_fn(|| connect().ok()).take(64).collect();
        assert!(taken.len() < 64, "it takes everybody");
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            std::future::pending::<()>().await;
            drop(listener);
        });
        Self { port: address.port(), _task: task, _taken: taken }
    }
}
