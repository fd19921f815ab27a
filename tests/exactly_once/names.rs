//! What groups are called.

use crate::broker::{beside_others, eventually, shared};
use crate::stream::{Stream, mail};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(2);

#[test]
fn a_start_under_a_new_group_name_stops_while_only_the_old_group_has_positions() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "former-", 2);
        let mut fleet = stream.fleet();
        fleet.unset("KAFKA__GROUP_PREFIX");
        let old = [("VERDMARC_KAFKA__GROUP_PREFIX", "")];
        let process = fleet.start("a", &old);
        stream.produce(mail(20));
        eventually("verdicts", || (stream.outcome().verdicts.len() == 20).then_some(()));
        assert_eq!(process.stop().0, Some(0));

        let mut process = fleet.start("b", &[]);
        assert_eq!(process.exit_code(), Some(2));
        eventually("reason", || (process.has_logged("kafka.group_prefix = ")).then_some(()));
        assert!(process.has_logged("former-verdmarc-verdict"));

        let process = fleet.start("c", &old);
        stream.produce(mail(20));
        eventually("verdicts", || (stream.outcome().verdicts.len() == 40).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        let process = fleet.start("d", &[("VERDMARC_KAFKA__GROUP_PREFIX", "former-")]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let process = fleet.start("e", &[]);
        process.wait_for("\"assigned\"");
        assert_eq!(process.stop().0, Some(0), "the new group has positions now");
    });
}
