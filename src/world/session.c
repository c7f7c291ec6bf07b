/* SPDX-License-Identifier: Apache-2.0 */
#include "world/session.h"

#include "base/address.h"
#include "base/error.h"

typedef struct {
	GMutex lock; /* held while the connection is made, so that one thread makes it */
	np_conn *conn;
} site_conn;

struct np_session {
	const np_drivers *drivers;
	const np_lab *lab;
	np_conn *root;
	np_guests *guests;
	GMutex lock;       /* guards sites; never held over a driver call */
	GHashTable *sites; /* address → site_conn */
	GPtrArray *dead;   /* of np_conn*: another thread may still be inside a call on it, so closed at the end */
};

np_session *np_session_new(const np_drivers *drivers, const np_lab *lab, const char *uri, GError **error)
{
	np_conn *root = drivers->hypervisor->open(uri ? uri : lab->host.uri, error);
	if (!root)
		return NULL;
	np_session *session = g_new0(np_session, 1);
	session->drivers = drivers;
	session->lab = lab;
	session->root = root;
	g_mutex_init(&session->lock);
	session->sites = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	session->dead = g_ptr_array_new();
	return session;
}

void np_session_free(np_session *session)
{
	if (!session)
		return;
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, session->sites);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		site_conn *site = value;
		session->drivers->hypervisor->close(site->conn);
		g_mutex_clear(&site->lock);
		g_free(site);
	}
	g_hash_table_unref(session->sites);
	for (guint i = 0; i < session->dead->len; i++)
		session->drivers->hypervisor->close(g_ptr_array_index(session->dead, i));
	g_ptr_array_unref(session->dead);
	session->drivers->guest->close(session->guests);
	session->drivers->hypervisor->close(session->root);
	g_mutex_clear(&session->lock);
	g_free(session);
}

const np_drivers *np_session_drivers(const np_session *session)
{
	return session->drivers;
}

const np_lab *np_session_lab(const np_session *session)
{
	return session->lab;
}

np_conn *np_session_root(np_session *session)
{
	return session->root;
}

np_guests *np_session_guests(np_session *session)
{
	return session->guests;
}

char *np_secret_usage(const char *lab, const char *what)
{
	return g_strdup_printf("nestplan/%s/%s", lab, what);
}

GBytes *np_session_seed(np_session *session, GError **error)
{
	g_autofree char *usage = np_secret_usage(session->lab->name, "key");
	g_autoptr(GError) local = NULL;
	GBytes *seed = session->drivers->hypervisor->secret_get(session->root, usage, &local);
	if (!seed && local && !g_error_matches(local, NP_ERROR, NP_ERROR_UNSUPPORTED))
		g_propagate_error(error, g_steal_pointer(&local));
	return seed;
}

/* Two applies never race here: the caller holds the lab's lock. */
static GBytes *create_seed(np_session *session, GError **error)
{
	g_autoptr(GBytes) seed = session->drivers->guest->seed(error);
	if (!seed)
		return NULL;
	g_autofree char *usage = np_secret_usage(session->lab->name, "key");
	g_autofree char *text = g_strdup_printf("Seed of the SSH keys of nestplan's lab '%s'", session->lab->name);
	if (!session->drivers->hypervisor->secret_create(session->root, usage, text, seed, error))
		return NULL;
	return g_steal_pointer(&seed);
}

bool np_session_open_guests(np_session *session, bool create, GError **error)
{
	if (session->guests)
		return true;
	g_autoptr(GError) local = NULL;
	g_autoptr(GBytes) seed = np_session_seed(session, &local);
	if (local) {
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	if (!seed) {
		if (!create)
			return true;
		seed = create_seed(session, error);
		if (!seed)
			return false;
	}
	session->guests = session->drivers->guest->open(session->lab, seed, error);
	return session->guests != NULL;
}

static site_conn *site_slot(np_session *session, const char *address)
{
	g_mutex_lock(&session->lock);
	site_conn *site = g_hash_table_lookup(session->sites, address);
	if (!site) {
		site = g_new0(site_conn, 1);
		g_mutex_init(&site->lock);
		g_hash_table_insert(session->sites, g_strdup(address), site);
	}
	g_mutex_unlock(&session->lock);
	return site;
}

/* The hypervisor that answers must be the node that we made: libvirt's host UUID inside is the domain's UUID. */
static bool right_machine(np_session *session, np_conn *conn, const char *address, const char *uuid, GError **error)
{
	g_auto(np_host_facts) facts = {0};
	if (!session->drivers->hypervisor->facts(conn, &facts, error))
		return false;
	if (!uuid || !facts.uuid || g_ascii_strcasecmp(uuid, facts.uuid) == 0)
		return true;
	g_set_error(error, NP_ERROR, NP_ERROR_CLASH,
	            "Another hypervisor answers as node '%s': its UUID is %s, expected %s. Nothing was done there.", address,
	            facts.uuid, uuid);
	return false;
}

static void bury(np_session *session, np_conn *conn)
{
	if (!conn)
		return;
	g_mutex_lock(&session->lock);
	g_ptr_array_add(session->dead, conn);
	g_mutex_unlock(&session->lock);
}

static np_conn *connect_site(np_session *session, const char *address, const char *uuid, GError **error)
{
	const np_hypervisor_ops *ops = session->drivers->hypervisor;
	if (!session->guests) {
		g_set_error(error, NP_ERROR, NP_ERROR_UNREACHABLE, "The lab has no SSH key at its host, so node '%s' cannot be reached.",
		            address);
		return NULL;
	}
	g_autofree char *uri = session->drivers->guest->uri(session->guests, address);
	np_conn *conn = ops->open(uri, error);
	if (conn && !right_machine(session, conn, address, uuid, error)) {
		ops->close(conn);
		return NULL;
	}
	return conn;
}

np_conn *np_session_conn(np_session *session, const char *address, const char *uuid, GError **error)
{
	if (!*address)
		return session->root;
	site_conn *site = site_slot(session, address);
	g_mutex_lock(&site->lock);
	if (site->conn && !session->drivers->hypervisor->alive(site->conn)) {
		bury(session, site->conn);
		site->conn = NULL;
	}
	if (!site->conn)
		site->conn = connect_site(session, address, uuid, error);
	np_conn *conn = site->conn;
	g_mutex_unlock(&site->lock);
	return conn;
}

void np_session_forget(np_session *session, const char *address)
{
	g_autoptr(GPtrArray) gone = g_ptr_array_new();
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	gpointer key, value;
	g_mutex_lock(&session->lock);
	g_hash_table_iter_init(&iter, session->sites);
	while (g_hash_table_iter_next(&iter, &key, &value))
		if (np_address_within(key, address)) {
			g_ptr_array_add(gone, value);
			g_ptr_array_add(names, g_strdup(key));
		}
	g_mutex_unlock(&session->lock);
	for (guint i = 0; i < gone->len; i++) {
		site_conn *site = g_ptr_array_index(gone, i);
		g_mutex_lock(&site->lock);
		np_conn *conn = site->conn;
		site->conn = NULL;
		g_mutex_unlock(&site->lock);
		bury(session, conn);
		if (session->guests)
			session->drivers->guest->forget(session->guests, g_ptr_array_index(names, i));
	}
	if (session->guests)
		session->drivers->guest->forget(session->guests, address);
}
