/* gemm_bf16_amx.c for machines without AMX. */
#include "bf16_unit.h"
#include "kernels.h"

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadconfig(config)      unit_configure(config)
#define _tile_release()               unit_release()
#define _tile_loadd(tile, p, stride)  unit_load(tile, p, stride)
#define _tile_stored(tile, p, stride) unit_store(tile, p, stride)
#define _tile_zero(tile)              unit_zero(tile)
#define _tile_dpbf16ps(sums, a, b)    unit_tile_dot(sums, a, b)
#define uw_gemm_bf16_amx              uw_gemm_bf16_soft_amx
uw_gemm_fn uw_gemm_bf16_soft_amx;
#include "x86/gemm_bf16_amx.c"
