/* Layer norm and batch norm, NEON. */
#include "arm/vec_neon.h"

#include "arm/arm.h"

#include "x86/norm_body.h"
