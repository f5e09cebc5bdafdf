//! Messages as bytes: a length (u32, little-endian) and that many bytes of JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// No message is longer. The largest are runs with their init segment, about 2 KiB; a length beyond this
/// comes from a process that has lost its mind, and must not make the other one allocate.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

fn too_long(len: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("message of {len} bytes"))
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// # Errors
/// Longer than [`MESSAGE_BYTES_MAX`].
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut out = vec![0; 4];
    serde_json::to_writer(&mut out, message)?;
    let len = out.len() - 4;
    let prefix = u32::try_from(len).ok().filter(|_| len <= MESSAGE_BYTES_MAX).ok_or_else(|| too_long(len))?;
    out[..4].copy_from_slice(&prefix.to_le_bytes());
    Ok(out)
}

/// The next message; `None` at a clean end.
///
/// # Errors
/// The other side broke off inside a message, or sent none.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    loop {
        match from.read(&mut prefix[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    from.read_exact(&mut prefix[1..])?;
    let len = u32::from_le_bytes(prefix) as usize;
    if len > MESSAGE_BYTES_MAX {
        return Err(too_long(len));
    }
    let mut body = vec![0; len];
    from.read_exact(&mut body)?;
    decode(&body).map(Some)
}

/// # Errors
/// The other side is gone.
pub fn write<T: Serialize>(to: &mut (impl Write + ?Sized), message: &T) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// [`read`] for the supervisor. Not cancel-safe: a dropped future loses its place.
///
/// # Errors
/// As [`read`].
pub async fn read_async<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    if from.read(&mut prefix[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut prefix[1..]).await?;
    let len = u32::from_le_bytes(prefix) as usize;
    if len > MESSAGE_BYTES_MAX {
        return Err(too_long(len));
    }
    let mut body = vec![0; len];
    from.read_exact(&mut body).await?;
    decode(&body).map(Some)
}

/// # Errors
/// The other side is gone.
pub async fn write_async<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    to.write_all(&encode(message)?).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut pipe = Vec::new();
        for text in ["", "one", "zwei\n"] {
            write(&mut pipe, &text).unwrap();
        }
        let mut from = pipe.as_slice();
        for text in ["", "one", "zwei\n"] {
            assert_eq!(read::<String>(&mut from).unwrap().as_deref(), Some(text));
        }
        assert_eq!(read::<String>(&mut from).unwrap(), None, "a closed pipe is an end, not an error");
    }

    #[test]
    fn a_message_broken_off_is_an_error_at_every_byte() {
        let whole = encode(&"some message").unwrap();
        for cut in 1..whole.len() {
            assert!(read::<String>(&mut &whole[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn an_absurd_length_is_refused_before_anything_is_allocated() {
        let mut bytes: &[u8] = &[0xff; 32];
        assert!(read::<String>(&mut bytes).is_err());
        assert!(encode(&"x".repeat(MESSAGE_BYTES_MAX + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = read::<super::super::protocol::FromWorker>(&mut bytes.as_slice());
        }
    }
}
