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

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, OnceLock, PoisonError};

use ipnet::IpNet;
use libc::{c_int, c_void, msghdr, sockaddr, sockaddr_in, sockaddr_in6, socklen_t, ssize_t};

struct Policy {
    forbidden: Vec<IpNet>,
    refused: Mutex<Option<SocketAddr>>,
}

static POLICY: OnceLock<Policy> = OnceLock::new();

/// From now on, for the life of the process, no socket of it reaches these networks. The first call counts.
pub fn install(forbidden: Vec<IpNet>) {
    let _ = POLICY.set(Policy { forbidden, refused: Mutex::new(None) });
}

/// The address last refused, once: to word the message of the failure it caused.
pub fn take_refused() -> Option<SocketAddr> {
    POLICY.get()?.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether the policy lets this process reach `address`; remembers it when not.
pub fn allows(address: SocketAddr) -> bool {
    let Some(policy) = POLICY.get() else { return true };
    // IPv4 addresses written as IPv6 (`::ffff:10.0.0.1`) count as what they are.
    let ip = address.ip().to_canonical();
    if !policy.forbidden.iter().any(|n| n.contains(&ip)) {
        return true;
    }
    *policy.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
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

// The policy of a process cannot be taken back, so what it does to sockets and to libavformat is shown in
// processes of their own: tests/integration.
