/* PNG through libpng's simplified API, which keeps its setjmp to itself and prints nothing. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include <umwelt/report.h>

#include "fileio.h"

enum { MAX_SIDE = 1 << 16 };

void uw_free(void *memory) {
    free(memory);
}

#if defined(UW_PNG)
#include <png.h>

#define MAX_PIXELS (INT64_C(1) << 26)
#define MAX_FILE   (UINT64_C(1) << 30)
#define FIX_COPY   "the file is damaged or not PNG: save it again"

enum { DEFLATE_RATIO = 1032 }; /* the most that a byte of deflate can become */

uw_status uw_png_encode(const uint8_t *rgb, int32_t width, int32_t height, void **data,
                        size_t *size, uw_err *err) {
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB};
    if (width < 1 || height < 1 || (int64_t)width * height > MAX_PIXELS) {
        return uw__refuse(err, UW_EINVAL, "png", "bad_size", "draw a smaller picture",
                          "wanted 1 to %lld pixels, got %d x %d", (long long)MAX_PIXELS, width,
                          height);
    }
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    unsigned char *out = malloc(bytes);
    if (!out) return uw__no_memory(err, "png", bytes);
    if (!png_image_write_to_memory(&image, out, &bytes, 0, rgb, 0, NULL)) {
        free(out);
        return uw__refuse(err, UW_ENOMEM, "png", "encode", "close other programs", "%s",
                          image.message);
    }
    unsigned char *fit = realloc(out, bytes);
    *data = fit ? fit : out;
    *size = bytes;
    return UW_OK;
}

/* The picture's pixels, bounded in itself and by what its bytes can become at one bit a pixel. */
static bool size_ok(const png_image *image, size_t file_bytes) {
    const int64_t pixels = (int64_t)image->width * image->height;
    return image->width <= MAX_SIDE && image->height <= MAX_SIDE && pixels <= MAX_PIXELS &&
           pixels / 8 <= (int64_t)file_bytes * DEFLATE_RATIO;
}

uw_status uw__png_decode(const char *name, const void *data, size_t size, uint8_t **rgb,
                         int32_t *width, int32_t *height, uw_err *err) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t *out = NULL;
    uw_status s = UW_OK;
    if (!png_image_begin_read_from_memory(&image, data, size)) {
        return uw__refuse(err, UW_EFORMAT, name, "bad_png", FIX_COPY, "%s", image.message);
    }
    if (!size_ok(&image, size)) {
        s = uw__refuse(err, UW_EFORMAT, name, "too_large", "make the picture smaller",
                       "wanted at most %lld pixels, got %u x %u", (long long)MAX_PIXELS,
                       image.width, image.height);
        goto done;
    }
    image.format = PNG_FORMAT_RGB;
    out = calloc(1, PNG_IMAGE_SIZE(image)); /* black, which is what transparency shows */
    if (!out) {
        s = uw__no_memory(err, name, PNG_IMAGE_SIZE(image));
        goto done;
    }
    if (!png_image_finish_read(&image, NULL, out, 0, NULL)) {
        s = uw__refuse(err, UW_EFORMAT, name, "bad_png", FIX_COPY, "%s", image.message);
        goto done;
    }
    *rgb = out;
    *width = (int32_t)image.width;
    *height = (int32_t)image.height;
    out = NULL;
done:
    png_image_free(&image);
    free(out);
    return s;
}

uw_status uw_png_write(const char *path, const uint8_t *rgb, int32_t width, int32_t height,
                       bool overwrite, uw_err *err) {
    void *data = NULL;
    size_t size = 0;
    uw_status s = uw_png_encode(rgb, width, height, &data, &size, err);
    if (!s) s = uw__file_write_atomic(path, data, size, overwrite, err);
    free(data);
    return s;
}

uw_status uw_png_read(const char *path, uint8_t **rgb, int32_t *width, int32_t *height,
                      uw_err *err) {
    void *data = NULL;
    size_t size = 0;
    uw_status s = uw__file_read(path, MAX_FILE, &data, &size, err);
    if (!s) s = uw__png_decode(path, data, size, rgb, width, height, err);
    free(data);
    return s;
}

#else

static uw_status without(uw_err *err) {
    return uw__refuse(err, UW_EUNSUPPORTED, "png", "not built in", "build with -DUW_PNG=ON",
                      "this build has no PNG");
}

uw_status uw_png_encode(const uint8_t *rgb, int32_t width, int32_t height, void **data,
                        size_t *size, uw_err *err) {
    (void)rgb, (void)width, (void)height, (void)data, (void)size;
    return without(err);
}

uw_status uw__png_decode(const char *name, const void *data, size_t size, uint8_t **rgb,
                         int32_t *width, int32_t *height, uw_err *err) {
    (void)name, (void)data, (void)size, (void)rgb, (void)width, (void)height;
    return without(err);
}

uw_status uw_png_write(const char *path, const uint8_t *rgb, int32_t width, int32_t height,
                       bool overwrite, uw_err *err) {
    (void)path, (void)rgb, (void)width, (void)height, (void)overwrite;
    return without(err);
}

uw_status uw_png_read(const char *path, uint8_t **rgb, int32_t *width, int32_t *height,
                      uw_err *err) {
    (void)path, (void)rgb, (void)width, (void)height;
    return without(err);
}
#endif
