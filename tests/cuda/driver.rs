//! The driver in C, built by the C compiler that Rust links with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A folder with the whole driver.
pub(crate) fn whole() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("whole", &[])).clone()
}

/// A folder with a driver that cannot launch.
pub(crate) fn without_launch() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("without_launch", &["-DWITHOUT_LAUNCH"])).clone()
}

/// A folder with libraries that no one can load: they hide the machine's own, should it have one.
pub(crate) fn absent() -> PathBuf {
    let folder = folder("absent");
    for name in ["libcuda.so", "libcuda.so.1"] {
        std::fs::write(folder.join(name), "no library").unwrap();
    }
    folder
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn build(name: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kernel = root.join("src/generator/kernel/pattern.cu");
    let folder = folder(name);
    // Another run of the tests may be using the last one.
    let fresh = folder.join(format!("libcuda-{}", std::process::id()));
    let mut compiler = Command::new("cc");
    // Signed numbers wrap, as they do on the device.
    compiler.args(["-shared", "-fPIC", "-O2", "-fwrapv", "-std=gnu11", "-pthread"]).args(flags);
    compiler.arg(format!("-DKERNEL=\"{}\"", kernel.display())).arg("-o").arg(&fresh);
    let output = compiler.arg(root.join("tests/cuda/libcuda.c")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The bindings look for `libcuda.so` first; a machine with a GPU and its tools has one.
    std::fs::copy(&fresh, folder.join("libcuda.so.copy")).unwrap();
    std::fs::rename(folder.join("libcuda.so.copy"), folder.join("libcuda.so")).unwrap();
    std::fs::rename(&fresh, folder.join("libcuda.so.1")).unwrap();
    folder
}
