/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of tests/bench/validate.sh: a file's YAML events, read and thrown away. */
#include <stdio.h>
#include <yaml.h>

int main(int argc, char **argv)
{
	yaml_parser_t parser;
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	if (file == NULL || !yaml_parser_initialize(&parser))
		return 1;
	yaml_parser_set_input_file(&parser, file);
	unsigned long events = 0;
	for (int done = 0; !done; events++) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event))
			return 1;
		done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	fclose(file);
	return printf("%lu events\n", events) < 0;
}
