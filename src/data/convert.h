/* The ways between dataset formats; uw_convert chooses and cleans up. */
#ifndef UW_CONVERT_H
#define UW_CONVERT_H

#include <umwelt/dataset.h>

#include "source.h"

/* The format that a file's name ends in, or UNKNOWN. */
uw_format uw__format_of_name(const char *path);

/* Write a dataset out; nothing is at `to` after an error. */
uw_status uw__npz_export(uw_context *ctx, const uw_dataset *data, const char *to, bool overwrite,
                         uw_err *err);
uw_status uw__csv_export(uw_context *ctx, const uw_dataset *data, const char *to, bool overwrite,
                         uw_err *err);

/* Write a source out through PATH.partial. */
uw_status uw__hdf5_export(uw_context *ctx, uw__source *source, const char *to, bool overwrite,
                          uw__resume resume, uw_err *err);
uw_status uw__folder_export(uw_context *ctx, uw__source *source, const char *to, bool overwrite,
                            uw__resume resume, uw_err *err);

/* Read a table into a dataset at `to`. */
uw_status uw__csv_import(uw_context *ctx, const char *from, const char *to, bool overwrite,
                         uw_err *err);

struct uw_json;
/* Put the facts of a recording into a JSON object. */
void uw__meta_put(struct uw_json *json, const uw_dataset_meta *meta);
/* Read them back; strings are borrowed from json, absent facts keep their neutral value. */
void uw__meta_get(const struct uw_json *json, uw_dataset_meta *meta);

/* "dtype" as in safetensors; false for a word that names none. */
bool uw__dtype_parse(const char *word, uw_dtype *out);
/* The codec that an imported picture column gets in this build. */
uw_codec uw__default_codec(const uw_column *column);
/* "TO.partial", malloc'd: where an unfinished target is kept. */
char *uw__partial_name(const char *to);
/* Say that progress was refused, if it was. */
uw_status uw__convert_progress(uw_context *ctx, const char *name, int64_t done, int64_t total,
                               uw_err *err);

#endif
