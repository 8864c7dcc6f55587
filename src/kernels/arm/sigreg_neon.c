/* SIGReg, NEON. */
#include "arm/vec_neon.h"

#include "arm/arm.h"
#include "x86/vec_math.h"

#include "x86/sigreg_body.h"
