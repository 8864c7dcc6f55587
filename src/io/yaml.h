/* A flat, safe subset of YAML through libyaml: `key: scalar` pairs at top level, nothing else. */
#ifndef UW_YAML_H
#define UW_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef uw_status uw_yaml_pair_fn(void *arg, const char *key, const char *value, int32_t line,
                                  uw_err *err);
/* Call pair for every entry in order; anchors, tags, nesting, duplicates are UW_EFORMAT with the
 * line. */
uw_status uw__yaml_flat(const char *path, uw_yaml_pair_fn *pair, void *arg, uw_err *err);

#endif
