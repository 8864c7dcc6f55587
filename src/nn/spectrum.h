/* Spectrum of a cloud of latents: eigenvalues of the covariance and two effective ranks. */
#ifndef UW_SPECTRUM_H
#define UW_SPECTRUM_H

#include <stdint.h>

/* Rows x [n, D] (floats); eigenvalues descending [D] (nullable); effective_rank = exp(entropy of the
 * normalised spectrum), participation = (sum l)^2 / sum l^2.  work: [2 D D + 4 D] doubles.
 * Cyclic Jacobi in double; deterministic. */
void uw__spectrum(const float *x, int64_t n, int32_t d, double *work, double *eigenvalues,
                  double *effective_rank, double *participation);

/* Eigen-decomposition of a symmetric matrix a [d, d] (destroyed): values descending, vectors [d, d] with
 * vector i in row i (nullable). */
void uw__jacobi_eigen(double *a, int32_t d, double *values, double *vectors);

#endif
