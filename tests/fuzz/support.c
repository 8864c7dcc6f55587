/* Files in memory for readers that want a path. */
#include "fuzz.h"

#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *fuzz_file(int slot, const void *data, size_t size) {
    static int fds[4] = {-1, -1, -1, -1};
    static char paths[4][64];
    int *fd = &fds[slot];
    if (*fd < 0) {
        *fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(paths[slot], sizeof paths[slot], "/proc/self/fd/%d", *fd);
    }
    FUZZ_REQUIRE(*fd >= 0 && !ftruncate(*fd, 0), "a file in memory");
    FUZZ_REQUIRE(pwrite(*fd, data, size, 0) == (ssize_t)size, "a file in memory");
    return paths[slot];
}

static char folder[256];

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

static void remove_folder(void) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void) {
    if (folder[0]) return folder;
    const char *root = getenv("TMPDIR");
    if (!root || !*root) root = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    snprintf(folder, sizeof folder, "%s/umwelt-fuzz-XXXXXX", root);
    FUZZ_REQUIRE(mkdtemp(folder), "a folder");
    atexit(remove_folder);
    return folder;
}

bool fuzz_copy(const void *bytes, size_t n, uint8_t **data, size_t *size) {
    *data = malloc(n ? n : 1);
    FUZZ_REQUIRE(*data, "memory for a seed");
    if (n) memcpy(*data, bytes, n);
    *size = n;
    return true;
}

bool fuzz_read(const char *path, uint8_t **data, size_t *size) {
    FILE *f = fopen(path, "rb");
    FUZZ_REQUIRE(f, path);
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    rewind(f);
    *data = malloc(n > 0 ? (size_t)n : 1);
    FUZZ_REQUIRE(*data && n >= 0 && fread(*data, 1, (size_t)n, f) == (size_t)n, path);
    *size = (size_t)n;
    fclose(f);
    return true;
}
