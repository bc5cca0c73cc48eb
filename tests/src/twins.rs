//! Two packages of one plugin and version, both signed and certified, whose executors answer differently.
//!
//! In -> out: a name -> the files of a package whose executor answers with that name; the rules that admit it.
//! Invariant: they differ in what a swap must not mix: manifest, component, release and certificate.
//! Not here: swapping them (`swap.rs`), what must come out (`tests/race.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_certify::wit::role_world;
use orch_host::capability::nothing::Nothing;
use orch_host::drive::roles::{Bound, Pace};
use orch_host::engine::{Compiled, Engine};
use orch_host::role::AnyExported;
use orch_host::role::executor::Execute;
use orch_task::{Kind, Task, TaskId};
use orch_trust::admission::Rules;
use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::certificate;
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::Admitted;
use orch_trust::key::SecretKey;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::permission::Permissions;
use orch_trust::policy::Policy;
use orch_trust::release::{self, Release};
use orch_trust::time::UnixSeconds;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::vouch;

pub const ID: &str = "acme/twin";
pub const VERSION: &str = "1.0.0";

/// Files of a package by their path in it.
pub type Files = BTreeMap<String, Arc<[u8]>>;

/// Who signs and who trusts them.
pub struct Makers {
    publisher: SecretKey,
    certifier: SecretKey,
    now: UnixSeconds,
}

impl Makers {
    /// With keys that are the same in each run.
    pub fn new(now: UnixSeconds) -> Self {
        Self { publisher: SecretKey::from_seed(&[21; 32]), certifier: SecretKey::from_seed(&[22; 32]), now }
    }

    /// What an operator says who trusts both and approved the plugin.
    pub fn rules(&self) -> Rules {
        let id = PluginId::parse(ID).unwrap();
        let approval = Approval {
            id: id.clone(),
            version: VERSION.parse().unwrap(),
            permissions: Permissions::default(),
            at: self.now,
        };
        Rules {
            publishers: vec![Publisher::new(self.publisher.public(), "acme".into(), vec!["acme/".into()])],
            certifiers: vec![Certifier::new(self.certifier.public(), "me".into(), Level::Local)],
            policy: Policy::default(),
            approvals: [(id, approval)].into(),
            ..Rules::default()
        }
    }

    /// The package whose executor answers with that word; good until the certificate ends.
    pub fn package(&self, answer: &str) -> Files {
        self.package_of(executor(answer), answer)
    }

    /// The package with that component.
    pub fn package_of(&self, component: Vec<u8>, description: &str) -> Files {
        let sbom = b"{}".to_vec();
        let entry = |path: &str, role: &str, bytes: &[u8]| json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) });
        let manifest = json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": ID, "version": VERSION, "name": "Twin",
            "description": description, "license": "MIT", "roles": ["executor"], "kinds": ["note"],
            "host": { "api": "^0.1" }, "permissions": {},
            "limits": { "memoryMiB": 1, "busyMs": 500, "wallMs": 2000, "outputKiB": 16, "hostCalls": 10, "logKiB": 1 },
            "integrity": { "files": [
                entry("component.wasm", "component", &component), entry("sbom.cdx.json", "sbom", &sbom) ] },
        });
        let mut files = Files::new();
        files.insert("manifest.json".into(), manifest.to_string().into_bytes().into());
        files.insert("component.wasm".into(), component.into());
        files.insert("sbom.cdx.json".into(), sbom.into());
        let bytes = PackageBytes::new(files.clone()).unwrap();
        let release = Release {
            id: PluginId::parse(ID).unwrap(),
            version: VERSION.parse().unwrap(),
            release_counter: 1,
            channel: "stable".into(),
            issued_at: self.now,
            not_after: self.now.plus(30 * UnixSeconds::DAY),
            source: None,
        };
        files.insert(
            "release.dsse.json".into(),
            release::sign(&bytes, release, &self.publisher).unwrap().into(),
        );
        let certificate = vouch::certificate(&bytes, &ID.into(), &VERSION.into(), self.now);
        let (name, envelope) = certificate::sign(&bytes, certificate, &self.certifier).unwrap();
        files.insert(name, envelope.into());
        files
    }
}

/// What the plugin answers to a task, or the code of how the call ended.
pub fn answer(engine: &Engine, compiled: Compiled<Admitted>) -> Result<String, &'static str> {
    let executor = Bound {
        plugin: AnyExported::link(engine, compiled, Role::Executor).unwrap(),
        id: ID.to_owned(),
        settings: "{}".into(),
        wall: Duration::from_secs(10),
        changes: false,
        changes_more: false,
        looks_around: false,
        identity: "".into(),
        effectful: false,
        told: None,
        pace: Pace::default(),
    };
    let task = Task::new(TaskId::parse("t").unwrap(), Kind::parse("note").unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = Execute::of(task, 1);
    let report = runtime.block_on(executor.call(Nothing::lent(Arc::new("/".into()), executor.wall), &ask));
    report.result.map(|completion| completion.summary).map_err(|error| error.code())
}

/// A component that exports an executor which answers with that word, of at most 64 bytes.
pub fn executor(answer: &str) -> Vec<u8> {
    executor_with("", answer)
}

/// The same with more in its module.
pub fn executor_with(more: &str, answer: &str) -> Vec<u8> {
    let (resolve, world) = role_world(Role::Executor).unwrap();
    let length = answer.len();
    let module = format!(
        r#"(module
            (memory (export "memory") 1)
            {more}
            (data (i32.const 512) "{answer}")
            (global $free (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get 3))))
            (func (export "orch:executor/executor@0.1.0#execute") (param i32) (result i32)
                (i32.store (i32.const 4) (i32.const 512))
                (i32.store (i32.const 8) (i32.const {length}))
                (i32.const 0)))"#
    );
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
