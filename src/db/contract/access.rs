//! Users, sessions, tokens, secrets, and facts about the installation.

use super::*;

pub(crate) async fn users_sessions_and_tokens_come_and_go(f: &impl Fixture) {
    let db = f.db();
    assert_eq!(db.user_count().await.unwrap(), 0);
    let mut user = UserRow {
        name: "admin".into(),
        account: AccountId::main(),
        password_hash: "$argon2id$x".into(),
        language: None,
        created_at: T0,
        role: "viewer".into(),
        streams: None,
    };
    db.put_user(&user).await.unwrap();
    user.language = Some("fr".into());
    user.streams = Some(vec![cam()]);
    user.role = "auditor".into();
    db.put_user(&user).await.unwrap();
    assert_eq!(db.user("admin").await.unwrap(), Some(user));
    assert_eq!((db.user_count().await.unwrap(), db.user("nobody").await.unwrap()), (1, None));

    let session = |id, expires| SessionRow {
        id_hash: [id; 32],
        user: "admin".into(),
        account: AccountId::main(),
        created_at: T0,
        expires_at: at(expires),
    };
    for s in [session(1, 10), session(2, 20), session(3, 30)] {
        db.add_session(&s).await.unwrap();
    }
    assert_eq!(db.session(&[2; 32]).await.unwrap(), Some(session(2, 20)));
    db.remove_session(&[2; 32]).await.unwrap();
    assert_eq!(db.remove_sessions_expired_before(at(11)).await.unwrap(), 1);
    assert!(db.session(&[1; 32]).await.unwrap().is_none() && db.session(&[3; 32]).await.unwrap().is_some());

    let token = TokenRow {
        id: "t1".into(),
        account: AccountId::main(),
        name: "player".into(),
        hash: [7; 32],
        scopes: vec!["view".into(), "ingest".into()],
        streams: vec![cam()],
        created_at: T0,
        expires_at: Some(at(99)),
        last_used_at: None,
    };
    db.add_token(&token).await.unwrap();
    assert_eq!(db.token_by_hash(&[7; 32]).await.unwrap(), Some(token.clone()));
    db.touch_token("t1", at(5)).await.unwrap();
    assert_eq!(db.tokens().await.unwrap(), [TokenRow { last_used_at: Some(at(5)), ..token }]);
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
