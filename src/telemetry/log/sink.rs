//! Where log lines go: a bounded queue and one thread that writes it to standard error.
//!
//! Whoever reads the log may be slow, or gone: lines are dropped and counted then. A request never waits for its log line and
//! never fails with it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait to be written.
const QUEUED_LINES_MAX: usize = 8192;

/// The queue's sending end.
#[derive(Clone)]
pub(super) struct Sink {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    /// Answered when everything before it was written.
    Flush(SyncSender<()>),
}

impl Sink {
    /// A sink whose thread writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUED_LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&lines, &counted, out))?;
        Ok(Self { queue, dropped })
    }

    /// Waits until what was logged so far is written, or for this long.
    pub(super) fn flush(&self, at_most: Duration) {
        let (done, waits) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            // Whether it was written or the time is over makes no difference to whoever is about to end.
            let _: Result<(), _> = waits.recv_timeout(at_most);
        }
    }
}

fn write_all(lines: &Receiver<Message>, dropped: &AtomicU64, mut out: impl Write) {
    for message in lines {
        // A reader that is gone is no reason to stop: it may be the last thing that was wrong.
        match message {
            Message::Line(line) => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _: io::Result<()> = writeln!(out, "{lost} log lines were dropped: nobody read them in time");
                }
                let _: io::Result<()> = out.write_all(&line);
            }
            Message::Flush(done) => {
                let _: io::Result<()> = out.flush();
                let _: Result<(), _> = done.try_send(());
            }
        }
    }
}

/// One line, sent when it is dropped.
pub(super) struct Line<'a> {
    sink: &'a Sink,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.bytes);
        if !line.is_empty() && self.sink.queue.try_send(Message::Line(line)).is_err() {
            self.sink.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { sink: self, bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Says that a write has begun, takes it only when the test gives a permit, and passes on what was written.
    struct Slow {
        begun: Sender<()>,
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.begun.send(()).map_err(io::Error::other)?;
            self.permits.recv().map_err(io::Error::other)?;
            self.written.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_nothing_else() {
        // 208 requests filled the pipe of a reader that did not read, and then every request hung.
        let (begun, begins) = channel();
        let (permit, permits) = channel();
        let (written, lines) = channel();
        let sink = Sink::start(Slow { begun, permits, written }).unwrap();
        write!(sink.make_writer(), "first").unwrap();
        begins.recv().unwrap();
        for number in 0..QUEUED_LINES_MAX + 100 {
            write!(sink.make_writer(), "{number}").unwrap();
        }
        assert_eq!(sink.dropped.load(Ordering::Relaxed), 100);
        for _ in 0..2 {
            permit.send(()).unwrap();
        }
        assert_eq!(lines.recv().unwrap(), b"first");
        assert_eq!(lines.recv().unwrap(), b"100", "the next line begins with the number of those that were lost");
        // A reader that is gone fails the writes, and nobody else.
        drop((begins, permit, lines));
        write!(sink.make_writer(), "still here").unwrap();
        sink.flush(Duration::from_secs(10));
    }
}
