/* Median cut over the distinct colours of a picture.
 *
 * Distinct colours are counted in a hash table that holds 2^15 of them; a picture with more (a
 * photograph) is counted with one bit less per channel, again and again, so that time and memory
 * stay bounded.  Five bits always fit. */
#include "palette.h"

#include <stdlib.h>
#include <string.h>

#include "fileio.h"

enum { SLOTS = 1 << 16, MAX_COLOURS = 1 << 15, MAX_BOXES = 256 };

typedef struct colour {
    uint32_t key;    /* the bits that tell it apart */
    uint32_t pixels; /* that have it */
    uint64_t sum[3]; /* of their channels, for the mean */
    uint8_t box;
} colour;

typedef struct box {
    int32_t from, to; /* colours [from, to) */
} box;

typedef struct table {
    int32_t slot[SLOTS]; /* index of a colour + 1; 0 = empty */
    colour colours[MAX_COLOURS];
    colour sorted[MAX_COLOURS];
    int32_t count;
    uint32_t mask; /* bits of a channel that count */
} table;

static uint32_t key_of(const table *t, const uint8_t *p) {
    return (p[0] & t->mask) << 16 | (p[1] & t->mask) << 8 | (p[2] & t->mask);
}

/* The slot of a key: where it is, or the empty one where it belongs. */
static int32_t *find(table *t, uint32_t key) {
    uint32_t at = (key * UINT32_C(2654435761)) >> 16;
    while (t->slot[at] && t->colours[t->slot[at] - 1].key != key) at = (at + 1) % SLOTS;
    return &t->slot[at];
}

/* False when there are more colours than the table holds. */
static bool count_colours(table *t, const uint8_t *rgb, size_t n) {
    memset(t->slot, 0, sizeof t->slot);
    t->count = 0;
    for (size_t i = 0; i < n; i++, rgb += 3) {
        const uint32_t key = key_of(t, rgb);
        int32_t *slot = find(t, key);
        if (!*slot) {
            if (t->count == MAX_COLOURS) return false;
            t->colours[t->count] = (colour){.key = key};
            *slot = ++t->count;
        }
        colour *c = &t->colours[*slot - 1];
        c->pixels++;
        for (int k = 0; k < 3; k++) c->sum[k] += rgb[k];
    }
    return true;
}

static int channel(const colour *c, int k) {
    return (int)(c->key >> (16 - 8 * k) & 255);
}

static int by_red(const void *a, const void *b) {
    const uint32_t x = ((const colour *)a)->key, y = ((const colour *)b)->key;
    return x < y ? -1 : x > y;
}

static int by_green(const void *a, const void *b) {
    const int d = channel(a, 1) - channel(b, 1);
    return d ? d : by_red(a, b);
}

static int by_blue(const void *a, const void *b) {
    const int d = channel(a, 2) - channel(b, 2);
    return d ? d : by_red(a, b);
}

/* The channel over which a box is widest, and how far times how many pixels: what a cut gains. */
static int widest(const table *t, const box *b, uint64_t *weight) {
    int low[3] = {255, 255, 255}, high[3] = {0, 0, 0}, best = 0;
    uint64_t pixels = 0;
    for (int32_t i = b->from; i < b->to; i++) {
        pixels += t->sorted[i].pixels;
        for (int k = 0; k < 3; k++) {
            const int v = channel(&t->sorted[i], k);
            if (v < low[k]) low[k] = v;
            if (v > high[k]) high[k] = v;
        }
    }
    for (int k = 1; k < 3; k++) {
        if (high[k] - low[k] > high[best] - low[best]) best = k;
    }
    *weight = b->to - b->from > 1 ? pixels * (uint64_t)(high[best] - low[best]) : 0;
    return best;
}

/* Sort a box along a channel and return where half of its pixels are on each side. */
static int32_t cut(table *t, const box *b, int k) {
    static int (*const orders[3])(const void *, const void *) = {by_red, by_green, by_blue};
    uint64_t pixels = 0, half = 0;
    qsort(t->sorted + b->from, (size_t)(b->to - b->from), sizeof(colour), orders[k]);
    for (int32_t i = b->from; i < b->to; i++) pixels += t->sorted[i].pixels;
    int32_t at = b->from;
    while (at < b->to - 1 && 2 * half < pixels) half += t->sorted[at++].pixels;
    return at;
}

static int32_t make_boxes(table *t, box boxes[MAX_BOXES]) {
    uint64_t weight[MAX_BOXES];
    int axis[MAX_BOXES];
    int32_t n = 1;
    boxes[0] = (box){0, t->count};
    axis[0] = widest(t, &boxes[0], &weight[0]);
    while (n < MAX_BOXES) {
        int32_t best = 0;
        for (int32_t i = 1; i < n; i++) {
            if (weight[i] > weight[best]) best = i;
        }
        if (!weight[best]) break; /* every box is one colour */
        const int32_t at = cut(t, &boxes[best], axis[best]);
        boxes[n] = (box){at, boxes[best].to};
        boxes[best].to = at;
        axis[best] = widest(t, &boxes[best], &weight[best]);
        axis[n] = widest(t, &boxes[n], &weight[n]);
        n++;
    }
    return n;
}

uw_status uw__palette_make(const uint8_t *rgb, size_t n, uw_palette *palette, uint8_t *index,
                           uw_err *err) {
    box boxes[MAX_BOXES];
    table *t = malloc(sizeof *t);
    if (!t) return uw__no_memory(err, "palette", sizeof *t);
    for (t->mask = 255; !count_colours(t, rgb, n);) t->mask = t->mask << 1 & 255;
    memcpy(t->sorted, t->colours, (size_t)t->count * sizeof(colour));
    const int32_t num = make_boxes(t, boxes);
    palette->count = num;
    for (int32_t b = 0; b < num; b++) {
        uint64_t sum[3] = {0}, pixels = 0;
        for (int32_t i = boxes[b].from; i < boxes[b].to; i++) {
            pixels += t->sorted[i].pixels;
            for (int k = 0; k < 3; k++) sum[k] += t->sorted[i].sum[k];
            t->colours[*find(t, t->sorted[i].key) - 1].box = (uint8_t)b;
        }
        for (int k = 0; k < 3 && pixels; k++) {
            palette->rgb[b][k] = (uint8_t)((sum[k] + pixels / 2) / pixels);
        }
    }
    for (size_t i = 0; i < n; i++) index[i] = t->colours[*find(t, key_of(t, rgb + 3 * i)) - 1].box;
    free(t);
    return UW_OK;
}
