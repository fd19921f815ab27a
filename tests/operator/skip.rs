//! Records passed over.

use crate::broker::{eventually, within};
use crate::operator::{Desk, header};
use crate::{ANSWER, LIMIT};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer as _;
use std::time::Duration;

#[test]
fn k11_skip_passes_over_any_record_that_an_empty_group_is_not_done_with() {
    within(LIMIT, || {
        let desk = Desk::new("skip.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead, group) = ("skip.mail.raw", "skip.mail.dead-letters", "skip.verdmarc-verdict");
        for value in ["zero", "one", "two"] {
            desk.write(raw, 0, value);
        }
        let skip =
            |offset: i64, more: &[&str]| desk.run(&[&["dead-letters", "skip", &format!("{raw}/0/{offset}")], more].concat());

        let member: BaseConsumer =
            desk.broker.config().set("group.id", group).set("enable.auto.commit", "false").create().unwrap();
        member.subscribe(&[raw]).unwrap();
        eventually("the member to be in", || {
            let _ = member.poll(Duration::from_millis(50));
            (member.assignment().unwrap().count() > 0).then_some(())
        });
        let busy = skip(0, &["--yes"]);
        assert_eq!(
            (busy.code, busy.err.contains("has members"), busy.err.contains("stop every process")),
            (1, true, true),
            "{busy}"
        );
        drop(member);

        // Nothing is committed yet, so the group stands at the oldest record.
        let wrong = skip(7, &["--yes"]);
        assert_eq!((wrong.code, wrong.err.contains("skip.mail.raw/0/0; name that one")), (1, true), "{wrong}");
        let dry = skip(0, &[]);
        assert_eq!((dry.code, dry.count("Nothing was changed")), (0, 1), "{dry}");
        assert_eq!((desk.broker.committed(group, raw), desk.broker.read_committed(dead).len()), (vec![None, None], 0));

        let done = skip(0, &["--yes"]);
        assert_eq!((done.code, done.count("is a dead letter now")), (0, 1), "{done}");
        assert_eq!(desk.broker.committed(group, raw), [Some(1), None]);
        let text = desk.broker.committed_texts(group, raw, 1).remove(0);
        assert!(text.starts_with("verdmarc/1 ") && text.len() == "verdmarc/1 ".len() + 22, "the log's id goes with it: {text}");
        let letters = desk.broker.read_committed(dead);
        assert_eq!(
            (letters.len(), letters[0].text(), header(&letters[0], "verdmarc-reason").as_str()),
            (1, "zero", "skipped_by_operator")
        );
        assert_eq!(
            (header(&letters[0], "verdmarc-origin-offset"), header(&letters[0], "verdmarc-attempt")),
            ("0".into(), "1".into())
        );
        let again = skip(0, &["--yes"]);
        assert_eq!((again.code, again.err.contains("is done with skip.mail.raw/0/0")), (1, true), "{again}");

        // A record behind one that is not done goes into the set of the commit, and the position stays.
        assert_eq!(skip(2, &["--yes"]).code, 0);
        assert_eq!(desk.broker.committed(group, raw), [Some(1), None]);
        let text = desk.broker.committed_texts(group, raw, 1).remove(0);
        assert!(text.ends_with(" 1,1"), "{text}");
        let again = skip(2, &["--yes"]);
        assert_eq!((again.code, again.err.contains("is done with skip.mail.raw/0/2")), (1, true), "{again}");
        assert_eq!(skip(1, &["--yes"]).code, 0);
        assert_eq!(desk.broker.committed(group, raw), [Some(3), None]);

        // Between position and record there may be what nobody reads: an aborted transaction with its end.
        desk.abort(raw, 0);
        let end = skip(3, &["--yes"]);
        assert_eq!((end.code, end.err.contains("to its end")), (1, true), "{end}");
        desk.write(raw, 0, "behind");
        let behind = skip(3, &[]);
        assert!(behind.code == 1 && behind.err.contains("skip.mail.raw/0/5; name that one"), "{behind}");
        assert_eq!(skip(5, &["--yes"]).code, 0);
        assert_eq!(desk.broker.committed(group, raw), [Some(6), None]);

        let other = desk.run(&["dead-letters", "skip", "skip.mail.dead-letters/0/0", "--yes"]);
        assert_eq!((other.code, other.err.contains("does not read")), (1, true), "{other}");
        assert_eq!(desk.run(&["dead-letters", "skip", &format!("{raw}/7/0")]).code, 4);
    });
}

/// A position of the group that read retries before there was one for them counts until that has its own.
#[test]
fn skip_of_a_retry_acts_for_the_group_that_reads_retries() {
    within(LIMIT, || {
        let desk = Desk::new("skipretry.");
        desk.topics(&[("mail.raw", &[]), ("mail.retries.1", &[]), ("mail.dead-letters", &[])]);
        let (retries, raw_group, group) =
            ("skipretry.mail.retries.1", "skipretry.verdmarc-verdict", "skipretry.verdmarc-verdict-retries");
        for value in ["zero", "one", "two"] {
            desk.write(retries, 0, value);
        }
        desk.broker.commit_with_text(raw_group, retries, (0, 1), "");
        let skip = |offset: i64| desk.run(&["dead-letters", "skip", &format!("{retries}/0/{offset}"), "--yes"]);
        let read = skip(0);
        assert!(read.code == 1 && read.err.contains("is done with skipretry.mail.retries.1/0/0"), "{read}");
        let done = skip(1);
        assert_eq!((done.code, done.count(group)), (0, 1), "{done}");
        assert_eq!(desk.broker.committed(group, retries), [Some(2), None]);
        assert_eq!(desk.broker.committed(raw_group, retries), [Some(1), None]);
        assert_eq!(skip(2).code, 0);
        assert_eq!(desk.broker.committed(group, retries), [Some(3), None]);
    });
}

#[test]
fn skip_does_the_same_in_a_group_whose_partitions_the_brokers_assign() {
    within(LIMIT, || {
        let desk = Desk::new("skip848.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead, group) = ("skip848.mail.raw", "skip848.mail.dead-letters", "skip848.verdmarc-verdict");
        desk.write(raw, 0, "zero");
        let skip = || {
            let settings = [("VERDMARC_KAFKA__PROTOCOL", "consumer")];
            desk.run_with(&settings, &["dead-letters", "skip", &format!("{raw}/0/0"), "--yes"])
        };
        let mut config = desk.broker.config();
        config.set("group.id", group).set("group.protocol", "consumer").set("enable.auto.commit", "false");
        let member: BaseConsumer = config.create().unwrap();
        member.subscribe(&[raw]).unwrap();
        let assigned = || member.assignment().unwrap().count();
        eventually("the member to be in", || {
            let _ = member.poll(Duration::from_millis(50));
            (assigned() == 2).then_some(())
        });
        // The brokers do not say who is in such a group; whoever joins it is given a share.
        let busy = std::thread::scope(|scope| {
            let command = scope.spawn(skip);
            while !command.is_finished() {
                let _ = member.poll(Duration::from_millis(50));
            }
            command.join().unwrap()
        });
        assert_eq!((busy.code, busy.err.contains("has members")), (1, true), "{busy}");
        assert_eq!((desk.broker.committed(group, raw), desk.broker.read_committed(dead).len()), (vec![None, None], 0));
        drop(member);

        let done = skip();
        assert_eq!((done.code, done.count("is a dead letter now")), (0, 1), "{done}");
        assert_eq!(desk.broker.committed(group, raw), [Some(1), None]);
        assert_eq!(desk.broker.read_committed(dead).len(), 1);
        assert_eq!(skip().code, 1, "once");
    });
}

#[test]
fn skip_waits_for_what_a_killed_process_left_open() {
    within(LIMIT, || {
        let desk = Desk::new("open.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, group) = ("open.mail.raw", "open.verdmarc-verdict");
        desk.write(raw, 0, "zero");
        desk.write(raw, 0, "one");
        let dying = desk.transactional("open.dying");
        dying.begin_transaction().unwrap();
        let mut offsets = rdkafka::TopicPartitionList::new();
        offsets.add_partition_offset(raw, 0, rdkafka::Offset::Offset(1)).unwrap();
        let outsider: BaseConsumer = desk.broker.config().set("group.id", group).create().unwrap();
        dying.send_offsets_to_transaction(&offsets, &outsider.group_metadata().unwrap(), ANSWER).unwrap();
        let child = desk.command(&["dead-letters", "skip", "open.mail.raw/0/1", "--yes"]).spawn().unwrap();
        // Longer than one answer about positions takes.
        std::thread::sleep(Duration::from_secs(11));
        dying.commit_transaction(ANSWER).unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
        assert_eq!(desk.broker.committed(group, raw), [Some(2), None]);
    });
}
