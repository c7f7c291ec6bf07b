/* SPDX-License-Identifier: Apache-2.0 */
/* The lab as a picture: nested boxes, level in level, the networks between them, and what a plan does to each. Pure. */
#pragma once
#include "plan/plan.h"

typedef enum { NP_GRAPH_DOT, NP_GRAPH_MERMAID } np_graph_language;

/* Text for Graphviz or Mermaid; caller frees. plan: colours and signs, and what the lab no longer has; NULL: the lab
 * alone. Unless unfold, many equal siblings (compute-1, compute-2, …) are one box. The same input gives the same text.
 */
char *np_graph_render(const np_lab *lab, const np_plan *plan, np_graph_language language, bool unfold);
