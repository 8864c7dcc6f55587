/* Sine and cosine in double from +, -, * alone, so that the bits are the same under every libm.
 *
 * Two-part Cody-Waite reduction to [-pi/4, pi/4], then the polynomials of fdlibm's __kernel_sin and
 * __kernel_cos (Sun Microsystems, 1993).  Error below 1e-15 absolute for |x| <= 1e6. */
#ifndef UW_REF_SINCOS_H
#define UW_REF_SINCOS_H

#include <math.h>

static inline void ref_sincos(double x, double *sine, double *cosine) {
    const double turns = rint(x * 0.63661977236758134308); /* quarter turns: x * 2 / pi */
    /* The first part holds 33 bits of pi / 2: turns times it is exact. */
    const double r = (x - turns * 1.57079632673412561417) - turns * 6.07710050650619224932e-11;
    const double z = r * r;
    const double s =
        r +
        r * z *
            (-1.66666666666666324348e-01 +
             z * (8.33333333332248946124e-03 +
                  z * (-1.98412698298579493134e-04 +
                       z * (2.75573137070700676789e-06 +
                            z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
    const double c =
        1 - 0.5 * z +
        z * z *
            (4.16666666666666019037e-02 +
             z * (-1.38888888888741095749e-03 +
                  z * (2.48015872894767294178e-05 +
                       z * (-2.75573143513906633035e-07 +
                            z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
    const double quarter = turns - 4 * floor(turns * 0.25); /* 0, 1, 2 or 3; NaN for NaN */
    const int q = quarter >= 0 && quarter < 4 ? (int)quarter : 0;
    *sine = q == 0 ? s : q == 1 ? c : q == 2 ? -s : -c;
    *cosine = q == 0 ? c : q == 1 ? -s : q == 2 ? -c : s;
}

#endif
