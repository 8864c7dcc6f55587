/* exp, the normal distribution, sigmoid, sine and cosine of a vector; included after a vec_*.h. */
#ifndef UW_VEC_MATH_H
#define UW_VEC_MATH_H

/* e^x, relative error below 2 eps; 0 below -104, infinity above 88.73.
 *
 * x = n ln 2 + r with ln 2 in two parts, then Cephes' expf polynomial on |r| <= ln 2 / 2 (Moshier).
 */
VEC vf v_exp(vf x) {
    x = v_min(v_set(89.0f), v_max(v_set(-105.0f), x)); /* beyond, nothing changes; NaN passes */
    const vf n = v_round(v_mul(x, v_set(1.44269504088896341f)));
    vf r = v_fnma(n, v_set(0.693359375f), x);
    r = v_fnma(n, v_set(-2.12194440e-4f), r);
    vf p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, v_mul(r, r), v_add(r, v_set(1.0f)));
    return v_ldexp(p, n);
}

/* Phi(x) - 1/2 = erf(x / sqrt 2) / 2, error below 2 eps (1/|x| + 1).
 *
 * x times a polynomial in v = 2 x^2 / 5.3^2 - 1, fitted for the least weighted error on |x| <= 5.3
 * (Chebyshev basis, iteratively reweighted least squares; the fit itself is off by 0.5 eps).
 * Beyond, the value is 1/2 to within 0.5 eps. */
VEC vf v_normal_half(vf x) {
    const vf edge = v_set(5.3f);
    const vf near = v_min(edge, v_max(v_sub(v_zero(), edge), x));
    const vf v = v_fma(v_mul(near, near), v_set(2.0f / (5.3f * 5.3f)), v_set(-1.0f));
    vf p = v_set(-6.008033524e-04f);
    p = v_fma(p, v, v_set(1.627216698e-03f));
    p = v_fma(p, v, v_set(-1.572620356e-03f));
    p = v_fma(p, v, v_set(2.031935845e-03f));
    p = v_fma(p, v, v_set(-5.320391152e-03f));
    p = v_fma(p, v, v_set(9.497473016e-03f));
    p = v_fma(p, v, v_set(-1.346464921e-02f));
    p = v_fma(p, v, v_set(1.871895790e-02f));
    p = v_fma(p, v, v_set(-2.522754855e-02f));
    p = v_fma(p, v, v_set(3.210970759e-02f));
    p = v_fma(p, v, v_set(-3.959650546e-02f));
    p = v_fma(p, v, v_set(4.926252738e-02f));
    p = v_fma(p, v, v_set(-6.651827693e-02f));
    p = v_fma(p, v, v_set(1.333925724e-01f));
    return v_saturate(v_mul(p, near), x, 5.3f, 0.5f);
}

VEC vf v_sigmoid(vf x) {
    return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_sub(v_zero(), x))));
}

/* Sine and cosine on [-pi/4, pi/4]: Cephes' sinf and cosf polynomials (Moshier), below 1 eps. */
VEC void v_sincos_core(vf *s, vf *c, vf r) {
    const vf z = v_mul(r, r);
    vf p = v_set(-1.9515295891e-4f), q = v_set(2.443315711809948e-5f);
    p = v_fma(p, z, v_set(8.3321608736e-3f));
    p = v_fma(p, z, v_set(-1.6666654611e-1f));
    *s = v_fma(v_mul(p, z), r, r);
    q = v_fma(q, z, v_set(-1.388731625493765e-3f));
    q = v_fma(q, z, v_set(4.166664568298827e-2f));
    *c = v_fma(v_mul(q, z), z, v_fma(z, v_set(-0.5f), v_set(1.0f)));
}

/* sin x, cos x; error below 2 eps for |x| <= 1e4.
 *
 * n quarter turns are taken off with pi / 2 in two floats: the first FMA is exact (n has 13 bits,
 * the difference is a multiple of 2^-23 below 1), the second rounds at 2^-25. */
VEC void v_sincos(vf *s, vf *c, vf x) {
    const vf n = v_round(v_mul(x, v_set(0.636619772367581343f)));
    const vf r = v_fnma(n, v_set(-4.37113883e-8f), v_fnma(n, v_set(1.57079637f), x));
    v_sincos_core(s, c, r);
    v_quarters(s, c, n);
}

#endif
