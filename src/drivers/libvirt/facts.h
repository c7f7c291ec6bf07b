/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "drivers/driver.h"

bool np_facts_read(np_conn *conn, np_host_facts *ret, GError **error);
void np_facts_cpus(np_conn *conn, np_host_facts *facts);
