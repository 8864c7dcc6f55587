/* Ornstein-Uhlenbeck worlds and their kin: stationary latents z, seen through a mixing x = g(z).
 *
 * What a two-view model learns from x is known in theory for each of them (docs/models/identifiability.md),
 * so a trainer and a certificate can be held against them. */
#ifndef UW_OU_H
#define UW_OU_H

#include "process.h"

enum { UW_OU_MAX_DIM = 64, UW_OU_MAX_LAYERS = 16 };

/* Offsets into a values array, in the factors' alphabetical order. */
enum uw_ou_value {
    UW_OU_ACTION_DIM = 0,
    UW_OU_ACTION_RANK,
    UW_OU_ACTION_SCALE,
    UW_OU_DIM,
    UW_OU_LAW,
    UW_OU_MIXING,
    UW_OU_MIXING_LAYERS,
    UW_OU_MIXING_SEED,
    UW_OU_RHO,
    UW_OU_NUM_VALUES = UW_OU_RHO + 2,
    UW_OU_NUM_FACTORS = UW_OU_RHO + 1
};

typedef enum uw_ou_law {
    UW_OU_GAUSSIAN = 0,
    UW_OU_LAPLACE_AR,     /* z' = rho z + eta, eta = 0 with probability rho^2, else Laplace */
    UW_OU_EXPONENTIAL_AR, /* z' = rho z + eta, eta = 0 with probability rho, else exponential */
    UW_OU_REFLECTED,      /* Brownian motion between two walls; rho: lag correlation of cos(pi y) */
    /* copulas: z = F^-1(Phi(u)) of a Gaussian u, which is recorded too */
    UW_OU_UNIFORM,
    UW_OU_LAPLACE,
    UW_OU_ARCSINE,
    UW_OU_LOGNORMAL,
    UW_OU_LOGNORMAL_HALF,
    UW_OU_CUBE,
    UW_OU_SIGN,
    UW_OU_NUM_LAWS
} uw_ou_law;

typedef enum uw_ou_mixing {
    UW_OU_IDENTITY = 0,
    UW_OU_SPIRAL,   /* pairs (a, b) turned by pi |(a, b)| */
    UW_OU_BANANA,   /* pairs (a, b + a^2) */
    UW_OU_SINE,     /* pairs (a + sin 1.5 b, b) */
    UW_OU_COUPLING, /* halves in turn: b += tanh(2 Q a), Q orthogonal */
    UW_OU_NUM_MIXINGS
} uw_ou_mixing;

/* One world. */
typedef struct uw_ou {
    int32_t dim, action_dim, rank, layers;
    uw_ou_law law;
    uw_ou_mixing mixing;
    double action_scale;         /* standard deviation of an action's numbers at full rank */
    double gain;                 /* length of a column of B */
    double rho[UW_OU_MAX_DIM];   /* [dim] */
    double *memory;              /* owns the matrices */
    double *b;                   /* [action_dim, dim] unit directions that actions push along */
    double *push;                /* [rank, dim] the same, of the numbers that actions are made of */
    double *weight;              /* [layers, dim - dim / 2, dim - dim / 2] of the couplings */
} uw_ou;

/* Build a world from values [UW_OU_NUM_VALUES].  Own: *out, uw__ou_fini.  Returns UW_ENOMEM. */
uw_status uw__ou_init(const double *values, uw_ou *out);
void uw__ou_fini(uw_ou *ou);
/* x = g(z), both [dim], not the same memory. */
void uw__ou_mix(const uw_ou *ou, const double *z, double *x);
/* True when the law has a Gaussian u behind z. */
bool uw__ou_has_copula(uw_ou_law law);
/* Return z, of mean 0 and variance 1, for the number s that a law moves. */
double uw__ou_show(uw_ou_law law, double s);

extern const uw_process uw__ou;

#endif
