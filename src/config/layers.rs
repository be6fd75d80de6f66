//! The layers that may set a setting, before anything is parsed: flags, environment and file all become texts with the
//! place they came from, and the highest layer that sets a setting wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::settings::{self, SETTINGS, Setting};
use super::{ConfigError, Origin};

/// What every environment variable of wharf begins with.
pub(super) const VARIABLE_PREFIX: &str = "WHARF_";
/// What the name of a variable ends with that names a file holding the secret.
const FILE_SUFFIX: &str = "_FILE";

/// A setting as a layer gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) origin: Origin,
    /// One text, unless the setting may be repeated.
    pub(super) texts: Vec<String>,
}

/// Settings by name.
type Layer = BTreeMap<&'static str, Value>;

/// The flags of a command line: one for each row of the table.
#[derive(Clone, Default)]
pub struct Flags(Layer);

/// The flags of a command that administers a store: those that say which one, and who its root is.
#[derive(Clone, Default)]
pub struct StoreFlags(Flags);

/// Their settings.
const OF_THE_STORE: [&str; 7] =
    ["config", "data-dir", "access-key", "secret-key", "tls-cert", "tls-key", "tls-self-signed"];

impl StoreFlags {
    /// The flags, to be laid over the other layers.
    pub fn flags(&self) -> &Flags {
        &self.0
    }
}

/// The environment, as far as it concerns settings: what begins with `WHARF_`, and the aliases.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    /// Takes what concerns settings from an environment.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let concerns = |name: &OsString| {
            let name = name.to_string_lossy();
            name.starts_with(VARIABLE_PREFIX) || SETTINGS.iter().any(|setting| setting.alias == Some(&*name))
        };
        Self(environment.into_iter().filter(|(name, value)| concerns(name) && !value.is_empty()).collect())
    }

    /// The value of `name`. An error when it is not UTF-8.
    fn get(&self, setting: &Setting, name: &str) -> Result<Option<&str>, ConfigError> {
        let Some(value) = self.0.get(std::ffi::OsStr::new(name)) else { return Ok(None) };
        let origin = Origin::Environment(name.to_owned());
        value.to_str().map(Some).ok_or_else(|| ConfigError::new(setting.name, origin, "is not UTF-8"))
    }
}

impl clap::Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        SETTINGS.iter().fold(command, |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &Setting| -> Option<Vec<String>> {
            // A command that has only some of the flags knows nothing of the others.
            Some(matches.try_get_many::<String>(setting.name).ok()??.cloned().collect())
        };
        let value = |name, texts| Value { origin: Origin::Flag(name), texts };
        Ok(Self(SETTINGS.iter().filter_map(|s| given(s).map(|texts| (s.name, value(s.name, texts)))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl clap::Args for StoreFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let settings = SETTINGS.iter().filter(|setting| OF_THE_STORE.contains(&setting.name));
        settings.fold(command, |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for StoreFlags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Flags::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// The flag of a setting, with its help.
fn argument(setting: &Setting) -> clap::Arg {
    let default = match setting.default {
        settings::Default::Text(text) => text,
        settings::Default::Absent(what) => what,
    };
    clap::Arg::new(setting.name)
        .long(setting.name)
        .value_name(setting.value_name)
        .help(format!("{} [default: {default}] [env: {}]", setting.about, setting.variable()))
        .action(if setting.many { clap::ArgAction::Append } else { clap::ArgAction::Set })
}

/// The value of every setting that some layer sets, from the highest layer that does.
pub(super) fn resolve(flags: &Flags, variables: &Variables) -> Result<Layer, ConfigError> {
    let mut values = environment(variables)?;
    values.extend(flags.0.clone());
    let file = match values.get("config") {
        Some(Value { origin, texts }) => file(origin, texts)?,
        None => Layer::new(),
    };
    for (name, value) in file {
        values.entry(name).or_insert(value);
    }
    for setting in SETTINGS {
        let Some(alias) = setting.alias.filter(|_| !values.contains_key(setting.name)) else { continue };
        if let Some(text) = variables.get(setting, alias)? {
            values.insert(setting.name, from_variable(alias, text));
        }
    }
    Ok(values)
}

fn from_variable(name: &str, text: &str) -> Value {
    Value { origin: Origin::Environment(name.to_owned()), texts: vec![text.to_owned()] }
}

/// The `WHARF_*` variables. One that no setting owns is an error: a typo must not pass silently.
fn environment(variables: &Variables) -> Result<Layer, ConfigError> {
    let mut layer = Layer::new();
    let mut known = Vec::new();
    for setting in SETTINGS {
        let name = setting.variable();
        let file_name = format!("{name}{FILE_SUFFIX}");
        if let Some(text) = variables.get(setting, &name)? {
            layer.insert(setting.name, from_variable(&name, text));
        }
        if let Some(path) = variables.get(setting, &file_name)?.filter(|_| setting.secret) {
            let error =
                |problem: String| ConfigError::new(setting.name, Origin::Environment(file_name.clone()), problem);
            if layer.contains_key(setting.name) {
                return Err(error(format!("{name} is set too; set one of them")));
            }
            let text = read(Path::new(path)).map_err(error)?;
            layer.insert(setting.name, from_variable(&file_name, text.trim_end_matches(['\r', '\n'])));
        }
        if setting.secret {
            known.push(file_name);
        }
        known.push(name);
    }
    for (name, value) in &variables.0 {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        if !known.iter().any(|known| *known == name) && !is_service_link(&name, &value) {
            let setting = rest.to_ascii_lowercase().replace('_', "-");
            return Err(ConfigError::new(setting, Origin::Environment(name.into_owned()), "no such setting"));
        }
    }
    Ok(layer)
}

/// Kubernetes sets such variables in every pod for each service: for one called `wharf`, `WHARF_SERVICE_HOST`,
/// `WHARF_PORT=tcp://10.0.0.11:9000`, `WHARF_PORT_9000_TCP_ADDR`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    let of_port = || {
        let (_, rest) = name.split_once("_PORT_")?;
        let mut words = rest.split('_');
        let number = words.next()?;
        let protocol = words.next()?;
        Some(number.parse::<u16>().is_ok() && matches!(protocol, "TCP" | "UDP" | "SCTP"))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
        || of_port().unwrap_or(false)
}

/// The settings file, which the setting `config` names.
fn file(origin: &Origin, texts: &[String]) -> Result<Layer, ConfigError> {
    let error = |problem: String| ConfigError::new("config", origin.clone(), problem);
    let path = super::values::path(texts).map_err(error)?;
    let text = read(&path).map_err(error)?;
    let table: toml::Table = toml::from_str(&text).map_err(|problem| {
        let before = problem.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let problem = format!("line {line}: {}", problem.message().replace('\n', ", "));
        ConfigError::new("config", Origin::File(path.clone()), problem)
    })?;
    table.into_iter().map(|(key, value)| entry(&path, &key, value)).collect()
}

/// One key of the file.
fn entry(path: &Path, key: &str, value: toml::Value) -> Result<(&'static str, Value), ConfigError> {
    let origin = Origin::File(path.to_path_buf());
    let setting = SETTINGS
        .iter()
        .find(|setting| setting.in_file && setting.name == key)
        .ok_or_else(|| ConfigError::new(key.escape_default().to_string(), origin.clone(), "no such setting"))?;
    let expected = if setting.many { "a text in quotes or a list of them" } else { "a text in quotes" };
    let texts = match value {
        toml::Value::String(text) => Some(vec![text]),
        toml::Value::Array(items) if setting.many => {
            items.into_iter().map(|item| if let toml::Value::String(text) = item { Some(text) } else { None }).collect()
        }
        _ => None,
    };
    match texts {
        Some(texts) => Ok((setting.name, Value { origin, texts })),
        None => Err(ConfigError::new(setting.name, origin, format!("expected {expected}"))),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
