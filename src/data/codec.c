/* Frames through zstd (rendered scenes: lossless, small) and JPEG (cameras). */
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#include "image.h"

#if defined(UW_ZSTD)
#include <zstd.h>
#include <zstd_errors.h>
#endif

struct uw__encoder {
#if defined(UW_ZSTD)
    ZSTD_CCtx *zstd;
#else
    char none;
#endif
};

struct uw__decoder {
#if defined(UW_ZSTD)
    ZSTD_DCtx *zstd;
#else
    char none;
#endif
};

uw_status uw__encoder_new(uw__encoder **out) {
    uw__encoder *e = calloc(1, sizeof *e);
    if (!e) return UW_ENOMEM;
#if defined(UW_ZSTD)
    e->zstd = ZSTD_createCCtx();
    if (!e->zstd) {
        free(e);
        return UW_ENOMEM;
    }
#endif
    *out = e;
    return UW_OK;
}

void uw__encoder_free(uw__encoder *encoder) {
    if (!encoder) return;
#if defined(UW_ZSTD)
    ZSTD_freeCCtx(encoder->zstd);
#endif
    free(encoder);
}

uw_status uw__decoder_new(uw__decoder **out) {
    uw__decoder *d = calloc(1, sizeof *d);
    if (!d) return UW_ENOMEM;
#if defined(UW_ZSTD)
    d->zstd = ZSTD_createDCtx();
    if (!d->zstd) {
        free(d);
        return UW_ENOMEM;
    }
#endif
    *out = d;
    return UW_OK;
}

void uw__decoder_free(uw__decoder *decoder) {
    if (!decoder) return;
#if defined(UW_ZSTD)
    ZSTD_freeDCtx(decoder->zstd);
#endif
    free(decoder);
}

uw_status uw__codec_check(const char *name, const uw_column *column, uw_err *err) {
    const char *missing = NULL;
#if !defined(UW_ZSTD)
    if (column->codec == UW_CODEC_ZSTD) missing = "zstd";
#endif
#if !defined(UW_JPEG)
    if (column->codec == UW_CODEC_JPEG) missing = "JPEG";
#endif
    if (!missing) return UW_OK;
    uw_fail(err, UW_EUNSUPPORTED, "%s: column '%s': this build has no %s", name, column->name,
            missing);
    uw_err_fix(err, "configure with -DUW_ZSTD=ON -DUW_JPEG=ON, or use raw frames");
    return UW_EUNSUPPORTED;
}

static uw_status zstd_encode(uw__encoder *encoder, const void *frame, size_t size, void *out,
                             size_t cap, size_t *bytes, uw_err *err) {
#if defined(UW_ZSTD)
    const size_t n = ZSTD_compressCCtx(encoder->zstd, out, cap, frame, size, UW__ZSTD_LEVEL);
    if (ZSTD_isError(n)) return uw_fail(err, UW_ENOMEM, "zstd: %s", ZSTD_getErrorName(n));
    *bytes = n;
    return UW_OK;
#else
    (void)encoder, (void)frame, (void)size, (void)out, (void)cap, (void)bytes;
    return uw_fail(err, UW_EUNSUPPORTED, "zstd: not in this build");
#endif
}

static uw_status zstd_decode(uw__decoder *decoder, const void *data, size_t bytes, void *out,
                             size_t size, uw_err *err) {
#if defined(UW_ZSTD)
    const size_t n = ZSTD_decompressDCtx(decoder->zstd, out, size, data, bytes);
    if (ZSTD_isError(n)) {
        const bool memory = ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation;
        return uw_fail(err, memory ? UW_ENOMEM : UW_EFORMAT, "zstd: %s", ZSTD_getErrorName(n));
    }
    if (n != size) return uw_fail(err, UW_EFORMAT, "zstd: wanted %zu bytes, got %zu", size, n);
    return UW_OK;
#else
    (void)decoder, (void)data, (void)bytes, (void)out, (void)size;
    return uw_fail(err, UW_EUNSUPPORTED, "zstd: not in this build");
#endif
}

uw_status uw__frame_encode(uw__encoder *encoder, const uw_column *column, const void *frame,
                           size_t size, void *out, size_t cap, size_t *bytes, uw_err *err) {
    if (column->codec == UW_CODEC_ZSTD) {
        return zstd_encode(encoder, frame, size, out, cap, bytes, err);
    }
    if (column->codec == UW_CODEC_JPEG) {
        void *jpeg = NULL;
        size_t n = 0;
        const uw_status s =
            uw__jpeg_encode(frame, (int32_t)column->shape[1], (int32_t)column->shape[0],
                            UW__JPEG_QUALITY, &jpeg, &n, err);
        if (s) return s;
        if (n > cap) {
            free(jpeg);
            return uw_fail(err, UW_EINVAL, "JPEG: wanted at most %zu bytes, got %zu", cap, n);
        }
        memcpy(out, jpeg, n);
        free(jpeg);
        *bytes = n;
        return UW_OK;
    }
    memcpy(out, frame, size);
    *bytes = size;
    return UW_OK;
}

uw_status uw__frame_decode(uw__decoder *decoder, const uw_column *column, const void *data,
                           size_t bytes, void *out, size_t size, uw_err *err) {
    if (column->codec == UW_CODEC_ZSTD) return zstd_decode(decoder, data, bytes, out, size, err);
    if (column->codec == UW_CODEC_JPEG) {
        return uw__jpeg_decode(data, bytes, (int32_t)column->shape[1], (int32_t)column->shape[0],
                               out, err);
    }
    if (bytes != size) {
        return uw_fail(err, UW_EFORMAT, "raw frame: wanted %zu bytes, got %zu", size, bytes);
    }
    memcpy(out, data, size);
    return UW_OK;
}
