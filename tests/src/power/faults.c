/* Disk faults, loaded into the gateway before libc: what it asks of the journal's file and of its write-ahead log fails as
 * the test has ordered. Everything else goes through.
 *
 * The orders lie in the file that DISK_FAULTS names, shared with the test: numbers of 8 octets, 0 for "as usual". The test
 * writes them while the gateway runs; the last one counts the faults that were made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct orders {
    int64_t lie;          /* a sync of the log says that it is done, and does nothing */
    int64_t sync_error;   /* the so-manieth sync of the log from now on says EIO */
    int64_t sync_loses;   /* and what was written since the sync before is gone, instead of being there all the same */
    int64_t sync_delay;   /* each sync takes so many milliseconds more */
    int64_t read_error;   /* reads of the file from this offset on say EIO */
    int64_t hold_at_write; /* the so-manieth write to the file from now on is done, and does not return */
    int64_t made;         /* faults that were made */
};

static struct orders as_usual;
static volatile struct orders *orders = &as_usual;

__attribute__((constructor)) static void take_orders(void)
{
    const char *path = getenv("DISK_FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    void *shared = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED) {
        orders = shared;
    }
}

static int is_named(int file, const char *name)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t wanted = strlen(name);
    return length >= (ssize_t)wanted && memcmp(path + length - wanted, name, wanted) == 0;
}

static int is_file(int file)
{
    return is_named(file, "/journal.db");
}

static int is_log(int file)
{
    return is_named(file, "/journal.db-wal");
}

static void made_one(void)
{
    __atomic_add_fetch(&orders->made, 1, __ATOMIC_SEQ_CST);
}

/* Whether this is the one that was ordered: the order counts down to it. */
static int is_due(volatile int64_t *order)
{
    return *order > 0 && __atomic_sub_fetch(order, 1, __ATOMIC_SEQ_CST) == 0;
}

/* What was written to the log since its last sync. One thread writes it. */
static off64_t first_unsynced = INT64_MAX, end_unsynced;
static const char zeros[4096];

static void lose_unsynced(int file)
{
    while (first_unsynced < end_unsynced) {
        off64_t left = end_unsynced - first_unsynced;
        size_t length = left < (off64_t)sizeof zeros ? (size_t)left : sizeof zeros;
        if (pwrite64(file, zeros, length, first_unsynced) <= 0) {
            return;
        }
        first_unsynced += length;
    }
}

static int do_sync(int file, int (*really)(int))
{
    if (orders->sync_delay > 0 && (is_file(file) || is_log(file))) {
        int64_t delay = orders->sync_delay;
        struct timespec time = {.tv_sec = delay / 1000, .tv_nsec = delay % 1000 * 1000000};
        made_one();
        nanosleep(&time, NULL);
    }
    if (orders->lie && is_log(file)) {
        made_one();
        return 0;
    }
    if (orders == &as_usual || !is_log(file)) {
        return really(file);
    }
    int fails = is_due(&orders->sync_error);
    if (fails && orders->sync_loses) {
        lose_unsynced(file);
    }
    int result = really(file);
    first_unsynced = INT64_MAX;
    end_unsynced = 0;
    if (fails) {
        made_one();
        errno = EIO;
        return -1;
    }
    return result;
}

int fsync(int file)
{
    return do_sync(file, (int (*)(int))dlsym(RTLD_NEXT, "fsync"));
}

int fdatasync(int file)
{
    return do_sync(file, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync"));
}

static int fails_to_read(int file, off64_t offset)
{
    if (!orders->read_error || !is_file(file) || offset < orders->read_error) {
        return 0;
    }
    made_one();
    errno = EIO;
    return 1;
}

ssize_t read(int file, void *into, size_t length)
{
    if (orders->read_error && fails_to_read(file, lseek64(file, 0, SEEK_CUR))) {
        return -1;
    }
    return ((ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(file, into, length);
}

ssize_t pread64(int file, void *into, size_t length, off64_t offset)
{
    if (fails_to_read(file, offset)) {
        return -1;
    }
    return ((ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64"))(file, into, length, offset);
}

/* In WAL mode only a checkpoint writes to the file. */
static void after_write(int file)
{
    if (orders->hold_at_write && is_file(file) && is_due(&orders->hold_at_write)) {
        made_one();
        for (;;) {
            pause();
        }
    }
}

ssize_t write(int file, const void *from, size_t length)
{
    ssize_t written = ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(file, from, length);
    after_write(file);
    return written;
}

ssize_t pwrite64(int file, const void *from, size_t length, off64_t offset)
{
    ssize_t (*really)(int, const void *, size_t, off64_t) =
        (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    ssize_t written = really(file, from, length, offset);
    if (orders->sync_error && is_log(file) && from != zeros) {
        first_unsynced = offset < first_unsynced ? offset : first_unsynced;
        end_unsynced = offset + (off64_t)length > end_unsynced ? offset + (off64_t)length : end_unsynced;
    }
    after_write(file);
    return written;
}
