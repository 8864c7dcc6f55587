/* NumPy reads what we write: the same names, types, shapes and values.  Skipped without python3 and
 * NumPy. */
#include "check.h"
#include "npy.h"
#include "tempdir.h"

static const char reader[] =
    "import numpy as np, sys\n"
    "z = np.load(sys.argv[1])\n"
    "assert z.files == ['u8', 'i32', 'i64', 'f16', 'f32', 'f64', 'bool', 'scalar', 'none', "
    "'gr\\u00f6\\u00dfe'], z.files\n"
    "types = dict(u8='u1', i32='i4', i64='i8', f16='f2', f32='f4', f64='f8', bool='?')\n"
    "for name, code in types.items():\n"
    "    x = z[name]\n"
    "    assert x.dtype == np.dtype(code) and x.shape == (3, 4), (name, x.dtype, x.shape)\n"
    "    assert x.tobytes() == bytes(i % 2 for i in range(x.nbytes)), name\n"
    "assert z['scalar'].shape == () and z['scalar'] == 2.5\n"
    "assert z['none'].shape == (0, 3) and z['none'].dtype == np.float32\n"
    "import zipfile\n"
    "assert zipfile.ZipFile(sys.argv[1]).testzip() is None\n";

static void test_numpy_reads(void **state) {
    (void)state;
    static const char *const names[] = {"u8", "i32", "i64", "f16", NULL, "f32", "f64", "bool"};
    unsigned char bytes[8 * 12];
    const double scalar = 2.5;
    const int64_t shape[] = {3, 4}, none[] = {0, 3};
    uw_npz_writer *w = NULL;
    uw_err err = {0};
    char command[1200];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i % 2);
    CHECK_OK(uw__npz_writer_open(tempdir_file("ours.npz"), false, &w, &err), &err);
    for (int d = 0; d < 8; d++) {
        if (!names[d]) continue;
        CHECK_OK(uw__npz_writer_begin(w, names[d], (uw_dtype)d, 2, shape, &err), &err);
        CHECK_OK(uw__npz_writer_data(w, bytes, 12 * uw_dtype_bytes((uw_dtype)d), &err), &err);
    }
    CHECK_OK(uw__npz_writer_begin(w, "scalar", UW_DTYPE_F64, 0, NULL, &err), &err);
    CHECK_OK(uw__npz_writer_data(w, &scalar, sizeof scalar, &err), &err);
    CHECK_OK(uw__npz_writer_begin(w, "none", UW_DTYPE_F32, 2, none, &err), &err);
    CHECK_OK(uw__npz_writer_begin(w,
                                  "gr\xc3\xb6\xc3\x9f"
                                  "e",
                                  UW_DTYPE_F32, 2, none, &err),
             &err);
    CHECK_OK(uw__npz_writer_close(w, &err), &err);

    FILE *f = fopen(tempdir_file("reader.py"), "w");
    assert_non_null(f);
    fputs(reader, f);
    fclose(f);
    snprintf(command, sizeof command, "python3 %s %s", tempdir_file("reader.py"),
             tempdir_file("ours.npz"));
    assert_int_equal(system(command), 0);
}

int main(void) {
    if (system("python3 -c 'import numpy' >/dev/null 2>&1")) return UW_SKIP;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numpy_reads)};
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
