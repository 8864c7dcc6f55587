/* The bf16 instructions in plain C, after Intel's description: fp32 FMAs rounded to nearest even,
 * denormals taken for 0 on the way in and out, neither the rounding mode nor flags consulted. */
#ifndef UW_BF16_UNIT_H
#define UW_BF16_UNIT_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline float unit_flushed(float x) {
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x;
}
static inline float unit_bf16(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return unit_flushed(y);
}
static inline float unit_fma(float sum, uint16_t a, uint16_t b) {
    return unit_flushed(fmaf(unit_bf16(a), unit_bf16(b), unit_flushed(sum)));
}

/* VDPBF16PS: the odd product joins the sum before the even one. */
static inline void unit_dot(__m512 *sum, __m512i a, __m512i b) {
    uint16_t x[32], y[32];
    float s[16];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    memcpy(s, sum, sizeof s);
    for (int i = 0; i < 16; i++)
        s[i] = unit_fma(unit_fma(s[i], x[2 * i + 1], y[2 * i + 1]), x[2 * i], y[2 * i]);
    memcpy(sum, s, sizeof s);
}

/* ---- tiles -------------------------------------------------------------------------------------
 */

/* What LDTILECFG reads, and the tiles.  A use that the processor refuses aborts. */
static struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
    uint32_t tile[8][16][16];
} tile_unit;
enum { UNIT_CONFIG_BYTES = 64 };

static inline void unit_demand(int condition) {
    if (!condition) abort();
}
static inline void unit_configure(const void *config) {
    memset(&tile_unit, 0, sizeof tile_unit);
    memcpy(&tile_unit, config, UNIT_CONFIG_BYTES);
    unit_demand(tile_unit.palette == 1 && tile_unit.start_row == 0);
    for (int i = 0; i < 16; i++) {
        unit_demand(tile_unit.row_bytes[i] <= 64 && tile_unit.rows[i] <= 16);
        unit_demand(i < 8 || (tile_unit.row_bytes[i] == 0 && tile_unit.rows[i] == 0));
        unit_demand((tile_unit.row_bytes[i] == 0) == (tile_unit.rows[i] == 0));
    }
}
static inline void unit_release(void) {
    memset(&tile_unit, 0, sizeof tile_unit);
}
static inline void unit_zero(int t) {
    unit_demand(tile_unit.palette == 1 && tile_unit.rows[t] > 0);
    memset(tile_unit.tile[t], 0, sizeof tile_unit.tile[t]);
}
static inline void unit_load(int t, const void *p, size_t stride) {
    unit_zero(t);
    for (size_t i = 0; i < tile_unit.rows[t]; i++)
        memcpy(tile_unit.tile[t][i], (const char *)p + i * stride, tile_unit.row_bytes[t]);
}
static inline void unit_store(int t, void *p, size_t stride) {
    unit_demand(tile_unit.palette == 1 && tile_unit.rows[t] > 0);
    for (size_t i = 0; i < tile_unit.rows[t]; i++)
        memcpy((char *)p + i * stride, tile_unit.tile[t][i], tile_unit.row_bytes[t]);
}
/* TDPBF16PS: even and odd products in two chains from 0, which meet before they join the sum. */
static inline void unit_tile_dot(int sums, int a, int b) {
    const size_t pairs = tile_unit.row_bytes[a] / 4, columns = tile_unit.row_bytes[sums] / 4;
    unit_demand(tile_unit.palette == 1 && sums != a && sums != b && a != b);
    unit_demand(tile_unit.rows[sums] == tile_unit.rows[a] &&
                tile_unit.row_bytes[b] == tile_unit.row_bytes[sums] && tile_unit.rows[b] == pairs);
    for (size_t i = 0; i < tile_unit.rows[sums]; i++) {
        for (size_t j = 0; j < columns; j++) {
            float even = 0, odd = 0, sum;
            for (size_t k = 0; k < pairs; k++) {
                const uint32_t x = tile_unit.tile[a][i][k], y = tile_unit.tile[b][k][j];
                even = unit_fma(even, (uint16_t)x, (uint16_t)y);
                odd = unit_fma(odd, (uint16_t)(x >> 16), (uint16_t)(y >> 16));
            }
            memcpy(&sum, &tile_unit.tile[sums][i][j], sizeof sum);
            sum = unit_flushed(unit_flushed(sum) + unit_flushed(even + odd));
            memcpy(&tile_unit.tile[sums][i][j], &sum, sizeof sum);
        }
    }
}

#endif
