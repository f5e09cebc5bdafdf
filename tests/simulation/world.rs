//! One installation: a real database and real files, in memory where the machine has a folder for that.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use retroview::accounts::{Accounts, By};
use retroview::db::{Db, DbError, DbResult, sqlite};
use retroview::index::{Index, recover};
use retroview::media::{AccountId, Timestamp};
use retroview::plans::{Catalogue, Plan};
use retroview::retention::{AccountPlans, AccountRules, Enforcer, Plans, Settings};
use retroview::store::MediaRoot;
use tempfile::TempDir;

use crate::Outcome;
use crate::sabotage::{self, Switch};

/// Syncing costs nothing here, so that what is simulated need not leave it out.
const IN_MEMORY: &str = "/dev/shm";

pub fn folder() -> Outcome<TempDir> {
    let place = Path::new(IN_MEMORY);
    Ok(if place.is_dir() { tempfile::tempdir_in(place)? } else { tempfile::tempdir()? })
}

/// An empty database with all its tables, which every history begins with a copy of: making one takes as long as living one.
pub struct Template {
    dir: TempDir,
}

impl Template {
    pub async fn make(start: Timestamp) -> Outcome<Template> {
        let template = Template { dir: folder()? };
        let db = sqlite::open(&template.path()).await?;
        let by = By { actor: "user op".into(), now: start };
        Accounts::new(db.clone()).add_plan(&by, &month()?).await?;
        drop(db);
        sabotage::install(&template.path()).await?;
        Ok(template)
    }
    fn path(&self) -> PathBuf {
        database(&self.dir)
    }
}

fn database(dir: &TempDir) -> PathBuf {
    dir.path().join("retroview.db")
}

/// A plan that an operator added: one month, so that histories need not be long.
fn month() -> Outcome<Plan> {
    let mut plan = Catalogue::default().sold("basic")?.clone();
    (plan.name, plan.rank) = ("month".into(), 5);
    let window = retroview::plans::Grant::Static { value: serde_json::json!({ "months": 1 }) };
    plan.grants.insert(retroview::plans::key::WINDOW.into(), window);
    Ok(plan)
}

pub struct World {
    dir: TempDir,
    pub root: MediaRoot,
    pub db: Db,
    pub index: Index,
    pub accounts: Accounts,
    pub bought: Arc<Bought>,
    pub enforcer: Enforcer,
    pub power: Switch,
    settings: Settings,
}

impl World {
    pub async fn new(template: &Template, settings: Settings) -> Outcome<World> {
        let dir = folder()?;
        std::fs::copy(template.path(), database(&dir))?;
        let root = MediaRoot::open_or_create(&dir.path().join("media"), None)?;
        let power = Switch::of(&database(&dir)).await?;
        let db = sqlite::open_with_one_reader(&database(&dir)).await?;
        db.set_media_root_id(root.id()).await?;
        Ok(Self::around(dir, root, db, power, settings))
    }

    fn around(dir: TempDir, root: MediaRoot, db: Db, power: Switch, settings: Settings) -> World {
        let index = Index::new(db.clone(), root.clone());
        let accounts = Accounts::new(db.clone());
        let bought = Arc::new(Bought { plans: AccountPlans(accounts.clone()), db: db.clone(), meanwhile: Mutex::default() });
        let enforcer = Enforcer::new(index.clone(), root.clone(), bought.clone(), settings.clone());
        World { dir, root, db, index, accounts, bought, enforcer, power, settings }
    }

    /// Another process on what the one before left behind.
    pub async fn restart(self) -> Outcome<World> {
        let World { dir, root, db, power, settings, .. } = self;
        drop(db);
        let db = sqlite::open_with_one_reader(&database(&dir)).await?;
        let root = MediaRoot::open(root.path(), db.media_root_id().await?.as_deref())?;
        let world = Self::around(dir, root, db, power, settings);
        let report = recover(&world.index, &world.root).await?;
        anyhow::ensure!(report.busy.is_empty() && report.failed.is_empty(), "recovery left something: {report:?}");
        Ok(world)
    }
}

/// The plans that accounts have bought, as the enforcer asks for them.
pub struct Bought {
    plans: AccountPlans,
    db: Db,
    meanwhile: Mutex<Option<(AccountId, Meanwhile)>>,
}

/// What somebody does while a run is under way: after it has judged one account, before it marks.
pub type Meanwhile = Box<dyn FnOnce(Db, Accounts) -> Task + Send>;
pub type Task = std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Bought {
    /// Does this once, when the enforcer asks for the plan of `account`.
    pub fn meanwhile(&self, account: AccountId, act: Meanwhile) {
        *self.meanwhile.lock().expect("nobody panics with it") = Some((account, act));
    }
    /// Whether it was done.
    pub fn was_done(&self) -> bool {
        self.meanwhile.lock().expect("nobody panics with it").take().is_none()
    }
}

#[async_trait]
impl Plans for Bought {
    async fn rules(&self, account: &AccountId) -> DbResult<AccountRules> {
        let act = self.meanwhile.lock().expect("nobody panics with it").take_if(|(at, _)| at == account);
        if let Some((_, act)) = act {
            let failed = |e: anyhow::Error| DbError::Damaged { what: "an account", detail: format!("{e:#}") };
            act(self.db.clone(), self.plans.0.clone()).await.map_err(failed)?;
        }
        self.plans.rules(account).await
    }
}
