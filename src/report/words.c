/* Plain names for what files and cards call by short ones. */
#include "report_internal.h"

#include <string.h>

typedef struct word {
    const char *name, *title;
} word;

static const word factors[] = {
    {"agent.color", "agent colour"},
    {"agent.radius", "agent size"},
    {"agent.speed", "agent speed"},
    {"all", "everything at once"},
    {"agent.scale", "agent size"},
    {"block.color", "block colour"},
    {"block.scale", "block size"},
    {"goal.color", "goal mark's colour"},
    {"background.color", "floor colour"},
    {"door.color", "door colour"},
    {"distractors", "six drifting discs (ours)"},
    {"door.number", "number of doors"},
    {"door.position", "door position"},
    {"door.size", "door size"},
    {"goal.colors", "goal in other colours"},
    {"goal.looks", "goal looks otherwise"},
    {"rendering.render_target", "drawn target"},
    {"target.color", "target colour"},
    {"target.radius", "target size"},
    {"texture", "textured floor (ours)"},
    {"wall.axis", "wall direction"},
    {"wall.border_color", "border colour"},
    {"wall.color", "wall colour"},
    {"wall.thickness", "wall thickness"},
};

const char *uw__factor_title(const char *factor) {
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        if (!strcmp(factors[i].name, factor)) return factors[i].title;
    return factor;
}

const char *uw__value_title(const char *value) {
    if (!strcmp(value, "random")) return "drawn at random";
    if (!strcmp(value, "min")) return "smallest";
    if (!strcmp(value, "max")) return "largest";
    return value;
}

const char *uw__injection_title(uw_injection injection) {
    switch (injection) {
    case UW_INJECT_NOTHING:
        return "nothing (false alarms)";
    case UW_INJECT_TELEPORT:
        return "jump to another place";
    case UW_INJECT_FROZEN:
        return "sensor frozen";
    case UW_INJECT_COLOR:
        return "another colour";
    case UW_INJECT_REVERSED:
        return "actions reversed";
    case UW_INJECT_REMOVED:
        return "object gone";
    }
    return uw_injection_str(injection);
}

const char *uw__side_title(const uw_report *r, int32_t side) {
    const char *title = r->in->sides[side].title;
    return title && *title        ? title
           : r->in->num_sides > 1 ? (side ? "second model" : "first model")
                                  : "model";
}

const char *uw__unit_of(const uw_report *r) {
    for (int32_t i = 0; i < r->in->num_sides; i++) {
        const uw_probe_report *p = r->in->sides[i].probe;
        if (p && p->num_probes > 0) return p->probes[0].unit;
    }
    return "";
}
