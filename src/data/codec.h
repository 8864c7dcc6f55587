/* One frame in, bytes out, and back: the only file that knows zstd.  An encoder or decoder belongs
 * to one thread at a time and is reused, so that a frame costs no allocation. */
#ifndef UW_CODEC_H
#define UW_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <umwelt/dataset.h>

enum { UW__ZSTD_LEVEL = 3, UW__JPEG_QUALITY = 95 };

typedef struct uw__encoder uw__encoder;
uw_status uw__encoder_new(uw__encoder **out);
void uw__encoder_free(uw__encoder *encoder);

typedef struct uw__decoder uw__decoder;
uw_status uw__decoder_new(uw__decoder **out);
void uw__decoder_free(uw__decoder *decoder);

/* Say whether this build can write and read a codec; UW_EUNSUPPORTED names the option if not. */
uw_status uw__codec_check(const char *name, const uw_column *column, uw_err *err);

/* Encode one frame of `size` bytes into out [cap >= uw__frame_bound]; the same bytes every time. */
uw_status uw__frame_encode(uw__encoder *encoder, const uw_column *column, const void *frame,
                           size_t size, void *out, size_t cap, size_t *bytes, uw_err *err);
/* Decode into out [size]; UW_EFORMAT when the bytes are not one frame of exactly this size. */
uw_status uw__frame_decode(uw__decoder *decoder, const uw_column *column, const void *data,
                           size_t bytes, void *out, size_t size, uw_err *err);

#endif
