/* Loaded before libc into each process of a centre: its clock, its disk, as `state` says.

   The state is a mapped file that the fault run writes to, so a fault begins and ends at once in
   every process, running or not yet started. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct state {
    int64_t skew_s;
    int32_t disk_full;
    int32_t fsync_us;
};
static const struct state none;
static const volatile struct state *state = &none;
static int disk;

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_STATE");
    disk = getenv("FAULTS_DISK") != NULL;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *state, PROT_READ, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) state = found;
    close(fd);
}

/* -- the clock: only the time of day; what measures spans is never touched ------------------- */

int clock_gettime(clockid_t id, struct timespec *ts)
{
    NEXT(clock_gettime);
    int done = next(id, ts);
    if (!done && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) ts->tv_sec += state->skew_s;
    return done;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    NEXT(gettimeofday);
    int done = next(tv, zone);
    if (!done) tv->tv_sec += state->skew_s;
    return done;
}

time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out) *out = ts.tv_sec;
    return ts.tv_sec;
}

/* Who waits until a time of day computed it from the skewed clock; the kernel has the true one. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    NEXT(pthread_cond_timedwait);
    struct timespec mine = *until;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    /* A monotonic condition has a small deadline: leave it alone. */
    if (mine.tv_sec > now.tv_sec / 2) mine.tv_sec -= state->skew_s;
    return next(cond, mutex, &mine);
}

long syscall(long number, ...)
{
    static long (*next)(long, ...);
    if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    struct timespec mine;
    if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) && a[3]) {
        mine = *(const struct timespec *)a[3];
        mine.tv_sec -= state->skew_s;
        a[3] = (long)&mine;
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* -- the disk: a full one refuses what would make a file longer ----------------------------- */

static int refused(int fd, off_t end)
{
    struct stat found;
    if (!disk || !state->disk_full || fstat(fd, &found) || !S_ISREG(found.st_mode)) return 0;
    if (end <= found.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

static off_t total(const struct iovec *parts, int count)
{
    off_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    return size;
}

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(write);
    if (disk && state->disk_full && refused(fd, lseek(fd, 0, SEEK_CUR) + size)) return -1;
    return next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    NEXT(pwrite);
    return refused(fd, at + size) ? -1 : next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    NEXT(pwrite64);
    return refused(fd, at + size) ? -1 : next(fd, data, size, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    NEXT(pwritev);
    return refused(fd, at + total(parts, count)) ? -1 : next(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    NEXT(pwritev64);
    return refused(fd, at + total(parts, count)) ? -1 : next(fd, parts, count, at);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
    NEXT(posix_fallocate);
    return refused(fd, at + size) ? ENOSPC : next(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size)
{
    NEXT(posix_fallocate64);
    return refused(fd, at + size) ? ENOSPC : next(fd, at, size);
}

static void wait_for_disk(void)
{
    if (disk && state->fsync_us) usleep(state->fsync_us);
}

int fsync(int fd)
{
    NEXT(fsync);
    wait_for_disk();
    return next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    wait_for_disk();
    return next(fd);
}
