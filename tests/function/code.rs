//! From a zip to an answer: code is fetched and unpacked once, and what cannot be unpacked is told.

use super::house::{House, call, options, plain_python, whole};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use meridian::function::Runner;
use meridian::function::deployed::Deployed;
use meridian::function::run::{Code, Run};
use meridian::function::unpack::{CodeFolder, CodeLimits};
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use zip::write::SimpleFileOptions;

#[derive(Default)]
struct Shelf {
    zips: HashMap<[u8; 32], Bytes>,
    asked: AtomicU32,
}

impl Code for Shelf {
    fn zip(&self, sha256: [u8; 32]) -> BoxFuture<'_, Result<Bytes, String>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let zip = self.zips.get(&sha256).cloned().ok_or_else(|| "nobody has it".to_owned());
        Box::pin(async move { zip })
    }
}

impl Shelf {
    fn keep(&mut self, deployed: Deployed, zip: Vec<u8>) -> Deployed {
        let mut code_sha256 = [0; 32];
        code_sha256.copy_from_slice(digest(&SHA256, &zip).as_ref());
        self.zips.insert(code_sha256, zip.into());
        Deployed { code_sha256, key: format!("{code_sha256:?}").into(), ..deployed }
    }
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).expect("an entry");
        zip.write_all(text.as_bytes()).expect("its bytes");
    }
    zip.finish().expect("an archive").into_inner()
}

#[test]
fn a_zip_is_fetched_and_unpacked_once_and_runs() {
    let mut house = House::new(options());
    let limits = CodeLimits { unzipped_bytes: 1 << 20, ..CodeLimits::default() };
    let folder = CodeFolder::open(house.folder().join("unpacked"), limits).expect("a folder");
    let script = house
        .bootstrap("f", "while True:\n    id, head, body = ask()\n    answer(id, open('data/a').read().encode())\n");
    let text = std::fs::read_to_string(script.code.join("bootstrap")).expect("its script");
    assert!(text.contains(&plain_python().display().to_string()));
    let mut shelf = Shelf::default();
    let good = shelf.keep(script.deployed.clone(), zip(&[("bootstrap", &text), ("data/a", "from the zip")]));
    let bomb = shelf.keep(script.deployed.clone(), zip(&[("zeros", &"0".repeat(2 << 20))]));
    let absent = Deployed { code_sha256: [7; 32], ..good.clone() };
    let check = zip(&[("zeros", &"0".repeat(2 << 20))]);
    let shelf = Arc::new(shelf);
    let runner = Runner::new(house.take_host(), folder, limits, shelf.clone());
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let (runner, good) = (runner.clone(), good.clone());
            house.spawn(async move { runner.run(good, call("{}")).await.map(whole) })
        })
        .collect();
    for answer in calls {
        assert_eq!(house.block_on(answer).expect("no panic").expect("an answer"), "from the zip");
    }
    assert_eq!(shelf.asked.load(Ordering::Relaxed), 1);
    let refused = house.block_on(runner.run(bomb, call("{}"))).expect_err("refused");
    assert_eq!(refused.kind, "InvalidZipFileException");
    let refused = house.block_on(runner.run(absent, call("{}"))).expect_err("refused");
    assert_eq!((refused.status, refused.kind), (500, "ServiceException"));
    let wrong = house.block_on(runner.check(check.into())).expect_err("wrong");
    assert!(wrong.contains("Unzipped size must be smaller than 1048576 bytes"), "{wrong}");
    assert!(house.block_on(runner.check(zip(&[("a", "b")]).into())).is_ok());
}
