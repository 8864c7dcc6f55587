/* Animated GIF through giflib: a palette per frame, only the rectangle that changed, looping for
 * ever.  Frames are encoded into memory as they come, the file is written at close. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "fileio.h"

#if defined(UW_GIF)
#include <gif_lib.h>

#include "palette.h"

enum { MAX_SIDE = 8192, SMALLEST_MAP = 2 };

struct uw_gif {
    int32_t width, height;
    GifFileType *file;
    unsigned char *bytes; /* owned: the file so far */
    size_t size, cap;
    uint8_t *last;   /* owned [height, width, 3]: the frame before */
    uint8_t *region; /* owned [height, width, 3]: what changed, packed */
    uint8_t *index;  /* owned [height, width] */
    int64_t frames;
};

static int take_bytes(GifFileType *file, const GifByteType *data, int n) {
    uw_gif *g = file->UserData;
    if ((size_t)n > g->cap - g->size) {
        const size_t cap = 2 * (g->cap + (size_t)n) + 65536;
        unsigned char *grown = realloc(g->bytes, cap);
        if (!grown) return -1;
        g->bytes = grown;
        g->cap = cap;
    }
    memcpy(g->bytes + g->size, data, (size_t)n);
    g->size += (size_t)n;
    return n;
}

/* giflib fails for want of memory only: sizes and colours are ours and checked. */
static uw_status gif_memory(uw_err *err) {
    return uw__no_memory(err, "gif", 65536);
}

static void gif_free(uw_gif *g) {
    int code;
    if (!g) return;
    if (g->file) EGifCloseFile(g->file, &code);
    free(g->bytes);
    free(g->last);
    free(g->region);
    free(g->index);
    free(g);
}

/* Screen size and the extension that browsers loop by. */
static bool put_start(uw_gif *g) {
    static const unsigned char forever[3] = {1, 0, 0};
    EGifSetGifVersion(g->file, true);
    return EGifPutScreenDesc(g->file, g->width, g->height, 8, 0, NULL) == GIF_OK &&
           EGifPutExtensionLeader(g->file, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
           EGifPutExtensionBlock(g->file, 11, "NETSCAPE2.0") == GIF_OK &&
           EGifPutExtensionBlock(g->file, 3, forever) == GIF_OK &&
           EGifPutExtensionTrailer(g->file) == GIF_OK;
}

uw_status uw__gif_open(int32_t width, int32_t height, uw_gif **out, uw_err *err) {
    int code;
    *out = NULL;
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
        return uw__refuse(err, UW_EINVAL, "gif", "bad_size", "draw a smaller animation",
                          "wanted sides of 1 to %d, got %d x %d", MAX_SIDE, width, height);
    }
    const size_t pixels = (size_t)width * (size_t)height;
    uw_gif *g = calloc(1, sizeof *g);
    if (!g) return gif_memory(err);
    g->width = width;
    g->height = height;
    g->last = malloc(3 * pixels);
    g->region = malloc(3 * pixels);
    g->index = malloc(pixels);
    g->file = EGifOpen(g, take_bytes, &code);
    if (!g->last || !g->region || !g->index || !g->file || !put_start(g)) {
        gif_free(g);
        return gif_memory(err);
    }
    *out = g;
    return UW_OK;
}

typedef struct rect {
    int32_t x, y, width, height;
} rect;

/* The smallest rectangle that holds every changed pixel; one pixel when there is none, because a
 * frame is also the time it lasts. */
static rect changed(const uw_gif *g, const uint8_t *rgb) {
    const size_t row = 3 * (size_t)g->width;
    int32_t top = 0, bottom = g->height - 1, left = g->width, right = -1;
    if (!g->frames) return (rect){0, 0, g->width, g->height};
    while (top < g->height && !memcmp(rgb + (size_t)top * row, g->last + (size_t)top * row, row))
        top++;
    if (top == g->height) return (rect){0, 0, 1, 1};
    while (!memcmp(rgb + (size_t)bottom * row, g->last + (size_t)bottom * row, row)) bottom--;
    for (int32_t y = top; y <= bottom; y++) {
        const uint8_t *a = rgb + (size_t)y * row, *b = g->last + (size_t)y * row;
        for (int32_t x = 0; x < left; x++) {
            if (memcmp(a + 3 * x, b + 3 * x, 3)) left = x;
        }
        for (int32_t x = g->width - 1; x > right; x--) {
            if (memcmp(a + 3 * x, b + 3 * x, 3)) right = x;
        }
    }
    return (rect){left, top, right - left + 1, bottom - top + 1};
}

static bool put_frame(uw_gif *g, const rect *r, const uw_palette *p, int32_t delay_cs) {
    GifColorType colours[256] = {0};
    GraphicsControlBlock control = {.DisposalMode = DISPOSE_DO_NOT,
                                    .DelayTime = delay_cs,
                                    .TransparentColor = NO_TRANSPARENT_COLOR};
    GifByteType packed[4];
    int size = SMALLEST_MAP; /* a map has a power of two of colours */
    while (size < p->count) size *= 2;
    for (int32_t i = 0; i < p->count; i++) {
        colours[i] = (GifColorType){p->rgb[i][0], p->rgb[i][1], p->rgb[i][2]};
    }
    ColorMapObject *map = GifMakeMapObject(size, colours);
    const size_t n = EGifGCBToExtension(&control, packed);
    bool ok = map && EGifPutExtension(g->file, GRAPHICS_EXT_FUNC_CODE, (int)n, packed) == GIF_OK &&
              EGifPutImageDesc(g->file, r->x, r->y, r->width, r->height, false, map) == GIF_OK;
    for (int32_t y = 0; ok && y < r->height; y++) {
        ok = EGifPutLine(g->file, g->index + (size_t)y * (size_t)r->width, r->width) == GIF_OK;
    }
    GifFreeMapObject(map);
    return ok;
}

uw_status uw__gif_frame(uw_gif *gif, const uint8_t *rgb, int32_t delay_cs, uw_err *err) {
    uw_palette palette;
    if (delay_cs < 0 || delay_cs > 65535) {
        return uw__refuse(err, UW_EINVAL, "gif", "bad_delay", "use hundredths of a second",
                          "wanted a delay of 0 to 65535, got %d", delay_cs);
    }
    const rect r = changed(gif, rgb);
    const size_t row = 3 * (size_t)r.width;
    for (int32_t y = 0; y < r.height; y++) {
        const size_t from = 3 * ((size_t)(r.y + y) * (size_t)gif->width + (size_t)r.x);
        memcpy(gif->region + (size_t)y * row, rgb + from, row);
    }
    const uw_status s = uw__palette_make(gif->region, (size_t)r.width * (size_t)r.height, &palette,
                                         gif->index, err);
    if (s) return s;
    if (!put_frame(gif, &r, &palette, delay_cs)) return gif_memory(err);
    memcpy(gif->last, rgb, 3 * (size_t)gif->width * (size_t)gif->height);
    gif->frames++;
    return UW_OK;
}

uw_status uw__gif_close(uw_gif *gif, const char *path, bool overwrite, uw_err *err) {
    uw_status s = UW_OK;
    int code;
    if (!gif->frames) {
        s = uw__refuse(err, UW_EINVAL, path, "no_frames", "add at least one frame",
                       "wanted an animation of at least one frame");
    } else {
        const int closed = EGifCloseFile(gif->file, &code); /* writes the last byte */
        gif->file = NULL;
        s = closed == GIF_OK ? uw__file_write_atomic(path, gif->bytes, gif->size, overwrite, err)
                             : gif_memory(err);
    }
    gif_free(gif);
    return s;
}

void uw__gif_abort(uw_gif *gif) {
    gif_free(gif);
}

#else

static uw_status without(uw_err *err) {
    return uw__refuse(err, UW_EUNSUPPORTED, "gif", "not built in", "build with -DUW_GIF=ON",
                      "this build has no GIF");
}

uw_status uw__gif_open(int32_t width, int32_t height, uw_gif **out, uw_err *err) {
    (void)width, (void)height;
    *out = NULL;
    return without(err);
}

uw_status uw__gif_frame(uw_gif *gif, const uint8_t *rgb, int32_t delay_cs, uw_err *err) {
    (void)gif, (void)rgb, (void)delay_cs;
    return without(err);
}

uw_status uw__gif_close(uw_gif *gif, const char *path, bool overwrite, uw_err *err) {
    (void)gif, (void)path, (void)overwrite;
    return without(err);
}

void uw__gif_abort(uw_gif *gif) {
    (void)gif;
}
#endif
