/* Small dense matrices in double, row-major: what statistics of latents are computed with.
 *
 * Symmetric eigenvalues are uw__jacobi_eigen's (spectrum.h).  Everything here is deterministic and serial. */
#ifndef UW_MATRICES_H
#define UW_MATRICES_H

#include <stdbool.h>
#include <stdint.h>

/* c [n, m] = a [n, k] b [k, m]; with a transposed [k, n] in the second. */
void uw__matrix_multiply(const double *a, const double *b, int32_t n, int32_t k, int32_t m, double *c);
void uw__matrix_multiply_at(const double *a, const double *b, int32_t n, int32_t k, int32_t m, double *c);
/* Return the Frobenius norm of a [n]. */
double uw__matrix_norm(const double *a, int64_t n);

/* Replace the lower part of a symmetric a [d, d] by its Cholesky factor, after adding ridge times the mean
 * of the diagonal to it; false when it is not positive definite. */
bool uw__cholesky(double *a, int32_t d, double ridge);
/* Replace x [d] by (L L')^-1 x. */
void uw__cholesky_solve(const double *factor, int32_t d, double *x);

/* w [d, d] with w c w' = I for a covariance c [d, d] of rank `rank`: rows are the eigenvectors over the roots of the
 * eigenvalues, largest first; directions with less than `floor` times the largest eigenvalue are left out.  Returns
 * the rank.  values [d]: all eigenvalues.  work: [d d]. */
int32_t uw__whitener(const double *c, int32_t d, double floor, double *w, double *values, double *work);

/* Singular values s [m] (descending), u [n, m] and v [m, m] with a = u diag(s) v', n >= m, by one-sided Jacobi.
 * Columns of u that belong to a zero singular value are zero.  u may be a. */
void uw__svd(const double *a, int32_t n, int32_t m, double *u, double *s, double *v);

/* The m x n matrix q [n, m] with orthonormal columns (rows when n < m) nearest to a [n, m]: u v' of its singular value
 * decomposition.  nuclear (nullable): the sum of the singular values.  work: [2 n m + 2 max(n, m)^2]. */
void uw__polar(const double *a, int32_t n, int32_t m, double *q, double *nuclear, double *work);

/* Eigenvalues of a general matrix a [d, d] (destroyed), unordered: re [d], im [d].
 * Hessenberg form, then the shifted QR algorithm (Martin, Peters, Wilkinson 1970).  False when it does not converge. */
bool uw__eigenvalues(double *a, int32_t d, double *re, double *im);

/* The rotation v [d, d] (rows) that makes v c_k v' as diagonal as it can for `count` symmetric matrices c [count, d, d]
 * (rotated in place), by Jacobi's angles (Cardoso and Souloumiac 1996). */
void uw__joint_diagonalise(double *c, int32_t count, int32_t d, double *v);

#endif
