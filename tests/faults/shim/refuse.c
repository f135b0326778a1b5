/* A file system that says no: the file $FAULTS_REFUSE holds an error number and a folder, or nothing. While it holds
 * them, EROFS refuses every change below the folder; any other error refuses what would need a block or an inode.
 * With the number -1 it says nothing at all: writing to a file there waits until the number is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HANG = -1 };

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int refusal_of(const char *path) {
    char said[4200] = "";
    int file = REAL(open)(getenv("FAULTS_REFUSE"), O_RDONLY | O_CLOEXEC), at = 0, number = 0;
    if (file < 0) return 0;
    ssize_t length = read(file, said, sizeof said - 1);
    close(file);
    if (length <= 0 || sscanf(said, "%d %n", &number, &at) != 1) return 0;
    return strncmp(path, said + at, strlen(said + at)) == 0 ? number : 0;
}

static int refusal_of_file(int file) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return readlink(link, path, sizeof path - 1) > 0 ? refusal_of(path) : 0;
}

static int refuse(int number) {
    if (number) errno = number;
    return number;
}

static int refuse_open(const char *path, int flags) {
    int refusal = refusal_of(path);
    if (refusal == EROFS) return (flags & (O_WRONLY | O_RDWR | O_CREAT)) ? refuse(refusal) : 0;
    return refusal > 0 && (flags & O_CREAT) && access(path, F_OK) != 0 ? refuse(refusal) : 0;
}

static mode_t mode_of(int flags, va_list rest) { return (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; }

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return refuse_open(path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    int refusal = refusal_of(path);
    return refusal > 0 && refuse(refusal) ? -1 : REAL(mkdir)(path, mode);
}

int rename(const char *from, const char *to) {
    return refuse(refusal_of(to) == EROFS ? EROFS : 0) ? -1 : REAL(rename)(from, to);
}

ssize_t write(int file, const void *bytes, size_t size) {
    while (refusal_of_file(file) == HANG) usleep(1000);
    return refuse(refusal_of_file(file)) ? -1 : REAL(write)(file, bytes, size);
}

int posix_fallocate(int file, off_t offset, off_t size) {
    int refusal = refusal_of_file(file);
    return refusal > 0 ? refusal : REAL(posix_fallocate)(file, offset, size);
}

int posix_fallocate64(int file, off_t offset, off_t size) { return posix_fallocate(file, offset, size); }
