/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of tests/bench/plan.sh: all domains of a host, and the live and the inactive XML of each, read and thrown away. */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t read_xml(virDomainPtr domain, unsigned flags)
{
	char *xml = virDomainGetXMLDesc(domain, flags);
	size_t length = xml ? strlen(xml) : 0;
	free(xml);
	return length;
}

int main(int argc, char **argv)
{
	virConnectPtr conn = virConnectOpenReadOnly(argc == 2 ? argv[1] : "qemu:///system");
	virDomainPtr *domains = NULL;
	int count = conn ? virConnectListAllDomains(conn, &domains, 0) : -1;
	if (count < 0)
		return 1;
	size_t bytes = 0;
	for (int i = 0; i < count; i++) {
		bytes += read_xml(domains[i], 0) + read_xml(domains[i], VIR_DOMAIN_XML_INACTIVE);
		virDomainFree(domains[i]);
	}
	free(domains);
	virConnectClose(conn);
	return printf("%d domains, %zu bytes\n", count, bytes) < 0;
}
