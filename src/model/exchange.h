/* The reference's files and ours: names of tensors in its two layouts, and its config.json. */
#ifndef UW_EXCHANGE_H
#define UW_EXCHANGE_H

#include <umwelt/model.h>

enum { UW_EXCHANGE_NAME = 128 }; /* longest name with its NUL; a longer one is none of LeWM's */

/* Write our name (the 4.x layout's) for a tensor of either layout, without Lightning's "model.". */
void uw__reference_to_ours(const char *name, char out[UW_EXCHANGE_NAME]);
/* Write the name that a layout has for a tensor of ours. */
void uw__reference_from_ours(const char *name, uw_key_layout layout, char out[UW_EXCHANGE_NAME]);

/* Read the reference's configuration, or the one under "model" of a larger one.  action_dim and
 * frameskip of *config are left for the caller: *action_block is their product.
 *
 * Returns UW_OK; UW_EFORMAT with the reason (bad_json, unknown_key with a "did you mean",
 *         missing_key, bad_value, duplicate_key, too_large); UW_EUNSUPPORTED, unsupported_value, for
 *         a network that is not LeWM; UW_ESHAPE, wrong_widths, for parts that do not fit each other */
uw_status uw__reference_config_read(const char *path, uw_model_config *config,
                                    int32_t *action_block, uw_err *err);
/* Write the same for a configuration of ours.  *text: malloc'd, the caller frees.
 * Returns UW_OK; UW_EUNSUPPORTED for a model that the reference has no class for; UW_ENOMEM. */
uw_status uw__reference_config_text(const uw_model_config *config, char **text, uw_err *err);

#endif
