/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into QEMU (LD_PRELOAD): its monotonic clock, which drives all timers of the guest, runs SLOWCLOCK times slower: as the
 * environment says, or else, in QEMU only, as the macro of that name says. libvirtd hands LD_PRELOAD on to QEMU, and nothing else.
 *
 * Why: emulated, a tick of a nested guest's timer costs its hypervisors more time than there is between two ticks, so the guest
 * hardly gets on. With a slower clock there are fewer ticks for the same work. The guest's TSC goes on as before: kernels
 * calibrate it and find a processor with that many times its frequency. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define EPOCH  1000000000LL /* seconds: what is later is a time of day and no time since boot */

#ifndef SLOWCLOCK
#define SLOWCLOCK 1
#endif

static int64_t begin, factor = 1;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

static int64_t to_ns(const struct timespec *ts)
{
	return ts->tv_sec * SECOND + ts->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
	return (struct timespec){ns / SECOND, ns % SECOND};
}

__attribute__((constructor)) static void start(void)
{
	struct timespec now;
	const char *text = getenv("SLOWCLOCK");
	real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	real_ppoll = (int (*)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))dlsym(RTLD_NEXT, "ppoll");
	real_timedwait = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
	        RTLD_NEXT, "pthread_cond_timedwait");
	real_clock_gettime(CLOCK_MONOTONIC, &now);
	begin = to_ns(&now);
	if (text && atoi(text) > 0)
		factor = atoi(text);
	else if (strncmp(program_invocation_short_name, "qemu-system", strlen("qemu-system")) == 0)
		factor = SLOWCLOCK;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	/* Another library's constructor may ask before ours has run. */
	int result = real_clock_gettime ? real_clock_gettime(id, ret) : (int)syscall(SYS_clock_gettime, id, ret);
	if (result == 0 && id == CLOCK_MONOTONIC && begin)
		*ret = from_ns(begin + (to_ns(ret) - begin) / factor);
	return result;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	if (!timeout)
		return real_ppoll(fds, n, NULL, mask);
	struct timespec longer = from_ns(to_ns(timeout) * factor);
	return real_ppoll(fds, n, &longer, mask);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	if (until->tv_sec > EPOCH)
		return real_timedwait(cond, mutex, until);
	struct timespec later = from_ns(begin + (to_ns(until) - begin) * factor);
	return real_timedwait(cond, mutex, &later);
}
