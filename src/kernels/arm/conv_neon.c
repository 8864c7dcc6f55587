/* im2col and col2im, NEON. */
#include "arm/vec_neon.h"

#include "arm/arm.h"

#include "x86/conv_body.h"
