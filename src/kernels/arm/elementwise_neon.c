/* Entry-by-entry operations and AdamW, NEON. */
#include "arm/vec_neon.h"

#include "arm/arm.h"

#include "x86/elementwise_body.h"
