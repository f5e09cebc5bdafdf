//! Custom I/O: libavformat reads from any [`std::io::Read`].

use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use ffmpeg_next::ffi;
use libc::{c_int, c_void};

use super::Error;
use super::ffi_util::out_of_memory;
use super::interrupt::Interrupt;

/// 64 KiB: a few TS reads per system call; double it and 200 pushed streams take 13 MB more for no gain.
const BUFFER_BYTES: usize = 64 << 10;

struct Source {
    read: Box<dyn Read + Send>,
    interrupt: Arc<Interrupt>,
}

/// An `AVIOContext` over a reader. Must outlive the format context that uses it.
pub(super) struct ReaderIo {
    context: *mut ffi::AVIOContext,
    source: *mut Source,
}

impl ReaderIo {
    pub(super) fn new(read: Box<dyn Read + Send>, interrupt: Arc<Interrupt>) -> Result<Self, Error> {
        // SAFETY: buffer and opaque are handed over to the context and freed in `drop`.
        unsafe {
            let buffer = ffi::av_malloc(BUFFER_BYTES).cast::<u8>();
            if buffer.is_null() {
                return Err(out_of_memory());
            }
            let source = Box::into_raw(Box::new(Source { read, interrupt }));
            let context = ffi::avio_alloc_context(buffer, BUFFER_BYTES as c_int, 0, source.cast(), Some(read_packet), None, None);
            if context.is_null() {
                drop(Box::from_raw(source));
                ffi::av_free(buffer.cast());
                return Err(out_of_memory());
            }
            (*context).seekable = 0;
            Ok(ReaderIo { context, source })
        }
    }
    pub(super) fn as_ptr(&self) -> *mut ffi::AVIOContext {
        self.context
    }
}

impl Drop for ReaderIo {
    fn drop(&mut self) {
        // SAFETY: libavformat may have replaced the buffer, so the context's own is freed.
        unsafe {
            ffi::av_freep(ptr::addr_of_mut!((*self.context).buffer).cast());
            ffi::avio_context_free(&mut self.context);
            drop(Box::from_raw(self.source));
        }
    }
}

// SAFETY: the reader is Send; the context is used by one thread at a time.
unsafe impl Send for ReaderIo {}

/// `read_packet` of the context. A reader with a time-out of its own (a socket) is asked again until the
/// interrupt says stop.
unsafe extern "C" fn read_packet(opaque: *mut c_void, buffer: *mut u8, size: c_int) -> c_int {
    // SAFETY: `opaque` is the `Source` made in `new`; the buffer, allocated by libav*, is valid for `size`
    // bytes and nobody else looks at it during the call.
    let (source, buffer) =
        unsafe { (&mut *opaque.cast::<Source>(), std::slice::from_raw_parts_mut(buffer, usize::try_from(size).unwrap_or(0))) };
    loop {
        if source.interrupt.reason().is_some() {
            return ffi::AVERROR_EXIT;
        }
        // A panic must not unwind through C.
        let read = catch_unwind(AssertUnwindSafe(|| source.read.read(buffer)));
        return match read {
            Ok(Ok(0)) => ffi::AVERROR_EOF,
            Ok(Ok(n)) => c_int::try_from(n).unwrap_or(ffi::AVERROR(libc::EIO)),
            Ok(Err(e)) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Ok(Err(e)) => ffi::AVERROR(e.raw_os_error().unwrap_or(libc::EIO)),
            Err(_) => ffi::AVERROR_EXTERNAL,
        };
    }
}
