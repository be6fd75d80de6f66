//! Unix sockets in the data directory: as private as every other file there, and reachable however deep it lies.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::parent_of;

const SOCKET_MODE: u32 = 0o600;
/// `sun_path` has 108 bytes on Linux, of which the last ends the path.
const ADDRESS_MAX_BYTES: usize = 107;

/// A path that is short enough to be the address of a socket. A longer one leads through a descriptor of its directory,
/// which is open as long as this lives.
#[derive(Debug)]
pub struct SocketAddress {
    path: PathBuf,
    _directory: Option<OwnedFd>,
}

impl SocketAddress {
    /// The address of the socket at `path`; an error when it is long and its directory cannot be opened.
    pub fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().as_bytes().len() <= ADDRESS_MAX_BYTES {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent_of(path), flags, Mode::empty())?;
        let mut short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        short.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        Ok(Self { path: short, _directory: Some(directory) })
    }

    /// The path to bind or to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the file that this socket gets when it is bound private (0600). To be called before: Linux gives the file the mode
/// of the socket, so there is no moment at which others can open it.
pub fn make_private(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fchmod(socket, Mode::from_raw_mode(SOCKET_MODE))?)
}

/// Removes the socket at `path`, if there is one. Whatever else stands there stays, and is an error.
pub fn remove_socket(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket stands there"));
    }
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::net::{UnixSocket, UnixStream};

    use super::*;

    #[tokio::test]
    async fn a_socket_is_private_at_any_depth_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        for directory in [root.path(), &deep] {
            let path = directory.join("admin.sock");
            let address = SocketAddress::of(&path).unwrap();
            for _ in 0..2 {
                remove_socket(&path).unwrap();
                let socket = UnixSocket::new_stream().unwrap();
                make_private(&socket).unwrap();
                socket.bind(address.path()).unwrap();
                let _listener = socket.listen(1).unwrap();
                assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
                UnixStream::connect(SocketAddress::of(&path).unwrap().path()).await.unwrap();
            }
            remove_socket(&path).unwrap();
            assert!(!path.exists());
            std::fs::write(&path, "a file").unwrap();
            assert_eq!(remove_socket(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(&path).unwrap(), b"a file");
        }
    }
}
