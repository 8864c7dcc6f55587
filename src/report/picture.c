/* PNG files, and the freeing of what they allocate. */
#include <umwelt/report.h>

#include <stdlib.h>

#include "fileio.h"
#include "image.h"

enum { MAX_PNG = 256 << 20 };

uw_status uw_png_write(const char *path, const uint8_t *rgb, int32_t width, int32_t height,
                       bool overwrite, uw_err *err) {
    void *data = NULL;
    size_t size = 0;
    if (width < 1 || height < 1)
        return uw_fail(err, UW_EINVAL, "%s: picture size, wanted at least 1x1, got %dx%d", path,
                       width, height);
    uw_status s = uw__png_encode(rgb, width, height, &data, &size, err);
    if (!s) s = uw__file_write_atomic(path, data, size, overwrite, err);
    free(data);
    return s;
}

uw_status uw_png_read(const char *path, uint8_t **rgb, int32_t *width, int32_t *height,
                      uw_err *err) {
    void *data = NULL;
    size_t size = 0;
    uw_status s = uw__file_read(path, MAX_PNG, &data, &size, err);
    if (!s) s = uw__png_decode(path, data, size, rgb, width, height, err);
    free(data);
    return s;
}

void uw_free(void *memory) {
    free(memory);
}
