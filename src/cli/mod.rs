//! The command line: parse, dispatch, exit code. One file per subcommand.
//!
//! Exit codes: 0 good, 1 failed, 2 wrong usage or configuration. What went wrong is one line on stderr that names the
//! flag, variable or key. Help and version go to stdout.

mod bucket;
mod completions;
mod demo;
mod generator;
mod healthcheck;
mod key;
mod output;
mod presign;
mod serve;
mod session;
mod upload;

use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::config::{Config, Flags, Variables};

/// The exit code of wrong usage or configuration.
const USAGE: u8 = 2;

#[derive(clap::Parser)]
#[command(name = "wharf", version, about = "A self-hosted, S3-compatible chunk gateway")]
#[command(after_help = "Settings: flag over WHARF_* environment variable over --config file over default.")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run the gateway: S3 dialect on 127.0.0.1:9000, API, health and metrics on 127.0.0.1:9001
    Serve(Flags),
    /// Show the whole pipeline on this machine: generate an image, upload it, read it back, compare every byte
    Demo(demo::Demo),
    /// Run only the generator of images, on 127.0.0.1:9002, for a machine with a GPU beside the gateway
    Generator(Flags),
    /// Exit 0 when the gateway of the same settings is ready, else 1
    Healthcheck(Flags),
    /// Mint a presigned URL, or say why one is refused; no gateway is needed
    Presign(Box<presign::Presign>),
    /// Access keys and API tokens
    #[command(subcommand)]
    Key(key::Key),
    /// Buckets, quotas and bucket policies
    #[command(subcommand)]
    Bucket(bucket::Bucket),
    /// Open multipart uploads
    #[command(subcommand)]
    Upload(upload::Upload),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// Runs the command that `arguments` (the program's name first) ask for, with the settings of `environment` below its
/// flags.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let command = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line.command,
        Err(error) => return usage(&error),
    };
    let (flags, run): (Flags, fn(Config) -> ExitCode) = match command {
        Command::Serve(flags) => (flags, serve::run),
        Command::Generator(flags) => (flags, generator::run),
        Command::Healthcheck(flags) => (flags, healthcheck::run),
        Command::Presign(command) => {
            return match Config::load(command.settings(), &Variables::new(environment)) {
                Ok(config) => command.run(&config),
                Err(error) => failure(&error, USAGE),
            };
        }
        Command::Demo(command) => return command.run(),
        Command::Key(command) => return ended(command.run(&Variables::new(environment))),
        Command::Bucket(command) => return ended(command.run(&Variables::new(environment))),
        Command::Upload(command) => return ended(command.run(&Variables::new(environment))),
        Command::Completions(command) => return ended(command.run(CommandLine::command())),
    };
    match Config::load(&flags, &Variables::new(environment)) {
        Ok(config) => run(config),
        Err(error) => failure(&error, USAGE),
    }
}

/// The exit code of a command, and the line that says why it failed.
fn ended(outcome: Result<(), session::Failure>) -> ExitCode {
    outcome.map_or_else(|failure| failure.exit(), |()| ExitCode::SUCCESS)
}

/// Says in one line what went wrong. Nothing can be done for a stderr that is closed.
fn failure(error: &dyn fmt::Display, code: u8) -> ExitCode {
    let line = error.to_string().replace('\n', " ");
    let _ = writeln!(std::io::stderr(), "wharf: {line}");
    ExitCode::from(code)
}

/// Help and version as they are; of a usage error, which clap spreads over a paragraph, what is wrong and the tips.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that closed the pipe has seen enough.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            failure(&"no command given; wharf --help lists them", USAGE)
        }
        _ => failure(&one_line(&error.render().to_string()), USAGE),
    }
}

/// The first paragraph and the tips of clap's message, joined.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let said = message.lines().map(str::trim).take_while(|line| !line.is_empty());
    let tips = message.lines().map(str::trim).filter(|line| line.starts_with("tip: "));
    said.chain(tips).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_error(arguments: &[&str]) -> String {
        let arguments = std::iter::once("wharf").chain(arguments.iter().copied());
        one_line(&CommandLine::try_parse_from(arguments).err().unwrap().render().to_string())
    }

    #[test]
    fn usage_errors_are_one_line_that_names_the_flag() {
        for (arguments, named) in [
            (&["serve", "--regoin", "x"][..], "--regoin"),
            (&["serve", "--region", "a", "--region", "b"], "--region"),
            (&["serve", "--region"], "--region"),
            (&["serve", "stray"], "stray"),
            (&["sevre"], "sevre"),
        ] {
            let line = parse_error(arguments);
            assert!(line.contains(named) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        <CommandLine as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn help_names_every_setting_with_its_default() {
        let mut command = <CommandLine as clap::CommandFactory>::command();
        let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        for setting in crate::config::settings::SETTINGS {
            assert!(help.contains(&format!("--{} ", setting.name)), "{}", setting.name);
            assert!(help.contains(&format!("[env: {}]", setting.variable())), "{}", setting.name);
        }
        assert!(help.contains("[default: 127.0.0.1:9001]"));
    }
}
