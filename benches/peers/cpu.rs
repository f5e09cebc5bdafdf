//! CPU seconds and memory of other processes.

use std::fs;
use std::process::Command;

/// Ticks per second of `/proc/*/stat`; Linux has shown 100 to user space on every architecture since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds (user + system) a living process has used, its waited-for children included.
pub fn seconds(pid: u32) -> f64 {
    ticks(pid, &[11, 12, 13, 14]) / TICKS_PER_SECOND
}

fn ticks(pid: u32, wanted: &[usize]) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command name may hold spaces and parentheses: fields are counted from the last `)`.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    wanted.iter().filter_map(|i| fields.get(*i)?.parse::<f64>().ok()).sum()
}

/// Finer than `/proc/*/stat`: nanoseconds the scheduler gave to the threads of a process.
pub fn scheduled_seconds(pid: u32) -> f64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    tasks
        .flatten()
        .filter_map(|t| fs::read_to_string(t.path().join("schedstat")).ok()?.split_whitespace().next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}

/// The process and all below it.
pub fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while at < all.len() {
        let children = fs::read_to_string(format!("/proc/{}/task/{}/children", all[at], all[at])).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
        // Children are listed under the thread that made them.
        if let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", all[at])) {
            let first = all[at].to_string();
            for t in tasks.flatten().filter(|t| t.file_name().to_string_lossy() != first) {
                let text = fs::read_to_string(t.path().join("children")).unwrap_or_default();
                all.extend(text.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
            }
        }
        at += 1;
    }
    all
}

/// Resident bytes of a process that no other process shares.
pub fn private_bytes(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kib = |key: &str| {
        let line = rollup.lines().find(|l| l.starts_with(key));
        line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
    };
    1024 * (kib("Private_Clean:") + kib("Private_Dirty:"))
}

/// Runs a command to its end and returns the CPU seconds of it and of all it started, those included that it leaves behind: an
/// import does not wait for the process that read the file.
///
/// # Panics
/// When it cannot be started or fails: a benchmark of a failure is worth nothing.
pub fn of_command(command: &mut Command) -> f64 {
    use rustix::process::{WaitOptions, set_child_subreaper, wait};
    // Who loses its parent becomes a child of this process.
    set_child_subreaper(Some(rustix::process::getpid())).expect("Linux has this since 3.4");
    let before = of_waited_for();
    let mut child = command.spawn().unwrap_or_else(|e| panic!("start {command:?}: {e}"));
    let status = child.wait().expect("the child is ours");
    assert!(status.success(), "{command:?} ended with {status}");
    // Until there are no children left. Sections run one after another, so there are no others.
    while wait(WaitOptions::empty()).is_ok() {}
    of_waited_for() - before
}

/// CPU seconds of children of this process that have ended and were waited for, and of theirs.
fn of_waited_for() -> f64 {
    ticks(std::process::id(), &[13, 14]) / TICKS_PER_SECOND
}
