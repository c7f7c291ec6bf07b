/* SPDX-License-Identifier: Apache-2.0 */
/* Where sensitive values stand in the lab file: what diagnostics show nothing of. */
#pragma once
#include "lab/document.h"

/* Hides the lines of sensitive variables (np_diags_hide); doc is NULL when the text, that of diags, could not be read.
 */
void np_secrets_hide(const np_doc *doc, np_diags *diags);
/* Takes out of the reader's messages about hidden lines what it quotes of them. */
void np_secrets_blank(np_diags *diags);
/* True when a variable's entry says that it is sensitive, or tries to. */
gboolean np_secrets_meant(const np_doc_node *entry);
