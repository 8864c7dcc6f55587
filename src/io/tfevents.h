/* TensorBoard event files: scalars only. */
#ifndef UW_TFEVENTS_H
#define UW_TFEVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef struct uw_tfevents uw_tfevents;
/* Open DIR/events.out.tfevents.<name> for append (the version record is written when new). After a
 * resume, truncate_after >= 0 drops records of steps above it. */
uw_status uw__tfevents_open(const char *dir, const char *name, int64_t truncate_after,
                            uw_tfevents **out, uw_err *err);
uw_status uw__tfevents_scalar(uw_tfevents *t, const char *tag, int64_t step, double wall_time,
                              float value, uw_err *err);
uw_status uw__tfevents_flush(uw_tfevents *t, uw_err *err);
void uw__tfevents_close(uw_tfevents *t);

#endif
