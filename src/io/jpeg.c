/* JPEG through libjpeg.  Its handlers exit and print by default: ours jump back and keep quiet.  A
 * damaged picture is refused, not shown grey: libjpeg's warnings count as errors when decoding. */
#include "image.h"

#include <stdlib.h>

#include "fileio.h"

#if defined(UW_JPEG)
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#define FIX_COPY "the picture is damaged or not JPEG: record it again"

enum { MAX_SIDE = 65500, MAX_SCANS = 200 }; /* libjpeg's side; a progressive file has about ten */

typedef struct handler {
    struct jpeg_error_mgr base; /* first: libjpeg hands us a pointer to it */
    jmp_buf back;
    char text[JMSG_LENGTH_MAX];
} handler;

static void fail(j_common_ptr c) {
    handler *h = (handler *)c->err;
    c->err->format_message(c, h->text);
    longjmp(h->back, 1); /* libjpeg's own answer would be exit() */
}

/* level -1 is a warning: corrupt data, a file that ends early. */
static void hear(j_common_ptr c, int level) {
    if (level < 0) fail(c);
}

static void no_output(j_common_ptr c) {
    (void)c;
}

static void handler_init(handler *h) {
    jpeg_std_error(&h->base);
    h->base.error_exit = fail;
    h->base.emit_message = hear;
    h->base.output_message = no_output;
    h->text[0] = '\0';
}

/* Thousands of empty scans over a large picture are the known way to waste a decoder's time. */
static void watch_scans(j_common_ptr c) {
    handler *h = (handler *)c->err;
    if (((j_decompress_ptr)c)->input_scan_number <= MAX_SCANS) return;
    snprintf(h->text, sizeof h->text, "more than %d scans", MAX_SCANS);
    longjmp(h->back, 1);
}

uw_status uw__jpeg_encode(const uint8_t *rgb, int32_t width, int32_t height, int32_t quality,
                          void **data, size_t *size, uw_err *err) {
    struct jpeg_compress_struct c = {0};
    handler h;
    unsigned char *volatile memory = NULL; /* what survives the jump */
    unsigned char *buffer = NULL;
    unsigned long bytes = 0;
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || quality < 1 ||
        quality > 100) {
        return uw__refuse(err, UW_EINVAL, "jpeg", "bad_size", "draw a smaller picture",
                          "wanted sides of 1 to %d and a quality of 1 to 100, got %d x %d, %d",
                          MAX_SIDE, width, height, quality);
    }
    c.err = &h.base;
    handler_init(&h);
    if (setjmp(h.back)) {
        jpeg_destroy_compress(&c);
        free(memory);
        return uw__refuse(err, UW_ENOMEM, "jpeg", "encode", "close other programs", "%.120s",
                          h.text);
    }
    jpeg_create_compress(&c);
    /* A buffer large enough for any picture, so that libjpeg never replaces it behind the jump. */
    bytes = 65536 + (unsigned long)width * (unsigned long)height * 8;
    memory = buffer = malloc(bytes);
    if (!buffer) {
        jpeg_destroy_compress(&c);
        return uw__no_memory(err, "jpeg", bytes);
    }
    jpeg_mem_dest(&c, &buffer, &bytes);
    c.image_width = (JDIMENSION)width;
    c.image_height = (JDIMENSION)height;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, quality, TRUE);
    c.dct_method = JDCT_ISLOW; /* the same bits with and without SIMD */
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        const uint8_t *row = rgb + (size_t)c.next_scanline * (size_t)width * 3;
        JSAMPROW rows[1] = {(JSAMPROW)(uintptr_t)row}; /* libjpeg only reads it */
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    void *fit = realloc(buffer, bytes);
    *data = fit ? fit : buffer;
    *size = bytes;
    return UW_OK;
}

uw_status uw__jpeg_size(const void *data, size_t size, int32_t *width, int32_t *height,
                        uw_err *err) {
    struct jpeg_decompress_struct d = {0};
    handler h;
    d.err = &h.base;
    handler_init(&h);
    if (setjmp(h.back)) {
        jpeg_destroy_decompress(&d);
        return uw__refuse(err, UW_EFORMAT, "jpeg", "bad_jpeg", FIX_COPY, "%.120s", h.text);
    }
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, data, (unsigned long)size);
    jpeg_read_header(&d, TRUE);
    *width = (int32_t)d.image_width; /* at most MAX_SIDE */
    *height = (int32_t)d.image_height;
    jpeg_destroy_decompress(&d);
    return UW_OK;
}

uw_status uw__jpeg_decode(const void *data, size_t size, int32_t width, int32_t height,
                          uint8_t *out, uw_err *err) {
    struct jpeg_decompress_struct d = {0};
    struct jpeg_progress_mgr watch = {.progress_monitor = watch_scans};
    handler h;
    d.err = &h.base;
    handler_init(&h);
    if (setjmp(h.back)) {
        jpeg_destroy_decompress(&d);
        return uw__refuse(err, UW_EFORMAT, "jpeg", "bad_jpeg", FIX_COPY, "%.120s", h.text);
    }
    jpeg_create_decompress(&d);
    d.progress = &watch;
    jpeg_mem_src(&d, data, (unsigned long)size);
    jpeg_read_header(&d, TRUE);
    if ((int64_t)d.image_width != width || (int64_t)d.image_height != height) {
        uw__refuse(err, UW_ESHAPE, "jpeg", "size_mismatch", "use frames of one size",
                   "wanted %d x %d, got %u x %u", width, height, d.image_width, d.image_height);
        jpeg_destroy_decompress(&d);
        return UW_ESHAPE;
    }
    d.out_color_space = JCS_RGB;
    d.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&d);
    while (d.output_scanline < d.output_height) {
        JSAMPROW row = out + (size_t)d.output_scanline * (size_t)width * 3;
        jpeg_read_scanlines(&d, &row, 1);
    }
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    return UW_OK;
}

#else

static uw_status without(uw_err *err) {
    return uw__refuse(err, UW_EUNSUPPORTED, "jpeg", "not built in", "build with -DUW_JPEG=ON",
                      "this build has no JPEG");
}

uw_status uw__jpeg_encode(const uint8_t *rgb, int32_t width, int32_t height, int32_t quality,
                          void **data, size_t *size, uw_err *err) {
    (void)rgb, (void)width, (void)height, (void)quality, (void)data, (void)size;
    return without(err);
}

uw_status uw__jpeg_size(const void *data, size_t size, int32_t *width, int32_t *height,
                        uw_err *err) {
    (void)data, (void)size, (void)width, (void)height;
    return without(err);
}

uw_status uw__jpeg_decode(const void *data, size_t size, int32_t width, int32_t height,
                          uint8_t *out, uw_err *err) {
    (void)data, (void)size, (void)width, (void)height, (void)out;
    return without(err);
}
#endif
