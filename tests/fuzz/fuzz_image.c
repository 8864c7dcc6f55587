/* PNG and JPEG frames: decoders that never end the process; a PNG that is accepted, encoded again,
 * has the same pixels. */
#include <string.h>

#include "image.h"
#include "mutate.h"

enum { SIDE = 12 };

static bool judge_jpeg(const uint8_t *data, size_t size, uw_err *why) {
    static uint8_t out[SIDE * SIDE * 3];
    return !uw__jpeg_decode(data, size, SIDE, SIDE, out, why);
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uint8_t *rgb = NULL, *again = NULL;
    void *png = NULL;
    size_t bytes = 0;
    int32_t w = 0, h = 0, w2 = 0, h2 = 0;
    if (size >= 2 && data[0] == 0xff && data[1] == 0xd8) return judge_jpeg(data, size, why);
    const uw_status s = uw__png_decode("case", data, size, &rgb, &w, &h, why);
    FUZZ_REQUIRE(!s == !!rgb, "a picture without success, or the reverse");
    if (s) return false;
    if ((int64_t)w * h <= 1 << 16) {
        FUZZ_REQUIRE(!uw_png_encode(rgb, w, h, &png, &bytes, why), why->text);
        FUZZ_REQUIRE(!uw__png_decode("again", png, bytes, &again, &w2, &h2, why), why->text);
        FUZZ_REQUIRE(w == w2 && h == h2 && !memcmp(rgb, again, (size_t)w * (size_t)h * 3),
                     "pixels changed");
    }
    free(rgb);
    free(again);
    free(png);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    uint8_t rgb[SIDE * SIDE * 3];
    void *bytes = NULL;
    size_t n = 0;
    if (i >= 3) return false;
    for (size_t k = 0; k < sizeof rgb; k++) rgb[k] = (uint8_t)(i == 2 ? k * k : k / 3);
    const uw_status s = i == 1 ? uw__jpeg_encode(rgb, SIDE, SIDE, 80, &bytes, &n, NULL)
                               : uw_png_encode(rgb, SIDE, SIDE, &bytes, &n, NULL);
    FUZZ_REQUIRE(!s, "a seed");
    fuzz_copy(bytes, n, data, size);
    free(bytes);
    return true;
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    static const size_t png[] = {8, 16, 20, 24, 25, 26, 27, 28, 33};
    for (size_t k = 0; k < sizeof png / sizeof png[0]; k++) fuzz_field(data, size, png[k], 1, sink);
    for (size_t at = 0; at + 4 < size && data[0] == 0xff; at++) {
        if (data[at] == 0xff && data[at + 1]) fuzz_field(data, size, at + 2, 2, sink);
    }
}

const fuzz_format fuzz_format_under_test = {.name = "image",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 2000,
                                            .least_reasons = 2};
