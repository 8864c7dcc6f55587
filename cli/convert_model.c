/* umwelt convert, for models: the reference's checkpoints in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MAX_ACTION = 1024 };

static bool ends(const char *text, const char *with) {
    const size_t n = strlen(text), m = strlen(with);
    return n > m && !strcmp(text + n - m, with);
}

/* What OUT becomes: by --to, else by its name. */
static int target(cli *c, uw_format *to) {
    static const char *const kinds[] = {"safetensors", "pt", NULL};
    const char *word = cli_str(c, "to", NULL);
    if (word) {
        const int code = cli_name(c, "format", word, kinds);
        if (!code) uw_format_parse(word, to);
        return code;
    }
    *to = ends(c->args[1], ".pt") || ends(c->args[1], ".pth") ? UW_FORMAT_PT : UW_FORMAT_SAFETENSORS;
    if (*to == UW_FORMAT_PT || ends(c->args[1], ".safetensors")) return CLI_OK;
    uw_err err = {0};
    uw_err_fix(&err, "a model becomes no dataset; rename it, or say --to safetensors or pt");
    return cli_fail(c, uw_fail(&err, UW_EUNSUPPORTED, "%s: wanted a name that ends in .safetensors or .pt", c->args[1]),
                    &err);
}

/* Is it a model of ours, which needs neither config.json nor normalisers? */
static uw_status is_ours(const char *path, uw_format from, bool *ours, uw_err *err) {
    uw_weights *weights = NULL;
    *ours = false;
    if (from == UW_FORMAT_PT) return UW_OK;
    const uw_status s = uw_weights_open(path, &weights, err);
    if (!s) *ours = uw_weights_meta(weights, "umwelt.config") != NULL;
    uw_weights_close(weights);
    return s;
}

/* The error's line names the first tensors that do not belong; all of them stand below it. */
static void keep_misfit(void *cookie, const char *line) {
    fprintf(cookie, "  %s\n", line);
}

static uw_status import(cli *c, int32_t frameskip, FILE *misfits, uw_model **model, uw_err *err) {
    float mean[MAX_ACTION], std[MAX_ACTION];
    uw_import_options options = {.config = cli_str(c, "config", NULL),
                                 .frameskip = frameskip,
                                 .env = cli_str(c, "env", NULL),
                                 .misfit = misfits ? keep_misfit : NULL,
                                 .cookie = misfits};
    const char *data = cli_str(c, "normalisers", NULL);
    int32_t dim = 0;
    uw_status s = uw_model_import_action_dim(c->args[0], &options, &dim, err);
    if (!s && dim > MAX_ACTION)
        s = uw_fail(err, UW_ESHAPE, "%s: actions, wanted at most %d numbers, got %d", c->args[0], MAX_ACTION, dim);
    if (!s && data) {
        s = uw_dataset_file_normaliser(c->ctx, data, cli_str(c, "column", "action"), dim, mean, std, err);
        options.action_mean = mean;
        options.action_std = std;
    }
    if (!s) s = uw_model_import(c->args[0], &options, model, err);
    if (!s && !data)
        cli_note(c, "note: without --normalisers DATA the model takes and gives z-scored actions, not the world's\n");
    return s;
}

static int report(cli *c, const uw_model *model, uw_format from, uw_format to) {
    char hex[65];
    const int32_t tensors = uw_model_num_tensors(model);
    const int64_t parameters = uw_model_num_parameters(model);
    uw_model_sha256(model, hex);
    json_object_update_new(c->result, json_pack("{s:s,s:s,s:i,s:I,s:s}", "from", uw_format_str(from), "to",
                                                uw_format_str(to), "tensors", tensors, "parameters",
                                                (json_int_t)parameters, "tensors_sha256", hex));
    cli_say(c, "%s (%s) -> %s (%s): %lld parameters in %d tensors\n", c->args[0], uw_format_str(from),
            c->args[1], uw_format_str(to), (long long)parameters, tensors);
    if (to == UW_FORMAT_PT)
        cli_say(c, "its config.json is beside it, for the reference's load_pretrained\n");
    else
        cli_say(c, "next: umwelt inspect %s\n", c->args[1]);
    return cli_finish(c);
}

int cli_convert_model(cli *c, uw_format from) {
    static const char *const layouts[] = {"transformers-4", "transformers-5", NULL};
    const char *layout = cli_str(c, "layout", layouts[0]);
    uw_format to = UW_FORMAT_UNKNOWN;
    int32_t frameskip = 0;
    uw_model *model = NULL;
    uw_err err = {0};
    bool ours = false;
    char *list = NULL;
    size_t list_bytes = 0;
    int code = target(c, &to);
    if (!code) code = cli_name(c, "layout", layout, layouts);
    if (!code) code = cli_int(c, "frameskip", 0, 0, 256, &frameskip);
    if (code) return code;
    uw_status s = is_ours(c->args[0], from, &ours, &err);
    if (s) return cli_fail(c, s, &err);
    if (ours && to == UW_FORMAT_SAFETENSORS)
        return cli_usage(c, c->args[0], "copy it, or convert it to a .pt", "a model of ours already");
    FILE *misfits = open_memstream(&list, &list_bytes);
    s = ours ? uw_model_load(c->args[0], &model, &err) : import(c, frameskip, misfits, &model, &err);
    if (misfits) fclose(misfits);
    if (!s && to == UW_FORMAT_PT) {
        s = uw_model_export(model, c->args[1],
                            strcmp(layout, layouts[1]) ? UW_KEYS_TRANSFORMERS_4 : UW_KEYS_TRANSFORMERS_5,
                            c->force, &err);
    } else if (!s) {
        s = uw_model_save(model, c->args[1], c->force, &err);
    }
    code = s ? cli_fail(c, s, &err) : report(c, model, from, to);
    if (list && *list) cli_note(c, "%s", list);
    free(list);
    uw_model_unload(model);
    return code;
}
