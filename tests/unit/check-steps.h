/* SPDX-License-Identifier: Apache-2.0 */
/* Holds what every order of steps must hold, whatever the plan: asserts. */
#pragma once
#include "plan/order.h"

void check_steps(const np_lab *lab, const np_world *world, const np_plan *plan, const GPtrArray *steps);
