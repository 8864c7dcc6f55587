/* Reductions, NEON. */
#include "arm/vec_neon.h"

#include "arm/arm.h"

#include "x86/reduce_body.h"
