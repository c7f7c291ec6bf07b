/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int np_cmd_schema(const np_command *command G_GNUC_UNUSED, np_options *options G_GNUC_UNUSED)
{
	g_autofree char *schema = np_schema_render();
	fputs(schema, stdout);
	return NP_EXIT_OK;
}
