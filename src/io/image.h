/* Pictures: PNG in and out, animated GIF out, JPEG in and out of memory. RGB, 8 bits. */
#ifndef UW_IMAGE_H
#define UW_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/report.h> /* uw_png_encode */

uw_status uw__png_decode(const char *name, const void *data, size_t size, uint8_t **rgb,
                         int32_t *width, int32_t *height, uw_err *err);
uw_status uw__jpeg_encode(const uint8_t *rgb, int32_t width, int32_t height, int32_t quality,
                          void **data, size_t *size, uw_err *err);
/* Read a picture's size from its header. */
uw_status uw__jpeg_size(const void *data, size_t size, int32_t *width, int32_t *height,
                        uw_err *err);
/* Decode into out [height, width, 3]; UW_ESHAPE when the picture has another size. */
uw_status uw__jpeg_decode(const void *data, size_t size, int32_t width, int32_t height,
                          uint8_t *out, uw_err *err);

typedef struct uw_gif uw_gif;
/* Frames share one palette per frame (median cut over its colours); delay in 1/100 s; loops for
 * ever. */
uw_status uw__gif_open(int32_t width, int32_t height, uw_gif **out, uw_err *err);
uw_status uw__gif_frame(uw_gif *gif, const uint8_t *rgb, int32_t delay_cs, uw_err *err);
/* Write atomically and free (always frees). */
uw_status uw__gif_close(uw_gif *gif, const char *path, bool overwrite, uw_err *err);
/* Free without writing; NULL is allowed. */
void uw__gif_abort(uw_gif *gif);

#endif
