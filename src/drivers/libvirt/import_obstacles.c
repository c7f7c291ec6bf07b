/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a domain from being adopted beside what its definition says, each with what to do. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/libvirt/adopt.h"
#include "drivers/libvirt/facts.h"
#include "drivers/libvirt/import.h"
#include "drivers/libvirt/mark.h"

typedef struct {
	np_importer *importer;
	np_conn *conn;
	const np_node *node;
	char *about;
} checker;

#define obstacle(c, object, ...) np_obstacle_add((c)->importer, object, (c)->about, __VA_ARGS__)

static void check_state(const checker *c, virDomainPtr domain)
{
	const char *name = virDomainGetName(domain);
	if (virDomainIsActive(domain) == 1)
		obstacle(c, c->node, "it is running; shut it down (virsh shutdown %s) and import again", name);
	if (virDomainIsPersistent(domain) == 0)
		obstacle(c, c->node, "it is transient; define it (virsh define) first");
	if (virDomainHasManagedSaveImage(domain, 0) == 1)
		obstacle(c, c->node, "it has a saved state; start it and shut it down, or virsh managedsave-remove %s",
		         name);
	if (virDomainSnapshotNum(domain, 0) > 0)
		obstacle(c, c->node,
		         "it has snapshots, and libvirt renames no domain that has; virsh snapshot-delete %s removes "
		         "them",
		         name);
}

static void check_names(const checker *c, virDomainPtr domain, xmlNode *root)
{
	const char *lab = c->importer->request->name;
	g_auto(np_mark) mark = {0};
	if (np_mark_read(root, &mark))
		obstacle(c, c->node, "it is node '%s' of lab '%s' already", mark.address, mark.lab);
	g_autofree char *name = g_strconcat(lab, ".", c->node->base.name, NULL);
	g_autoptr(virDomain) other = virDomainLookupByName(c->conn->vir, name);
	if (other && strcmp(virDomainGetName(domain), name) != 0)
		obstacle(c, c->node, "its new name is taken: there is a domain '%s'; choose another --name", name);
}

/* Device of the nearest folder above the lab's storage that exists. */
static bool storage_device(const char *storage, dev_t *ret)
{
	g_autofree char *folder = g_strdup(storage);
	struct stat info;
	while (stat(folder, &info) != 0) {
		if (strlen(folder) <= 1)
			return false;
		char *parent = g_path_get_dirname(folder);
		g_free(folder);
		folder = parent;
	}
	*ret = info.st_dev;
	return true;
}

#define QCOW2_MAGIC         "QFI\xfb"
#define QCOW2_HEADER        104
#define QCOW2_EXTERNAL_DATA (1 << 2) /* of the incompatible features */

static guint64 big_endian(const guint8 *bytes, unsigned n)
{
	guint64 value = 0;
	for (unsigned i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Name of the backing file as the header says, NULL when there is none. Caller frees. */
static char *backing_name(int fd, const guint8 *header)
{
	guint64 offset = big_endian(header + 8, 8), size = big_endian(header + 16, 4);
	if (offset == 0 || size == 0 || size > 1023 || offset > G_MAXINT32)
		return NULL;
	g_autofree char *name = g_malloc0(size + 1);
	return pread(fd, name, size, (off_t)offset) == (ssize_t)size ? g_utf8_make_valid(name, -1) : NULL;
}

static void check_header(const checker *c, const np_disk *disk, const char *path, int fd)
{
	guint8 header[QCOW2_HEADER] = {0};
	ssize_t got = pread(fd, header, sizeof header, 0);
	if (got < 72 || memcmp(header, QCOW2_MAGIC, 4) != 0) {
		obstacle(c, disk, "disk '%s' holds no qcow2 image", path);
		return;
	}
	g_autofree char *backing = backing_name(fd, header);
	if (backing && !g_path_is_absolute(backing) && !strstr(backing, ":"))
		obstacle(c, disk,
		         "disk '%s' is over '%s', a relative name; make it absolute: qemu-img rebase -u -F FORMAT -b "
		         "/FOLDER/%s %s",
		         path, backing, backing, path);
	if (big_endian(header + 4, 4) >= 3 && got == sizeof header &&
	    (big_endian(header + 72, 8) & QCOW2_EXTERNAL_DATA))
		obstacle(c, disk, "disk '%s' keeps its data in another file", path);
}

static void check_file(const checker *c, const np_disk *disk, const char *path)
{
	const char *chosen = c->importer->request->storage;
	const char *storage = chosen ? chosen : np_kind_field(&np_host_kind, "storage")->def;
	struct stat info;
	dev_t device;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &info) != 0) {
		obstacle(c, disk, "disk '%s' cannot be read: %s%s", path, g_strerror(errno),
		         errno == EACCES ? "; run this as root" : "");
	} else {
		if (!S_ISREG(info.st_mode))
			obstacle(c, disk, "disk '%s' is no ordinary file", path);
		else
			check_header(c, disk, path, fd);
		if (!storage_device(storage, &device) || device != info.st_dev)
			obstacle(c, disk,
			         "disk '%s' and the lab's storage '%s' are on two file systems; name a folder on the "
			         "disk's own by --storage",
			         path, storage);
	}
	if (fd >= 0)
		(void)close(fd);
}

static void check_disks(const checker *c, xmlNode *root)
{
	g_autoptr(GPtrArray) elements = np_import_disks(root);
	g_auto(np_host_facts) facts = {0};
	if (!elements->len || elements->len != c->node->disks->len) /* said already */
		return;
	if (!np_facts_read(c->conn, &facts, NULL) || !facts.local) {
		obstacle(c, c->node, "its disks are on another machine; run nestplan there");
		return;
	}
	for (guint i = 0; i < elements->len; i++) {
		const np_disk *disk = g_ptr_array_index(c->node->disks, i);
		g_autofree char *path = np_disk_path(c->conn, g_ptr_array_index(elements, i));
		if (path)
			check_file(c, disk, path);
	}
}

void np_import_obstacles(np_importer *importer, np_conn *conn, virDomainPtr domain, xmlNode *root, const np_node *node)
{
	checker c = {importer, conn, node, g_strdup_printf("domain '%s'", virDomainGetName(domain))};
	check_state(&c, domain);
	check_names(&c, domain, root);
	check_disks(&c, root);
	g_free(c.about);
}
