/* Flat JSON: the one shape that our small files have.  Size and depth are bounded; what is not flat
 * is refused. */
#ifndef UW_JSON_H
#define UW_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

/* A flat object: string keys to numbers, strings, bools or arrays of numbers.  Numbers that JSON
 * lacks are written as the strings "NaN", "Infinity" and "-Infinity", and read back as numbers. */
typedef struct uw_json uw_json;
uw_json *uw__json_new(void);
/* Own: *out.  Returns UW_OK; UW_EFORMAT with the reason (bad_json, duplicate_key, not_flat,
 * unsafe_name, too_large); UW_ENOMEM. */
uw_status uw__json_parse(const char *name, const char *text, uw_json **out, uw_err *err);
void uw__json_free(uw_json *j);
int32_t uw__json_count(const uw_json *j);
const char *uw__json_key(const uw_json *j, int32_t i); /* insertion order */
bool uw__json_get_f64(const uw_json *j, const char *key, double *out);
bool uw__json_get_i64(const uw_json *j, const char *key, int64_t *out);
bool uw__json_get_bool(const uw_json *j, const char *key, bool *out);
/* Borrowed until free; NULL when absent or not a string. */
const char *uw__json_get_str(const uw_json *j, const char *key);
/* Number of elements, -1 when absent or not an array of numbers. Writes at most cap. */
int32_t uw__json_get_f64s(const uw_json *j, const char *key, double *out, int32_t cap);
/* Set a key, replacing an old value; bytes of a text that are not UTF-8 become '?'. */
void uw__json_set_f64(uw_json *j, const char *key, double v);
void uw__json_set_i64(uw_json *j, const char *key, int64_t v);
void uw__json_set_bool(uw_json *j, const char *key, bool v);
void uw__json_set_str(uw_json *j, const char *key, const char *v);
void uw__json_set_f64s(uw_json *j, const char *key, const double *v, int32_t n);
/* Compact text, insertion order, numbers read back exactly; caller frees. NULL when out of memory.
 */
char *uw__json_dump(const uw_json *j);

#endif
