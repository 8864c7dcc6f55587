/* A model configuration as flat JSON and back.  Unknown keys are errors, so that a file of a later
 * version is refused instead of half understood. */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "json.h"
#include "model_internal.h"

typedef struct word_key {
    const char *name;
    const char *const *words;
    size_t offset; /* of the enum in uw_model_config */
} word_key;

typedef struct list_key {
    const char *name;
    size_t offset; /* of an int32_t [UW_MAX_CONV_LAYERS] */
} list_key;

static const word_key word_keys[] = {
    {"input", uw__input_words, offsetof(uw_model_config, input)},
    {"encoder", uw__encoder_words, offsetof(uw_model_config, encoder)},
    {"predictor", uw__predictor_words, offsetof(uw_model_config, predictor)},
    {"conv_norm", uw__conv_norm_words, offsetof(uw_model_config, conv_norm)},
};
static const list_key list_keys[] = {
    {"conv_channels", offsetof(uw_model_config, conv_channels)},
    {"conv_kernel", offsetof(uw_model_config, conv_kernel)},
    {"conv_stride", offsetof(uw_model_config, conv_stride)},
    {"conv_pad", offsetof(uw_model_config, conv_pad)},
};
enum { NUM_WORDS = 4, NUM_LISTS = 4, MAX_KEYS = 64 };

_Static_assert(sizeof(uw_input) == sizeof(int) && sizeof(uw_encoder_kind) == sizeof(int) &&
                   sizeof(uw_predictor_kind) == sizeof(int) && sizeof(uw_conv_norm) == sizeof(int),
               "enums are read and written as int");

static void *field_at(uw_model_config *config, size_t offset) {
    return (char *)config + offset;
}

uw_status uw__model_config_to_json(const uw_model_config *config, char **json) {
    uw_model_config c = *config;
    uw_json *j = uw__json_new();
    int32_t count;
    const uw_config_field *fields = uw__config_fields(&count);

    *json = NULL;
    if (!j) return UW_ENOMEM;
    for (int i = 0; i < NUM_WORDS; i++) {
        const int value = *(const int *)field_at(&c, word_keys[i].offset);
        uw__json_set_str(j, word_keys[i].name, word_keys[i].words[value]);
    }
    for (int32_t i = 0; i < count; i++)
        uw__json_set_i64(j, fields[i].name, *(const int32_t *)field_at(&c, fields[i].offset));
    uw__json_set_f64(j, "dropout", (double)c.dropout);
    for (int i = 0; i < NUM_LISTS; i++) {
        const int32_t *list = field_at(&c, list_keys[i].offset);
        double numbers[UW_MAX_CONV_LAYERS];
        for (int32_t l = 0; l < c.conv_layers; l++) numbers[l] = list[l];
        uw__json_set_f64s(j, list_keys[i].name, numbers, c.conv_layers);
    }
    *json = uw__json_dump(j);
    uw__json_free(j);
    return *json ? UW_OK : UW_ENOMEM;
}

static uw_status read_word(const uw_json *j, const word_key *key, uw_model_config *c, uw_err *err) {
    const char *word = uw__json_get_str(j, key->name);
    if (!word)
        return uw_fail(err, UW_EFORMAT, "config: %s, wanted a word, got another type", key->name);
    int32_t count = 0;
    for (; key->words[count]; count++) {
        if (!strcmp(word, key->words[count])) {
            *(int *)field_at(c, key->offset) = count;
            return UW_OK;
        }
    }
    const char *near = uw__nearest(word, key->words, count);
    if (near) uw_err_fix(err, "did you mean %s?", near);
    return uw_fail(err, UW_EFORMAT, "config: %s, wanted one of %d words such as %s, got %.40s",
                   key->name, (int)count, key->words[0], word);
}

static uw_status read_list(const uw_json *j, const list_key *key, uw_model_config *c, uw_err *err) {
    double numbers[UW_MAX_CONV_LAYERS];
    int32_t *list = field_at(c, key->offset);
    const int32_t n = uw__json_get_f64s(j, key->name, numbers, UW_MAX_CONV_LAYERS);
    if (n < 0 || n > UW_MAX_CONV_LAYERS) {
        return uw_fail(err, UW_EFORMAT, "config: %s, wanted at most %d numbers, got %d", key->name,
                       (int)UW_MAX_CONV_LAYERS, (int)n);
    }
    for (int32_t i = 0; i < n; i++) {
        if (!(numbers[i] >= -65536.0 && numbers[i] <= 65536.0) ||
            numbers[i] != (double)(int32_t)numbers[i]) {
            return uw_fail(err, UW_EFORMAT, "config: %s[%d], wanted a small whole number, got %g",
                           key->name, (int)i, numbers[i]);
        }
        list[i] = (int32_t)numbers[i];
    }
    return UW_OK;
}

static uw_status read_number(const uw_json *j, const uw_config_field *field, uw_model_config *c,
                             uw_err *err) {
    int64_t value;
    if (!uw__json_get_i64(j, field->name, &value) || value < field->min || value > field->max) {
        return uw_fail(err, UW_EFORMAT, "config: %s, wanted a whole number %d .. %d", field->name,
                       (int)field->min, (int)field->max);
    }
    *(int32_t *)field_at(c, field->offset) = (int32_t)value;
    return UW_OK;
}

/* Read one key; every key may be absent, then its value is 0 (checked later against the bounds). */
static uw_status read_key(const uw_json *j, const char *key, uw_model_config *c, uw_err *err) {
    const char *names[MAX_KEYS];
    int32_t count, known = 0;
    const uw_config_field *fields = uw__config_fields(&count);

    for (int i = 0; i < NUM_WORDS; i++) {
        if (!strcmp(key, word_keys[i].name)) return read_word(j, &word_keys[i], c, err);
        names[known++] = word_keys[i].name;
    }
    for (int i = 0; i < NUM_LISTS; i++) {
        if (!strcmp(key, list_keys[i].name)) return read_list(j, &list_keys[i], c, err);
        names[known++] = list_keys[i].name;
    }
    for (int32_t i = 0; i < count; i++) {
        if (!strcmp(key, fields[i].name)) return read_number(j, &fields[i], c, err);
        names[known++] = fields[i].name;
    }
    if (!strcmp(key, "dropout")) {
        double value;
        if (!uw__json_get_f64(j, key, &value))
            return uw_fail(err, UW_EFORMAT, "config: dropout, wanted a number, got another type");
        c->dropout = (float)value;
        return UW_OK;
    }
    const char *near = uw__nearest(key, names, known);
    if (near)
        uw_err_fix(err, "did you mean %s?", near);
    else
        uw_err_fix(err, "the file may come from a later version than this one");
    return uw_fail(err, UW_EFORMAT, "config: key, wanted a known one, got %.60s", key);
}

uw_status uw__model_config_from_json(const char *json, uw_model_config *config, uw_err *err) {
    uw_model_config c = {0};
    uw_json *j = NULL;
    uw_status s = uw__json_parse("config", json, &j, err);

    for (int32_t i = 0; !s && i < uw__json_count(j); i++)
        s = read_key(j, uw__json_key(j, i), &c, err);
    if (!s) s = uw__config_check(&c, err);
    uw__json_free(j);
    if (!s) *config = c;
    return s;
}
