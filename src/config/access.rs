//! `[access]`: who gets in.

use std::time::Duration;

use super::reader::{Raw, Reader};
use super::values;

#[derive(Clone)]
pub struct Access {
    /// Used once, when there is no user yet; otherwise one is made up and printed.
    pub admin_password: Option<String>,
    pub session_lifetime: Duration,
    /// Cookies only over HTTPS. Off by default because the default is plain HTTP on loopback.
    pub secure_cookies: bool,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("session_lifetime", &self.session_lifetime).finish_non_exhaustive()
    }
}

impl Access {
    pub(super) fn read(r: &mut Reader) -> Access {
        let help = "First password of `admin`; used only while there is no user. One is made up and printed when unset.";
        Access {
            admin_password: r.get_secret("access.admin_password", help, password),
            session_lifetime: r.get(
                "access.session_lifetime",
                "30d",
                "How long a sign-in in the browser lasts.",
                values::duration("1m", "365d"),
            ),
            secure_cookies: r.get(
                "access.secure_cookies",
                "false",
                "Send cookies over HTTPS only; set it behind a TLS proxy.",
                values::flag,
            ),
        }
    }
}

fn password(raw: &Raw) -> Result<String, String> {
    let text = raw.text();
    if (8..=1024).contains(&text.len()) { Ok(text) } else { Err("8 to 1024 characters are allowed".into()) }
}
