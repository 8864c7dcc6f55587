/* im2col and col2im, and pictures relative to their floor: AVX2 with FMA. */
#include "x86/vec_avx2.h"

#include "x86/x86.h"

#include "x86/conv_body.h"
#include "x86/relative_body.h"
