//! `process`: programs of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::{REACH, covers_reach, is_reach};
use super::rule::{Entries, Rule, Star, fields, own_interface};
use super::text::{covers_program, covers_variable, is_program, is_variable, variable_parts};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessPermission {
    /// Names without `/`, resolved once along the host's `PATH`; absolute paths; paths in the workspace, where `*` may
    /// stand for every name in a folder. In a manifest `*` stands for "the programs that the operator names".
    pub programs: Vec<String>,
    /// Environment variables, exact names: handed on, and set by those who may. `NAME@PROGRAM` is for one program, and
    /// the only form in which a variable that steers a loader, shell, interpreter, git or proxy can be set. In a
    /// manifest `*` stands for "the variables that the operator names".
    #[serde(default)]
    pub env: Vec<String>,
    /// `host:port` that programs reach through the host, and nothing else where there is an operating-system sandbox; `*.` in
    /// front covers exactly one label, `*:port` every name at that port. A name never leads to an address of this machine or
    /// of a private network, and is spoken to by TLS that names it, or by plain HTTP; an address that is written out is reached
    /// as it is. In a manifest `*` stands for "what the operator names".
    #[serde(default, deserialize_with = "super::network::entries")]
    pub network: Vec<String>,
}

const PROGRAMS: Entries = Entries {
    expected: "a name, an absolute path, a path in the workspace (`./NAME` in its own folder) or `*`",
    fits: is_program,
    covers: covers_program,
    star: Star::NamedByOperator,
};
const ENV: Entries = Entries {
    expected: "a variable's name, `NAME@PROGRAM` or `*`",
    fits: is_variable,
    covers: covers_variable,
    star: Star::NamedByOperator,
};
const NETWORK: Entries =
    Entries { expected: REACH, fits: is_reach, covers: covers_reach, star: Star::NamedByOperator };

impl ProcessPermission {
    /// True if that program may be started, as a name, an absolute path or a path in the workspace.
    pub fn allows_program(&self, program: &str) -> bool {
        self.programs.iter().any(|granted| covers_program(granted, program))
    }

    /// True if a command of that program, which is written as [`allows_program`](Self::allows_program) takes it, gets the
    /// host's own value of that variable.
    pub fn hands_on(&self, variable: &str, program: &str) -> bool {
        self.env.iter().any(|entry| match variable_parts(entry) {
            (name, None) => name == variable,
            (name, Some(only)) => name == variable && covers_program(only, program),
        })
    }

    /// True if somebody else may say what that variable is for such a command.
    pub fn lets_set(&self, variable: &str, program: &str) -> bool {
        self.env.iter().any(|entry| match variable_parts(entry) {
            (name, None) => name == variable && !steers(variable),
            (name, Some(only)) => name == variable && covers_program(only, program),
        })
    }

    /// True if somebody else may say it for a command of some program.
    pub fn lets_set_for_any(&self, variable: &str) -> bool {
        self.env.iter().any(|entry| match variable_parts(entry) {
            (name, None) => name == variable && !steers(variable),
            (name, Some(_)) => name == variable,
        })
    }

    /// What `process.env` must have for somebody else to say it.
    pub fn entry_to_set(variable: &str, program: &str) -> String {
        match steers(variable) {
            true => format!("{variable}@{program}"),
            false => variable.to_owned(),
        }
    }

    /// Programs, variables and hosts here that `asked` does not ask for.
    pub fn unasked(&self, asked: &Self) -> Vec<String> {
        let programs = self.programs.iter().filter(|one| !asked.allows_program(one));
        let is_asked = |one: &str| asked.env.iter().any(|asked| covers_variable(asked, one));
        let env = self.env.iter().filter(|one| !is_asked(one));
        let is_reached = |one: &str| asked.network.iter().any(|asked| covers_reach(asked, one));
        let network = self.network.iter().filter(|one| !is_reached(one));
        let programs = programs.map(|one| format!("process.programs = {one}"));
        let env = env.map(|one| format!("process.env = {one}"));
        programs.chain(env).chain(network.map(|one| format!("process.network = {one}"))).collect()
    }

    /// Names of all variables that may be handed on.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.env.iter().map(|entry| variable_parts(entry).0)
    }
}

/// What begins so steers a loader, an interpreter, a build, git or ssh.
const STEERING_STARTS: [&str; 20] = [
    "LD_",
    "DYLD_",
    "BASH_",
    "PYTHON",
    "PERL",
    "RUBY",
    "NODE_",
    "NPM_CONFIG_",
    "JAVA_",
    "JDK_",
    "_JAVA_",
    "LUA_",
    "PHP",
    "GIT_",
    "SSH_",
    "RUSTC",
    "RUSTDOC",
    "CARGO_BUILD_",
    "CARGO_TARGET_",
    "XDG_CONFIG_",
];
/// What is called so steers a loader or a shell, or names a program or a folder with settings that do.
const STEERING: [&str; 30] = [
    "PATH",
    "HOME",
    "ENV",
    "IFS",
    "PS4",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "CDPATH",
    "GLOBIGNORE",
    "ZDOTDIR",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LOCPATH",
    "NLSPATH",
    "CLASSPATH",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "MAKEFLAGS",
    "MAKEFILES",
    "GNUMAKEFLAGS",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "MANPAGER",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
];

/// True of a variable by which whoever sets it runs code of its own, or is in the midst of what a program says and hears.
fn steers(variable: &str) -> bool {
    // Proxies have two spellings, npm's settings the other one.
    let name = variable.to_ascii_uppercase();
    STEERING.contains(&name.as_str())
        || STEERING_STARTS.iter().any(|start| name.starts_with(start))
        || name.ends_with("_PROXY")
}

impl Domain for ProcessPermission {
    own_interface!("process");

    fn is_for(role: Role) -> bool {
        !matches!(role, Role::Planner | Role::Provider)
    }

    fn effect(&self) -> Effect {
        Effect::Changing
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("process", &self.programs))
    }

    fn lines(&self) -> Vec<String> {
        let env = || format!("process: hand on {}", self.env.join(", "));
        let network = || format!("process: REACH {}", self.network.join(", "));
        std::iter::once(format!("process: RUN {}", self.programs.join(", ")))
            .chain((!self.env.is_empty()).then(env))
            .chain((!self.network.is_empty()).then(network))
            .collect()
    }

    fields! {
        programs: "process.programs" => PROGRAMS,
        env: "process.env" => ENV,
        network: "process.network" => NETWORK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(env: &[&str]) -> ProcessPermission {
        let env = env.iter().map(|&entry| entry.to_owned()).collect();
        ProcessPermission {
            programs: vec!["sh".to_owned(), ".venv/bin/*".to_owned()],
            env,
            network: Vec::new(),
        }
    }

    #[test]
    fn a_plain_name_hands_on_and_lets_set_what_steers_nothing() {
        let granted = permission(&["MODE", "PATH"]);
        assert!(granted.hands_on("MODE", "sh") && granted.lets_set("MODE", "sh"));
        assert!(granted.hands_on("PATH", "sh") && !granted.lets_set("PATH", "sh"));
        assert!(!granted.hands_on("OTHER", "sh") && !granted.lets_set("OTHER", "sh"));
    }

    #[test]
    fn a_name_for_a_program_is_for_that_one_alone() {
        let granted = permission(&["PYTHONPATH@python3", "MODE@.venv/bin/*"]);
        assert!(granted.lets_set("PYTHONPATH", "python3") && granted.hands_on("PYTHONPATH", "python3"));
        assert!(!granted.lets_set("PYTHONPATH", "sh") && !granted.hands_on("PYTHONPATH", "sh"));
        assert!(granted.lets_set("MODE", ".venv/bin/pytest") && !granted.lets_set("MODE", "sh"));
        assert!(!granted.lets_set("MODE", ".venv/bin/deep/pytest"));
    }

    #[test]
    fn what_steers_is_known_in_every_spelling() {
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "BASH_ENV",
            "ENV",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "HTTP_PROXY",
            "https_proxy",
            "no_proxy",
            "All_Proxy",
            "PATH",
            "HOME",
            "PERL5OPT",
            "RUBYOPT",
            "npm_config_userconfig",
            "RUSTC_WRAPPER",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            "MAKEFLAGS",
            "GLIBC_TUNABLES",
        ] {
            assert_eq!(ProcessPermission::entry_to_set(name, "sh"), format!("{name}@sh"));
            assert!(!permission(&[name]).lets_set(name, "sh"), "{name}");
            assert!(permission(&[&format!("{name}@sh")]).lets_set(name, "sh"), "{name}");
        }
        for name in ["MODE", "CI", "PORT", "DATABASE_URL", "PROXY", "CARGO_TERM_COLOR", "LANG", "TZ", "PATHS"]
        {
            assert_eq!(ProcessPermission::entry_to_set(name, "sh"), name);
            assert!(permission(&[name]).lets_set(name, "sh"), "{name}");
        }
    }
}
