/* PushT: which shapes may touch, and in which order that is asked.
 *
 * The order decides the bits: contacts are solved one after the other.  So the trees below are kept
 * as Chipmunk keeps its own (a moving tree with boxes stretched along the velocity, a fixed one for
 * the walls, pairs remembered until a leaf is placed again), with indices for pointers and at most
 * ten leaves. tests/property/pusht_space.c compares the two. */
#include "push_t_world.h"

#include <math.h>

enum { NONE = -1, LEAVES = UW_PUSH_MAX_SHAPES, NODES = 2 * UW_PUSH_MAX_SHAPES };

static const double stretch =
    (double)0.1f; /* of a moving box: its own size, or a tenth of a second */

void uw__push_tree_init(uw_push_tree *tree) {
    *tree = (uw_push_tree){.fixed_root = NONE, .moving_root = NONE};
    for (int i = 0; i < NODES; i++)
        tree->node[i] = (uw_push_node){.parent = NONE, .child = {NONE, NONE}};
}

static bool is_leaf(int node) {
    return node < LEAVES;
}

/* ---- placing leaves
 * ------------------------------------------------------------------------------- */

static void set_child(uw_push_tree *tree, int parent, int which, int child) {
    tree->node[parent].child[which] = (int8_t)child;
    tree->node[child].parent = (int8_t)parent;
}

static int join(uw_push_tree *tree, int a, int b) {
    int at = LEAVES;
    while (tree->node[at].used) at++; /* n leaves need n - 1 inner nodes: one is free */
    tree->node[at] = (uw_push_node){
        .box = cpBBMerge(tree->node[a].box, tree->node[b].box), .parent = NONE, .used = 1};
    set_child(tree, at, 0, a);
    set_child(tree, at, 1, b);
    return at;
}

static double distance_between(cpBB a, cpBB b) {
    return fabs(a.l + a.r - b.l - b.r) + fabs(a.b + a.t - b.b - b.t);
}

/* Put a leaf below `root`, where it makes the boxes grow least; return the new root. */
static int place(uw_push_tree *tree, int root, int leaf) {
    if (root == NONE) return leaf;
    if (is_leaf(root)) return join(tree, leaf, root);
    const cpBB box = tree->node[leaf].box;
    const int a = tree->node[root].child[0], b = tree->node[root].child[1];
    const cpBB box_a = tree->node[a].box, box_b = tree->node[b].box;
    double cost_a = cpBBArea(box_b) + cpBBMergedArea(box_a, box);
    double cost_b = cpBBArea(box_a) + cpBBMergedArea(box_b, box);
    if (cost_a == cost_b) {
        cost_a = distance_between(box_a, box);
        cost_b = distance_between(box_b, box);
    }
    const int which = cost_b < cost_a ? 1 : 0;
    set_child(tree, root, which, place(tree, which ? b : a, leaf));
    tree->node[root].box = cpBBMerge(tree->node[root].box, box);
    return root;
}

/* Take a leaf out below `root`; return the new root. */
static int take_out(uw_push_tree *tree, int root, int leaf) {
    if (leaf == root) return NONE;
    uw_push_node *parent = &tree->node[tree->node[leaf].parent];
    const int other = parent->child[parent->child[0] == leaf ? 1 : 0];
    const int above = parent->parent, gone = tree->node[leaf].parent;
    parent->used = 0;
    tree->node[other].parent = (int8_t)above;
    if (above == NONE) return other;
    set_child(tree, above, tree->node[above].child[0] == gone ? 0 : 1, other);
    for (int i = above; i != NONE; i = tree->node[i].parent)
        tree->node[i].box = cpBBMerge(tree->node[tree->node[i].child[0]].box,
                                      tree->node[tree->node[i].child[1]].box);
    return root;
}

static cpBB stretched(cpBB box, cpVect velocity) {
    const double x = (box.r - box.l) * stretch, y = (box.t - box.b) * stretch;
    const cpVect v = cpvmult(velocity, stretch);
    return cpBBNew(box.l + cpfmin(-x, v.x), box.b + cpfmin(-y, v.y), box.r + cpfmax(x, v.x),
                   box.t + cpfmax(y, v.y));
}

/* ---- pairs
 * ---------------------------------------------------------------------------------------- */

/* Where candidates go; NULL while shapes are added: pairs are kept, nothing is asked. */
typedef struct listing {
    uw_push_candidate *out;
    int32_t count;
} listing;

static void list(listing *to, int a, int b, int32_t pair) {
    if (to->out && to->count < UW_PUSH_MAX_PAIRS)
        to->out[to->count++] = (uw_push_candidate){(int8_t)a, (int8_t)b, pair};
}

static void keep_pair(uw_push_tree *tree, int a, int b) {
    if (tree->num_pairs < UW_PUSH_MAX_PAIRS)
        tree->pair[tree->num_pairs++] = (uw_push_pair){.a = (int8_t)a, .b = (int8_t)b};
}

static void drop_pairs(uw_push_tree *tree, int leaf) {
    int32_t kept = 0;
    for (int32_t i = 0; i < tree->num_pairs; i++)
        if (tree->pair[i].a != leaf && tree->pair[i].b != leaf) tree->pair[kept++] = tree->pair[i];
    tree->num_pairs = kept;
}

/* Meet a placed leaf with a subtree.  What comes later in the walk is only remembered (its turn
 * comes), what came before is asked now, and remembered unless it was placed in the same round and
 * has done so. */
static void meet(uw_push_tree *tree, int subtree, int leaf, bool comes_later, listing *to) {
    if (!cpBBIntersects(tree->node[leaf].box, tree->node[subtree].box)) return;
    if (!is_leaf(subtree)) {
        meet(tree, tree->node[subtree].child[0], leaf, comes_later, to);
        meet(tree, tree->node[subtree].child[1], leaf, comes_later, to);
    } else if (comes_later) {
        keep_pair(tree, leaf, subtree);
    } else {
        if (!tree->fresh[subtree]) keep_pair(tree, subtree, leaf);
        list(to, leaf, subtree, NONE);
    }
}

static void meet_all(uw_push_tree *tree, int leaf, listing *to) {
    if (tree->fixed_root != NONE) meet(tree, tree->fixed_root, leaf, false, to);
    for (int at = leaf; tree->node[at].parent != NONE; at = tree->node[at].parent) {
        const uw_push_node *parent = &tree->node[tree->node[at].parent];
        if (parent->child[0] == at)
            meet(tree, parent->child[1], leaf, true, to);
        else
            meet(tree, parent->child[0], leaf, false, to);
    }
}

static void walk(uw_push_tree *tree, int at, listing *to) {
    if (!is_leaf(at)) {
        walk(tree, tree->node[at].child[0], to);
        walk(tree, tree->node[at].child[1], to);
    } else if (tree->fresh[at]) {
        meet_all(tree, at, to);
    } else {
        for (int32_t i = tree->num_pairs - 1; i >= 0; i--) /* newest first */
            if (tree->pair[i].b == at) list(to, tree->pair[i].a, at, i);
    }
}

/* ---- the two trees
 * -------------------------------------------------------------------------------- */

void uw__push_tree_add_fixed(uw_push_tree *tree, int32_t shape, cpBB box) {
    tree->node[shape].box = box;
    tree->fixed_root = (int8_t)place(tree, tree->fixed_root, shape);
}

void uw__push_tree_add(uw_push_tree *tree, int32_t shape, cpBB box, cpVect velocity) {
    for (int i = 0; i < LEAVES; i++) tree->fresh[i] = i == shape;
    tree->node[shape].box = stretched(box, velocity);
    tree->moving_root = (int8_t)place(tree, tree->moving_root, shape);
    meet_all(tree, shape, &(listing){0});
}

int32_t uw__push_tree_update(uw_push_tree *tree, const int8_t *order, int32_t count,
                             const cpBB *box, const cpVect *velocity, uw_push_candidate *out) {
    for (int i = 0; i < LEAVES; i++) tree->fresh[i] = 0;
    for (int32_t i = 0; i < count; i++) {
        const int leaf = order[i];
        if (cpBBContainsBB(tree->node[leaf].box, box[leaf])) continue;
        tree->node[leaf].box = stretched(box[leaf], velocity[leaf]);
        tree->moving_root = (int8_t)place(tree, take_out(tree, tree->moving_root, leaf), leaf);
        drop_pairs(tree, leaf);
        tree->fresh[leaf] = 1;
    }
    listing to = {.out = out};
    walk(tree, tree->moving_root, &to);
    return to.count;
}

/* ---- checking foreign bytes
 * ----------------------------------------------------------------------- */

/* Count the leaves below a node, each marked in `seen`; -1 when a link is wrong. */
static int count_leaves(const uw_push_tree *tree, int at, int parent, bool *seen) {
    if (at < 0 || at >= NODES || seen[at] || tree->node[at].parent != parent) return -1;
    seen[at] = true;
    if (is_leaf(at)) return 1;
    if (!tree->node[at].used) return -1;
    const int a = count_leaves(tree, tree->node[at].child[0], at, seen);
    const int b = a < 0 ? -1 : count_leaves(tree, tree->node[at].child[1], at, seen);
    return b < 0 ? -1 : a + b;
}

bool uw__push_tree_ok(const uw_push_tree *tree, int32_t num_shapes) {
    bool seen[NODES] = {false};
    if (count_leaves(tree, tree->fixed_root, NONE, seen) != UW_PUSH_WALLS) return false;
    for (int i = 0; i < UW_PUSH_WALLS; i++)
        if (!seen[i]) return false;
    if (count_leaves(tree, tree->moving_root, NONE, seen) != num_shapes - UW_PUSH_WALLS)
        return false;
    for (int i = 0; i < LEAVES; i++)
        if (seen[i] != (i < num_shapes)) return false;
    for (int i = LEAVES; i < NODES; i++)
        if (seen[i] != (tree->node[i].used != 0)) return false;
    if (tree->num_pairs < 0 || tree->num_pairs > UW_PUSH_MAX_PAIRS) return false;
    for (int32_t i = 0; i < tree->num_pairs; i++) {
        const uw_push_pair *p = &tree->pair[i];
        if (p->a < 0 || p->b < 0 || p->a >= num_shapes || p->b >= num_shapes || p->a == p->b)
            return false;
    }
    return true;
}
