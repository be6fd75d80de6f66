//! A kernel that is a program: it is asked for pieces on its standard input, and writes them to its standard output.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wharf::generator::params::Params;

/// Bytes in front of and behind what the kernel may write, of a value that it must leave alone.
const MAIN: &str = include_str!("main.c");

/// A piece of an image: `n16` times 16 bytes from `offset` on.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) params: Params,
    pub(crate) offset: u64,
    pub(crate) n16: u64,
}

impl Piece {
    /// What the program reads: the kernel's parameters field by field, then the piece.
    fn request(&self) -> Vec<u8> {
        let Params { width, height, stride, bytes_per_pixel, top_down, kind, .. } = self.params;
        let Params { color1, color2, cell, line, seed, step, centre_x, centre_y, .. } = self.params;
        let mut bytes = Vec::new();
        for word in [width, height, stride, bytes_per_pixel, top_down, kind, color1, color2, cell, line] {
            bytes.extend(word.to_le_bytes());
        }
        for long in [seed, step] {
            bytes.extend(long.to_le_bytes());
        }
        for centre in [centre_x, centre_y] {
            bytes.extend(centre.to_le_bytes());
        }
        assert_eq!(bytes.len(), 64);
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.n16.to_le_bytes());
        bytes
    }

    pub(crate) fn bytes(&self) -> usize {
        usize::try_from(self.n16).unwrap() * 16
    }
}

/// Compiles a kernel (C that defines `bmp_part`) into a program in `folder`.
pub(crate) fn compile(folder: &Path, kernel: &str) -> PathBuf {
    let (source, program) = (folder.join("kernel.c"), folder.join("kernel"));
    std::fs::write(&source, [include_str!("shim.c"), kernel, MAIN].concat()).unwrap();
    // What C leaves open where numbers overflow, a GPU does by wrapping.
    let flags = ["-std=gnu11", "-O1", "-fwrapv", "-w", "-x", "c"];
    let output = Command::new("cc").args(flags).arg(&source).arg("-o").arg(&program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// What the program makes of the pieces; an error where it does not end well.
pub(crate) fn run(program: &Path, pieces: &[Piece]) -> Result<Vec<Vec<u8>>, String> {
    let mut command = Command::new(program);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let requests: Vec<u8> = pieces.iter().flat_map(Piece::request).collect();
    let mut input = child.stdin.take().unwrap();
    // A program that has died reads no more; what it did is judged by what came.
    let writer = std::thread::spawn(move || drop(input.write_all(&requests)));
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    writer.join().unwrap();
    let status = child.wait().unwrap();
    let wanted: usize = pieces.iter().map(Piece::bytes).sum();
    if !status.success() || output.len() != wanted {
        return Err(format!("{status}, {} of {wanted} bytes", output.len()));
    }
    let mut rest = output.as_slice();
    let cut = |piece: &Piece| {
        let (bytes, behind) = rest.split_at(piece.bytes());
        rest = behind;
        bytes.to_vec()
    };
    Ok(pieces.iter().map(cut).collect())
}
