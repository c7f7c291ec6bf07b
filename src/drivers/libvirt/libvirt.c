/* SPDX-License-Identifier: Apache-2.0 */
/* The table that the rest of nestplan sees of libvirt. */
#include "drivers/libvirt/adopt.h"
#include "drivers/libvirt/conn.h"
#include "drivers/libvirt/console.h"
#include "drivers/libvirt/domain.h"
#include "drivers/libvirt/facts.h"
#include "drivers/libvirt/import.h"
#include "drivers/libvirt/network.h"
#include "drivers/libvirt/observe.h"
#include "drivers/libvirt/pool.h"
#include "drivers/libvirt/record.h"
#include "drivers/libvirt/reattach.h"
#include "drivers/libvirt/secret.h"
#include "drivers/libvirt/update.h"
#include "drivers/libvirt/upload.h"
#include "drivers/libvirt/volume.h"
#include "drivers/libvirt/watch.h"

const np_hypervisor_ops np_libvirt = {
	.open = np_conn_open,
	.close = np_conn_close,
	.alive = np_conn_alive,
	.uri = np_conn_uri,
	.facts = np_facts_read,
	.cpus = np_facts_cpus,
	.observe = np_observe_read,
	.labs = np_labs_read,
	.pool_ensure = np_pool_ensure,
	.pool_delete = np_pool_delete,
	.volumes = np_volume_names,
	.volume_upload = np_volume_upload,
	.volume_create = np_volume_create,
	.volume_delete = np_volume_delete,
	.network_ensure = np_network_ensure,
	.network_reattach = np_network_reattach,
	.network_delete = np_network_delete,
	.domain_define = np_domain_define,
	.domain_update = np_domain_update,
	.domain_start = np_domain_start,
	.domain_record = np_domain_record,
	.network_record = np_network_record_write,
	.domain_ready = np_domain_ready,
	.domain_reset = np_domain_reset,
	.domain_watch = np_domain_watch,
	.domain_unwatch = np_domain_unwatch,
	.domain_stop = np_domain_stop,
	.domain_undefine = np_domain_undefine,
	.import = np_import_read,
	.adopt = np_adopt,
	.console_open = np_console_open,
	.console_close = np_console_close,
	.secret_get = np_secret_get,
	.secret_create = np_secret_create,
	.secret_describe = np_secret_describe,
	.secret_delete = np_secret_delete,
	.secrets = np_secret_list,
};
