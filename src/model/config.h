/* The keys of a model configuration, once: for the checks, for JSON, and for the trainer's keys. */
#ifndef UW_CONFIG_H
#define UW_CONFIG_H

#include <umwelt/model.h>

typedef struct uw_config_field {
    const char *name;
    size_t offset;    /* of an int32_t in uw_model_config */
    int32_t min, max;
} uw_config_field;

/* Every whole-number key of a model configuration but the words and the per-convolution lists. */
const uw_config_field *uw__config_fields(int32_t *count);

/* Words of input, encoder, predictor and conv_norm, by value, NULL-terminated. */
extern const char *const uw__input_words[];
extern const char *const uw__encoder_words[];
extern const char *const uw__predictor_words[];
extern const char *const uw__conv_norm_words[];

/* Check a configuration: every number against its bounds, then the parts against each other. */
uw_status uw__config_check(const uw_model_config *config, uw_err *err);

#endif
