/* Files: what is written is what is read, a failed write leaves the old file and nothing else, and
 * every refusal says why and what to do. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "fileio.h"
#include "tempdir.h"

static void check_refused(uw_status got, uw_status want, const uw_err *err, const char *word) {
    if (got != want) fail_msg("got %d, wanted %d: %s", got, want, err->text);
    if (!strstr(err->text, word)) fail_msg("\"%s\" does not say \"%s\"", err->text, word);
    if (!err->fix[0]) fail_msg("no advice with \"%s\"", err->text);
}

static void check_content(const char *path, const char *want) {
    void *data = NULL;
    size_t size = 0;
    uw_err err = {0};
    CHECK_OK(uw__file_read(path, 1000, &data, &size, &err), &err);
    assert_int_equal(size, strlen(want));
    assert_string_equal(data, want); /* the NUL behind the bytes is part of the contract */
    free(data);
}

static void test_round_trip(void **state) {
    (void)state;
    uw_err err = {0};
    uint64_t size = 99;
    const char *path = tempdir_file("a.txt");
    assert_false(uw__file_exists(path));
    CHECK_OK(uw__file_write_atomic(path, "one", 3, false, &err), &err);
    assert_true(uw__file_exists(path));
    CHECK_OK(uw__file_size(path, &size, &err), &err);
    assert_int_equal(size, 3);
    check_content(path, "one");

    check_refused(uw__file_write_atomic(path, "two", 3, false, &err), UW_EEXIST, &err, "exists");
    check_content(path, "one");
    assert_int_equal(chmod(path, 0640), 0);
    CHECK_OK(uw__file_write_atomic(path, "three", 5, true, &err), &err);
    check_content(path, "three");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640); /* the old file's permissions stay */

    CHECK_OK(uw__file_write_atomic(path, "", 0, true, &err), &err);
    check_content(path, "");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tempdir_count(), 0);
}

static void test_read_refusals(void **state) {
    (void)state;
    uw_err err = {0};
    void *data = (void *)1;
    size_t size = 7;
    uint64_t bytes;
    const char *path = tempdir_file("big");
    CHECK_OK(uw__file_write_atomic(path, "0123456789", 10, false, &err), &err);
    check_refused(uw__file_read(path, 9, &data, &size, &err), UW_EFORMAT, &err, "too_large");
    check_refused(uw__file_read(tempdir_file("none"), 9, &data, &size, &err), UW_ENOTFOUND, &err,
                  "none: open");
    check_refused(uw__file_read(tempdir_path, 9, &data, &size, &err), UW_EFORMAT, &err, "folder");
    check_refused(uw__file_read("/dev/null", 9, &data, &size, &err), UW_EFORMAT, &err, "device");
    check_refused(uw__file_size("/dev/null", &bytes, &err), UW_EFORMAT, &err, "device");
    const char *pipe_path = tempdir_file("pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    check_refused(uw__file_read(pipe_path, 9, &data, &size, &err), UW_EFORMAT, &err, "pipe");
    assert_ptr_equal(data, (void *)1);
    assert_int_equal(size, 7);
    assert_int_equal(unlink(pipe_path), 0);
    assert_int_equal(unlink(path), 0);

    /* A sparse file of a terabyte is refused by its size, not by trying. */
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0 && ftruncate(fd, (off_t)1 << 40) == 0) {
        check_refused(uw__file_read(path, 1u << 30, &data, &size, &err), UW_EFORMAT, &err,
                      "too_large");
    }
    close(fd);
    unlink(path);
}

static void test_disk_full(void **state) {
    (void)state;
    uw_err err = {0};
    char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    const char *path = tempdir_file("old");
    CHECK_OK(uw__file_write_atomic(path, "old", 3, false, &err), &err);
    disk_fill(1000);
    const uw_status s = uw__file_write_atomic(path, bytes, sizeof bytes, true, &err);
    uw_atomic f;
    uw_err later = {0};
    const uw_status opened = uw__atomic_open(&f, tempdir_file("new"), false, &later);
    const uw_status wrote = uw__atomic_write(&f, bytes, sizeof bytes, &later);
    const uw_status again = uw__atomic_write(&f, "", 0, NULL);
    const uw_status committed = uw__atomic_commit(&f, NULL);
    disk_free();
    check_refused(s, UW_ENOSPC, &err, "old: write");
    assert_int_equal(opened, UW_OK);
    check_refused(wrote, UW_ENOSPC, &later, "new: write");
    assert_int_equal(again, UW_EIO); /* a file with a hole in it is never published */
    assert_int_equal(committed, UW_EIO);
    check_content(path, "old");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tempdir_count(), 0); /* and no temporary file is left */

    const int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    check_refused(uw__write_all(fd, "x", 1, "/dev/full", &err), UW_ENOSPC, &err, "No space");
    close(fd);
}

static void test_place_refused(void **state) {
    (void)state;
    uw_err err = {0};
    char path[600], longer[3000];
    CHECK_OK(uw__file_write_atomic(tempdir_file("plain"), "x", 1, false, &err), &err);
    snprintf(path, sizeof path, "%s/child", tempdir_file("plain")); /* the parent is a file */
    check_refused(uw__file_write_atomic(path, "x", 1, true, &err), UW_ENOSPC, &err, "Not a dir");
    check_refused(uw__mkdirs(path, &err), UW_ENOSPC, &err, "create the folder");
    assert_int_equal(unlink(tempdir_file("plain")), 0);
    /* sysfs takes no new files, from root neither */
    if (uw__file_exists("/sys/kernel")) {
        check_refused(uw__file_write_atomic("/sys/kernel/umwelt-test", "x", 1, true, &err),
                      UW_ENOSPC, &err, "create");
    }
    check_refused(uw__file_write_atomic(tempdir_file("no/such"), "x", 1, true, &err), UW_ENOTFOUND,
                  &err, "create");
    check_refused(uw__file_write_atomic(tempdir_path, "x", 1, true, &err), UW_EEXIST, &err,
                  "folder");
    check_refused(uw__file_write_atomic("/dev/null", "x", 1, true, &err), UW_EEXIST, &err,
                  "device");
    check_refused(uw__file_write_atomic("", "x", 1, true, &err), UW_EINVAL, &err, "path");
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    check_refused(uw__file_write_atomic(longer, "x", 1, true, &err), UW_EINVAL, &err, "path");
    check_refused(uw__mkdirs(longer, &err), UW_EINVAL, &err, "path");
    longer[600] = '\0'; /* a name, not a path, that is too long */
    check_refused(uw__file_write_atomic(longer, "x", 1, true, &err), UW_EINVAL, &err, "too long");
    assert_int_equal(tempdir_count(), 0);
}

static void test_taken_meanwhile(void **state) {
    (void)state;
    uw_err err = {0};
    uw_atomic f;
    const char *path = tempdir_file("race");
    CHECK_OK(uw__atomic_open(&f, path, false, &err), &err);
    CHECK_OK(uw__atomic_write(&f, "late", 4, &err), &err);
    CHECK_OK(uw__file_write_atomic(path, "first", 5, false, &err), &err);
    check_refused(uw__atomic_commit(&f, &err), UW_EEXIST, &err, "exists");
    check_content(path, "first");
    assert_int_equal(tempdir_count(), 1);

    CHECK_OK(uw__atomic_open(&f, path, true, &err), &err);
    CHECK_OK(uw__atomic_write(&f, "gone", 4, &err), &err);
    uw__atomic_abort(&f);
    uw__atomic_abort(&f);
    check_content(path, "first");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tempdir_count(), 0);
}

static void test_folders(void **state) {
    (void)state;
    uw_err err = {0};
    char **names = NULL;
    int32_t count = -1;
    char top[600]; /* its own buffer: tempdir_file's rotate */
    snprintf(top, sizeof top, "%s", tempdir_file("top"));
    CHECK_OK(uw__mkdirs(tempdir_file("top/b//c/"), &err), &err);
    CHECK_OK(uw__mkdirs(tempdir_file("top/b/c"), &err), &err);
    CHECK_OK(uw__list_dir(tempdir_file("top/b/c"), &names, &count, &err), &err);
    assert_int_equal(count, 0);
    uw__names_free(names, count);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "top/%02d", 39 - i);
        CHECK_OK(uw__file_write_atomic(tempdir_file(name), "x", 1, false, &err), &err);
    }
    /* a link out of the tree is removed, what it names is not */
    CHECK_OK(uw__file_write_atomic(tempdir_file("kept"), "kept", 4, false, &err), &err);
    assert_int_equal(symlink("../kept", tempdir_file("top/link")), 0);
    CHECK_OK(uw__list_dir(top, &names, &count, &err), &err);
    assert_int_equal(count, 42);
    assert_string_equal(names[0], "00");
    assert_string_equal(names[39], "39");
    assert_string_equal(names[40], "b");
    uw__names_free(names, count);
    CHECK_OK(uw__fsync_dir(top, &err), &err);
    CHECK_OK(uw__remove_tree(top, &err), &err);
    assert_false(uw__file_exists(top));
    CHECK_OK(uw__remove_tree(top, &err), &err);
    check_content(tempdir_file("kept"), "kept");
    assert_int_equal(unlink(tempdir_file("kept")), 0);
    check_refused(uw__list_dir(top, &names, &count, &err), UW_ENOTFOUND, &err, "open");
    check_refused(uw__fsync_dir(top, &err), UW_ENOTFOUND, &err, "open");
    check_refused(uw__remove_tree("", &err), UW_EINVAL, &err, "folder");
    check_refused(uw__remove_tree("/", &err), UW_EINVAL, &err, "folder");
    check_refused(uw__remove_tree("/tmp/..", &err), UW_EINVAL, &err, "folder");
}

static void test_messages(void **state) {
    (void)state;
    uw_err err;
    static const struct {
        int e;
        bool writing;
        uw_status want;
    } rows[] = {
        {ENOENT, false, UW_ENOTFOUND},  {ENOENT, true, UW_ENOTFOUND}, {ENOSPC, true, UW_ENOSPC},
        {EROFS, true, UW_ENOSPC},       {EDQUOT, true, UW_ENOSPC},    {EACCES, true, UW_ENOSPC},
        {EACCES, false, UW_EIO},        {EIO, true, UW_EIO},          {EIO, false, UW_EIO},
        {ENOTDIR, false, UW_ENOTFOUND}, {ENOMEM, false, UW_ENOMEM}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&err, 0, sizeof err);
        check_refused(uw__io_fail(&err, "file", "act", rows[i].e, rows[i].writing), rows[i].want,
                      &err, "file: act: ");
    }
    /* a long path must not push the reason out of the message */
    char path[2000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    check_refused(uw__io_fail(&err, path, "write", ENOSPC, true), UW_ENOSPC, &err, "No space");
    assert_int_equal(uw__io_fail(NULL, path, "write", ENOSPC, true), UW_ENOSPC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_read_refusals),
        cmocka_unit_test(test_disk_full),       cmocka_unit_test(test_place_refused),
        cmocka_unit_test(test_taken_meanwhile), cmocka_unit_test(test_folders),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
