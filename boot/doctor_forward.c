/* SPDX-License-Identifier: Apache-2.0 */
/* What `forward` can do on this machine. Nothing of it stops `up`. */
#include <errno.h>

#include "base/mem.h"
#include "boot/doctor_host.h"
#include "boot/forward_addr.h"
#include "boot/forward_hosts.h"
#include "net/sock.h"

static int listen_try(uint16_t port)
{
	const struct hostport at = { forward_addr_at(FORWARD_ADDRESSES - 1), port };
	autoclose int fd = sock_tcp_listen(&at, NULL);

	return fd < 0 ? fd : 0;
}

void doctor_forward(struct doctor *d)
{
	int any = listen_try(0), low = listen_try(1);

	if (any == -EADDRNOTAVAIL)
		doctor_report(d, "loopback", DOCTOR_WARN, "add addresses: ifconfig lo0 alias 127.1.0.1 …; or use the ports that `forward` prints",
			      "there is no loopback address but 127.0.0.1: `forward` gives each service a port of it");
	else if (any < 0)
		doctor_report(d, "loopback", DOCTOR_WARN, "look at the loopback interface: ip addr show lo",
			      "nothing can listen at loopback addresses: %s", strerror(-any));
	else
		doctor_report(d, "loopback", DOCTOR_OK, NULL, "`forward` has loopback addresses for services");
	if (any == 0 && (low == -EACCES || low == -EPERM))
		doctor_report(d, "low ports", DOCTOR_WARN, "sudo; or sysctl net.ipv4.ip_unprivileged_port_start=0",
			      "ports below 1024 are root's: `forward` puts 80 at 8080");
	else if (any == 0)
		doctor_report(d, "low ports", DOCTOR_OK, NULL, "`forward` may use ports below 1024");
	if (hosts_writable("/etc/hosts"))
		doctor_report(d, "hosts", DOCTOR_OK, NULL, "`forward` may write names into /etc/hosts");
	else
		doctor_report(d, "hosts", DOCTOR_WARN, "sudo", "/etc/hosts cannot be written: `forward` makes no names");
}
