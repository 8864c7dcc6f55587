/* umwelt: from experience to a controller you can trust.  Include this header for everything.
 *
 *     uw_context *ctx = NULL;
 *     uw_context_new(NULL, &ctx, &err);      // all cores, the best kernels of this CPU, no log
 *     ...                                    // load a model, make a controller, act
 *     uw_context_free(ctx);
 *
 * In learning order: status, tensor, dataset, env, model, planner, controller, train, eval, probe,
 * surprise, fitness, landmarks, policy.
 */
#ifndef UW_UMWELT_H
#define UW_UMWELT_H

#include <umwelt/arena.h>
#include <umwelt/certify.h>
#include <umwelt/context.h>
#include <umwelt/controller.h>
#include <umwelt/dataset.h>
#include <umwelt/env.h>
#include <umwelt/eval.h>
#include <umwelt/fitness.h>
#include <umwelt/gauges.h>
#include <umwelt/landmarks.h>
#include <umwelt/model.h>
#include <umwelt/planner.h>
#include <umwelt/policy.h>
#include <umwelt/probe.h>
#include <umwelt/report.h>
#include <umwelt/status.h>
#include <umwelt/surprise.h>
#include <umwelt/tensor.h>
#include <umwelt/train.h>

#endif
