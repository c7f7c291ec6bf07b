/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "lab/codes.h"

int np_cmd_schema(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	g_autofree char *text = options->diagnostics ? np_codes_render()
	                        : options->man       ? np_man_render()
	                                             : np_schema_render();
	fputs(text, stdout);
	return NP_EXIT_OK;
}
