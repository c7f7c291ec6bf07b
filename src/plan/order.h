/* SPDX-License-Identifier: Apache-2.0 */
/* From changes to steps: what is executed, and what must be done before. Deleting is the reverse of creating. Pure. */
#pragma once
#include "plan/step.h"

/* Steps for a plan, in an order that could be executed one by one. A plan that destroys everything leaves no storage and no keys. */
GPtrArray *np_order_make(const np_lab *lab, const np_world *world, const np_plan *plan);
