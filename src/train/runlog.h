/* The record of a run: log.csv, which is the same bytes after any kill and resume, and TensorBoard events. */
#ifndef UW_RUNLOG_H
#define UW_RUNLOG_H

#include <umwelt/gauges.h>

#include "losses.h"

/* One row; NaN is written as an empty cell. */
typedef struct uw_log_row {
    int64_t step; /* steps done */
    double lr, grad_norm;
    uw_losses losses;
    double sigreg_null, sigreg_q99; /* SIGReg of a Gaussian sample of this size, in the unit of losses.sigreg */
    uw_gauges gauges;
} uw_log_row;

typedef struct uw_runlog uw_runlog;

/* Open run_dir/log.csv and the events for writing.  keep_step >= 0 keeps the rows up to that step, -1 starts
 * empty.  The file is locked: a second trainer in one folder gets UW_EEXIST.  Own: *out, uw__runlog_close. */
uw_status uw__runlog_open(const char *run_dir, int64_t keep_step, uw_runlog **out, uw_err *err);
uw_status uw__runlog_row(uw_runlog *log, const uw_log_row *row, uw_err *err);
/* Push events to the disk; log.csv is written through with every row. */
uw_status uw__runlog_flush(uw_runlog *log, uw_err *err);
void uw__runlog_close(uw_runlog *log);

#endif
