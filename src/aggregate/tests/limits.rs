//! Checks the caps on rows, and their effect on memory (F-32; Decisions: caps).

use super::*;

#[test]
fn f32_a_report_bomb_stays_within_the_caps_and_leaves_others_alone() {
    let capped = Settings { group_rows: 1_000, ..settings() };
    let mut process = Process::new(capped);
    let network = |number: u32| std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + u128::from(number) * (1 << 60));
    let mut sent = 0;
    let mut count = |event: &FailureEvent| {
        sent += 1;
        assert!(process.state.count(event, NOON));
    };
    // One source sends random names under one owner.
    for number in 0..300_000_u32 {
        let mut event = failure(1, 0, 2, 0, 1, NOON);
        event.row.header_from = domain(&format!("x{number}.owner1.example"));
        event.row.dkim[0].selector = domain(&format!("s{number}"));
        event.row.envelope_from = Some(format!("m{number}.example"));
        event.row.spf.domain = Some(domain(&format!("m{number}.example")));
        count(&event);
    }
    // A botnet sends, and so do zones of the attacker's own.
    for number in 0..20_000 {
        let mut event = failure(3, 0, 2, 0, 1, NOON);
        event.row.source_ip = network(number).into();
        count(&event);
        event.policy_domain = domain(&format!("zone{}.example", number % 1_000));
        count(&event);
    }
    for source in 0..20 {
        count(&failure(2, 0, source, 1, 1, NOON));
    }
    let counts = process.state.counts();
    assert!(counts.rows < 2 * (1_000 + 2 * 256 + 10) + 20_000 + 20, "{counts:?}");
    assert!(counts.bytes < 8_000_000, "{counts:?}");
    process.state.advance(sent);
    process.state.control(&CloseWindows { at: None });
    process.state.freeze(sent, NOON);
    while process.state.is_closing() {
        process.commit();
    }
    assert_eq!(process.brokers.messages(), sent.cast_unsigned());
    let untouched = process.brokers.reports.iter().filter(|(report, _)| report.policy_domain == domain("owner2.example"));
    assert_eq!(untouched.map(|(report, _)| report.rows).collect::<Vec<_>>(), [7, 7, 6], "as they came");
}

#[test]
fn f32_rows_of_many_bytes_are_merged_before_there_are_many() {
    let capped = Settings { group_bytes: 1 << 20, ..settings() };
    let mut process = Process::new(capped);
    for number in 0..4_000 {
        let mut event = failure(1, 0, 2, 0, 0, NOON);
        event.row.header_from = domain(&format!("x{number}.{}.owner1.example", "long".repeat(50)));
        assert!(process.state.count(&event, NOON));
    }
    let counts = process.state.counts();
    assert!(counts.rows > 1_000 && counts.bytes < 3 << 20, "{counts:?}");
}

#[test]
fn the_limit_on_memory_closes_the_largest_window_early() {
    let small = Settings { partition_bytes: 200_000, limits: Limits { rows: 50_000, bytes: 5 << 20 }, ..settings() };
    let mut process = Process::new(small);
    let zone = |number| FailureEvent { policy_domain: domain(&format!("zone{number}.example")), ..failure(1, 0, 2, 0, 1, NOON) };
    let log: Vec<FailureEvent> = (0..1_000).map(zone).collect();
    for counted in 1..=1_000 {
        process.read(&log, counted);
        process.state.freeze(counted, NOON);
        if process.state.is_closing() {
            process.commit();
        }
        assert!(process.state.counts().bytes < 300_000);
    }
    process.close(&log, &[]);
    assert_eq!(process.brokers.messages(), 1_000);
    process.brokers.by_id();
}

#[test]
fn the_limit_of_a_process_closes_windows_of_the_partitions_that_hold_most() {
    let limits = Limits { rows: 50_000, bytes: 5 << 20 };
    let small = Settings { memory: Memory::of(200_000), limits, ..settings() };
    let zone = |number| FailureEvent { policy_domain: domain(&format!("zone{number}.example")), ..failure(1, 0, 2, 0, 1, NOON) };
    let logs: [Vec<FailureEvent>; 2] = [(0..1_000).map(zone).collect(), (0..50).map(zone).collect()];
    let mut processes = [Process::new(small.clone()), Process::new(small)];
    let mut closed_early = 0;
    for counted in 1..=1_000 {
        for (process, log) in processes.iter_mut().zip(&logs) {
            process.read(log, counted.min(log.len() as i64));
            process.state.freeze(counted.min(log.len() as i64), NOON);
        }
        assert!(!processes[1].state.is_closing(), "it holds less than its share");
        closed_early += usize::from(processes[0].state.is_closing());
        processes.iter_mut().for_each(Process::commit);
        assert!(processes.iter().map(|process| process.state.counts().bytes).sum::<usize>() < 300_000);
    }
    for (process, log) in processes.iter_mut().zip(&logs) {
        process.close(log, &[]);
        assert_eq!(process.brokers.messages(), log.len() as u64);
    }
    assert!(closed_early > 0);
}
