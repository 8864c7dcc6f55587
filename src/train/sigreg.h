/* SIGReg: the sketched test that a cloud of latents is a standard Gaussian, as a loss.
 *
 * Every unit direction p projects the cloud to a line; there the empirical characteristic function is held
 * against exp(-t^2/2) at knots t_k on [0, 3] with trapezoid weights times the window exp(-t^2/2), which
 * equals the integral over [-3, 3].  Source: LeJEPA, arXiv 2511.08544; constants of LeWM, 2603.19312.
 *
 *   statistic = mean over sets and directions of sum_k w_k ((C_k/n - phi_k)^2 + (S_k/n)^2)   [times n]
 *
 * A perfect N(0, 1) sample of n scores 1.0525 / n, a point at the origin 0.40205 (both before "times n"). */
#ifndef UW_SIGREG_H
#define UW_SIGREG_H

#include "exec.h"

enum { UW_SIGREG_MAX_KNOTS = 33 };
#define UW_SIGREG_NULL  1.0524642 /* expected statistic times n of a standard Gaussian sample */
#define UW_SIGREG_POINT 0.4020476 /* statistic of a cloud that collapsed to the origin */

typedef struct uw_sigreg_dims {
    size_t sets;       /* samples that are tested apart: T when per step, else 1 */
    size_t n;          /* rows per set */
    size_t d;          /* latent dim D */
    size_t directions; /* P */
    size_t knots;      /* 2 .. UW_SIGREG_MAX_KNOTS */
    bool times_n;      /* multiply the statistic by n */
} uw_sigreg_dims;

typedef struct uw_sigreg uw_sigreg;

/* Plan one on an arena; NULL while measuring. */
uw_sigreg *uw__sigreg_layout(uw_arena *arena, const uw_sigreg_dims *dims);
/* Draw fresh unit directions: a function of (seed, step). */
void uw__sigreg_directions(const uw_exec *e, uw_sigreg *s, uint64_t seed, uint64_t step);
/* Return the directions [P, D], unit rows, for the caller to write: from now on none are drawn. */
uw_real *uw__sigreg_directions_give(uw_sigreg *s);
/* Return the statistic of z and add weight * its gradient to dz (nullable).
 * Shapes   z, dz: row i of set j is row i * sets + j of [n * sets, D]                            */
double uw__sigreg_loss(const uw_exec *e, uw_sigreg *s, const uw_real *z, double weight,
                       uw_real *dz);

/* Write knots t, target phi and quadrature weights (window included), [knots] each. */
void uw__sigreg_constants(size_t knots, double *t, double *phi, double *weight);

#endif
