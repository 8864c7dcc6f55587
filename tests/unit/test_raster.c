/* The rasteriser: pictures that pygame 2.6.1 drew, the resize against its formula, tiles against a
 * whole canvas, and far points. */
#include "check.h"

#include <math.h>

#include "raster.h"

enum { WIDTH = 24, HEIGHT = 12 };
static const uint8_t black[3] = {0, 0, 0}, white[3] = {255, 255, 255};

/* ---- pictures ------------------------------------------------------------------------------- */

typedef enum shape { POLYGON, DISC, LINE } shape;

/* A shape and the picture that pygame makes of it.  points: corners; centre and radius; ends and
 * width. */
typedef struct picture {
    shape what;
    int32_t n, points[12];
    const char *rows[HEIGHT];
} picture;

/* clang-format off */
static const picture pictures[] = {
    {POLYGON, 6, {2, 1, 20, 1, 20, 5, 12, 5, 12, 10, 2, 10},
     {"........................",
      "..###################...",
      "..###################...",
      "..###################...",
      "..###################...",
      "..###################...",
      "..###########...........",
      "..###########...........",
      "..###########...........",
      "..###########...........",
      "..###########...........",
      "........................"}},
    {POLYGON, 3, {3, 2, 21, 5, 8, 11},
     {"........................",
      "........................",
      "...#....................",
      "...#######..............",
      "....############........",
      "....##################..",
      ".....##############.....",
      ".....############.......",
      "......#########.........",
      "......#######...........",
      ".......####.............",
      "........#..............."}},
    {POLYGON, 4, {2, 2, 12, 9, 21, 2, 12, 5},
     {"........................",
      "........................",
      "..#..................#..",
      "...###............##....",
      "....#####......####.....",
      "......############......",
      ".......#########........",
      ".........######.........",
      "..........####..........",
      "............#...........",
      "........................",
      "........................"}},
    {POLYGON, 3, {4, 6, 9, 6, 4, 6},
     {"........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "....######..............",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................"}},
    {POLYGON, 4, {2, 2, 14, 6, 2, 10, 2, 6},
     {"........................",
      "........................",
      "..#.....................",
      "..####..................",
      "..#######...............",
      "..##########............",
      "..#############.........",
      "..##########............",
      "..#######...............",
      "..####..................",
      "..#.....................",
      "........................"}},
    {POLYGON, 4, {-6, 4, 10, -5, 30, 8, 5, 15},
     {".#################......",
      "####################....",
      "#####################...",
      "#######################.",
      "########################",
      "########################",
      "########################",
      "########################",
      "########################",
      "########################",
      "#######################.",
      ".###################...."}},
    {DISC, 1, {5, 5, 1},
     {"........................",
      "........................",
      "........................",
      "........................",
      "....##..................",
      "....##..................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................"}},
    {DISC, 1, {6, 5, 2},
     {"........................",
      "........................",
      "........................",
      ".....##.................",
      "....####................",
      "....####................",
      ".....##.................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................"}},
    {DISC, 1, {12, 6, 5},
     {"........................",
      "..........####..........",
      ".........######.........",
      "........########........",
      ".......##########.......",
      ".......##########.......",
      ".......##########.......",
      ".......##########.......",
      "........########........",
      ".........######.........",
      "..........####..........",
      "........................"}},
    {DISC, 1, {22, 1, 4},
     {"..................######",
      "..................######",
      "...................#####",
      "...................#####",
      ".....................##.",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................"}},
    {LINE, 2, {3, 3, 20, 6, 4},
     {"........................",
      "........................",
      "...###..................",
      "...#########............",
      "...###############......",
      "...##################...",
      "......###############...",
      "............#########...",
      "..................###...",
      "........................",
      "........................",
      "........................"}},
    {LINE, 2, {4, 1, 7, 10, 4},
     {"........................",
      "...####.................",
      "...####.................",
      "....####................",
      "....####................",
      "....####................",
      ".....####...............",
      ".....####...............",
      ".....####...............",
      "......####..............",
      "......####..............",
      "........................"}},
    {LINE, 2, {3, 8, 15, 2, 3},
     {"........................",
      "...............#........",
      ".............###........",
      "...........#####........",
      ".........######.........",
      ".......######...........",
      ".....######.............",
      "...######...............",
      "...####.................",
      "...##...................",
      "........................",
      "........................"}},
    {LINE, 2, {-5, 9, 9, -5, 4},
     {"...####.................",
      "..####..................",
      ".####...................",
      "####....................",
      "###.....................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................"}},
    {LINE, 2, {20, 4, 40, 9, 4},
     {"........................",
      "........................",
      "........................",
      "....................###.",
      "....................####",
      "....................####",
      "....................####",
      ".......................#",
      "........................",
      "........................",
      "........................",
      "........................"}},
    {LINE, 2, {8, 5, 8, 5, 4},
     {"........................",
      "........................",
      "........................",
      "........................",
      "........................",
      ".......####.............",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................",
      "........................"}},
};
/* clang-format on */

static void test_pictures(void **state) {
    (void)state;
    uint8_t rgb[HEIGHT][WIDTH][3];
    const uw_canvas to = {rgb[0][0], WIDTH, HEIGHT, NULL};
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        const picture *p = &pictures[i];
        const int32_t *at = p->points;
        uw__raster_fill(&to, black);
        if (p->what == POLYGON) uw__raster_polygon(&to, white, at, p->n);
        if (p->what == DISC) uw__raster_disc(&to, white, at[0], at[1], at[2]);
        if (p->what == LINE) uw__raster_line(&to, white, at, at + 2, at[4]);
        for (int y = 0; y < HEIGHT; y++) {
            char row[WIDTH + 1] = {0};
            for (int x = 0; x < WIDTH; x++) row[x] = rgb[y][x][1] ? '#' : '.';
            if (strcmp(row, p->rows[y]) != 0)
                fail_msg("picture %d, row %d: %s, wanted %s", (int)i, y, row, p->rows[y]);
        }
    }
}

/* An anti-aliased line as pygame mixes it: the first channel of rows 2 to 5. */
static void test_mixed_line(void **state) {
    (void)state;
    static const uint8_t want[4][WIDTH] = {
        {106, 132, 157, 183, 200, 200, 200, 200, 200, 200, 200, 200,
         200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200},
        {123, 97,  72,  46,  38,  64,  89,  115, 140, 166, 191, 200,
         200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200},
        {200, 200, 200, 200, 191, 165, 140, 114, 89,  63,  38,  47,
         72,  98,  123, 149, 174, 200, 200, 200, 200, 200, 200, 200},
        {200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 182,
         157, 131, 106, 80,  55,  30,  200, 200, 200, 200, 200, 200},
    };
    uint8_t rgb[HEIGHT][WIDTH][3];
    const uw_canvas to = {rgb[0][0], WIDTH, HEIGHT, NULL};
    uw__raster_fill(&to, (const uint8_t[]){200, 10, 100});
    uw__raster_aaline(&to, (const uint8_t[]){30, 250, 100}, (const int32_t[]){-3, 2},
                      (const int32_t[]){17, 5});
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int expected = y >= 2 && y < 6 ? want[y - 2][x] : 200;
            if (rgb[y][x][0] != expected)
                fail_msg("(%d, %d) = %d, wanted %d", x, y, rgb[y][x][0], expected);
            assert_int_equal(rgb[y][x][2], 100);
        }
}

/* ---- resize --------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state) {
    *state = (uint32_t)((uint64_t)*state * 1664525u + 1013904223u);
    return *state >> 8;
}

/* One axis of OpenCV's bilinear resize: first source pixel and weights of 2048. */
static void weights(int32_t i, double scale, int32_t limit, int32_t *first, int32_t w[2]) {
    const float at = (float)((i + 0.5) * scale - 0.5);
    *first = (int32_t)floorf(at);
    assert_true(*first >= 0 && *first + 1 < limit);
    const float part = at - (float)*first;
    w[0] = (int32_t)rintf((1.0f - part) * 2048.0f);
    w[1] = (int32_t)rintf(part * 2048.0f);
}

static void test_resize(void **state) {
    (void)state;
    enum { FROM = 512, TO = 224 };
    static uint8_t from[FROM][FROM][3], got[TO][TO][3];
    uint32_t random = (uint32_t)check_seed(7);
    for (int y = 0; y < FROM; y++)
        for (int x = 0; x < FROM; x++)
            for (int c = 0; c < 3; c++) /* any levels above, the two extreme ones below */
                from[y][x][c] =
                    (uint8_t)(y < FROM / 2 ? next_random(&random) : next_random(&random) % 2 * 255);
    uw__raster_reduce(&(uw_canvas){from[0][0], FROM, FROM, NULL}, got[0][0]);
    for (int32_t y = 0; y < TO; y++) {
        int32_t v, b[2];
        weights(y, (double)FROM / TO, FROM, &v, b);
        for (int32_t x = 0; x < TO; x++) {
            int32_t u, a[2];
            weights(x, (double)FROM / TO, FROM, &u, a);
            for (int c = 0; c < 3; c++) {
                const int32_t upper = from[v][u][c] * a[0] + from[v][u + 1][c] * a[1];
                const int32_t lower = from[v + 1][u][c] * a[0] + from[v + 1][u + 1][c] * a[1];
                const int32_t want =
                    ((b[0] * (upper >> 4) >> 16) + (b[1] * (lower >> 4) >> 16) + 2) >> 2;
                if (got[y][x][c] != want)
                    fail_msg("(%d, %d) = %d, wanted %d", (int)x, (int)y, got[y][x][c], (int)want);
            }
        }
    }
}

/* ---- tiles, far points ---------------------------------------------------------------------- */

/* Draw some shapes around a place. */
static void scribble(const uw_canvas *to, uint32_t seed, int32_t x, int32_t y, int32_t spread) {
    int32_t p[12];
    uint8_t color[3];
    for (int i = 0; i < 12; i++)
        p[i] = (i % 2 ? y : x) + (int32_t)(next_random(&seed) % (uint32_t)spread) - spread / 2;
    for (int c = 0; c < 3; c++) color[c] = (uint8_t)next_random(&seed);
    uw__raster_polygon(to, color, p, 5);
    uw__raster_line(to, white, p + 2, p + 6, 4);
    uw__raster_disc(to, color, p[0], p[1], 1 + spread / 8);
    uw__raster_aaline(to, white, p + 4, p + 8);
}

/* A canvas whose tiles come when they are needed gives the picture of one that was filled. */
static void test_tiles(void **state) {
    (void)state;
    enum { EDGE = 512, SMALL = EDGE * 7 / 16 };
    static uint8_t whole[EDGE * EDGE * 3], tiles[EDGE * EDGE * 3];
    static uint8_t want[SMALL * SMALL * 3], got[SMALL * SMALL * 3];
    uint32_t random = (uint32_t)check_seed(3);
    for (int round = 0; round < 20; round++) {
        uw_ground ground = {0};
        const uw_canvas patch = {ground.rgb, UW_RASTER_GROUND, UW_RASTER_GROUND, NULL};
        const uint8_t color[3] = {(uint8_t)next_random(&random), 40, (uint8_t)(255 - round)};
        uw__raster_fill(&patch, color);
        uw__raster_polygon(&patch, white, (const int32_t[]){0, 0, 20, 0, 0, 20}, 3);
        memset(tiles, round, sizeof tiles); /* what is not drawn on is never looked at */
        const uw_canvas sparse = {tiles, EDGE, EDGE, &ground};
        const uw_canvas full = {whole, EDGE, EDGE, NULL};
        for (int y = 0; y < EDGE; y++)
            for (int x = 0; x < EDGE; x++) {
                const int gy = y < 16 ? y : y < EDGE - 16 ? 16 + y % 16 : y - EDGE + 48;
                const int gx = x < 16 ? x : x < EDGE - 16 ? 16 + x % 16 : x - EDGE + 48;
                memcpy(whole + (y * EDGE + x) * 3, ground.rgb + (gy * 48 + gx) * 3, 3);
            }
        for (int i = 0; i < 6; i++) {
            const uint32_t seed = next_random(&random);
            const int32_t x = (int32_t)(next_random(&random) % 600) - 44;
            const int32_t y = (int32_t)(next_random(&random) % 600) - 44;
            scribble(&sparse, seed, x, y, 60);
            scribble(&full, seed, x, y, 60);
        }
        uw__raster_reduce(&full, want);
        uw__raster_reduce(&sparse, got);
        assert_memory_equal(got, want, sizeof got);
    }
}

/* Points as far as they may be change nothing outside of the canvas, and take no time. */
static void test_far(void **state) {
    (void)state;
    enum { GUARD = 64 };
    static uint8_t memory[2 * GUARD + WIDTH * HEIGHT * 3];
    const uw_canvas to = {memory + GUARD, WIDTH, HEIGHT, NULL};
    const int32_t far = UW_RASTER_FAR;
    static const int signs[] = {-1, 0, 1};
    memset(memory, 0xA5, sizeof memory);
    for (int i = 0; i < 81; i++) {
        const int32_t a[2] = {far * signs[i % 3], far * signs[i / 3 % 3]};
        const int32_t b[2] = {far * signs[i / 9 % 3], far * signs[i / 27 % 3]};
        const int32_t triangle[6] = {a[0], a[1], b[0], b[1], 5, 7};
        uw__raster_line(&to, white, a, b, 4);
        uw__raster_aaline(&to, white, a, b);
        uw__raster_polygon(&to, white, triangle, 3);
        uw__raster_disc(&to, white, a[0], a[1], 30);
    }
    for (int i = 0; i < GUARD; i++) {
        assert_int_equal(memory[i], 0xA5);
        assert_int_equal(memory[sizeof memory - 1 - (size_t)i], 0xA5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures), cmocka_unit_test(test_mixed_line),
        cmocka_unit_test(test_resize),   cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
