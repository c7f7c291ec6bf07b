# SPDX-License-Identifier: Apache-2.0
"""Lists virtual machines as kcli's `list vm` does: of each domain, one after the other, the live description, parsed, and what
libvirt is asked for besides."""
import sys
import xml.etree.ElementTree as ET

import libvirt

connection = libvirt.openReadOnly(sys.argv[1])
known = {network.bridgeName(): network.name() for network in connection.listAllNetworks() if network.isActive()}
for domain in connection.listAllDomains(0):
    root = ET.fromstring(domain.XMLDesc(0))
    state, *_ = domain.state()
    ip = "-"
    if domain.isActive():
        leases = domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE)
        ip = next((address["addr"] for nic in leases.values() for address in nic["addrs"] or ()), "-")
    disks = [disk.find("source").attrib for disk in root.iter("disk") if disk.find("source") is not None]
    nics = [nic.find("source").get("network") or known.get(nic.find("source").get("bridge")) for nic in root.iter("interface")]
    print(domain.name(), state, ip, root.find("memory").text, root.find("vcpu").text, domain.autostart(), len(disks), *nics)
connection.close()
