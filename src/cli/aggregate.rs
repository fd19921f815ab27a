//! `verdmarc aggregate repair`: repairs differences between the aggregate role's state and its
//! group's positions.

use super::{Exit, Failure, Settings};
use crate::aggregate::Calendar;
use crate::aggregate::changelog::{self, Marker};
use crate::config::Config;
use crate::kafka::Committed;
use crate::kafka::repair::{Found, Loss, Remedy, Repair, RepairError};
use crate::kafka::topics;
use crate::{roles, telemetry};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Compare the role's state with its group's positions and repair differences; without --yes
    /// only report them.
    Repair(RepairArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct RepairArguments {
    /// Repair the differences. The group must have no members: stop every process of the role
    /// first.
    #[arg(long)]
    yes: bool,
    /// Repair also where something is lost: records that were deleted before they were counted, or
    /// a state that is gone.
    #[arg(long, requires = "yes")]
    accept_loss: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let Command::Repair(arguments) = command;
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    repair(&config, arguments)
}

fn repair(config: &Config, arguments: &RepairArguments) -> Result<Exit, Failure> {
    let names = &config.topics;
    let (input, windows) = (names.full(&names.failures), Arc::from(names.full(&names.windows)));
    let group = config.group(roles::aggregate::NAME);
    let partitions = topics::partitions(&config.kafka, &input)?;
    let now = Timestamp::now().as_second();
    let running = Calendar::of(config).window(now);
    let over: RefCell<BTreeMap<i32, i64>> = RefCell::default();
    let repair = Repair {
        config,
        group: &group,
        input: &input,
        changelog: &windows,
        marker: &|partition, key, value| {
            let marker = changelog::read_marker(key, value)?;
            over.borrow_mut().insert(partition, marker.over);
            Some(Committed { next: marker.next, log: marker.input })
        },
        mark: &|partition, Committed { next, log: input }| {
            let known = over.borrow().get(&partition).copied();
            // Without the state it is not known which windows were closed, and no report may get an
            // id that is used already.
            let over = known.unwrap_or(running.begin);
            let mut records = vec![changelog::marker(&windows, partition, &Marker { next, partitions, over, input })];
            if known.is_none() {
                records.push(changelog::forgotten_window(&windows, partition, running, now));
            }
            records
        },
    };
    let found = repair.look()?;
    let broken: Vec<Found> = found.iter().copied().filter(|found| found.remedy() != Remedy::None).collect();
    let losses = broken.iter().any(|found| matches!(found.remedy(), Remedy::GiveUp { .. }));
    let acts = arguments.yes && !broken.is_empty() && (!losses || arguments.accept_loss);
    if acts {
        repair.apply(&broken)?;
    }
    let mut text = table(&group, &found, acts);
    if broken.is_empty() {
        text += "Every position is the one that the state was written with.\n";
    } else if !acts && losses && arguments.yes {
        text += "Nothing was changed, because this gives up what cannot be had again. Add --accept-loss to agree to that.\n";
    } else if !acts {
        text += "Nothing was changed. Stop every process of the role, and run this again with --yes to do it.\n";
    }
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(if broken.is_empty() || acts { Exit::Ok } else { Exit::Differs })
}

fn table(group: &str, found: &[Found], acted: bool) -> String {
    let shown = |position: Option<Committed>| position.map_or_else(|| "none".to_owned(), |position| position.next.to_string());
    let mut text = format!("group {group}\n{:>9} {:>12} {:>12} {:>25}  remedy\n", "partition", "committed", "state", "log");
    for partition in found {
        let log = format!("{}..{}", partition.first, partition.end);
        let _ = writeln!(
            text,
            "{:>9} {:>12} {:>12} {log:>25}  {}",
            partition.partition,
            shown(partition.committed),
            shown(partition.marker),
            said(partition.remedy(), acted)
        );
    }
    text
}

fn said(remedy: Remedy, acted: bool) -> String {
    let would = if acted { "" } else { "would " };
    match remedy {
        Remedy::None => "-".to_owned(),
        Remedy::Position(next) => format!("{would}put the position to {next}: nothing is lost"),
        Remedy::GiveUp { at, loss } => {
            let what = match loss {
                Loss::Deleted => "records were deleted before they were counted",
                Loss::Anew => "the topic was made anew; what the state holds stays",
                Loss::State => "the state is gone, and with it what was counted and not reported",
            };
            format!("{would}go on at {at}: {what}")
        }
    }
}

impl From<RepairError> for Failure {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Command(error) => error.into(),
            RepairError::Group(error) => error.into(),
        }
    }
}
