//! The log room against real files, a full disk and a disk that does not answer.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

const LONG: Duration = Duration::from_secs(20);

fn room(folder: &Path, options: LogOptions) -> LogRoom {
    LogRoom::start(LogTo::Files(folder.to_owned()), &options).expect("a folder and a thread")
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_default()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_name_is_safe_as_a_files_and_another_one_for_each_stage() {
    let name = |api: &str, stage: &str| LogName::access(api, stage).as_str().to_owned();
    assert_eq!(name("a1b2c3d4e5", "prod"), "access-a1b2c3d4e5-prod");
    assert_eq!(LogName::execution("a1b2c3d4e5", "v-1_x").as_str(), "execution-a1b2c3d4e5-v-1_x");
    assert_eq!(name("../../etc", "a/b\0\n$default"), "access-%2e%2e%2f%2e%2e%2fetc-a%2fb%00%0a%24default");
    assert_ne!(name("a-b", "c"), name("a", "b-c"));
    assert_ne!(name("a", "%2f"), name("a", "/"));
    let long = |end: &str| name("a1b2c3d4e5", &format!("{}{end}", "/".repeat(500)));
    assert!(long("x").len() < 200 && long("x") != long("y"), "{}", long("x"));
}

#[test]
fn lines_of_all_workers_go_to_their_own_logs_and_none_is_left_at_a_stop() {
    let dir = tempfile::tempdir().expect("folder");
    let folder = dir.path().join("logs");
    let room = room(&folder, LogOptions::default());
    let (access, execution) = (LogName::access("api", "prod"), LogName::execution("api", "prod"));
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (shelf, access, execution) = (room.shelf(), access.clone(), execution.clone());
            std::thread::spawn(move || {
                for line in 0..500 {
                    shelf.push(&access, &format!("{worker} {line}"));
                }
                shelf.push(&execution, "two\nlines\n");
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
    assert!(room.stop(LONG), "the writer ends");
    let text = read(&folder, "access-api-prod.log");
    assert_eq!(text.lines().count(), 2_000);
    let of_one: Vec<&str> = text.lines().filter(|line| line.starts_with("3 ")).collect();
    assert!(
        of_one.iter().enumerate().all(|(at, line)| **line == format!("3 {at}")),
        "a worker's lines keep their order"
    );
    assert_eq!(read(&folder, "execution-api-prod.log"), "two\nlines\n".repeat(4));
    assert_eq!(room.lost(), 0);
    let mode = std::fs::metadata(folder.join("access-api-prod.log")).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn lines_are_written_soon_without_a_stop() {
    let dir = tempfile::tempdir().expect("folder");
    let room = room(dir.path(), LogOptions::default());
    room.shelf().push(&LogName::access("api", "prod"), "one");
    until("written", || read(dir.path(), "access-api-prod.log") == "one\n");
}

#[test]
fn a_full_file_is_set_aside_and_the_oldest_goes() {
    let dir = tempfile::tempdir().expect("folder");
    let options = LogOptions { file_bytes: 20, keep: 2, ..LogOptions::default() };
    let room = room(dir.path(), options);
    let (shelf, name) = (room.shelf(), LogName::access("api", "prod"));
    for line in 0..9 {
        shelf.push(&name, &format!("line {line}"));
    }
    shelf.push(&name, &"long".repeat(10));
    assert!(room.stop(LONG));
    assert_eq!(read(dir.path(), "access-api-prod.log"), format!("{}\n", "long".repeat(10)), "longer than a file");
    assert_eq!(read(dir.path(), "access-api-prod.log.1"), "line 8\n");
    assert_eq!(read(dir.path(), "access-api-prod.log.2"), "line 6\nline 7\n");
    assert!(!dir.path().join("access-api-prod.log.3").exists());
    assert_eq!(room.lost(), 0);
}

#[test]
fn a_file_that_was_begun_before_goes_on_and_few_are_open_at_once() {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("access-api-s3.log"), "before\n").expect("written");
    let room = room(dir.path(), LogOptions { open_files: 2, ..LogOptions::default() });
    let shelf = room.shelf();
    for turn in 0..3 {
        for stage in 0..5 {
            shelf.push(&LogName::access("api", &format!("s{stage}")), &format!("turn {turn}"));
        }
    }
    assert!(room.stop(LONG));
    for stage in 0..5 {
        let before = if stage == 3 { "before\n" } else { "" };
        let wanted = format!("{before}turn 0\nturn 1\nturn 2\n");
        assert_eq!(read(dir.path(), &format!("access-api-s{stage}.log")), wanted);
    }
}

#[test]
fn a_full_disk_costs_the_lines_and_nothing_else() {
    let dir = tempfile::tempdir().expect("folder");
    std::os::unix::fs::symlink("/dev/full", dir.path().join("access-api-full.log")).expect("link");
    let mut registry = Registry::default();
    let room = room(dir.path(), LogOptions::default());
    room.measure(&mut registry);
    let shelf = room.shelf();
    for _ in 0..3 {
        shelf.push(&LogName::access("api", "full"), "no space");
    }
    shelf.push(&LogName::access("api", "good"), "space");
    assert!(room.stop(LONG));
    assert_eq!(read(dir.path(), "access-api-good.log"), "space\n");
    assert_eq!(room.lost(), 3);
    let text = crate::observe::encode(&registry).expect("text");
    for line in ["log_lines_lost_total 3", "log_write_failures_total 1", "log_written_bytes_total 6"] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
}

#[test]
fn a_disk_that_does_not_answer_holds_nobody_up_and_takes_bounded_memory() {
    /// A stream that waits for a signal at its first write.
    struct Stuck(std::sync::mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            held(&self.1).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (go, wait) = std::sync::mpsc::channel();
    let written: Arc<Mutex<Vec<u8>>> = Arc::default();
    let stream = LogTo::Stream(Box::new(Stuck(wait, written.clone())));
    let room = LogRoom::start(stream, &LogOptions { waiting_bytes: 1_000, ..LogOptions::default() }).expect("thread");
    let (shelf, name) = (room.shelf(), LogName::access("api", "prod"));
    let pushed = 1_000;
    for _ in 0..pushed {
        shelf.push(&name, "123456789");
    }
    assert!(room.lost() >= pushed - 200, "at most what one shelf and the writer's hand hold: {}", room.lost());
    assert!(!room.stop(Duration::from_millis(50)), "it still hangs");
    drop(go);
    assert!(room.stop(LONG));
    let text = String::from_utf8(held(&written).clone()).expect("text");
    assert_eq!(text.lines().count() as u64, pushed - room.lost());
    assert!(text.lines().all(|line| line == "access-api-prod 123456789"), "each line names its log");
}

#[test]
fn groups_of_functions_have_a_log_each() {
    let name = |group: &str| LogName::function("000000000000", "eu-west-1", group).as_str().to_owned();
    assert_eq!(name("/aws/lambda/hello-x"), "function-000000000000.eu-west-1.hello-x");
    assert_eq!(name("/own/group"), "function-000000000000.eu-west-1.%2fown%2fgroup");
    assert_ne!(name("/aws/lambda/a/b"), name("/aws/lambda/a%2fb"));
    assert!(!name("../../x").contains('/'));
}
