/* At most 256 colours for a picture. */
#ifndef UW_PALETTE_H
#define UW_PALETTE_H

#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef struct uw_palette {
    int32_t count; /* 1 .. 256 */
    uint8_t rgb[256][3];
} uw_palette;

/* Choose colours for rgb [n, 3] and write each pixel's index.  Pictures of up to 256 colours keep
 * them exactly; others are divided by median cut (Heckbert 1982), first of all where it matters
 * most.  The same pixels always give the same palette.
 *
 * Returns  UW_OK; UW_ENOMEM */
uw_status uw__palette_make(const uint8_t *rgb, size_t n, uw_palette *palette, uint8_t *index,
                           uw_err *err);

#endif
