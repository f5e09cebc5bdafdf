//! Users, sessions, tokens, secrets, and facts about the installation.

use super::*;
use crate::audit::{Act, Event};

fn user(name: &str, role: &str) -> UserRow {
    UserRow {
        name: name.into(),
        account: AccountId::main(),
        password_hash: "$argon2id$x".into(),
        language: None,
        created_at: T0,
        role: role.into(),
        streams: None,
        disabled_at: None,
    }
}

fn session(id: u8, user: &str, expires: i64) -> SessionRow {
    SessionRow {
        id_hash: [id; 32],
        id: format!("s{id}"),
        user: user.into(),
        account: AccountId::main(),
        created_at: at(i64::from(id)),
        expires_at: at(expires),
        seen_at: None,
        address: "192.0.2.7".into(),
        agent: "Mozilla".into(),
    }
}

async fn sign_in(db: &Db, session: &SessionRow) -> bool {
    let stored = db.user(&session.user).await.unwrap().unwrap().password_hash;
    db.add_session(session, &stored).await.unwrap()
}

fn link(id: u8, user: &str) -> LinkRow {
    LinkRow {
        user: user.into(),
        hash: [id; 32],
        kind: "reset".into(),
        made_by: "user admin".into(),
        created_at: T0,
        expires_at: at(60),
        used_at: None,
    }
}

pub(crate) async fn users_are_added_once_changed_and_removed(f: &impl Fixture) {
    let db = f.db();
    assert_eq!(db.user_count().await.unwrap(), 0);
    let theirs = UserRow { account: "acme".parse().unwrap(), password_hash: String::new(), ..user("carl", "manager") };
    for row in [&user("bob", "viewer"), &user("ann", "operator"), &theirs] {
        db.add_user(row).await.unwrap();
    }
    let again = UserRow { account: "acme".parse().unwrap(), ..user("bob", "operator") };
    assert!(matches!(db.add_user(&again).await, Err(DbError::Exists { what: "user", .. })));
    let changed = UserRow { language: Some("fr".into()), streams: Some(vec![cam()]), disabled_at: Some(at(3)), ..user("bob", "auditor") };
    db.change_user(&UserRow { password_hash: "not this way".into(), ..changed.clone() }).await.unwrap();
    assert_eq!(db.user("bob").await.unwrap(), Some(changed));
    assert!(matches!(db.change_user(&user("nobody", "viewer")).await, Err(DbError::Missing { what: "user", .. })));
    assert_eq!(db.user("nobody").await.unwrap(), None);

    let names = async |account: Option<&AccountId>, after: &str, limit| {
        db.users(account, after, limit).await.unwrap().into_iter().map(|u| u.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(None, "", 9).await, "ann bob carl");
    assert_eq!([names(None, "ann", 1).await, names(Some(&AccountId::main()), "", 9).await], ["bob", "ann bob"]);
    assert!(db.remove_user("bob").await.unwrap() && !db.remove_user("bob").await.unwrap());
    assert_eq!(db.user_count().await.unwrap(), 2);
}

pub(crate) async fn the_last_operator_who_can_sign_in_stays(f: &impl Fixture) {
    let db = f.db();
    db.add_user(&user("ann", "operator")).await.unwrap();
    // Neither can sign in.
    db.add_user(&UserRow { password_hash: String::new(), ..user("bob", "operator") }).await.unwrap();
    db.add_user(&UserRow { disabled_at: Some(T0), ..user("carl", "operator") }).await.unwrap();
    let event = Event::system(T0, Act("user.changed"));
    for changed in [user("ann", "manager"), UserRow { disabled_at: Some(T0), ..user("ann", "operator") }] {
        let refused = db.recording(event.clone()).change_user(&changed).await;
        assert!(matches!(refused, Err(DbError::Last { what: "operator", .. })), "{refused:?}");
    }
    assert!(matches!(db.recording(event).remove_user("ann").await, Err(DbError::Last { .. })));
    assert_eq!(db.user("ann").await.unwrap(), Some(user("ann", "operator")));
    assert!(db.audit_records(&AuditQuery::default(), 0, 9).await.unwrap().is_empty());
    db.set_user_password("bob", "$argon2id$y", None).await.unwrap();
    db.change_user(&user("ann", "viewer")).await.unwrap();
    assert!(db.remove_user("carl").await.unwrap());
    assert!(matches!(db.remove_user("bob").await, Err(DbError::Last { .. })));
}

pub(crate) async fn sessions_come_and_go(f: &impl Fixture) {
    let db = f.db();
    db.add_user(&user("ann", "viewer")).await.unwrap();
    for s in [session(1, "ann", 10), session(2, "ann", 20), session(3, "ann", 30)] {
        assert!(sign_in(db, &s).await);
    }
    db.touch_session(&[2; 32], at(5)).await.unwrap();
    let seen = SessionRow { seen_at: Some(at(5)), ..session(2, "ann", 20) };
    assert_eq!(db.session(&[2; 32]).await.unwrap(), Some(seen.clone()));
    assert_eq!(db.sessions("ann", at(10)).await.unwrap(), [session(3, "ann", 30), seen]);
    assert!(db.remove_session(&[2; 32]).await.unwrap() && !db.remove_session(&[2; 32]).await.unwrap());
    assert_eq!(db.remove_sessions_expired_before(at(11)).await.unwrap(), 1);
    assert!(db.session(&[1; 32]).await.unwrap().is_none() && db.session(&[3; 32]).await.unwrap().is_some());
    assert!(sign_in(db, &session(4, "ann", 30)).await);
    assert_eq!(db.remove_sessions("ann", Some([4; 32])).await.unwrap(), 1);
    assert_eq!(db.sessions("ann", T0).await.unwrap(), [session(4, "ann", 30)]);
    // Who signs in without end ends their own oldest.
    for n in 10..10 + SESSIONS_MAX {
        assert!(sign_in(db, &session(u8::try_from(n).unwrap(), "ann", 99)).await);
    }
    assert_eq!(db.sessions("ann", T0).await.unwrap().len(), usize::try_from(SESSIONS_MAX).unwrap());
    assert_eq!(db.session(&[4; 32]).await.unwrap(), None);
    db.remove_user("ann").await.unwrap();
    assert_eq!(db.remove_sessions("ann", None).await.unwrap(), 0);
}

pub(crate) async fn another_password_ends_sessions_and_link(f: &impl Fixture) {
    let db = f.db();
    for name in ["ann", "bob"] {
        db.add_user(&user(name, "viewer")).await.unwrap();
    }
    for s in [session(1, "ann", 10), session(2, "ann", 10), session(3, "bob", 10)] {
        assert!(sign_in(db, &s).await);
    }
    db.put_link(&link(7, "ann")).await.unwrap();
    db.set_user_password("ann", "$argon2id$y", Some([2; 32])).await.unwrap();
    let left = async |name| db.sessions(name, T0).await.unwrap().into_iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!((left("ann").await, left("bob").await, db.link(&[7; 32]).await.unwrap()), (vec!["s2".into()], vec!["s3".into()], None));
    assert_eq!(db.user("ann").await.unwrap().unwrap().password_hash, "$argon2id$y");
    assert!(matches!(db.set_user_password("nobody", "x", None).await, Err(DbError::Missing { what: "user", .. })));
    // Another role ends the link, too, and who may not sign in has nothing left.
    for changed in [user("ann", "auditor"), UserRow { disabled_at: Some(T0), ..user("ann", "auditor") }] {
        db.put_link(&link(7, "ann")).await.unwrap();
        db.change_user(&changed).await.unwrap();
        assert_eq!(db.link(&[7; 32]).await.unwrap(), None);
    }
    assert!(left("ann").await.is_empty());
    // Whose password was checked before the change does not get in after it.
    assert!(!db.add_session(&session(4, "bob", 10), "$argon2id$old").await.unwrap());
    assert!(!sign_in(db, &session(4, "ann", 10)).await, "disabled");
}

pub(crate) async fn a_link_opens_once(f: &impl Fixture) {
    let db = f.db();
    db.add_user(&UserRow { password_hash: String::new(), ..user("ann", "viewer") }).await.unwrap();
    assert!(sign_in(db, &session(1, "ann", 99)).await);
    db.put_link(&link(6, "ann")).await.unwrap();
    db.put_link(&link(7, "ann")).await.unwrap();
    assert_eq!(db.link(&[6; 32]).await.unwrap(), None, "the new one took its place");
    assert_eq!(db.link(&[7; 32]).await.unwrap(), Some(link(7, "ann")));
    let event = |by: &str| Event::system(T0, Act("link.used")).by(by);
    let open = async |by: &str, hash, now| {
        let with = LinkUse { hash: [hash; 32], now: at(now), password_hash: by };
        db.recording(event(by)).use_link(with).await.unwrap()
    };
    assert!(!open("late", 7, 60).await && !open("wrong", 6, 1).await);
    assert_eq!([open("first", 7, 59).await, open("second", 7, 59).await], [true, false]);
    assert_eq!(db.user("ann").await.unwrap().unwrap().password_hash, "first");
    assert_eq!(db.link(&[7; 32]).await.unwrap(), Some(LinkRow { used_at: Some(at(59)), ..link(7, "ann") }));
    assert!(db.sessions("ann", T0).await.unwrap().is_empty());
    let records = db.audit_records(&AuditQuery::default(), 0, 9).await.unwrap();
    assert_eq!(records.iter().map(|r| r.event.actor.as_str()).collect::<Vec<_>>(), ["first"]);
}

pub(crate) async fn tokens_come_and_go(f: &impl Fixture) {
    let db = f.db();
    let token = TokenRow {
        id: "t1".into(),
        account: AccountId::main(),
        name: "player".into(),
        hash: [7; 32],
        role: None,
        scopes: vec!["view".into(), "ingest".into()],
        streams: vec![cam()],
        made_by: Some("user admin".into()),
        created_at: T0,
        expires_at: Some(at(99)),
        last_used_at: None,
    };
    let wide = TokenRow {
        id: "t2".into(),
        hash: [8; 32],
        role: Some("auditor".into()),
        scopes: Vec::new(),
        streams: Vec::new(),
        made_by: None,
        ..token.clone()
    };
    db.add_token(&token).await.unwrap();
    db.add_token(&wide).await.unwrap();
    assert_eq!(db.token_by_hash(&[7; 32]).await.unwrap(), Some(token.clone()));
    assert_eq!((db.token("t2").await.unwrap(), db.token("t3").await.unwrap()), (Some(wide.clone()), None));
    db.touch_token("t1", at(5)).await.unwrap();
    assert_eq!(db.tokens().await.unwrap(), [TokenRow { last_used_at: Some(at(5)), ..token }, wide]);
    assert!(db.remove_token("t1").await.unwrap() && !db.remove_token("t1").await.unwrap());
    assert!(db.token_by_hash(&[7; 32]).await.unwrap().is_none());
}

pub(crate) async fn a_secret_stays_what_it_was_first(f: &impl Fixture) {
    assert_eq!(f.db().secret("url", b"first").await.unwrap(), b"first");
    assert_eq!(f.db().secret("url", b"second").await.unwrap(), b"first");
    assert_eq!(f.db().secret("other", b"second").await.unwrap(), b"second");
    f.db().check_writable().await.unwrap();
}

pub(crate) async fn the_media_folder_is_remembered(f: &impl Fixture) {
    assert_eq!(f.db().media_root_id().await.unwrap(), None);
    f.db().set_media_root_id("one").await.unwrap();
    f.db().set_media_root_id("two").await.unwrap();
    assert_eq!(f.db().media_root_id().await.unwrap().as_deref(), Some("two"));
}
