//! Where a worker may connect to.
//!
//! A source's address is not the last word on where bytes come from: names resolve anew, servers redirect,
//! playlists name other playlists. libavformat follows all of these by itself. So the rule is enforced where
//! every one of them must pass: this module *is* the process's `connect` (and `sendto`, `sendmsg` for datagrams).
//! The dynamic linker gives libavformat, and every library below it, our definition; we look at the address
//! and hand on to libc's.
//!
//! No effect until [`install`]: only worker processes call it. Rejected: resolving and checking names before
//! opening (a name can answer differently a moment later, and redirects go unchecked) and a filtering proxy (only
//! HTTP speaks to one).

use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use ipnet::IpNet;
use libc::{c_int, c_void, msghdr, sockaddr, sockaddr_in, sockaddr_in6, socklen_t, ssize_t};

struct Policy {
    forbidden: Vec<IpNet>,
}

static POLICY: OnceLock<Policy> = OnceLock::new();

thread_local! {
    /// What this thread was last refused: libavformat connects on the thread that called it, and each source has
    /// one of its own, so nobody reads another source's refusal.
    static REFUSED: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

/// From now on, for the life of the process, no socket of it reaches these networks. The first call counts.
pub fn install(forbidden: Vec<IpNet>) {
    let _ = POLICY.set(Policy { forbidden });
}

/// The address last refused to this thread, once: to word the message of the failure it caused.
pub fn take_refused() -> Option<SocketAddr> {
    REFUSED.take()
}

/// Whether the policy lets this process reach `address`; remembers it when not.
pub fn allows(address: SocketAddr) -> bool {
    let Some(policy) = POLICY.get() else { return true };
    // IPv4 addresses written as IPv6 (`::ffff:10.0.0.1`) count as what they are.
    let ip = address.ip().to_canonical();
    if !policy.forbidden.iter().any(|n| n.contains(&ip)) {
        return true;
    }
    // A thread that is going away has nobody to ask.
    let _ = REFUSED.try_with(|refused| refused.set(Some(address)));
    false
}

/// Whether a raw address passes. Families other than IPv4 and IPv6 do not leave the machine.
///
/// # Safety
/// `address` is null or valid for `len` bytes, as `connect(2)` asks of its callers.
unsafe fn passes(address: *const sockaddr, len: socklen_t) -> bool {
    if POLICY.get().is_none() || address.is_null() || (len as usize) < size_of::<libc::sa_family_t>() {
        return true;
    }
    // SAFETY: valid for `len` bytes by contract; read unaligned because callers may pass a byte buffer, and only
    // as far as `len` was checked to reach.
    unsafe {
        match c_int::from(address.cast::<libc::sa_family_t>().read_unaligned()) {
            libc::AF_INET if len as usize >= size_of::<sockaddr_in>() => {
                let a = address.cast::<sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from_bits(u32::from_be(a.sin_addr.s_addr));
                allows(SocketAddr::from((ip, u16::from_be(a.sin_port))))
            }
            libc::AF_INET6 if len as usize >= size_of::<sockaddr_in6>() => {
                let a = address.cast::<sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from(a.sin6_addr.s6_addr);
                allows(SocketAddr::from((ip, u16::from_be(a.sin6_port))))
            }
            _ => true,
        }
    }
}

fn refuse() -> c_int {
    // SAFETY: the thread's own errno.
    unsafe { *libc::__errno_location() = libc::EACCES };
    -1
}

/// libc's own definition of a function that we define above it. Looked up once each.
fn next(slot: &'static OnceLock<usize>, name: &'static std::ffi::CStr) -> *mut c_void {
    // SAFETY: RTLD_NEXT asks for the definition after ours in link order: libc's.
    *slot.get_or_init(|| unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize) as *mut c_void
}

/// Interposes libc's `connect`.
///
/// # Safety
/// As `connect(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int {
    static NEXT: OnceLock<usize> = OnceLock::new();
    type Connect = unsafe extern "C" fn(c_int, *const sockaddr, socklen_t) -> c_int;
    // SAFETY: the caller keeps connect's contract, which is ours too; the symbol has this type.
    unsafe {
        if !passes(address, len) {
            return refuse();
        }
        std::mem::transmute::<*mut c_void, Connect>(next(&NEXT, c"connect"))(fd, address, len)
    }
}

/// Interposes libc's `sendto`: datagram sources answer and negotiate through it.
///
/// # Safety
/// As `sendto(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendto(
    fd: c_int,
    data: *const c_void,
    size: usize,
    flags: c_int,
    address: *const sockaddr,
    len: socklen_t,
) -> ssize_t {
    static NEXT: OnceLock<usize> = OnceLock::new();
    type SendTo = unsafe extern "C" fn(c_int, *const c_void, usize, c_int, *const sockaddr, socklen_t) -> ssize_t;
    // SAFETY: as for `connect`.
    unsafe {
        if !passes(address, len) {
            return refuse() as ssize_t;
        }
        std::mem::transmute::<*mut c_void, SendTo>(next(&NEXT, c"sendto"))(fd, data, size, flags, address, len)
    }
}

/// Interposes libc's `sendmsg`: what SRT sends with.
///
/// # Safety
/// As `sendmsg(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    static NEXT: OnceLock<usize> = OnceLock::new();
    type SendMsg = unsafe extern "C" fn(c_int, *const msghdr, c_int) -> ssize_t;
    // SAFETY: as for `connect`; a null message is libc's to refuse.
    unsafe {
        if !message.is_null() && !passes((*message).msg_name.cast(), (*message).msg_namelen) {
            return refuse() as ssize_t;
        }
        std::mem::transmute::<*mut c_void, SendMsg>(next(&NEXT, c"sendmsg"))(fd, message, flags)
    }
}

/// Interposes libc's `sendmmsg`: several datagrams at once. Refused as a whole when one is.
///
/// # Safety
/// As `sendmmsg(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmmsg(fd: c_int, messages: *mut libc::mmsghdr, count: libc::c_uint, flags: c_int) -> c_int {
    static NEXT: OnceLock<usize> = OnceLock::new();
    type SendMmsg = unsafe extern "C" fn(c_int, *mut libc::mmsghdr, libc::c_uint, c_int) -> c_int;
    // SAFETY: as for `connect`; the messages are as many as said.
    unsafe {
        for i in 0..count as usize {
            let message = &(*messages.add(i)).msg_hdr;
            if !passes(message.msg_name.cast(), message.msg_namelen) {
                return refuse();
            }
        }
        std::mem::transmute::<*mut c_void, SendMmsg>(next(&NEXT, c"sendmmsg"))(fd, messages, count, flags)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::ffmpeg::{Error, Input, Interrupt, OpenOptions};

    /// A policy cannot be taken back: all tests of this process live with this one, and none other goes there.
    fn install_for_tests() {
        install(vec!["127.0.0.2/32".parse().unwrap(), "198.51.100.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
    }

    /// A server that gives every request this answer.
    fn serve(answer: String) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        port
    }

    fn open(url: &str) -> Error {
        let options = OpenOptions { format: None, options: vec![("protocol_whitelist".into(), "http,tcp".into())] };
        Input::open(url, &options, Interrupt::new(Arc::new(SystemClock))).err().expect("it is forbidden")
    }

    #[test]
    fn our_own_sockets_are_held_to_it_in_every_notation() {
        install_for_tests();
        for address in ["127.0.0.2:9", "198.51.100.7:9", "[::ffff:127.0.0.2]:9", "[2001:db8::1]:9"] {
            let error = TcpStream::connect(address).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{address}");
            assert_eq!(take_refused(), Some(address.parse().unwrap()));
        }
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(udp.send_to(b"x", "127.0.0.2:9").unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        assert!(udp.send_to(b"x", "127.0.0.1:9").is_ok());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(TcpStream::connect(listener.local_addr().unwrap()).is_ok());
    }

    #[test]
    fn libavformat_is_held_to_it_through_redirects_and_playlists() {
        install_for_tests();
        let forbidden: SocketAddr = "127.0.0.2:4321".parse().unwrap();
        let redirect = serve(format!("HTTP/1.1 302 Found\r\nLocation: http://{forbidden}/x.ts\r\nContent-Length: 0\r\n\r\n"));
        let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://{forbidden}/x.ts\n#EXT-X-ENDLIST\n");
        let nested = serve(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{playlist}", playlist.len()));
        for url in
            [format!("http://{forbidden}/x.ts"), format!("http://127.0.0.1:{redirect}/x.ts"), format!("http://127.0.0.1:{nested}/x.m3u8")]
        {
            let error = open(&url);
            assert!(matches!(error, Error::Forbidden { address, .. } if address == forbidden), "{url}: {error}");
        }
    }
}
