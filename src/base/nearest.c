/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/diag.h"

#define WORD_MAX       64
#define CANDIDATES_MAX 500 /* a hint is not worth more work */

/* Edit distance where swapping two neighbours counts as one. */
static unsigned word_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = MIN(MIN(row[j - 1], above[j]) + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], above2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

const char *np_nearest(const char *word, const char *const *candidates)
{
	size_t length = strlen(word);
	const char *nearest = NULL;
	unsigned best = (unsigned)(length + 2) / 3 + 1;
	for (unsigned i = 0; length <= WORD_MAX && *candidates != NULL && i < CANDIDATES_MAX; candidates++, i++) {
		size_t other = strlen(*candidates);
		if (other > WORD_MAX)
			continue;
		unsigned distance = word_distance(word, length, *candidates, other);
		/* A word that shares nothing with the candidate is not a misspelling of it. */
		if (distance < best && distance < MAX(length, other)) {
			best = distance;
			nearest = *candidates;
		}
	}
	return nearest;
}
