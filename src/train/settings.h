/* The configuration: one table of keys, presets, and what must hold between keys. */
#ifndef UW_SETTINGS_H
#define UW_SETTINGS_H

#include <umwelt/train.h>

/* Check what no single key can: keys against each other.  Returns UW_EINVAL naming the key. */
uw_status uw__settings_check(const uw_train_config *config, uw_err *err);

/* Turn epochs into steps for a data set of so many training windows: steps, schedule_steps, warmup_steps.
 * Returns  UW_EINVAL when an epoch has no whole batch */
uw_status uw__settings_epochs(uw_train_config *config, int64_t windows, uw_err *err);

/* Write every key and the preset as one flat JSON object; caller frees, NULL when out of memory. */
char *uw__settings_json(const uw_train_config *config);

/* Compare a configuration with the JSON of an earlier run.  Keys that do not change the numbers
 * (checkpoint_every, gauge_every excepted) may differ.
 * Returns  UW_ESHAPE naming the first key that differs, with both values                         */
uw_status uw__settings_same(const uw_train_config *config, const char *json, const char *where,
                          uw_err *err);

/* Return the updates of a whole run, those of the predictor alone included. */
int64_t uw__settings_steps(const uw_train_config *config);

#endif
