/* SPDX-License-Identifier: Apache-2.0 */
#include <glib.h>

#include "run/sched.h"

static const unsigned one_class[1] = {0};

static np_sched *make(unsigned n, unsigned total)
{
	g_autofree unsigned *classes = g_new0(unsigned, n);
	return np_sched_new(n, classes, one_class, 1, total);
}

static void test_order(void)
{
	g_autoptr(np_sched) sched = make(3, 0);
	np_sched_need(sched, 0, 2); /* 2 before 0 */
	np_sched_need(sched, 1, 0); /* 0 before 1 */
	g_assert_cmpint(np_sched_next(sched), ==, 2);
	g_assert_cmpint(np_sched_next(sched), ==, -1);
	np_sched_finish(sched, 2, true, NULL);
	g_assert_cmpint(np_sched_next(sched), ==, 0);
	g_assert_cmpint(np_sched_next(sched), ==, -1);
	np_sched_finish(sched, 0, true, NULL);
	g_assert_cmpint(np_sched_next(sched), ==, 1);
	np_sched_finish(sched, 1, true, NULL);
	g_assert_true(np_sched_finished(sched));
}

static void test_failure_skips_dependents_only(void)
{
	g_autoptr(np_sched) sched = make(5, 0);
	np_sched_need(sched, 1, 0);
	np_sched_need(sched, 2, 1);
	np_sched_need(sched, 2, 3); /* two reasons to skip are told once */
	np_sched_need(sched, 4, 3);
	g_assert_cmpint(np_sched_next(sched), ==, 0);
	g_assert_cmpint(np_sched_next(sched), ==, 3);
	g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(unsigned));
	np_sched_finish(sched, 0, false, skipped);
	g_assert_cmpuint(skipped->len, ==, 2);
	g_assert_cmpuint(g_array_index(skipped, unsigned, 0), ==, 1);
	g_assert_cmpuint(g_array_index(skipped, unsigned, 1), ==, 2);
	np_sched_finish(sched, 3, true, skipped);
	g_assert_cmpuint(skipped->len, ==, 2);
	g_assert_cmpint(np_sched_state(sched, 2), ==, NP_STEP_SKIPPED);
	g_assert_cmpint(np_sched_next(sched), ==, 4);
	np_sched_finish(sched, 4, true, NULL);
	g_assert_true(np_sched_finished(sched));
}

static void test_after_waits_and_survives(void)
{
	g_autoptr(np_sched) sched = make(4, 0);
	np_sched_after(sched, 1, 0); /* 0 fails: 1 runs all the same */
	np_sched_need(sched, 2, 0);  /* 2 is skipped */
	np_sched_after(sched, 3, 2); /* 3 runs when 2 was skipped */
	g_assert_cmpint(np_sched_next(sched), ==, 0);
	g_assert_cmpint(np_sched_next(sched), ==, -1);
	g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(unsigned));
	np_sched_finish(sched, 0, false, skipped);
	g_assert_cmpuint(skipped->len, ==, 1);
	g_assert_cmpint(np_sched_next(sched), ==, 1);
	g_assert_cmpint(np_sched_next(sched), ==, 3);
	np_sched_finish(sched, 1, true, NULL);
	np_sched_finish(sched, 3, true, NULL);
	g_assert_true(np_sched_finished(sched));
}

static void test_limits(void)
{
	const unsigned classes[4] = {1, 1, 0, 0}, limits[2] = {0, 1};
	g_autoptr(np_sched) sched = np_sched_new(4, classes, limits, 2, 2);
	g_assert_cmpint(np_sched_next(sched), ==, 0);
	g_assert_cmpint(np_sched_next(sched), ==, 2); /* 1 is of the class that is full */
	g_assert_cmpint(np_sched_next(sched), ==, -1); /* two at once */
	np_sched_finish(sched, 2, true, NULL);
	g_assert_cmpint(np_sched_next(sched), ==, 3);
	np_sched_finish(sched, 0, true, NULL);
	g_assert_cmpint(np_sched_next(sched), ==, 1);
	g_assert_cmpuint(np_sched_running(sched), ==, 2);
}

static void test_cancel(void)
{
	g_autoptr(np_sched) sched = make(3, 1);
	np_sched_need(sched, 1, 0);
	g_assert_cmpint(np_sched_next(sched), ==, 0);
	g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(unsigned));
	np_sched_cancel(sched, skipped);
	g_assert_cmpuint(skipped->len, ==, 2);
	np_sched_finish(sched, 0, true, NULL);
	g_assert_cmpint(np_sched_next(sched), ==, -1);
	g_assert_true(np_sched_finished(sched));
}

static void test_cycle_never_runs(void)
{
	g_autoptr(np_sched) sched = make(2, 0);
	np_sched_need(sched, 0, 1);
	np_sched_need(sched, 1, 0);
	g_assert_cmpint(np_sched_next(sched), ==, -1);
	g_assert_false(np_sched_finished(sched));
}

/* Every step runs once, and never before what it needs: checked on random graphs by a second bookkeeping. */
static void test_random_graphs(void)
{
	for (guint32 seed = 0; seed < 200; seed++) {
		g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
		unsigned n = (unsigned)g_rand_int_range(rand, 1, 60);
		g_autoptr(np_sched) sched = make(n, (unsigned)g_rand_int_range(rand, 1, 6));
		g_autofree bool *needs = g_new0(bool, n * n);
		for (unsigned i = 1; i < n; i++)
			for (unsigned j = 0; j < i; j++)
				if (g_rand_double(rand) < 0.1) {
					needs[i * n + j] = true;
					np_sched_need(sched, i, j);
				}
		g_autofree bool *done = g_new0(bool, n);
		g_autoptr(GArray) running = g_array_new(FALSE, FALSE, sizeof(int));
		unsigned count = 0;
		while (!np_sched_finished(sched)) {
			for (int i = np_sched_next(sched); i >= 0; i = np_sched_next(sched)) {
				for (unsigned j = 0; j < n; j++)
					g_assert_true(!needs[(unsigned)i * n + j] || done[j]);
				g_array_append_val(running, i);
			}
			g_assert_cmpuint(running->len, >, 0);
			guint at = (guint)g_rand_int_range(rand, 0, (gint32)running->len);
			int step = g_array_index(running, int, at);
			g_array_remove_index(running, at);
			np_sched_finish(sched, (unsigned)step, true, NULL);
			g_assert_false(done[step]);
			done[step] = true;
			count++;
		}
		g_assert_cmpuint(count, ==, n);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sched/order", test_order);
	g_test_add_func("/sched/failure-skips-dependents-only", test_failure_skips_dependents_only);
	g_test_add_func("/sched/after-waits-and-survives", test_after_waits_and_survives);
	g_test_add_func("/sched/limits", test_limits);
	g_test_add_func("/sched/cancel", test_cancel);
	g_test_add_func("/sched/cycle-never-runs", test_cycle_never_runs);
	g_test_add_func("/sched/random-graphs", test_random_graphs);
	return g_test_run();
}
