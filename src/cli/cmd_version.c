/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int np_cmd_version(const np_command *command G_GNUC_UNUSED, np_options *options)
{
	if (options->json)
		printf("{\"format_version\":\"1.0\",\"version\":\"%s\"}\n", NP_VERSION);
	else
		printf("nestplan %s\n", NP_VERSION);
	return NP_EXIT_OK;
}
