/* umwelt convert: between dataset formats, and (convert_model.c) between model formats. */
#include "cli.h"

static const cli_option options[] = {
    {"to", "KIND", "dataset | hdf5 | folder | npz | csv, of models safetensors | pt", "by the name of OUT"},
    {"resume", NULL, "go on behind the last whole episode of OUT.partial", NULL},
    {"config", "FILE.json", "a model's description, as the reference saves it", "beside IN"},
    {"normalisers", "DATA", "dataset that the model's actions are normalised by", NULL},
    {"column", "NAME", "its actions", "action"},
    {"frameskip", "N", "dataset rows per step of the model", "5"},
    {"env", "WORLD", "world that the model belongs to", NULL},
    {"layout", "NAME", "names in a .pt: transformers-4 | transformers-5", "transformers-4"},
    {0},
};

static int run(cli *c) {
    uw_err err = {0};
    uw_format from = UW_FORMAT_UNKNOWN;
    const uw_status known = uw_format_detect(c->args[0], &from, &err);
    if (known) return cli_fail(c, known, &err);
    if (from == UW_FORMAT_PT || from == UW_FORMAT_SAFETENSORS) return cli_convert_model(c, from);
    uw_format to = UW_FORMAT_UNKNOWN;
    static const char *const kinds[] = {"dataset", "hdf5", "folder", "npz", "csv", NULL};
    const char *word = cli_str(c, "to", NULL);
    if (word) {
        const int code = cli_name(c, "format", word, kinds);
        if (code) return code;
        uw_format_parse(word, &to);
    }
    uw_convert_result r;
    const uw_status status = uw_convert_resumable(c->ctx, c->args[0], c->args[1], to, c->force,
                                                  cli_flag(c, "resume"), &r, &err);
    if (status == UW_EINTERRUPTED)
        return cli_interrupted(c, "umwelt convert %s %s%s%s --resume%s", c->args[0], c->args[1], word ? " --to " : "",
                               word ? word : "", c->force ? " --force" : "");
    if (status) return cli_fail(c, status, &err);
    json_object_update_new(c->result,
                           json_pack("{s:s,s:s,s:I,s:I}", "from", uw_format_str(r.from), "to",
                                     uw_format_str(r.to), "episodes", (json_int_t)r.episodes, "frames",
                                     (json_int_t)r.rows));
    cli_say(c, "%s (%s) -> %s (%s): %lld episodes, %lld rows\nnext: umwelt inspect %s\n", c->args[0],
            uw_format_str(r.from), c->args[1], uw_format_str(r.to), (long long)r.episodes, (long long)r.rows,
            c->args[1]);
    return cli_finish(c);
}

const cli_verb cli_convert = {
    .name = "convert",
    .summary = "between formats of datasets and of models",
    .arguments = "IN OUT",
    .about = "Convert a dataset between our container, HDF5 and folders as stable-worldmodel keeps them, NPZ and CSV, "
             "streaming.  The kind of IN is taken from its content, that of OUT from its name or --to.  On an error "
             "nothing is left at OUT; stopped, it leaves OUT.partial, and --resume goes on (NPZ and CSV begin again).  "
             "Convert a model from a PyTorch or safetensors checkpoint of the reference (LeWM) into one file that can "
             "act, or a model of ours into weights and config.json for the reference.",
    .examples = "  umwelt convert plant.csv plant.uw\n"
                "  umwelt convert experience.uw experience.npz\n"
                "  umwelt convert pusht_expert_train.h5 pusht.uw --resume\n"
                "  umwelt convert weights.pt model.safetensors --config config.json --normalisers data.h5\n"
                "  umwelt convert model.safetensors weights.pt\n",
    .min_args = 2,
    .max_args = 2,
    .options = options,
    .writes = true,
    .run = run,
};
