//! The simulation bites: what was not synced can be lost, and what was synced cannot.

use super::super::create_data_directory;
use super::*;

fn write(file: &dyn File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_at(offset, &mut [IoSlice::new(bytes)])
}

/// A file with content, synced and linked as asked.
fn try_make(fs: &SimFs, name: &str, content: &[u8], sync_file: bool, sync_directory: bool) -> io::Result<()> {
    let directory = fs.open_directory(Path::new("/"))?;
    let mut file = directory.create(name)?;
    write(file.file(), 0, content)?;
    if sync_file {
        file.file().sync_data()?;
    }
    file.link()?;
    if sync_directory { directory.sync() } else { Ok(()) }
}

fn make(fs: &SimFs, name: &str, content: &[u8], sync_file: bool, sync_directory: bool) {
    try_make(fs, name, content, sync_file, sync_directory).unwrap();
}

fn content(fs: &SimFs, name: &str) -> Option<Vec<u8>> {
    fs.content(Path::new(name)).ok()
}

#[test]
fn a_name_needs_its_directory_synced_and_content_needs_its_file_synced() {
    let fs = SimFs::new();
    make(&fs, "both", b"1", true, true);
    make(&fs, "content", b"2", false, true);
    make(&fs, "name", b"3", true, false);
    assert_eq!(content(&fs, "name").unwrap(), b"3");

    let lost = fs.reboot_losing_all();
    assert_eq!(content(&lost, "both").unwrap(), b"1");
    assert_eq!(content(&lost, "content").unwrap(), b"");
    assert_eq!(content(&lost, "name"), None);
    let kept = fs.reboot_keeping(Survivors::All);
    assert_eq!([content(&kept, "content").unwrap(), content(&kept, "name").unwrap()], [b"2", b"3"]);
}

#[test]
fn unsynced_writes_are_torn_at_sectors_and_every_outcome_occurs() {
    let (mut none, mut all, mut torn, mut short, mut nameless) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let fs = SimFs::new();
        make(&fs, "file", &[1; 8192], false, false);
        let after = fs.reboot(&SeededRng::new(seed));
        let Some(found) = content(&after, "file") else {
            nameless += 1;
            continue;
        };
        for sector in found.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == 1) || sector.iter().all(|byte| *byte == 0));
        }
        match found.iter().filter(|byte| **byte == 1).count() {
            0 => none += 1,
            8192 => all += 1,
            _ => torn += 1,
        }
        short += usize::from(!found.is_empty() && found.len() < 8192);
        assert_eq!(content(&fs.reboot(&SeededRng::new(seed)), "file"), Some(found), "a seed replays");
    }
    assert!(
        [none, all, torn, short, nameless].iter().all(|count| *count > 0),
        "{none} {all} {torn} {short} {nameless}"
    );
}

#[test]
fn a_later_unsynced_write_may_survive_an_earlier_one() {
    let reordered = (0..200).any(|seed| {
        let fs = SimFs::new();
        make(&fs, "file", &[0; 8192], true, true);
        let file = fs.open_catalog(Path::new("file")).unwrap();
        write(file.as_ref(), 0, b"first").unwrap();
        write(file.as_ref(), 4096, b"later").unwrap();
        let after = content(&fs.reboot(&SeededRng::new(seed)), "file").unwrap();
        &after[..5] != b"first" && &after[4096..4101] == b"later"
    });
    assert!(reordered);
}

#[test]
fn an_unnamed_file_is_gone_and_a_named_one_stays_where_there_are_no_unnamed_files() {
    for (fs, left) in [(SimFs::new(), 0), (SimFs::with_named_files(), 1)] {
        let directory = fs.open_directory(Path::new("/")).unwrap();
        let file = directory.create("file").unwrap();
        assert_eq!(fs.list(Path::new("/")).unwrap().len(), left);
        let after = fs.reboot_keeping(Survivors::All);
        drop(file);
        assert_eq!(after.list(Path::new("/")).unwrap().len(), left);
    }
    let fs = SimFs::with_named_files();
    drop(fs.open_directory(Path::new("/")).unwrap().create("file").unwrap());
    assert_eq!(fs.list(Path::new("/")).unwrap(), Vec::<String>::new());
}

#[test]
fn a_directory_that_is_lost_takes_everything_with_it() {
    let fs = SimFs::new();
    assert!(fs.make_directory(Path::new("/a")).unwrap());
    assert!(!fs.make_directory(Path::new("/a")).unwrap());
    let directory = fs.open_directory(Path::new("/a")).unwrap();
    directory.create("file").unwrap().link().unwrap();
    directory.sync().unwrap();
    assert_eq!(fs.remove_directory(Path::new("/a")).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
    assert!(fs.reboot_losing_all().list(Path::new("/")).unwrap().is_empty());
}

#[test]
fn the_data_directory_is_durable_at_any_depth() {
    let fs = SimFs::new();
    create_data_directory(&fs, Path::new("var/lib/wharf")).unwrap();
    assert!(fs.reboot_losing_all().open_directory(Path::new("/var/lib/wharf")).is_ok());
}

#[test]
fn power_is_off_from_the_armed_operation_on() {
    let count = {
        let fs = SimFs::new();
        make(&fs, "file", b"content", true, true);
        fs.operations()
    };
    assert_eq!(count, 5, "create, write, sync, link, sync");
    for step in 0..count {
        let fs = SimFs::new();
        fs.arm_crash_at(step);
        assert!(try_make(&fs, "file", b"x", true, true).is_err() && fs.is_off());
        assert_eq!(fs.operations(), step + 1);
        assert!(fs.list(Path::new("/")).is_err());
        assert!(fs.replace_file(Path::new("other"), b"").is_err());
    }
}

/// Old or new at every step; and each of the two fsyncs inside is needed for that.
#[test]
fn replacing_a_file_is_atomic_and_durable() {
    let path = Path::new("credentials");
    let wrong = |ignored: Option<SyncKind>| {
        let mut wrong = 0;
        for (step, seed) in (0..=5).flat_map(|step| (0..40).map(move |seed| (step, seed))) {
            let fs = SimFs::new();
            fs.replace_file(path, b"old").unwrap();
            ignored.into_iter().for_each(|kind| fs.ignore(kind));
            fs.arm_crash_at(5 + step);
            let done = fs.replace_file(path, &[b'n'; 5000]).is_ok();
            assert_eq!(done, step == 5);
            let after = fs.reboot(&SeededRng::new(seed)).read_file(path, 5000).unwrap().unwrap();
            wrong += usize::from(after != [b'n'; 5000] && (done || after != b"old"));
        }
        wrong
    };
    assert_eq!(wrong(None), 0);
    assert!(wrong(Some(SyncKind::File)) > 0);
    assert!(wrong(Some(SyncKind::Directory)) > 0);
}

#[test]
fn a_failed_sync_loses_what_a_later_one_reports_as_safe() {
    let fs = SimFs::new();
    let file = fs.open_catalog(Path::new("catalog")).unwrap();
    fs.fail(Call::Sync(SyncKind::Catalog), 1, Fault::Device);
    fs.fail(Call::Write, 2, Fault::Full);
    write(file.as_ref(), 0, b"1").unwrap();
    file.sync_data().unwrap();
    write(file.as_ref(), 1, b"2").unwrap();
    assert!(file.sync_data().is_err());
    assert!(super::super::is_full(&write(file.as_ref(), 2, b"3").unwrap_err()));
    file.sync_data().unwrap();
    assert_eq!(content(&fs, "catalog").unwrap(), b"12");
    assert_eq!(content(&fs.reboot_keeping(Survivors::All), "catalog").unwrap(), b"1");
    assert_eq!(fs.sync_counts().get(SyncKind::Catalog), 2);
}

/// Linux keeps the pages it could not write and marks them clean. A catalog that was reopened after a failed sync was read
/// from them, built on what the disk had never got, and was beyond repair after the next power cut.
#[test]
fn the_catalog_is_opened_as_the_device_holds_it() {
    let fs = SimFs::new();
    let file = fs.open_catalog(Path::new("catalog")).unwrap();
    write(file.as_ref(), 0, b"ab").unwrap();
    file.sync_data().unwrap();
    write(file.as_ref(), 0, b"c").unwrap();
    fs.fail(Call::Sync(SyncKind::Catalog), 0, Fault::Device);
    fs.fail(Call::Write, 9, Fault::Full);
    assert!(file.sync_data().is_err());
    write(file.as_ref(), 1, b"d").unwrap();
    assert_eq!(content(&fs, "catalog").unwrap(), b"cd");
    fs.open_catalog(Path::new("catalog")).unwrap();
    assert_eq!(content(&fs, "catalog").unwrap(), b"ad");
    assert_eq!((fs.take_back_faults(), fs.take_back_faults()), (1, 0));
}

#[test]
fn the_lock_is_exclusive_until_its_holder_or_power_is_gone() {
    let (fs, path) = (SimFs::new(), Path::new("wharf.lock"));
    let held = fs.lock(path).unwrap();
    assert!(held.is_some() && fs.lock(path).unwrap().is_none());
    assert!(fs.reboot_losing_all().lock(path).unwrap().is_some());
}
