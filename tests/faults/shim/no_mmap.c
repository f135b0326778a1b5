/* Refuses to map files called *.journal for writing, as file systems do that have no shared mappings. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int is_journal(int file) {
    static const char kEnd[] = ".journal";
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    ssize_t end = sizeof kEnd - 1;
    return length > end && memcmp(path + length - end, kEnd, end) == 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
    if (!real_mmap) real_mmap = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    if (file >= 0 && (protection & PROT_WRITE) && is_journal(file)) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return real_mmap(address, size, protection, flags, file, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    return mmap(address, size, protection, flags, file, offset);
}
