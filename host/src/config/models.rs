//! `models.toml` of the operator's folder: which models there are, where, and what they cost; `models.yaml` of a workspace: which
//! of them its tasks get.
//!
//! In -> out: texts -> [`Catalogue`].
//! Limits: 256 models; 256 KiB of `models.yaml`.
//! Invariant: a workspace picks among the operator's names, and lowers tokens, budgets and rates; nothing else of a model is its to
//! say.
//! Not here: who may own and write `models.toml` (`keeper.rs`), which model a request gets (`capability/llm/catalogue.rs`).

use std::collections::BTreeMap;
use std::path::Path;

use orch_trust::authority::AuthorityError;
use orch_trust::name::PluginId;
use serde::Deserialize;

use super::workspace::{WorkspaceError, one_spelling};
use crate::capability::llm::catalogue::{Catalogue, Known, Picks, Price};
use crate::capability::purse::{Budgets, Rates};
use crate::regular_file::{self, Links, ReadError};

pub(super) const FILE: &str = "models.toml";
/// In a workspace.
const PICKS: &str = "models.yaml";
const PICKS_BYTES_MAX: u64 = 256 << 10;
const MODELS_MAX: usize = 256;
const URL_BYTES_MAX: usize = 2048;
const WORDS_MAX: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Of all prices: `USD`.
    #[serde(default)]
    currency: String,
    default: Option<String>,
    #[serde(default)]
    budgets: Budgets,
    #[serde(default)]
    rates: Rates,
    #[serde(default)]
    models: BTreeMap<String, WrittenModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenModel {
    provider: Option<PluginId>,
    model: String,
    #[serde(default)]
    base_url: String,
    context_window: u32,
    max_tokens: u32,
    temperature: Option<f64>,
    #[serde(default)]
    capabilities: Vec<String>,
    price: Option<WrittenPrice>,
}

/// For a million tokens.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPrice {
    input: f64,
    /// Absent: as those that are not cached.
    cached: Option<f64>,
    output: f64,
}

/// What the operator's file says.
pub fn parse(text: &str) -> Result<Catalogue, AuthorityError> {
    read(text).map_err(|message| AuthorityError::Malformed { message })
}

fn read(text: &str) -> Result<Catalogue, String> {
    let Written { currency, default, budgets, rates, models } =
        toml::from_str(text).map_err(|error| error.to_string())?;
    if models.len() > MODELS_MAX {
        return Err(format!("{} models, limit is {MODELS_MAX}", models.len()));
    }
    let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let has_price = models.values().any(|model| model.price.is_some());
    if !is_currency && (has_price || budgets.bound_money() || !currency.is_empty()) {
        return Err("`currency` is not three capital letters, as in `USD`".to_owned());
    }
    if let Some(name) = default.as_ref().filter(|name| !models.contains_key(*name)) {
        return Err(format!("`default` is `{}`, which is none of `models`", name.escape_default()));
    }
    let known: Result<_, String> =
        models.into_iter().map(|(name, model)| Ok((name.clone(), model.known(&name)?))).collect();
    Ok(Catalogue { models: known?, default, currency, budgets, rates, ..Catalogue::default() })
}

impl WrittenModel {
    fn known(self, name: &str) -> Result<Known, String> {
        let Self { provider, model, base_url, context_window, max_tokens, temperature, capabilities, price } =
            self;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(format!("`models` has `{}`, expected 1 to 64 of `[a-z0-9-]`", name.escape_default()));
        }
        let wrong = |field: &str, expected: &str| Err(format!("`models.{name}.{field}` is not {expected}"));
        if model.is_empty() || model.len() > 128 || model.chars().any(char::is_control) {
            return wrong("model", "one line of 1 to 128 bytes");
        }
        if !is_base_url(&base_url) {
            return wrong(
                "base_url",
                "an `http` or `https` address without a query and without `/` at its end",
            );
        }
        if max_tokens == 0 || max_tokens > context_window {
            return wrong("max_tokens", "1 to `context_window`");
        }
        if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
            return wrong("temperature", "0.0 to 2.0");
        }
        let is_word = |word: &String| (1..=64).contains(&word.len()) && word.bytes().all(plain);
        if capabilities.len() > WORDS_MAX || !capabilities.iter().all(is_word) {
            return wrong("capabilities", "at most 32 words of `[a-z0-9-]`");
        }
        let price = price.map(|WrittenPrice { input, cached, output }| Price {
            input,
            cached: cached.unwrap_or(input),
            output,
        });
        let is_price = |price: &Price| {
            [price.input, price.cached, price.output].into_iter().all(|one| (0.0..=1e6).contains(&one))
        };
        if price.as_ref().is_some_and(|price| !is_price(price)) {
            return wrong("price", "three amounts of 0 to 1000000 for a million tokens");
        }
        let provider = provider.map(|id| id.to_string());
        Ok(Known { provider, model, base_url, context_window, max_tokens, temperature, capabilities, price })
    }
}

fn is_base_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |rest: &str| {
        !rest.is_empty()
            && !rest.ends_with('/')
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'\\'))
    };
    text.is_empty() || (text.len() <= URL_BYTES_MAX && rest.is_some_and(is_plain))
}

/// What that workspace picks; nothing if it has no such file.
///
/// # Errors
/// `workspace-config`: it is no such file, or names a model that there is not.
pub fn picks_of(workspace: &Path, catalogue: &Catalogue) -> Result<Picks, WorkspaceError> {
    let path = one_spelling(workspace.join(PICKS))?;
    let text = match regular_file::read_text(&path, Links::Refused, PICKS_BYTES_MAX) {
        Ok((text, _)) => text,
        Err(ReadError::NotRegular) => return Err(WorkspaceError::NotAFile { path }),
        Err(error) if error.is_missing() => return Ok(Picks::default()),
        Err(ReadError::TooLarge { found_bytes, .. }) => {
            return Err(WorkspaceError::TooLarge { path, found_bytes });
        }
        Err(error) => return Err(WorkspaceError::Io { path, source: error.into() }),
    };
    parse_picks(&path, &text, catalogue)
}

fn parse_picks(path: &Path, text: &str, catalogue: &Catalogue) -> Result<Picks, WorkspaceError> {
    if text.trim().is_empty() {
        return Ok(Picks::default());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let picks: Picks = serde_saphyr::from_str_with_options(text, options)
        .map_err(|source| WorkspaceError::Malformed { path: path.to_owned(), source: Box::new(source) })?;
    let unknown = picks.named().find(|(_, name)| !catalogue.models.contains_key(*name));
    let unknown = unknown.map(|(key, name)| (key, format!("`{}`", name.escape_default())));
    let of_no_currency = picks.budgets.bound_money() && catalogue.currency.is_empty();
    match unknown {
        None if of_no_currency => {
            let (path, key) = (path.to_owned(), "budgets");
            let (found, expected) =
                ("`cost`".to_owned(), "tokens: the operator's `models.toml` has no `currency`");
            Err(WorkspaceError::Value { path, key: key.to_owned(), found, expected })
        }
        None => Ok(picks),
        Some((key, found)) => {
            let (path, expected) = (path.to_owned(), "a model of the operator's `models.toml`");
            Err(WorkspaceError::Value { path, key: key.to_owned(), found, expected })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use orch_trust::manifest::Role;

    use crate::capability::provided::Asking;
    use crate::capability::purse::Budget;

    use super::*;

    const GOOD: &str = "currency = \"USD\"\ndefault = \"small\"\n[models.small]\nprovider = \"demo/provider-openai\"\nmodel = \"gpt-5-mini\"\nbase_url = \"https://api.openai.com/v1\"\ncontext_window = 128000\nmax_tokens = 4096\ntemperature = 0.2\ncapabilities = [\"tools\"]\nprice = { input = 0.25, output = 2.0 }\n";

    #[test]
    fn a_model_is_where_the_operator_says() {
        let catalogue = parse(GOOD).unwrap();
        let small = catalogue.known("small").unwrap();
        assert_eq!((small.max_tokens, &*small.model), (4096, "gpt-5-mini"));
        assert_eq!(small.price, Some(Price { input: 0.25, cached: 0.25, output: 2.0 }));
        assert_eq!(catalogue.default.as_deref(), Some("small"));
        assert!(catalogue.known("large").is_none());
    }

    #[test]
    fn what_is_no_model_is_refused_by_name() {
        for (from, to, said) in [
            ("USD", "usd", "currency"),
            ("default = \"small\"", "default = \"large\"", "default"),
            ("max_tokens = 4096", "max_tokens = 128001", "models.small.max_tokens"),
            ("max_tokens", "max_token", "max_token"),
            ("/v1", "/v1/", "models.small.base_url"),
            ("https://", "ftp://", "models.small.base_url"),
            ("https://", "https://me@", "models.small.base_url"),
            ("0.2\n", "2.5\n", "models.small.temperature"),
            ("output = 2.0", "output = -2.0", "models.small.price"),
            ("models.small", "models.Small", "models"),
            ("demo/provider-openai", "openai", "openai"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD);
            let found = parse(&text).unwrap_err().to_string();
            assert!(found.contains(said), "{to}: {found}");
        }
    }

    #[test]
    fn budgets_and_rates_are_amounts_and_a_workspace_says_smaller_ones() {
        let budgets = "[budgets]\nrun = { cost = 2.5, tokens = 1000 }\n[budgets.providers.\"demo/p\"]\ncost = 0.1\n[rates]\nrequests = 60\n";
        let catalogue = parse(&(GOOD.to_owned() + budgets)).unwrap();
        assert_eq!(catalogue.budgets.run, Budget { cost: Some(2_500_000), tokens: Some(1000) });
        assert_eq!(catalogue.budgets.providers.len(), 1);
        for (from, to, said) in [
            ("cost = 2.5", "cost = -2.5", "cost"),
            ("cost = 2.5", "cost = nan", "cost"),
            ("{ cost = 2.5, tokens = 1000 }", "{}", "tokens"),
            ("tokens = 1000", "token = 1000", "token"),
            ("run =", "week =", "week"),
            ("demo/p", "p", "budgets.providers"),
            ("requests = 60", "requests = 0", "requests"),
        ] {
            let text = GOOD.to_owned() + &budgets.replace(from, to);
            let found = parse(&text).unwrap_err().to_string();
            assert!(found.contains(said), "{to}: {found}");
        }
        let no_price = GOOD.split("price").next().unwrap().replace("currency = \"USD\"\n", "");
        assert!(parse(&no_price).is_ok());
        assert!(parse(&(no_price.clone() + budgets)).unwrap_err().to_string().contains("currency"));

        let read = |text: &str, catalogue: &Catalogue| parse_picks(Path::new("models.yaml"), text, catalogue);
        let text = "budgets: {run: {cost: 1.0}, day: {tokens: 5}}\nrates: {requests: 90, tokens: 7}\n";
        let picks = read(text, &catalogue).unwrap();
        let (bounds, rates) = Catalogue { picks, ..catalogue }.bounds();
        assert_eq!(bounds.run, Budget { cost: Some(1_000_000), tokens: Some(1000) });
        assert_eq!(bounds.day, Budget { cost: None, tokens: Some(5) });
        assert_eq!((rates.requests, rates.tokens), (NonZeroU32::new(60), NonZeroU32::new(7)));
        let error = read(text, &parse(&no_price).unwrap()).unwrap_err();
        assert!(error.to_string().contains("budgets"), "{error}");
    }

    #[test]
    fn a_workspace_picks_among_them_and_says_no_more() {
        let catalogue =
            parse(&(GOOD.to_owned() + &GOOD.split("small\"\n").nth(1).unwrap().replace("small", "large")))
                .unwrap();
        let read = |text: &str| parse_picks(Path::new("models.yaml"), text, &catalogue);
        let picks =
            read("default: small\nkinds: {agent: large}\nroles: {verifier: large}\ntasks: {t1: large}\nmax_tokens: 500\n")
                .unwrap();
        let picked = |plugin: &str, role, kind: Option<&str>| {
            let asking = Asking { role: Some(role), kind: kind.map(Into::into), ..Asking::default() };
            picks.of(plugin, &asking).map(str::to_owned)
        };
        assert_eq!(picked("a/b", Role::Executor, Some("agent")).as_deref(), Some("large"));
        assert_eq!(picked("a/b", Role::Executor, Some("shell")).as_deref(), Some("small"));
        assert_eq!(picked("a/b", Role::Verifier, None).as_deref(), Some("large"));
        let asking = Asking { task: Some("t1".into()), kind: Some("shell".into()), ..Asking::default() };
        assert_eq!(picks.of("a/b", &asking), Some("large"));
        assert_eq!(picks.max_tokens, NonZeroU32::new(500));
        for wrong in ["default: huge\n", "models: {}\n", "kinds: {agent: huge}\n", "base_url: x\n", "- a\n"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read("").unwrap(), Picks::default());
    }
}
