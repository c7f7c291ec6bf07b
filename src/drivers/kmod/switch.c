/* SPDX-License-Identifier: Apache-2.0 */
/* Nesting on and off. The order of steps is such that after a crash between any two of them the next run completes it:
 * on: write the file, unload, load; off: unload, remove the file, load. The file goes only once the module is out. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "drivers/kmod/kmod.h"

static void switch_clear(np_switch *s)
{
	np_kernel_facts_clear(&s->facts);
	np_nesting_file_clear(&s->file);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(np_switch, switch_clear)

bool np_switch_unload(np_switch *s, GError **error)
{
	const char *module = s->request->module;
	if (np_kmod_state(s->root, module) == NP_MODULE_ABSENT)
		return true;
	int code = s->loader->remove(s->loader, s->root, module);
	if (code == 0 || code == -ENOENT) {
		s->module_touched = true;
		return true;
	}
	if (code != -EAGAIN && code != -EBUSY)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "module %s cannot be unloaded: %s", module, g_strerror(-code));
	else if (np_switch_idle(s, error))
		g_set_error(error, NP_ERROR, NP_ERROR_BUSY, "module %s was in use a moment ago and cannot be loaded anew: try "
		            "again", module);
	return false;
}

static const char *explain(int code)
{
	if (code > 0)
		return "a blacklist line keeps it out";
	switch (-code) {
	case EINVAL:
		return "it refuses the value of a parameter, or does not fit the kernel; the kernel's log (dmesg) says which";
	case EOPNOTSUPP:
	case EIO:
		return "the processor's virtualization cannot be used; switch it on in the firmware";
	case EEXIST:
		return "the module of the other vendor is loaded; unload that one";
	case EPERM:
	case EKEYREJECTED:
		return "the kernel does not allow it (it needs root, and a signed module under secure boot)";
	default:
		return g_strerror(-code);
	}
}

/* When it got loaded by somebody else in the meantime, only the value counts. */
bool np_switch_load(np_switch *s, bool configured, const char *options, int want, GError **error)
{
	const char *module = s->request->module;
	s->module_touched = true;
	int code = s->loader->insert(s->loader, s->root, module, configured, options);
	bool live = np_kmod_state(s->root, module) == NP_MODULE_LIVE;
	int nested = np_kmod_nested(s->root, module);
	if (code != 0 && !(code == -EEXIST && live))
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "module %s cannot be loaded: %s", module, explain(code));
	else if (!live)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "module %s was loaded but is not there: see the kernel's log "
		            "(dmesg)", module);
	else if (want >= 0 && nested != want)
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "module %s was loaded, but its parameter nested is %s, not %d: "
		            "see the kernel's log (dmesg)", module, nested < 0 ? "unknown" : nested ? "1" : "0", want);
	else
		return true;
	return false;
}

static bool write_file(np_switch *s, GError **error)
{
	g_autoptr(GBytes) bytes = s->on ? np_nesting_file_bytes(s->request->module, s->request->labs, s->before) : NULL;
	if (bytes != NULL && s->file.bytes != NULL && g_bytes_equal(bytes, s->file.bytes))
		return true;
	if (bytes == NULL && !s->file.exists)
		return true;
	s->file_touched = true;
	return np_nesting_file_put(s->root, bytes, error);
}

static bool turn_on(np_switch *s, GError **error)
{
	const char *module = s->request->module;
	if (!write_file(s, error))
		return false;
	if (np_options_effective(s->root, module) != 1) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "although " NP_NESTING_FILE " says nested=1, module %s would "
		            "not be loaded with it; see what modprobe --showconfig says of it", module);
		return false;
	}
	return !s->reload || (np_switch_unload(s, error) && np_switch_load(s, true, NULL, 1, error));
}

/* The value from before is given by hand only where the remaining files would not lead to it. */
static bool turn_off(np_switch *s, GError **error)
{
	if (!s->reload)
		return write_file(s, error);
	if (!np_switch_unload(s, error) || !write_file(s, error))
		return false;
	g_autofree char *extra = g_strdup_printf("nested=%d", s->want);
	bool given = s->want < 0 || np_options_effective(s->root, s->request->module) == s->want;
	return np_switch_load(s, true, given ? NULL : extra, s->want, error);
}

/* Whether the module has to be loaded anew to reach what is wanted. */
static bool needs_reload(const np_switch *s)
{
	bool live = s->facts.state == NP_MODULE_LIVE;
	if (s->want >= 0)
		return !live || s->facts.nested != s->want;
	return live && s->file.ours;
}

static bool prepare(np_switch *s, GError **error)
{
	np_nesting_file_read(s->root, &s->file);
	if (!np_kmod_facts(s->root, &s->facts, error))
		return false;
	bool same = g_strcmp0(s->file.module, s->request->module) == 0;
	bool live = s->facts.state == NP_MODULE_LIVE && g_strcmp0(s->facts.module, s->request->module) == 0;
	s->on = s->request->labs != NULL && s->request->labs[0] != NULL;
	s->before = same ? s->file.before : live ? s->facts.nested : -1;
	s->want = s->on ? 1 : same ? s->file.before : -1;
	s->reload = s->request->reload && (s->on || same) && needs_reload(s);
	return true;
}

bool np_switch_run(const char *root, const np_nesting_request *request, const np_loader *loader, GError **error)
{
	g_auto(np_switch) s = {.root = root, .request = request, .loader = loader};
	np_kernel_facts_init(&s.facts);
	g_autoptr(GError) local = NULL;
	if (!prepare(&s, &local) || !np_switch_allowed(&s, &local) ||
	    !(s.on ? turn_on(&s, &local) : turn_off(&s, &local))) {
		(void)np_switch_restore(&s, &local);
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	return true;
}
