// A CUDA driver without a GPU: the functions of libcuda.so.1 that the production code calls, so that the same code runs here.
//
// Every stream is a thread that works off what was queued, in order and later than the caller, as a device does. A launch runs
// the kernel's own source, compiled as C. What a real driver would let pass, or notice too late, ends the process: a copy
// or a kernel outside of its allocation, write-combined memory, an event that spins, a call without a context, and
// allocations left when the context goes. Memory is poisoned before it is written, so that bytes taken too early are wrong.
//
// FAKECUDA chooses what goes wrong, with a number where it says N (launches count from 1):
//   nodevice   cuInit finds no device            olddriver  the kernel's PTX is too new
//   oom=N      pinned memory ends with the N-th  poolless   no stream-ordered allocations
//   fail=N     the N-th launch dies half-way, and with it the context: every later call says so
//   refuse=N   the N-th launch alone is refused  hang=N     the N-th launch never ends
//   slow       copies take 20 ms                 gate       cuInit waits for the file that FAKECUDA_GATE names
// FAKECUDA_LOG names a file that gets what was counted, when the process ends or the context goes.
// Compiled with -DWITHOUT_LAUNCH it lacks cuLaunchKernel.

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The kernel as C.
#define __device__
typedef struct { unsigned x, y, z, w; } uint4;
typedef struct { unsigned x, y, z; } Indices;
static __thread Indices blockIdx, blockDim, threadIdx;
#include KERNEL

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_CONTEXT = 201,
       UNSUPPORTED_PTX_VERSION = 222, NOT_FOUND = 500, NOT_READY = 600, LAUNCH_OUT_OF_RESOURCES = 701, LAUNCH_FAILED = 719 };
enum { BLOCKING_SYNC = 1, WRITECOMBINED = 4, NON_BLOCKING = 1 };
enum { DEVICE = 0xCC, PINNED = 0xDD };
#define ALLOCATIONS_MAX 4096

typedef struct Event { pthread_mutex_t lock; pthread_cond_t changed; unsigned recorded, reached; } Event;
typedef struct Task {
    struct Task *next;
    enum { LAUNCH, COPY, RECORD, FREE, END } kind;
    unsigned long number; unsigned blocks, threads;                 // LAUNCH
    uint4 *out; unsigned long long units, offset; Params params;    // LAUNCH
    void *target; const void *source; size_t bytes;                 // COPY, FREE
    Event *event; unsigned mark;                                    // RECORD
} Task;
typedef struct Stream { pthread_t thread; pthread_mutex_t lock; pthread_cond_t changed; Task *first, *last; int busy; } Stream;
typedef struct { char *start; size_t bytes; int kind; } Allocation;

static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;
static Allocation allocations[ALLOCATIONS_MAX];
static int sticky, contexts, is_initialized;
static unsigned long launches, copies, pinned_count, streams, copying, copying_most;
static __thread int has_context;
static int the_context, the_module, the_function;

static void broken(const char *what) {
    fprintf(stderr, "libcuda: %s\n", what);
    fflush(stderr);
    abort();
}

// The number of a fault, 0 where it was not asked for.
static unsigned long asked(const char *fault) {
    const char *faults = getenv("FAKECUDA");
    size_t length = strlen(fault);
    if (!faults || strncmp(faults, fault, length)) return 0;
    if (!faults[length]) return 1;
    return faults[length] == '=' ? strtoul(faults + length + 1, NULL, 10) : 0;
}

static void log_counts(void) {
    const char *path = getenv("FAKECUDA_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "launches %lu\ncopies %lu\nstreams %lu\npinned %lu\ncopying_most %lu\n", launches, copies, streams, pinned_count, copying_most);
    fclose(file);
}

__attribute__((destructor)) static void at_the_end(void) { log_counts(); }

static int state(void) {
    int result;
    pthread_mutex_lock(&all);
    result = sticky;
    pthread_mutex_unlock(&all);
    return result;
}

// What every call within a context begins with.
#define IN_CONTEXT do { if (!has_context) return INVALID_CONTEXT; int dead = state(); if (dead) return dead; } while (0)

static void *allocate(size_t bytes, int kind) {
    char *start = NULL;
    if (posix_memalign((void **)&start, 256, bytes ? bytes : 1)) return NULL;
    memset(start, kind, bytes);
    pthread_mutex_lock(&all);
    for (int i = 0; i < ALLOCATIONS_MAX; i++)
        if (!allocations[i].start) {
            allocations[i] = (Allocation){ start, bytes, kind };
            pthread_mutex_unlock(&all);
            return start;
        }
    broken("too many allocations");
    return NULL;
}

static void release(void *start, int kind) {
    pthread_mutex_lock(&all);
    for (int i = 0; i < ALLOCATIONS_MAX; i++)
        if (allocations[i].start == start && allocations[i].kind == kind) {
            allocations[i].start = NULL;
            pthread_mutex_unlock(&all);
            free(start);
            return;
        }
    broken("what was freed was never allocated");
}

static void within(const void *start, size_t bytes, int kind, const char *what) {
    int found = 0;
    pthread_mutex_lock(&all);
    for (int i = 0; i < ALLOCATIONS_MAX && !found; i++) {
        Allocation *one = &allocations[i];
        found = one->start && one->kind == kind && (const char *)start >= one->start && (const char *)start + bytes <= one->start + one->bytes;
    }
    pthread_mutex_unlock(&all);
    if (!found) broken(what);
}

static void run_kernel(Task *task, unsigned blocks) {
    blockDim = (Indices){ task->threads, 1, 1 };
    for (unsigned block = 0; block < blocks; block++)
        for (unsigned thread = 0; thread < task->threads; thread++) {
            blockIdx = (Indices){ block, 0, 0 };
            threadIdx = (Indices){ thread, 0, 0 };
            bmp_part(task->out, task->units, task->offset, task->params);
        }
}

static void launch(Task *task) {
    memset(task->out, DEVICE, task->units * 16);
    if (asked("hang") == task->number) for (;;) pause();
    if (asked("fail") == task->number) {
        run_kernel(task, task->blocks / 2);
        pthread_mutex_lock(&all);
        sticky = LAUNCH_FAILED;
        pthread_mutex_unlock(&all);
        return;
    }
    run_kernel(task, task->blocks);
}

static void copy(Task *task) {
    pthread_mutex_lock(&all);
    copies++;
    if (++copying > copying_most) copying_most = copying;
    pthread_mutex_unlock(&all);
    if (asked("slow")) usleep(20000);
    memcpy(task->target, task->source, task->bytes);
    pthread_mutex_lock(&all);
    copying--;
    pthread_mutex_unlock(&all);
}

static void reach(Event *event, unsigned mark) {
    pthread_mutex_lock(&event->lock);
    if (event->reached < mark) event->reached = mark;
    pthread_cond_broadcast(&event->changed);
    pthread_mutex_unlock(&event->lock);
}

static void *work(void *of) {
    Stream *stream = of;
    for (;;) {
        pthread_mutex_lock(&stream->lock);
        stream->busy = 0;
        pthread_cond_broadcast(&stream->changed);
        while (!stream->first) pthread_cond_wait(&stream->changed, &stream->lock);
        Task *task = stream->first;
        stream->first = task->next;
        if (!stream->first) stream->last = NULL;
        stream->busy = 1;
        pthread_mutex_unlock(&stream->lock);
        int kind = task->kind;
        // A dead context runs nothing more, but it lets go of whoever waits.
        if (kind == LAUNCH && !state()) launch(task);
        if (kind == COPY && !state()) copy(task);
        if (kind == RECORD) reach(task->event, task->mark);
        if (kind == FREE) release(task->target, DEVICE);
        free(task);
        if (kind == END) return NULL;
    }
}

static int queue(Stream *stream, Task task) {
    if (!stream) broken("the default stream");
    Task *queued = malloc(sizeof *queued);
    *queued = task;
    queued->next = NULL;
    pthread_mutex_lock(&stream->lock);
    if (stream->last) stream->last->next = queued; else stream->first = queued;
    stream->last = queued;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    return SUCCESS;
}

int cuInit(unsigned flags) {
    (void)flags;
    while (asked("gate") && access(getenv("FAKECUDA_GATE"), F_OK)) usleep(1000);
    is_initialized = 1;
    return asked("nodevice") ? NO_DEVICE : SUCCESS;
}

int cuDriverGetVersion(int *version) { *version = 12080; return SUCCESS; }

int cuGetErrorString(int error, const char **text) {
    static const struct { int error; const char *text; } texts[] = { { INVALID_VALUE, "invalid argument" }, { OUT_OF_MEMORY, "out of memory" },
        { NO_DEVICE, "no CUDA-capable device is detected" }, { INVALID_IMAGE, "device kernel image is invalid" }, { INVALID_CONTEXT, "invalid device context" },
        { UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain." }, { LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch" },
        { LAUNCH_FAILED, "unspecified launch failure" } };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error) { *text = texts[i].text; return SUCCESS; }
    *text = NULL;
    return INVALID_VALUE;
}

int cuGetErrorName(int error, const char **text) { return cuGetErrorString(error, text); }

int cuDeviceGetCount(int *count) { if (!is_initialized) return 3; *count = 1; return SUCCESS; }

int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal ? INVALID_DEVICE : SUCCESS; }

int cuDeviceGetName(char *name, int bytes, int device) { (void)device; snprintf(name, bytes, "a device of C"); return SUCCESS; }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    switch (attribute) {
    case 75: *value = 9; return SUCCESS;                        // COMPUTE_CAPABILITY_MAJOR
    case 76: *value = 0; return SUCCESS;                        // COMPUTE_CAPABILITY_MINOR
    case 115: *value = !asked("poolless"); return SUCCESS;      // MEMORY_POOLS_SUPPORTED
    default: return INVALID_VALUE;
    }
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
    (void)device;
    pthread_mutex_lock(&all);
    contexts++;
    pthread_mutex_unlock(&all);
    *context = &the_context;
    return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    (void)device;
    pthread_mutex_lock(&all);
    int left = --contexts;
    int kept = 0;
    for (int i = 0; i < ALLOCATIONS_MAX; i++) kept += allocations[i].start != NULL;
    pthread_mutex_unlock(&all);
    if (left == 0 && kept && !state()) broken("allocations left when the context goes");
    log_counts();
    return state();
}

int cuCtxGetCurrent(void **context) { *context = has_context ? &the_context : NULL; return SUCCESS; }

int cuCtxSetCurrent(void *context) { has_context = context == &the_context; return SUCCESS; }

int cuCtxSynchronize(void) { broken("a wait for the whole context"); return SUCCESS; }

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) { IN_CONTEXT; *free_bytes = (size_t)3 << 30; *total = (size_t)4 << 30; return SUCCESS; }

int cuModuleLoadData(void **module, const void *image) {
    IN_CONTEXT;
    if (asked("olddriver")) return UNSUPPORTED_PTX_VERSION;
    if (!strstr(image, "\n.version ") || !strstr(image, ".entry bmp_part(")) return INVALID_IMAGE;
    *module = &the_module;
    return SUCCESS;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
    IN_CONTEXT;
    *function = &the_function;
    return module == &the_module && !strcmp(name, "bmp_part") ? SUCCESS : NOT_FOUND;
}

int cuModuleUnload(void *module) { IN_CONTEXT; return module == &the_module ? SUCCESS : INVALID_VALUE; }

int cuStreamCreate(Stream **stream, unsigned flags) {
    IN_CONTEXT;
    if (!(flags & NON_BLOCKING)) broken("a stream that waits for the default one");
    Stream *made = calloc(1, sizeof *made);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    if (pthread_create(&made->thread, NULL, work, made)) return OUT_OF_MEMORY;
    pthread_mutex_lock(&all);
    streams++;
    pthread_mutex_unlock(&all);
    *stream = made;
    return SUCCESS;
}

int cuStreamDestroy_v2(Stream *stream) {
    IN_CONTEXT;
    queue(stream, (Task){ .kind = END });
    pthread_join(stream->thread, NULL);
    free(stream);
    return SUCCESS;
}

int cuStreamSynchronize(Stream *stream) {
    IN_CONTEXT;
    pthread_mutex_lock(&stream->lock);
    while (stream->first || stream->busy) pthread_cond_wait(&stream->changed, &stream->lock);
    pthread_mutex_unlock(&stream->lock);
    return state();
}

int cuStreamWaitEvent(Stream *stream, Event *event, unsigned flags) { (void)stream; (void)event; (void)flags; broken("streams that wait for each other"); return SUCCESS; }

int cuMemAlloc_v2(uint64_t *address, size_t bytes) { IN_CONTEXT; *address = (uintptr_t)allocate(bytes, DEVICE); return SUCCESS; }

int cuMemAllocAsync(uint64_t *address, size_t bytes, Stream *stream) {
    (void)stream;
    if (asked("poolless")) return 801;
    return cuMemAlloc_v2(address, bytes);
}

int cuMemFree_v2(uint64_t address) { IN_CONTEXT; release((void *)(uintptr_t)address, DEVICE); return SUCCESS; }

int cuMemFreeAsync(uint64_t address, Stream *stream) { IN_CONTEXT; return queue(stream, (Task){ .kind = FREE, .target = (void *)(uintptr_t)address }); }

int cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
    IN_CONTEXT;
    if (flags & WRITECOMBINED) broken("write-combined memory");
    pthread_mutex_lock(&all);
    unsigned long number = ++pinned_count;
    pthread_mutex_unlock(&all);
    if (asked("oom") && number >= asked("oom")) return OUT_OF_MEMORY;
    *address = allocate(bytes, PINNED);
    return SUCCESS;
}

int cuMemFreeHost(void *address) { IN_CONTEXT; release(address, PINNED); return SUCCESS; }

int cuMemcpyDtoHAsync_v2(void *target, uint64_t source, size_t bytes, Stream *stream) {
    IN_CONTEXT;
    within(target, bytes, PINNED, "a copy beyond the pinned buffer");
    within((void *)(uintptr_t)source, bytes, DEVICE, "a copy beyond the device's buffer");
    memset(target, PINNED, bytes);
    return queue(stream, (Task){ .kind = COPY, .target = target, .source = (void *)(uintptr_t)source, .bytes = bytes });
}

int cuEventCreate(Event **event, unsigned flags) {
    IN_CONTEXT;
    if (!(flags & BLOCKING_SYNC)) broken("an event that spins");
    Event *made = calloc(1, sizeof *made);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    *event = made;
    return SUCCESS;
}

int cuEventDestroy_v2(Event *event) { IN_CONTEXT; free(event); return SUCCESS; }

int cuEventRecord(Event *event, Stream *stream) {
    IN_CONTEXT;
    pthread_mutex_lock(&event->lock);
    unsigned mark = ++event->recorded;
    pthread_mutex_unlock(&event->lock);
    return queue(stream, (Task){ .kind = RECORD, .event = event, .mark = mark });
}

int cuEventSynchronize(Event *event) {
    IN_CONTEXT;
    pthread_mutex_lock(&event->lock);
    unsigned mark = event->recorded;
    while (event->reached < mark) pthread_cond_wait(&event->changed, &event->lock);
    pthread_mutex_unlock(&event->lock);
    return state();
}

#ifndef WITHOUT_LAUNCH
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared_bytes,
                   Stream *stream, void **arguments, void **extra) {
    IN_CONTEXT;
    if (function != &the_function || gy != 1 || gz != 1 || by != 1 || bz != 1 || shared_bytes || extra || !gx || !bx || bx > 1024) return INVALID_VALUE;
    Task task = { .kind = LAUNCH, .blocks = gx, .threads = bx, .out = (uint4 *)(uintptr_t)*(uint64_t *)arguments[0],
                  .units = *(uint64_t *)arguments[1], .offset = *(uint64_t *)arguments[2], .params = *(Params *)arguments[3] };
    within(task.out, task.units * 16, DEVICE, "a kernel beyond the device's buffer");
    if (task.offset % 16 || (uint64_t)gx * bx < task.units) broken("a launch that does not fill its buffer");
    pthread_mutex_lock(&all);
    task.number = ++launches;
    pthread_mutex_unlock(&all);
    if (asked("refuse") == task.number) return LAUNCH_OUT_OF_RESOURCES;
    return queue(stream, task);
}
#endif
