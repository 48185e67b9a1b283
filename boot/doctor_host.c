/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/doctor_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define GIB (UINT64_C(1) << 30)

/* What a cold build from packages takes: Go modules and caches, images, volumes. */
#define DISK_BAD (6 * GIB)
#define DISK_GOOD (15 * GIB)
#define MEMORY_BAD (2 * GIB)
#define MEMORY_GOOD (4 * GIB)

enum { DNS_MS = 2000, INOTIFY_INSTANCES = 256, INOTIFY_WATCHES = 65536, OPEN_FILES = 4096 };

/* A number in a file of one line; 0 when there is none. */
static uint64_t file_number(const char *path)
{
	auto(buf) struct buf b = BUF_INIT(64);
	uint64_t n = 0;

	if (file_read(path, &b, NULL) < 0)
		return 0;
	while (b.len > 0 && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	return num_u64(buf_str(&b), UINT64_MAX, &n) == 0 ? n : 0;
}

static bool file_has(const char *path, const char *text)
{
	auto(buf) struct buf b = BUF_INIT(4 << 20);

	return file_read(path, &b, NULL) == 0 && strstr(buf_str(&b), text);
}

/* Loaded, built in, or there to be loaded. */
static bool kernel_has(const char *module)
{
	static const char *const lists[] = { "modules.builtin", "modules.dep" };
	autofree char *loaded = xasprintf("/sys/module/%s", module), *file = xasprintf("/%s.ko", module);
	struct utsname u;

	if (file_exists(loaded))
		return true;
	if (uname(&u) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		autofree char *path = xasprintf("/lib/modules/%s/%s", u.release, lists[i]);

		if (file_has(path, file))
			return true;
	}
	return false;
}

void doctor_kernel(struct doctor *d)
{
#ifdef __linux__
	bool overlay = file_has("/proc/filesystems", "\toverlay\n") || kernel_has("overlay");
	bool bridge = file_exists("/proc/sys/net/bridge") || kernel_has("bridge");
	bool filter = file_exists("/proc/net/ip_tables_names") || kernel_has("nf_tables") || kernel_has("ip_tables");
	const char *fix = "load it (modprobe), or use a kernel that has it";

	if (overlay)
		doctor_report(d, "overlay", DOCTOR_OK, NULL, "the kernel stacks file systems");
	else
		doctor_report(d, "overlay", DOCTOR_WARN, fix,
			      "no sign of overlayfs in this kernel; images would be slow and large");
	if (bridge)
		doctor_report(d, "bridge", DOCTOR_OK, NULL, "the kernel bridges networks");
	else
		doctor_report(d, "bridge", DOCTOR_WARN, fix, "no sign of the bridge module in this kernel");
	if (filter)
		doctor_report(d, "filter", DOCTOR_OK, NULL, "the kernel filters packets");
	else
		doctor_report(d, "filter", DOCTOR_WARN, fix, "no sign of nf_tables or ip_tables in this kernel");
#else
	doctor_report(d, "kernel", DOCTOR_OK, NULL, "the engine's own virtual machine decides");
#endif
}

void doctor_cgroups(struct doctor *d)
{
#ifdef __linux__
	static const char *const needed[] = { "cpu", "memory", "pids" };
	bool v2 = file_exists("/sys/fs/cgroup/cgroup.controllers");

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		autofree char *v1_path = xasprintf("/sys/fs/cgroup/%s", needed[i]);

		if (v2 ? file_has("/sys/fs/cgroup/cgroup.controllers", needed[i]) : file_exists(v1_path))
			continue;
		doctor_report(d, "cgroups", DOCTOR_BAD,
			      "enable it: for memory, cgroup_enable=memory on the kernel's command line",
			      "control group \"%s\" is missing", needed[i]);
		return;
	}
	doctor_report(d, "cgroups", DOCTOR_OK, NULL, "control groups, version %d", v2 ? 2 : 1);
#else
	(void)d;
#endif
}

void doctor_limits(struct doctor *d)
{
	struct rlimit files = { 0 };

#ifdef __linux__
	uint64_t instances = file_number("/proc/sys/fs/inotify/max_user_instances");
	uint64_t watches = file_number("/proc/sys/fs/inotify/max_user_watches");

	if (instances < INOTIFY_INSTANCES || watches < INOTIFY_WATCHES)
		doctor_report(d, "inotify", DOCTOR_WARN,
			      "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
			      "%llu instances and %llu watches: several nodes or editors will run out",
			      (unsigned long long)instances, (unsigned long long)watches);
	else
		doctor_report(d, "inotify", DOCTOR_OK, NULL, "%llu instances, %llu watches", (unsigned long long)instances,
			      (unsigned long long)watches);
#endif
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max != RLIM_INFINITY && files.rlim_max < OPEN_FILES)
		doctor_report(d, "files", DOCTOR_WARN, "raise the hard limit of open files (ulimit -Hn)",
			      "at most %llu open files", (unsigned long long)files.rlim_max);
	else
		doctor_report(d, "files", DOCTOR_OK, NULL, "enough open files");
}

void doctor_memory(struct doctor *d)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	double gib = (double)bytes / (double)GIB;

	if (bytes < MEMORY_BAD)
		doctor_report(d, "memory", DOCTOR_BAD, "use a machine with at least 4 GiB", "%.1f GiB of memory", gib);
	else if (bytes < MEMORY_GOOD)
		doctor_report(d, "memory", DOCTOR_WARN, "4 GiB leave room for services", "%.1f GiB of memory", gib);
	else
		doctor_report(d, "memory", DOCTOR_OK, NULL, "%.1f GiB", gib);
}

void doctor_disk(struct doctor *d)
{
	const char *path = d->data_root ? d->data_root : "/var/lib";
	struct statvfs v;
	uint64_t bytes;
	double gib;

	if (statvfs(path, &v) < 0 && statvfs(path = "/", &v) < 0)
		return;
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	gib = (double)bytes / (double)GIB;
	if (bytes < DISK_BAD)
		doctor_report(d, "disk", DOCTOR_BAD, "make room; `down --purge --all` removes what Firestream built",
			      "%.1f GiB free below %s", gib, path);
	else if (bytes < DISK_GOOD)
		doctor_report(d, "disk", DOCTOR_WARN, "building every image anew takes up to 15 GiB",
			      "%.1f GiB free below %s", gib, path);
	else
		doctor_report(d, "disk", DOCTOR_OK, NULL, "%.1f GiB free below %s", gib, path);
}

static bool port_is_free(int64_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	autoclose int fd = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	if (fd < 0)
		return true;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EACCES;
}

static void check_port(struct doctor *d, const char *what, int64_t port)
{
	if (port <= 0)
		return;
	if (port_is_free(port))
		doctor_report(d, "ports", DOCTOR_OK, NULL, "port %lld is free for %s", (long long)port, what);
	else if (d->ours_running)
		doctor_report(d, "ports", DOCTOR_OK, NULL, "port %lld of %s is in use, as this project is there",
			      (long long)port, what);
	else
		doctor_report(d, "ports", DOCTOR_BAD,
			      "name another port in the config, or end that program (ss -ltnp tells which)",
			      "port %lld, which %s wants, is in use by another program", (long long)port, what);
}

void doctor_ports(struct doctor *d)
{
	const struct config *c = &d->r->config;

	check_port(d, "the Kubernetes API", c->cluster.api_port);
	for (size_t i = 0; i < c->n_services; i++)
		check_port(d, c->services[i].name, c->services[i].publish);
}

/* The first IPv4 nameserver of resolv.conf; false without one. */
static bool first_nameserver(struct in_addr *ret, char text[static INET_ADDRSTRLEN])
{
	auto(buf) struct buf b = BUF_INIT(1 << 16);
	struct str rest, line;

	if (file_read("/etc/resolv.conf", &b, NULL) < 0)
		return false;
	rest = str_from(buf_str(&b));
	while (str_split(&rest, '\n', &line)) {
		if (line.len < 11 || strncmp(line.p, "nameserver", 10) != 0)
			continue;
		line = str_trim((struct str){ line.p + 10, line.len - 10 });
		snprintf(text, INET_ADDRSTRLEN, "%.*s", STR_ARG(line));
		if (inet_pton(AF_INET, text, ret) == 1)
			return true;
	}
	return false;
}

static void on_answer(struct io *io, unsigned events)
{
	(void)events;
	io_stop(io);
}

/* Asks for the root's name servers: any answer will do, NXDOMAIN and refusal included. */
static bool dns_answers(struct loop *l, struct in_addr server)
{
	static const uint8_t question[] = { 0x46, 0x53, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = server };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t deadline = loop_deadline(DNS_MS);
	struct io io = { 0 };
	uint8_t answer[2];
	int r = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || send(fd, question, sizeof(question), 0) < 0)
		return false;
	io_start(l, &io, fd, IO_IN, on_answer);
	while (io.loop && r == 0)
		r = loop_turn(l, deadline);
	io_stop(&io);
	return recv(fd, answer, sizeof(answer), MSG_DONTWAIT) == 2 && answer[0] == question[0] && answer[1] == question[1];
}

void doctor_dns(struct doctor *d)
{
	char text[INET_ADDRSTRLEN] = "";
	struct in_addr server;

	if (!first_nameserver(&server, text))
		doctor_report(d, "dns", DOCTOR_WARN, "look at /etc/resolv.conf", "no IPv4 name server in /etc/resolv.conf");
	else if (!dns_answers(d->r->loop, server))
		doctor_report(d, "dns", DOCTOR_WARN, "look at /etc/resolv.conf and the network",
			      "name server %s does not answer", text);
	else
		doctor_report(d, "dns", DOCTOR_OK, NULL, "name server %s answers", text);
}
