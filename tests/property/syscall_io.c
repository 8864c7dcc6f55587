/* Every call to the system that saving makes fails once: no space, a broken disk, a short write, an
 * interruption.  The file that was there stays or is replaced as a whole, nothing else is left, the
 * status says which resource it was. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "fileio.h"
#include "npy.h"
#include "safetensors.h"
#include "tempdir.h"

typedef enum fault { NO_SPACE, BROKEN, INTERRUPTED, SHORT, NUM_FAULTS } fault;

static long calls, fail_at = -1; /* counted from arm(); the call that fails */
static fault kind;
static bool renamed; /* the new file is in its place */

static void arm(long n, fault f) {
    calls = 0;
    fail_at = n;
    kind = f;
    renamed = false;
}

/* True when this call is to fail; errno is set. */
static bool fails(bool is_write) {
    if (calls++ != fail_at) return false;
    if (kind == NO_SPACE || kind == BROKEN) {
        errno = kind == NO_SPACE ? ENOSPC : EIO;
        return true;
    }
    errno = EINTR;
    return is_write && kind == INTERRUPTED;
}

int __real_open(const char *path, int flags, mode_t mode);
ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __real_pwrite(int fd, const void *data, size_t n, off_t at);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
int __real_renameat2(int d1, const char *from, int d2, const char *to, unsigned flags);
int __wrap_open(const char *path, int flags, mode_t mode);
ssize_t __wrap_write(int fd, const void *data, size_t n);
ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t at);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int d1, const char *from, int d2, const char *to, unsigned flags);

int __wrap_open(const char *path, int flags, mode_t mode) {
    return fails(false) ? -1 : __real_open(path, flags, mode);
}
ssize_t __wrap_write(int fd, const void *data, size_t n) {
    const bool now = calls == fail_at && kind == SHORT;
    return fails(true) ? -1 : __real_write(fd, data, now && n > 1 ? n / 2 : n);
}
ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t at) {
    return fails(false) ? -1 : __real_pwrite(fd, data, n, at);
}
int __wrap_fsync(int fd) {
    return fails(false) ? -1 : __real_fsync(fd);
}
int __wrap_close(int fd) {
    const bool bad = fails(false);
    const int e = errno, r = __real_close(fd);
    errno = e;
    return bad ? -1 : r;
}
int __wrap_rename(const char *from, const char *to) {
    if (fails(false)) return -1;
    renamed = true;
    return __real_rename(from, to);
}
int __wrap_renameat2(int d1, const char *from, int d2, const char *to, unsigned flags) {
    if (fails(false)) return -1;
    renamed = true;
    return __real_renameat2(d1, from, d2, to, flags);
}

typedef uw_status operation(const char *path, bool overwrite, uw_err *err);

static uw_status save_bytes(const char *path, bool overwrite, uw_err *err) {
    return uw__file_write_atomic(path, "the new bytes", 13, overwrite, err);
}

static uw_status save_safetensors(const char *path, bool overwrite, uw_err *err) {
    const float x[4] = {1, 2, 3, 4};
    const uw_tensor t[2] = {{"a", UW_DTYPE_F32, 1, {4}, x}, {"b", UW_DTYPE_F32, 2, {2, 2}, x}};
    return uw__safetensors_write(path, t, 2, NULL, 0, overwrite, err);
}

static uw_status save_npz(const char *path, bool overwrite, uw_err *err) {
    uw_npz_writer *w = NULL;
    const int64_t shape[] = {4};
    const float x[4] = {1, 2, 3, 4};
    uw_status s = uw__npz_writer_open(path, overwrite, &w, err);
    for (int i = 0; i < 2 && !s; i++) {
        s = uw__npz_writer_begin(w, i ? "b" : "a", UW_DTYPE_F32, 1, shape, err);
        if (!s) s = uw__npz_writer_data(w, x, sizeof x, err);
    }
    if (!w) return s;
    if (!s) return uw__npz_writer_close(w, err);
    uw__npz_writer_abort(w);
    return s;
}

static bool same(const char *path, const void *want, size_t size) {
    void *data = NULL;
    size_t n = 0;
    if (uw__file_read(path, 1 << 20, &data, &n, NULL)) return false;
    const bool equal = n == size && !memcmp(data, want, n);
    free(data);
    return equal;
}

static void check_save(const char *name, operation *save, fault f, bool overwrite) {
    const char *path = tempdir_file("file");
    void *new_bytes = NULL;
    size_t new_size = 0;
    uw_err err = {0};
    arm(-1, f);
    CHECK_OK(save(path, true, &err), &err);
    CHECK_OK(uw__file_read(path, 1 << 20, &new_bytes, &new_size, &err), &err);
    for (long n = 0;; n++) {
        unlink(path);
        if (overwrite) CHECK_OK(uw__file_write_atomic(path, "old", 3, true, &err), &err);
        memset(&err, 0, sizeof err);
        arm(n, f);
        const uw_status s = save(path, overwrite, &err);
        const bool fired = calls > n;
        fail_at = -1;
        if (!s && !same(path, new_bytes, new_size))
            fail_msg("%s, call %ld: not the new bytes", name, n);
        if (s && s != (f == NO_SPACE ? UW_ENOSPC : UW_EIO)) {
            fail_msg("%s, call %ld: got %d: %s", name, n, s, err.text);
        }
        if (s && (f == INTERRUPTED || f == SHORT)) fail_msg("%s, call %ld: %s", name, n, err.text);
        if (s && (!err.text[0] || !err.fix[0])) fail_msg("%s, call %ld: no message", name, n);
        if (s && renamed && !same(path, new_bytes, new_size))
            fail_msg("%s, call %ld: torn", name, n);
        if (s && !renamed && overwrite != same(path, "old", 3))
            fail_msg("%s, call %ld: old file lost", name, n);
        assert_int_equal(tempdir_count(), !s || renamed || overwrite ? 1 : 0);
        if (fired) continue;
        if (n < 6) fail_msg("%s: only %ld calls seen", name, n);
        break;
    }
    unlink(path);
    free(new_bytes);
}

static void test_every_call(void **state) {
    (void)state;
    for (int f = 0; f < NUM_FAULTS; f++) {
        for (int overwrite = 0; overwrite < 2; overwrite++) {
            check_save("bytes", save_bytes, (fault)f, overwrite);
            check_save("safetensors", save_safetensors, (fault)f, overwrite);
            check_save("npz", save_npz, (fault)f, overwrite);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_call)};
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
