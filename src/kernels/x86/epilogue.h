/* What becomes of the finished sums of a product; included after kernels.h and vec_math.h. */
#ifndef UW_EPILOGUE_H
#define UW_EPILOGUE_H

/* x Phi(x). */
VEC vf v_gelu(vf x) {
    return v_fma(x, v_normal_half(x), v_mul(x, v_set(0.5f)));
}

/* The result for the finished sums s of row i from column j on, of which `left` values count.  GELU
 * writes g->sum on the way. */
VEC vf v_epilogue(const uw_gemm_args *g, size_t i, size_t j, size_t left, vf s) {
    switch (g->epilogue) {
    case UW_EPILOGUE_GELU:
        if (g->sum) v_put(g->sum + i * g->ldc + j, left, s);
        return v_gelu(s);
    case UW_EPILOGUE_ADD:
        return v_add(v_get(g->residual + i * g->ld_residual + j, left), s);
    case UW_EPILOGUE_GATE:
        return v_fma(v_get(g->gate + i * g->ld_gate + j, left), s,
                     v_get(g->residual + i * g->ld_residual + j, left));
    case UW_EPILOGUE_NONE:
        break;
    }
    return s;
}

#endif
