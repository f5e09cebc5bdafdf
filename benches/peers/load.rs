//! A client that reads in large pieces, so that it is never the limit (wrk reads 8 KiB at a time).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket takes it");
        Connection { stream, buffer: vec![0; 256 * 1024] }
    }

    /// Sends a GET and reads the answer; returns status and the body when `keep`, else only counts it.
    ///
    /// # Panics
    /// On anything but a plain answer with `Content-Length`: both servers under test give one.
    pub fn get(&mut self, path: &str, headers: &str, keep: bool) -> (u16, u64, Vec<u8>) {
        write!(self.stream, "GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n").expect("the connection stands");
        let mut filled = 0;
        let head_end = loop {
            let n = self.stream.read(&mut self.buffer[filled..]).expect("the connection stands");
            assert!(n > 0, "closed in the middle of a head: {path}");
            filled += n;
            if let Some(at) = self.buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        let status = head.split_whitespace().nth(1).and_then(|s| s.parse().ok()).expect("a status line");
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")).expect("a length");
        let length: u64 = length.trim().parse().expect("a number");
        let mut body = if keep { self.buffer[head_end..filled].to_vec() } else { Vec::new() };
        let mut left = length - (filled - head_end) as u64;
        while left > 0 {
            let n = self.stream.read(&mut self.buffer).expect("the connection stands");
            assert!(n > 0, "closed with {left} bytes to come: {path}");
            if keep {
                body.extend_from_slice(&self.buffer[..n]);
            }
            left -= n as u64;
        }
        (status, length, body)
    }
}

/// `connections` threads, each asking for what `request` makes of (connection, round); returns the bytes read.
pub fn run(address: SocketAddr, connections: usize, rounds: usize, request: impl Fn(usize, usize) -> (String, String) + Sync) -> u64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|c| {
                let request = &request;
                scope.spawn(move || {
                    let mut connection = Connection::open(address);
                    let mut bytes = 0;
                    for round in 0..rounds {
                        let (path, headers) = request(c, round);
                        let (status, n, _) = connection.get(&path, &headers, false);
                        assert!(status == 200 || status == 206, "{path}: {status}");
                        bytes += n;
                    }
                    bytes
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("a client thread went through")).sum()
    })
}
