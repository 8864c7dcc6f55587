/* Memory that runs out: for every n, the n-th allocation of each operation fails once.  The answer
 * is UW_ENOMEM with advice, nothing is published, nothing leaks (LeakSanitizer's job), and nothing
 * is left on the disk. */
#include <unistd.h>

#include "check.h"
#include "csv.h"
#include "fileio.h"
#include "image.h"
#include "json.h"
#include "npy.h"
#include "pt.h"
#include "safetensors.h"
#include "tempdir.h"
#include "tfevents.h"
#include "yaml.h"

#include "alloc_fail.h"

typedef uw_status operation(uw_err *err);

static void check_all(const char *name, operation *run, long least) {
    const int before = tempdir_count();
    for (long n = 0;; n++) {
        uw_err err = {0};
        alloc_fail_begin(n);
        const uw_status s = run(&err);
        const bool fired = alloc_calls > n;
        alloc_fail_end();
        if (s && s != UW_ENOMEM) fail_msg("%s: allocation %ld: got %d: %s", name, n, s, err.text);
        if (s && (!err.text[0] || !err.fix[0])) fail_msg("%s: allocation %ld: no message", name, n);
        if (s && !fired) fail_msg("%s: out of memory without being asked to: %s", name, err.text);
        if (s) assert_int_equal(tempdir_count(), before);
        if (fired) continue;
        if (n < least) fail_msg("%s: only %ld allocations seen, wanted %ld", name, n, least);
        return;
    }
}

static const char *vector(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", check_vectors(), name);
    return path;
}

static uw_status open_safetensors(uw_err *err) {
    uw_safetensors *st = (uw_safetensors *)1;
    const uw_status s =
        uw__safetensors_open(vector("golden/lewm_tiny/plan.safetensors"), 0, &st, err);
    if (s) assert_null(st);
    uw__safetensors_close(st);
    return s;
}

static uw_status write_safetensors(uw_err *err) {
    const float x[4] = {1, 2, 3, 4};
    char names[40][16];
    uw_tensor t[40];
    const uw_meta_pair meta = {"config", "{}"};
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        t[i] = (uw_tensor){names[i], UW_DTYPE_F32, 2, {2, 2}, x};
    }
    const uw_status s = uw__safetensors_write(tempdir_file("w"), t, 40, &meta, 1, false, err);
    if (!s) unlink(tempdir_file("w"));
    return s;
}

static uw_status read_npz(const char *path, uw_err *err) {
    uw_npz *z = (uw_npz *)1;
    uw_tensor t;
    const char **text = NULL;
    int64_t n;
    uw_status s = uw__npz_open(path, 0, &z, err);
    if (s) assert_null(z);
    for (int32_t i = 0; !s && i < uw__npz_count(z); i++) {
        if (!strcmp(uw__npz_name(z, i), "text"))
            s = uw__npz_strings(z, i, &text, &n, err);
        else
            s = uw__npz_get(z, i, &t, err);
    }
    uw__npz_close(z);
    return s;
}

static uw_status open_stored(uw_err *err) {
    return read_npz(vector("npy/stored.npz"), err);
}

static uw_status open_deflated(uw_err *err) {
    return read_npz(vector("npy/deflated.npz"), err);
}

static uw_status open_npy(uw_err *err) {
    return read_npz(vector("npy/single.npy"), err);
}

static uw_status write_npz(uw_err *err) {
    uw_npz_writer *w = NULL;
    const int64_t shape[] = {2};
    const float x[2] = {1, 2};
    char name[16];
    uw_status s = uw__npz_writer_open(tempdir_file("w"), false, &w, err);
    if (s) return s;
    for (int i = 0; i < 20 && !s; i++) {
        snprintf(name, sizeof name, "a%d", i);
        s = uw__npz_writer_begin(w, name, UW_DTYPE_F32, 1, shape, err);
        if (!s) s = uw__npz_writer_data(w, x, sizeof x, err);
    }
    if (s)
        uw__npz_writer_abort(w);
    else
        s = uw__npz_writer_close(w, err);
    if (!s) unlink(tempdir_file("w"));
    return s;
}

static uw_status read_pt(const char *name, uw_err *err) {
    uw_pt *pt = (uw_pt *)1;
    const uw_status s = uw__pt_open(vector(name), 0, &pt, err);
    if (s) assert_null(pt);
    uw__pt_close(pt);
    return s;
}

static uw_status open_pt_zip(uw_err *err) {
    return read_pt("golden/checkpoints/good/views.pt", err);
}

static uw_status open_pt_legacy(uw_err *err) {
    return read_pt("golden/checkpoints/good/legacy.pt", err);
}

static uw_status write_pt(uw_err *err) {
    const float x[4] = {1, 2, 3, 4};
    const uw_tensor t[] = {{"a", UW_DTYPE_F32, 2, {2, 2}, x}, {"b", UW_DTYPE_F32, 1, {3}, x}};
    const uw_status s = uw__pt_write(tempdir_file("w"), t, 2, false, err);
    if (!s) unlink(tempdir_file("w"));
    return s;
}

static uw_status use_json(uw_err *err) {
    uw_json *j = (uw_json *)1;
    const double three[3] = {1, 2, 3};
    const uw_status s = uw__json_parse(
        "case", "{\"a\":1,\"b\":\"x\",\"c\":[1,2,3,4,5,6,7,8,9],\"d\":true,\"e\":2.5}", &j, err);
    if (s) {
        assert_null(j);
        return s;
    }
    for (int i = 0; i < 12; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        uw__json_set_i64(j, key, i);
    }
    uw__json_set_str(j, "text", "value");
    uw__json_set_f64s(j, "c", three, 3);
    char *text = uw__json_dump(j); /* setters cannot fail aloud: the dump tells */
    uw__json_free(j);
    if (!text) {
        uw_err_fix(err, "close other programs");
        return uw_fail(err, UW_ENOMEM, "dump");
    }
    free(text);
    return UW_OK;
}

static uw_status read_csv(uw_err *err) {
    double row[18];
    bool end;
    uw_csv *c = (uw_csv *)1;
    uw_status s = uw__csv_open(vector("io/wide.csv"), &c, err);
    if (s) assert_null(c);
    if (!s) s = uw__csv_next(c, row, &end, err);
    uw__csv_close(c);
    return s;
}

#if defined(UW_YAML)
static uw_status ignore_pair(void *arg, const char *key, const char *value, int32_t line,
                             uw_err *err) {
    (void)arg, (void)key, (void)value, (void)line, (void)err;
    return UW_OK;
}

static uw_status read_yaml(uw_err *err) {
    return uw__yaml_flat(vector("io/flat.yaml"), ignore_pair, NULL, err);
}
#endif

#if defined(UW_GIF)
static uw_status write_gif(uw_err *err) {
    static uint8_t rgb[64 * 64 * 3];
    uw_gif *g = (uw_gif *)1;
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(i * i / 7);
    uw_status s = uw__gif_open(64, 64, &g, err);
    if (s) {
        assert_null(g);
        return s;
    }
    s = uw__gif_frame(g, rgb, 5, err);
    uw_err second = {0};
    const uw_status closed = uw__gif_close(g, tempdir_file("w.gif"), false, s ? &second : err);
    unlink(tempdir_file("w.gif"));
    return s ? s : closed;
}
#endif

#if defined(UW_PNG)
static uw_status code_png(uw_err *err) {
    static const uint8_t rgb[8 * 8 * 3];
    void *data = NULL;
    size_t size;
    uint8_t *back = NULL;
    int32_t w, h;
    uw_status s = uw_png_encode(rgb, 8, 8, &data, &size, err);
    if (!s) s = uw__png_decode("p", data, size, &back, &w, &h, err);
    free(data);
    free(back);
    return s;
}
#endif

#if defined(UW_JPEG)
static uw_status code_jpeg(uw_err *err) {
    static const uint8_t rgb[8 * 8 * 3];
    void *data = NULL;
    size_t size;
    const uw_status s = uw__jpeg_encode(rgb, 8, 8, 90, &data, &size, err);
    free(data);
    return s;
}
#endif

static uw_status list_folder(uw_err *err) {
    char **names = NULL;
    int32_t count = 0;
    const uw_status s =
        uw__list_dir(vector("golden/checkpoints/hostile_safetensors"), &names, &count, err);
    uw__names_free(names, count);
    return s;
}

static uw_status continue_events(uw_err *err) {
    uw_tfevents *t = (uw_tfevents *)1;
    const uw_status s = uw__tfevents_open(tempdir_path, "run", -1, &t, err);
    if (s) assert_null(t);
    uw__tfevents_close(t);
    return s;
}

static void test_everything(void **state) {
    (void)state;
    uw_err err = {0};
    uw_tfevents *t = NULL;
    check_all("safetensors open", open_safetensors, 6);
    check_all("safetensors write", write_safetensors, 2);
    check_all("npz stored", open_stored, 30);
    check_all("npz deflated", open_deflated, 50);
    check_all("npy", open_npy, 7);
    check_all("npz write", write_npz, 20);
    check_all("pt zip", open_pt_zip, 100);
    check_all("pt legacy", open_pt_legacy, 15);
    check_all("pt write", write_pt, 4);
    check_all("json", use_json, 20);
    check_all("csv", read_csv, 8);
#if defined(UW_YAML)
    check_all("yaml", read_yaml, 4);
#endif
#if defined(UW_GIF)
    check_all("gif", write_gif, 5);
#endif
#if defined(UW_PNG)
    check_all("png", code_png, 2);
#endif
#if defined(UW_JPEG)
    check_all("jpeg", code_jpeg, 1);
#endif
    check_all("folder", list_folder, 10);
    CHECK_OK(uw__tfevents_open(tempdir_path, "run", -1, &t, &err), &err);
    uw__tfevents_close(t);
    check_all("events", continue_events, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything)};
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
