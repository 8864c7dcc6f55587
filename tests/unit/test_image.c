/* Pictures: PNG is exact, JPEG close, GIF exact below 256 colours; damaged input is refused by name
 * and never ends the process. */
#include <unistd.h>

#if defined(UW_GIF)
#include <gif_lib.h>
#endif
#include <umwelt/report.h>

#include "check.h"
#include "fileio.h"
#include "image.h"
#include "tempdir.h"

static void check_refused(uw_status got, uw_status want, const uw_err *err, const char *word) {
    if (got != want) fail_msg("got %d, wanted %d (%s): %s", got, want, word, err->text);
    if (!strstr(err->text, word)) fail_msg("\"%s\" does not say \"%s\"", err->text, word);
    if (!err->fix[0]) fail_msg("no advice with \"%s\"", err->text);
}

/* Smooth ramps, `levels` per channel. */
static uint8_t *picture(int width, int height, int levels, int shift) {
    uint8_t *p = malloc((size_t)width * (size_t)height * 3);
    assert_non_null(p);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *q = p + 3 * (y * width + x);
            q[0] = (uint8_t)((x + shift) * levels / width * 255 / levels);
            q[1] = (uint8_t)(y * levels / height * 255 / levels);
            q[2] = (uint8_t)((x + y) * levels / (width + height) * 255 / levels);
        }
    }
    return p;
}

#if defined(UW_PNG)
static void test_png(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {3, 5}, {64, 1}, {1, 64}, {224, 224}};
    uw_err err = {0};
    const char *path = tempdir_file("p.png");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        uint8_t *p = picture(w, h, 200, 0), *q = NULL;
        int32_t qw = 0, qh = 0;
        CHECK_OK(uw_png_write(path, p, w, h, true, &err), &err);
        CHECK_OK(uw_png_read(path, &q, &qw, &qh, &err), &err);
        assert_int_equal(qw, w);
        assert_int_equal(qh, h);
        assert_memory_equal(p, q, (size_t)w * (size_t)h * 3);
        uw_free(q);
        free(p);
    }
    uint8_t *q = NULL;
    int32_t w, h;
    check_refused(uw_png_write(path, NULL, 0, 5, true, &err), UW_EINVAL, &err, "bad_size");
    check_refused(uw_png_write(path, NULL, 1 << 20, 1 << 20, true, &err), UW_EINVAL, &err,
                  "bad_size");
    check_refused(uw_png_write(path, (const uint8_t *)"abc", 1, 1, false, &err), UW_EEXIST, &err,
                  "exists");
    check_refused(uw_png_read(tempdir_file("none"), &q, &w, &h, &err), UW_ENOTFOUND, &err, "none");
    assert_int_equal(unlink(path), 0);
}

static void test_png_damaged(void **state) {
    (void)state;
    uw_err err = {0};
    void *data = NULL;
    size_t size = 0;
    uint8_t *p = picture(40, 30, 100, 0), *q = NULL;
    int32_t w, h;
    CHECK_OK(uw_png_encode(p, 40, 30, &data, &size, &err), &err);
    /* the last 12 bytes are the end mark, which carries no pixels */
    for (size_t n = 0; n < size - 12; n++) {
        check_refused(uw__png_decode("cut", data, n, &q, &w, &h, &err), UW_EFORMAT, &err,
                      "bad_png");
        assert_null(q);
    }
    /* 60000 x 60000 claimed by a few bytes: refused before any memory is taken */
    unsigned char *bytes = data;
    memcpy(bytes + 16, "\0\0\xea\x60\0\0\xea\x60", 8);
    assert_true(uw__png_decode("bomb", bytes, size, &q, &w, &h, &err) == UW_EFORMAT);
    check_refused(uw__png_decode("text", "GIF89a, not PNG at all", 22, &q, &w, &h, &err),
                  UW_EFORMAT, &err, "bad_png");
    free(data);
    free(p);
}
#endif

#if defined(UW_JPEG)
static void test_jpeg(void **state) {
    (void)state;
    uw_err err = {0};
    void *data = NULL, *again = NULL;
    size_t size = 0, size2 = 0;
    enum { W = 64, H = 48 };
    uint8_t *p = picture(W, H, 255, 0), *q = malloc(W * H * 3);
    assert_non_null(q);
    CHECK_OK(uw__jpeg_encode(p, W, H, 95, &data, &size, &err), &err);
    CHECK_OK(uw__jpeg_encode(p, W, H, 95, &again, &size2, &err), &err);
    assert_int_equal(size, size2);
    assert_memory_equal(data, again, size);
    CHECK_OK(uw__jpeg_decode(data, size, W, H, q, &err), &err);
    int worst = 0;
    for (int i = 0; i < W * H * 3; i++) worst = abs(p[i] - q[i]) > worst ? abs(p[i] - q[i]) : worst;
    assert_in_range(worst, 1, 16); /* smooth ramps at quality 95 */
    check_refused(uw__jpeg_decode(data, size, W + 1, H, q, &err), UW_ESHAPE, &err,
                  "wanted 65 x 48");
    for (size_t n = 0; n < size - 2; n++) {
        check_refused(uw__jpeg_decode(data, n, W, H, q, &err), UW_EFORMAT, &err, "bad_jpeg");
    }
    check_refused(uw__jpeg_decode("not a JPEG", 10, W, H, q, &err), UW_EFORMAT, &err, "bad_jpeg");
    check_refused(uw__jpeg_encode(p, 0, H, 95, &data, &size, &err), UW_EINVAL, &err, "bad_size");
    check_refused(uw__jpeg_encode(p, W, H, 101, &data, &size, &err), UW_EINVAL, &err, "bad_size");
    free(data);
    free(again);
    free(p);
    free(q);
}
#endif

#if defined(UW_GIF)
/* Play a GIF with giflib's own decoder: canvas after `frame`, its delay. */
static void play(const char *path, int frame, int width, int height, uint8_t *canvas, int *frames,
                 int *delay) {
    int code;
    GifFileType *g = DGifOpenFileName(path, &code);
    assert_non_null(g);
    assert_int_equal(DGifSlurp(g), GIF_OK);
    assert_int_equal(g->SWidth, width);
    assert_int_equal(g->SHeight, height);
    *frames = g->ImageCount;
    for (int f = 0; f <= frame; f++) {
        const SavedImage *im = &g->SavedImages[f];
        GraphicsControlBlock control;
        assert_int_equal(DGifSavedExtensionToGCB(g, f, &control), GIF_OK);
        *delay = control.DelayTime;
        for (int y = 0; y < im->ImageDesc.Height; y++) {
            for (int x = 0; x < im->ImageDesc.Width; x++) {
                const GifColorType c =
                    im->ImageDesc.ColorMap->Colors[im->RasterBits[y * im->ImageDesc.Width + x]];
                uint8_t *q =
                    canvas + 3 * ((im->ImageDesc.Top + y) * width + im->ImageDesc.Left + x);
                q[0] = c.Red, q[1] = c.Green, q[2] = c.Blue;
            }
        }
    }
    DGifCloseFile(g, &code);
}

static void test_gif(void **state) {
    (void)state;
    enum { W = 61, H = 47, FRAMES = 4 };
    uw_err err = {0};
    uw_gif *g = NULL;
    uint8_t *frames[FRAMES], canvas[W * H * 3];
    const char *path = tempdir_file("a.gif");
    CHECK_OK(uw__gif_open(W, H, &g, &err), &err);
    for (int f = 0; f < FRAMES; f++) {
        frames[f] = picture(W, H, 6, 0); /* at most 216 colours */
        if (f == 1) memset(frames[f] + 3 * (20 * W + 30), 255, 9);
        if (f == 3) memset(frames[f], 7, 3), memset(frames[f] + 3 * (W * H - 1), 9, 3);
        CHECK_OK(uw__gif_frame(g, frames[f], 10 + f, &err), &err);
        if (f == 3) CHECK_OK(uw__gif_frame(g, frames[f], 99, &err), &err); /* nothing changed */
    }
    CHECK_OK(uw__gif_close(g, path, false, &err), &err);
    for (int f = 0; f < FRAMES; f++) {
        int count, delay;
        play(path, f, W, H, canvas, &count, &delay);
        assert_int_equal(count, FRAMES + 1);
        assert_int_equal(delay, 10 + f);
        assert_memory_equal(canvas, frames[f], sizeof canvas);
        free(frames[f]);
    }
    void *bytes = NULL;
    size_t size = 0;
    CHECK_OK(uw__file_read(path, 1 << 20, &bytes, &size, &err), &err);
    assert_memory_equal(bytes, "GIF89a", 6);
    assert_non_null(memmem(bytes, size, "NETSCAPE2.0\3\1\0\0", 15)); /* for ever */
    free(bytes);
    assert_int_equal(unlink(path), 0);
}

/* More colours than a palette holds: close everywhere, and the same bytes each time. */
static void test_gif_many_colours(void **state) {
    (void)state;
    enum { W = 256, H = 200 };
    uw_err err = {0};
    int32_t frames, delay;
    void *bytes[2] = {NULL, NULL};
    size_t size[2];
    const char *path = tempdir_file("b.gif");
    uint8_t *p = picture(W, H, 250, 0), *canvas = malloc(W * H * 3);
    assert_non_null(canvas);
    for (int k = 0; k < 2; k++) {
        uw_gif *g = NULL;
        CHECK_OK(uw__gif_open(W, H, &g, &err), &err);
        CHECK_OK(uw__gif_frame(g, p, 5, &err), &err);
        CHECK_OK(uw__gif_close(g, path, true, &err), &err);
        CHECK_OK(uw__file_read(path, 1 << 20, &bytes[k], &size[k], &err), &err);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    play(path, 0, W, H, canvas, &frames, &delay);
    int worst = 0;
    for (int i = 0; i < W * H * 3; i++) {
        worst = abs(p[i] - canvas[i]) > worst ? abs(p[i] - canvas[i]) : worst;
    }
    assert_in_range(worst, 1, 32);
    free(bytes[0]);
    free(bytes[1]);

    /* white noise: more distinct colours than are counted */
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < W * H * 3; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = (uint8_t)(x >> 32);
    }
    uw_gif *g = NULL;
    CHECK_OK(uw__gif_open(W, H, &g, &err), &err);
    CHECK_OK(uw__gif_frame(g, p, 5, &err), &err);
    disk_fill(100);
    const uw_status full = uw__gif_close(g, path, true, &err);
    disk_free();
    check_refused(full, UW_ENOSPC, &err, "write");
    play(path, 0, W, H, canvas, &frames, &delay); /* the old one */
    free(p);
    free(canvas);
    assert_int_equal(unlink(path), 0);
}

static void test_gif_refusals(void **state) {
    (void)state;
    uw_err err = {0};
    uw_gif *g = (uw_gif *)1;
    check_refused(uw__gif_open(0, 1, &g, &err), UW_EINVAL, &err, "bad_size");
    assert_null(g);
    check_refused(uw__gif_open(1, 100000, &g, &err), UW_EINVAL, &err, "bad_size");
    CHECK_OK(uw__gif_open(1, 1, &g, &err), &err);
    check_refused(uw__gif_frame(g, (const uint8_t *)"abc", -1, &err), UW_EINVAL, &err, "bad_delay");
    check_refused(uw__gif_close(g, tempdir_file("none.gif"), true, &err), UW_EINVAL, &err,
                  "no_frames");
    assert_int_equal(tempdir_count(), 0);
}
#endif

static void test_left_out(void **state) {
    (void)state;
#if !defined(UW_PNG) && !defined(UW_JPEG) && !defined(UW_GIF)
    uw_err err = {0};
    uw_gif *g;
    uint8_t *rgb = picture(4, 4, 4, 0), *q;
    int32_t w, h;
    check_refused(uw_png_write(tempdir_file("x"), rgb, 4, 4, true, &err), UW_EUNSUPPORTED, &err,
                  "PNG");
    check_refused(uw_png_read(tempdir_file("x"), &q, &w, &h, &err), UW_EUNSUPPORTED, &err, "PNG");
    check_refused(uw__jpeg_decode(rgb, 4, 4, 4, rgb, &err), UW_EUNSUPPORTED, &err, "JPEG");
    check_refused(uw__gif_open(4, 4, &g, &err), UW_EUNSUPPORTED, &err, "GIF");
    free(rgb);
#endif
    assert_int_equal(tempdir_count(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if defined(UW_PNG)
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_png_damaged),
#endif
#if defined(UW_JPEG)
        cmocka_unit_test(test_jpeg),
#endif
#if defined(UW_GIF)
        cmocka_unit_test(test_gif),
        cmocka_unit_test(test_gif_many_colours),
        cmocka_unit_test(test_gif_refusals),
#endif
        cmocka_unit_test(test_left_out),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
