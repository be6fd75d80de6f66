//! Every limit in one place, each named with its unit last. Sources are S3's quotas page unless said otherwise
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).

use std::time::Duration;

/// Parts of one multipart upload, and the highest part number.
pub const PARTS_MAX: u16 = 10_000;
/// Parts of one session of the upload API: chunks of a form, or what a tus upload was sealed in.
pub const SESSION_PARTS_MAX: u32 = 100_000;
/// What a session keeps for the protocol that began it.
pub const SESSION_NOTE_MAX_BYTES: usize = 16 << 10;
/// Smallest part that is not the last one.
pub const PART_SIZE_MIN_BYTES: u64 = 5 << 20;
/// Largest part, and the largest body of one PUT.
pub const PUT_SIZE_MAX_BYTES: u64 = 5 << 30;
/// Largest object: 10,000 parts of 5 GiB.
pub const OBJECT_SIZE_MAX_BYTES: u64 = PUT_SIZE_MAX_BYTES * PARTS_MAX as u64;
/// Longest object key, in bytes of UTF-8.
pub const KEY_MAX_BYTES: usize = 1024;
/// `x-amz-meta-*` names and values together.
pub const USER_METADATA_MAX_BYTES: usize = 2048;
/// `x-amz-website-redirect-location`.
pub const REDIRECT_LOCATION_MAX_BYTES: usize = 2048;
/// Rules of one CORS document.
pub const CORS_RULES_MAX: usize = 100;
/// What a rule of a CORS document may be called, in characters.
pub const CORS_RULE_ID_MAX_CHARACTERS: usize = 255;
/// Longest Origin that a rule can match: a scheme, a host name of 253 bytes and a port, and some more.
pub const CORS_ORIGIN_MAX_BYTES: usize = 512;
/// How long browsers may remember what the built-in rules answered to a preflight.
pub const CORS_MAX_AGE: Duration = Duration::from_secs(3600);
/// Tags of one object.
pub const OBJECT_TAGS_MAX: usize = 10;
/// Tags of one bucket.
pub const BUCKET_TAGS_MAX: usize = 50;
/// Longest key of a tag, in characters.
pub const TAG_KEY_MAX_CHARACTERS: usize = 128;
/// Longest value of a tag, in characters.
pub const TAG_VALUE_MAX_CHARACTERS: usize = 256;
/// Keys or prefixes in one page of a listing.
pub const LIST_PAGE_MAX: usize = 1000;
/// Keys in one DeleteObjects request.
pub const DELETE_KEYS_MAX: usize = 1000;
/// Buckets of one store.
pub const BUCKETS_MAX: usize = 10_000;
/// Records of one kind that the ranks above the store keep: access keys, or tokens.
pub const RECORDS_MAX: usize = 10_000;
/// Longest name of such a record.
pub const RECORD_NAME_MAX_BYTES: usize = 1024;
/// Largest such record: a key's policy, and little else.
pub const RECORD_MAX_BYTES: usize = 64 << 10;

/// Request line and headers together, as far as wharf answers with an S3 error.
pub const HEADERS_MAX_BYTES: usize = 16 << 10;
/// hyper's buffer of one connection: a head that does not fit is answered 431 and the connection closed.
pub const CONNECTION_BUFFER_MAX_BYTES: usize = 64 << 10;
/// Headers of one request: 2 KiB of user metadata can be that many short ones.
pub const HEADERS_MAX: usize = 400;
/// Parameters of one query: S3's operations take at most two dozen.
pub const QUERY_PARAMETERS_MAX: usize = 128;
/// CompleteMultipartUpload's document: 10,000 parts with a checksum each take under 3 MiB.
pub const COMPLETE_BODY_MAX_BYTES: usize = 4 << 20;
/// DeleteObjects' document: 1000 keys of 1024 bytes, each perhaps six times as long in entities.
pub const DELETE_BODY_MAX_BYTES: usize = 8 << 20;
/// Any other XML document.
pub const XML_BODY_MAX_BYTES: usize = 64 << 10;
/// Documents of all requests together, as far as they have come.
pub const DOCUMENTS_MAX_BYTES: usize = 256 << 20;
/// Copies that read and write bytes at a time; further ones wait. More would only share the same disk.
pub const COPIES_CONCURRENT: usize = 32;
/// Requests at a time that judge many keys or buckets by policies, on threads of their own; further ones wait. Long policies take
/// milliseconds a judgement.
pub const JUDGEMENTS_CONCURRENT: usize = 8;
/// Depth of a request document.
pub const XML_DEPTH_MAX: usize = 16;
/// Elements of a request document: CompleteMultipartUpload's 10,000 parts with up to eight each.
pub const XML_ELEMENTS_MAX: usize = 100_000;
/// DeleteObjects' deletes under way at once: enough to fill a group commit.
pub const DELETES_CONCURRENT: usize = 64;
/// A line of aws-chunked framing: chunk size, extensions and signature.
pub const CHUNK_LINE_MAX_BYTES: usize = 1024;
/// What a POST form may contain before its file, boundaries and heads of parts included (AWS: 20 KB), and again behind it.
pub const POST_FIELDS_MAX_BYTES: usize = 20 << 10;
/// The trailer section of an aws-chunked body.
pub const TRAILER_MAX_BYTES: usize = 4096;
/// Smallest chunk of an aws-chunked body that is not the last (AWS: 8 KiB).
pub const CHUNK_MIN_BYTES: u64 = 8 << 10;

/// A policy's document, of a bucket (AWS: 20 KB) as of an identity or a session (AWS: 6,144 characters at most).
pub const POLICY_MAX_BYTES: usize = 20 << 10;
/// Statements of one policy.
pub const POLICY_STATEMENTS_MAX: usize = 200;
/// Values of one list in a policy: actions, resources, principals or the values of one condition.
pub const POLICY_VALUES_MAX: usize = 1000;
/// Objects and lists within each other in a policy: the values of a condition are the sixth.
pub const POLICY_DEPTH_MAX: usize = 8;
/// What a request may put in the place of a policy's variable: a longer value is none. A policy's patterns are made anew with each
/// request that brings such values, so their length is what a judgement costs.
pub const POLICY_VARIABLE_MAX_CHARACTERS: usize = 256;
/// A pattern of a policy, before and after its variables got their values. An ARN with the longest key is shorter by far.
pub const POLICY_PATTERN_MAX_CHARACTERS: usize = 2048;

/// Difference allowed between a signature's time and ours.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest life of a presigned URL.
pub const PRESIGN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Derived signing keys kept in memory, one for each key, day and region in use.
pub const SIGNING_KEYS_CACHED_MAX: usize = 1024;

/// Shortest and longest life of temporary credentials (AWS: 15 minutes to 12 hours; MinIO: to 7 days).
pub const SESSION_MIN: Duration = Duration::from_secs(15 * 60);
/// ... longest
pub const SESSION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest name of a session.
pub const SESSION_NAME_MAX_CHARS: usize = 64;
/// Longest policy that narrows a session, as it comes.
pub const SESSION_POLICY_MAX_BYTES: usize = 2048;
/// Longest session token: what a head may have of it beside the rest.
pub const SESSION_TOKEN_MAX_BYTES: usize = 8 << 10;
/// The parameters of a call of the Security Token Service.
pub const STS_BODY_MAX_BYTES: usize = 16 << 10;

/// A complete or a copy that takes longer begins its answer before it is done.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// ... and sends a blank this often until it is.
pub const BLANK_EVERY: Duration = Duration::from_secs(5);
/// Time for a complete request head; also how long an idle keep-alive connection is held.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest pause between two reads of a request body, and of a response's reader between two writes.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Slowest transfer of a request body or a response, over all the time in which the client is waited for: what a modem did.
/// A wait of `BODY_IDLE_TIMEOUT` is borne before the count begins.
pub const TRANSFER_MIN_BYTES_PER_SECOND: u64 = 512;
/// A certificate chain or a private key in PEM.
pub const TLS_FILE_MAX_BYTES: u64 = 1 << 20;
/// TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the files of the TLS certificate and its key are looked at.
pub const TLS_FILES_CHECKED_EVERY: Duration = Duration::from_secs(5);
/// Life of a certificate that the gateway makes for itself: the longest that browsers take.
pub const SELF_SIGNED_LIFE: Duration = Duration::from_secs(397 * 24 * 3600);
/// ... which begins this long before it is made
pub const SELF_SIGNED_BACKDATED: Duration = Duration::from_secs(24 * 3600);
/// ... and is renewed this long before its end.
pub const SELF_SIGNED_RENEWED_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Unread request bytes that are read and dropped after a final answer, so that closing does not reset the connection.
pub const LINGER_MAX_BYTES: usize = 16 << 20;
/// ... and for how long.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// An unread rest of a request body this small is read away, if it comes at once, to keep the connection.
pub const UNREAD_BODY_MAX_BYTES: usize = 64 << 10;
/// ... and how soon it must have come.
pub const UNREAD_BODY_TIMEOUT: Duration = Duration::from_millis(100);
/// Connections of one listener at a time; further ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 10_000;
/// ... and of one client, over all listeners: a quarter of them, for the many that may sit behind one address. This machine
/// itself and trusted proxies speak for any number of clients and are not bounded by it.
pub const CONNECTIONS_PER_CLIENT_MAX: usize = 2500;

/// Bodies up to this size live in the catalog, in the commit that names them.
pub const INLINE_MAX_BYTES: usize = 4 << 10;
/// Bytes a body writer gathers before it hands them to a blocking thread.
pub const WRITE_UNIT_BYTES: usize = 1 << 20;
/// Bytes one read of a response takes from a blob.
pub const READ_UNIT_BYTES: usize = 256 << 10;
/// Idle read buffers kept for the next responses.
pub const READ_BUFFERS_KEPT: usize = 64;
/// Checksummed block of a blob.
pub const BLOCK_BYTES: usize = 64 << 10;
/// Part of a blob on its way to an object store; what is smaller goes in one request. Above S3's smallest (5 MiB), and few
/// enough for the largest body.
pub const REMOTE_PART_BYTES: usize = 8 << 20;
/// Such parts of one blob under way at once: with the one that fills, a blob holds three in memory.
pub const REMOTE_PARTS_IN_FLIGHT_MAX: usize = 2;
/// What opening a blob in an object store fetches of its end: small blobs whole, the footer of blobs up to a gibibyte.
pub const REMOTE_TAIL_BYTES: usize = 64 << 10;
/// Deadline of one call of an object store, the retries of its client (at most 3 minutes) included.
pub const REMOTE_CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// Files of one blob directory.
pub const DIRECTORY_FILES_MAX: u64 = 16_384;
/// Extents in one record of a manifest. Part of the catalog's format.
pub const EXTENTS_PER_RECORD: usize = 512;
/// Batches in one group commit.
pub const GROUP_BATCHES_MAX: usize = 128;
/// How often a change that requires what it saw of an object is made anew from a fresh look, after a commit was refused because
/// somebody else changed the object meanwhile. Each lost try is somebody else's success, so the store goes forward, and a look
/// costs no write: only hundreds who change one key at the same moment come to the end of this and hear of a conflict.
pub const COMMIT_TRIES_MAX: usize = 256;
/// How often a copy computes a checksum whose source has another body by the time it is committed. Each body is read once at
/// most, and somebody else sent it in full: what is read in vain is never more than what was written.
pub const COPY_CHECKSUM_READS_MAX: usize = 256;
/// Batches that wait for the committer at a time; further ones are turned away. A batch waits for as long as the disk
/// takes, even when the request that made it has gone, so requests alone do not bound the queue.
pub const QUEUED_BATCHES_MAX: usize = 16_384;
/// From this many batches on a commit also saves the allocator state (redb's quick repair): free there.
pub const QUICK_REPAIR_BATCHES_MIN: usize = 16;
/// redb's page cache.
pub const CATALOG_CACHE_BYTES: usize = 64 << 20;
/// Grave entries, files of a sweep or uploads of an expiry pass handled in one step.
pub const MAINTENANCE_STEP_ITEMS: usize = 256;
/// How long a completed upload still answers a repeated CompleteMultipartUpload.
pub const COMPLETED_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The reserve of free bytes kept back: its share of the filesystem, and its bounds.
pub const RESERVE_SHARE_PERCENT: u64 = 1;
/// ... at least
pub const RESERVE_MIN_BYTES: u64 = 256 << 20;
/// ... at most
pub const RESERVE_MAX_BYTES: u64 = 10 << 30;
/// Free inodes kept back, on filesystems that count them.
pub const RESERVE_INODES: u64 = 1024;

/// Body of a request to the administration.
pub const ADMIN_BODY_MAX_BYTES: usize = 64 << 10;
/// Connections of the administration's socket at a time.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// A head of a request to that socket, and the longest pause in its body.
pub const ADMIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Items on one page of an administration's listing ...
pub const ADMIN_PAGE_MAX: usize = 1000;
/// ... and where the caller does not say.
pub const ADMIN_PAGE_DEFAULT: usize = 100;
/// Parts that one page of open uploads adds up, before it ends early.
pub const ADMIN_PAGE_PARTS_MAX: usize = 100_000;
/// Bearer tokens of one access key.
pub const TOKENS_PER_KEY_MAX: usize = 1000;
/// Life of a bearer token where its maker does not say.
pub const TOKEN_LIFE_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest life of a bearer token.
pub const TOKEN_LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Name of an access key, in characters.
pub const ACCESS_KEY_NAME_MAX_CHARACTERS: usize = 128;

/// A JSON document of a request to the upload API that lists parts: a complete of 10,000 takes under 1 MiB.
pub const API_PARTS_BODY_MAX_BYTES: usize = 2 << 20;
/// Any other JSON document of it.
pub const API_BODY_MAX_BYTES: usize = 64 << 10;
/// JSON documents of all requests to it together, as far as they have come, and answers that are large, until they are taken.
pub const API_DOCUMENTS_MAX_BYTES: usize = 256 << 20;
/// What a presigned URL in an answer is reckoned with ...
pub const URL_RECKONED_BYTES: usize = 1 << 10;
/// ... and one with a session token in it.
pub const URL_WITH_TOKEN_RECKONED_BYTES: usize = 8 << 10;
/// Members and items in such a document, all levels together: 10,000 parts have four each, and some.
pub const API_JSON_ITEMS_MAX: usize = 60_000;
/// What a form chunk may contain beside its file.
pub const CHUNK_FIELDS_MAX_BYTES: usize = 16 << 10;
/// Missing chunks that the answer to one names; asking for the state names all.
pub const CHUNK_MISSING_SHOWN_MAX: usize = 100;
/// Parts of a presigned session where its client does not say how large they are: of this size, or larger where there would be
/// more than [`PARTS_MAX`].
pub const SESSION_PART_SIZE_BYTES: u64 = 8 << 20;
/// What a tus PATCH brings is sealed each time this much has come: so much is lost at most when the connection ends with the
/// gateway. Uploads that would have too many pieces get larger ones.
pub const TUS_PIECE_BYTES: u64 = 64 << 20;
/// `Upload-Metadata`, as it comes.
pub const TUS_METADATA_MAX_BYTES: usize = 6 << 10;
/// `Upload-Concat`, as it comes: over a hundred partial uploads.
pub const TUS_CONCAT_MAX_BYTES: usize = 8 << 10;
/// What a form of FilePond may contain beside its file.
pub const FILEPOND_FIELDS_MAX_BYTES: usize = 16 << 10;
/// An id that FilePond was given, metadata included.
pub const FILEPOND_ID_MAX_BYTES: usize = 4 << 10;
/// Width and height of a generated image: what browsers and the common decoders of BMP take.
pub const IMAGE_SIDE_MAX_PIXELS: u32 = 65_535;
/// A generated image's file: BMP counts its bytes in 32 bits.
pub const IMAGE_FILE_MAX_BYTES: u64 = u32::MAX as u64;
/// Cells of a pattern (checkerboard, grid, noise), and a grid's lines.
pub const PATTERN_CELL_MAX_PIXELS: u32 = 65_535;
/// A zone plate's finest rings, in percent of the finest that pixels can show.
pub const PATTERN_ZONEPLATE_MAX_PERCENT: u32 = 1000;
/// Pairs of a dark and a light spoke of a Siemens star.
pub const PATTERN_SPOKES_MAX: u32 = 1024;
/// Seeds are whole numbers that JavaScript holds exactly.
pub const PATTERN_SEED_MAX: u64 = (1 << 53) - 1;
/// Real and imaginary part of the centre of a picture of the Mandelbrot set, either sign.
pub const PATTERN_MANDELBROT_CENTRE_MAX: f64 = 2.0;
/// What the longer side of such a picture spans in the plane ...
pub const PATTERN_MANDELBROT_SPAN_MAX: f64 = 4.0;
/// ... at least: a few hundred of the steps that the arithmetic has.
pub const PATTERN_MANDELBROT_SPAN_MIN: f64 = 0.000_001;

/// Longest URL that a client of ours is told to call: a presigned one with a session token.
pub const URL_MAX_BYTES: usize = 16 << 10;
/// How long a resolver is waited for.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses of one host that are tried.
pub const DESTINATION_ADDRESSES_MAX: usize = 8;

/// Body of a request to generate: a URL for each of 10,000 parts; also the longest answer that brings such URLs.
pub const GENERATE_BODY_MAX_BYTES: usize = 16 << 20;
/// Members and items in such a body, all levels together: 10,000 URLs, 10,000 numbers and the rest.
pub const GENERATE_ITEMS_MAX: usize = 20_200;
/// Body of a request to cancel a generation.
pub const CANCEL_BODY_MAX_BYTES: usize = 4 << 10;
/// Hosts that the URLs of one generation may name: one is enough, and each is looked up.
pub const GENERATION_HOSTS_MAX: usize = 16;
/// What a generation, or the upload it fills, may be called.
pub const GENERATION_NAME_MAX_BYTES: usize = 1024;
/// The token that a generation reports with.
pub const GENERATION_TOKEN_MAX_BYTES: usize = 8 << 10;
/// Generations under way at a time: while one waits for a gateway that is away, another goes on.
pub const GENERATIONS_RUNNING_MAX: usize = 2;
/// Generations that wait for their turn; further ones are turned away.
pub const GENERATIONS_QUEUED_MAX: usize = 16;
/// Parts of one generation that are sent at a time.
pub const GENERATION_PARTS_CONCURRENT: usize = 4;
/// Pieces of images in memory at a time: each part that is sent has one on its way and one in the making.
pub const RENDER_SLOTS: usize = 2 * GENERATION_PARTS_CONCURRENT;
/// A piece of an image: parts are made piece by piece, so memory does not depend on their size.
pub const RENDER_SLOT_BYTES: usize = 4 << 20;
/// What a piece is handed to the connection in.
pub const RENDER_FRAME_BYTES: usize = 256 << 10;
/// Connecting, and again the answer once a part is sent: storage may have to sync it first.
pub const PART_ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// What storage may say about a part.
pub const PART_ANSWER_MAX_BYTES: usize = 64 << 10;
/// A call of the gateway's API.
pub const GATEWAY_CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Telling the gateway about a part: nothing depends on it.
pub const GATEWAY_NOTE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a generation goes on trying while storage or gateway fail without a success in between: a restart, an upgrade.
pub const GENERATION_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// The pause before the first further try ...
pub const RETRY_PAUSE_MIN: Duration = Duration::from_millis(200);
/// ... which doubles up to this
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// ... unless the other side asks for longer, up to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// How often a part is sent again because what arrived was not what was sent.
pub const PART_DAMAGED_MAX: u32 = 5;
/// How often in a row a part's URL is renewed because it is refused.
pub const PART_RENEWALS_MAX: u32 = 3;

/// Generations that are not over yet, waiting or under way; further ones are turned away for a while.
pub const GENERATIONS_UNFINISHED_MAX: usize = 1000;
/// ... of one key, unless that is root, and of nobody: no one's generations keep out everybody else's.
pub const GENERATIONS_UNFINISHED_PER_KEY_MAX: usize = 100;
/// Generations of the history. Beyond them the oldest that are over are forgotten, so that there is always a record left of
/// [`RECORDS_MAX`] for those that are not.
pub const GENERATIONS_KEPT_MAX: usize = 9000;
/// Generations of one page of the history where nobody says.
pub const GENERATIONS_PAGE_DEFAULT: usize = 100;
/// Generations that one page looks at: those that the caller may not see count too.
pub const GENERATIONS_LOOKED_AT_MAX: usize = 2000;
/// Requests that look at many generations or callbacks at a time, each on a thread of its own.
pub const HISTORY_JUDGEMENTS_CONCURRENT: usize = 4;
/// Why a generation failed, as far as it is kept.
pub const GENERATION_ERROR_MAX_CHARACTERS: usize = 1000;
/// Generations that are looked after at a moment: asking a generator may take a while.
pub const GENERATIONS_PURSUED_CONCURRENT: usize = 8;
/// How often a generation under way is looked at.
pub const GENERATION_LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a generation may go without a part before its generator is asked again; it doubles each time in a row ...
pub const GENERATION_SILENCE_MIN: Duration = Duration::from_secs(10);
/// ... up to this.
pub const GENERATION_SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long one may go without a part, and without a generator that is busy, before it has failed.
pub const GENERATION_STALLED_MAX: Duration = Duration::from_secs(3600);
/// ... and however busy the generator is.
pub const GENERATION_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Asking a generator.
pub const GENERATOR_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// ... that is to stop: the generation is over whether it hears of it or not.
pub const GENERATOR_CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// The answer of a generator, or of who is called back.
pub const PEER_ANSWER_MAX_BYTES: usize = 64 << 10;
/// The pause before a generator is asked again that is busy or cannot be reached ...
pub const GENERATOR_PAUSE_MIN: Duration = Duration::from_secs(1);
/// ... which doubles up to this, and is never longer, whatever the generator asks for.
pub const GENERATOR_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Events of one generation that can be replayed: a status now and then, and 820 parts of at least 5 MiB.
pub const EVENTS_KEPT_MAX: usize = 2048;
/// Generations that are over and whose events can still be replayed one by one.
pub const EVENT_LOGS_KEPT_MAX: usize = 64;
/// Listeners to events.
pub const EVENT_LISTENERS_MAX: usize = 1024;
/// How often a listener hears something, so that it, and what is between, knows that the connection is alive.
pub const EVENTS_HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that are written in one piece.
pub const EVENTS_PIECE_BYTES: usize = 16 << 10;

/// Where a callback goes.
pub const CALLBACK_URL_MAX_BYTES: usize = 2048;
/// What signs it.
pub const CALLBACK_SECRET_MAX_BYTES: usize = 256;
/// One try to deliver a callback.
pub const CALLBACK_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause before the second try ...
pub const CALLBACK_PAUSE_MIN: Duration = Duration::from_secs(1);
/// ... which doubles up to this.
pub const CALLBACK_PAUSE_MAX: Duration = Duration::from_secs(600);
/// How long it is tried.
pub const CALLBACK_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// Callbacks on their way at a time ...
pub const CALLBACKS_CONCURRENT: usize = 16;
/// ... and those of them that go to one host: one that does not answer must not hold up the others.
pub const CALLBACKS_CONCURRENT_PER_HOST: usize = 2;
/// Callbacks that wait, and generations that will have one; further ones are turned away for a while.
pub const CALLBACKS_PENDING_MAX: usize = 8000;
/// ... of one key, unless that is root, and of nobody.
pub const CALLBACKS_PENDING_PER_KEY_MAX: usize = 500;
/// Callbacks that were given up and are kept; beyond them the oldest are forgotten.
pub const CALLBACKS_DEAD_MAX: usize = 1000;
/// Opening a GPU: the driver may have to wake the device and to compile the kernel for it, which takes seconds.
pub const GPU_OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// One piece on a GPU, which takes milliseconds: a device that needs longer is given up, and the CPU goes on.
pub const GPU_PIECE_TIMEOUT: Duration = Duration::from_secs(10);
