/* SPDX-License-Identifier: Apache-2.0 */
/* A small lab made by hand, for tests of the libvirt driver: one hypervisor node and one leaf on two networks. */
#pragma once
#include "base/address.h"
#include "base/ident.h"
#include "drivers/driver.h"

#define MIB ((guint64)1024 * 1024)
#define GIB (1024 * MIB)

static inline np_ip fixture_ip(const char *text)
{
	np_ip ip = 0;
	g_assert_true(np_ip_parse(text, &ip));
	return ip;
}

static inline np_network *fixture_network(np_lab *lab, const char *name, const char *cidr, int mode)
{
	np_network *network = np_object_new(&np_network_kind, name);
	const char *why = NULL;
	g_autofree char *leaf = g_strconcat("network.", name, NULL);
	if (cidr)
		g_assert_true(np_cidr_parse(cidr, &network->cidr, &why));
	network->mode = mode;
	network->dhcp = cidr != NULL;
	network->gateway = cidr ? network->cidr.base + 1 : 0;
	network->address = g_steal_pointer(&leaf);
	network->uuid = np_ident_uuid(lab->name, network->address, NULL);
	network->libvirt_name = g_strdup_printf("%s.%s", lab->name, name);
	g_autofree char *digits = np_ident_short(8, lab->name, name, NULL);
	network->device = g_strconcat("np", digits, NULL);
	g_ptr_array_add(np_objects_own(&lab->site.networks), network);
	return network;
}

static inline np_node *fixture_node(np_lab *lab, const char *name, guint64 memory, guint64 vcpus)
{
	np_node *node = np_object_new(&np_node_kind, name);
	node->address = g_strdup(name);
	node->uuid = np_ident_uuid(lab->name, name, NULL);
	node->libvirt_name = g_strdup_printf("%s.%s", lab->name, name);
	node->memory = memory;
	node->vcpus = vcpus;
	node->level = node->index = 1;
	node->parent = &lab->site;
	g_ptr_array_add(np_objects_own(&lab->site.nodes), node);
	return node;
}

static inline np_disk *fixture_disk(np_node *node, const char *name, int bus, int cache)
{
	np_disk *disk = np_object_new(&np_disk_kind, name);
	disk->bus = bus;
	disk->cache = cache;
	g_ptr_array_add(np_objects_own(&node->disks), disk);
	return disk;
}

static inline np_nic *fixture_nic(np_node *node, const char *name, const char *network, const char *address)
{
	np_nic *nic = np_object_new(&np_nic_kind, name);
	g_free(nic->network);
	nic->network = g_strdup(network);
	nic->address = address ? fixture_ip(address) : 0;
	nic->mac = np_ident_mac(node->libvirt_name, name, NULL);
	g_ptr_array_add(np_objects_own(&node->nics), nic);
	return nic;
}

static inline void fixture_feature(np_node *node, const char *name, int policy)
{
	np_feature *feature = np_object_new(&np_feature_kind, name);
	feature->policy = policy;
	g_ptr_array_add(np_objects_own(&node->cpu.features), feature);
}

static inline np_lab *fixture_empty(const char *name)
{
	np_lab *lab = np_object_new(&np_lab_kind, name);
	g_free(lab->name);
	lab->name = g_strdup(name);
	lab->site.address = "";
	return lab;
}

/* "compute-1" carries a node; "leaf" has a data disk and a CPU of its own. */
static inline np_lab *fixture_lab(const char *name)
{
	np_lab *lab = fixture_empty(name);
	fixture_network(lab, "mgmt", "10.20.0.0/24", NP_NET_NAT);
	np_network *tunnel = fixture_network(lab, "tunnel", "10.20.1.0/24", NP_NET_ISOLATED);
	tunnel->mtu = 9000;
	tunnel->dhcp = FALSE;
	np_network *office = fixture_network(lab, "office", NULL, NP_NET_BRIDGE);
	office->bridge = g_strdup("br0");

	np_node *compute = fixture_node(lab, "compute-1", 2 * GIB, 2);
	compute->inject_id = g_strdup("sha256-abc");
	fixture_disk(compute, "root", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	fixture_nic(compute, "eth0", "mgmt", "10.20.0.11");
	fixture_nic(compute, "tunnel", NULL, "10.20.1.11");
	np_node *inner = np_object_new(&np_node_kind, "guest");
	inner->parent = &compute->site;
	g_ptr_array_add(np_objects_own(&compute->site.nodes), inner);

	np_node *leaf = fixture_node(lab, "leaf", 512 * MIB, 1);
	leaf->accel = NP_ACCEL_AUTO;
	leaf->cpu.mode = NP_CPU_CUSTOM;
	leaf->cpu.model = g_strdup("EPYC");
	fixture_feature(leaf, "x2apic", NP_POLICY_REQUIRE);
	fixture_disk(leaf, "root", NP_BUS_VIRTIO, NP_CACHE_DEFAULT);
	fixture_disk(leaf, "data", NP_BUS_SCSI, NP_CACHE_NONE);
	fixture_nic(leaf, "office", NULL, NULL);
	return lab;
}

/* Frees also what the field tables do not cover. */
static inline void fixture_free(np_lab *lab)
{
	for (guint i = 0; i < lab->site.nodes->len; i++) {
		np_node *node = g_ptr_array_index(lab->site.nodes, i);
		g_clear_pointer(&node->inject_id, g_free);
	}
	np_lab_free(lab);
}
