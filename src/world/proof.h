/* SPDX-License-Identifier: Apache-2.0 */
/* The proof: evidence gathered inside a level that KVM works there. */
#pragma once
#include "world/world.h"

/* POSIX shell script that prints KEY=VALUE lines about KVM of the machine it runs on; changes nothing. */
extern const char np_proof_script[];
/* Fills all checks but capabilities from the script's output. */
void np_proof_read(np_proof *proof, const char *output);
/* Adds what the level's own libvirt offers and sums up. */
void np_proof_finish(np_proof *proof, const np_host_facts *facts);
/* The same of the host, level 0, from what its kernel and its libvirt said. */
void np_proof_host(np_proof *proof, const np_kernel_facts *kernel, const np_host_facts *facts);
