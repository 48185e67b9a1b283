/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/seccomp.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/ctlmsg.h"

#define KEPT (1u << CAP_NET_ADMIN | 1u << CAP_NET_BIND_SERVICE)

struct privilege {
	bool user, capabilities, filter;	/* given up, or in force */
};

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* A directory of the agent's and the files in it; links are not followed. */
static void tree_give(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return;
	(void)!fchown(fd, AGENT_UID, AGENT_UID);
	for (struct dirent *e; (e = readdir(d));)
		if (!streq(e->d_name, "..") && !streq(e->d_name, "."))
			(void)!fchownat(fd, e->d_name, AGENT_UID, AGENT_UID, AT_SYMLINK_NOFOLLOW);
	closedir(d);
}

static bool is_empty_but_for(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	bool only = d != NULL;

	for (struct dirent *e; only && (e = readdir(d));)
		only = streq(e->d_name, ".") || streq(e->d_name, "..") || streq(e->d_name, name);
	if (d)
		closedir(d);
	return only;
}

/* The socket's directory only when it holds nothing else. */
static void files_give(const struct config *c)
{
	autofree char *run = path_dirname(c->socket);

	tree_give(c->state_dir);
	(void)!lchown(c->socket, AGENT_UID, AGENT_UID);
	if (is_empty_but_for(run, path_basename(c->socket)))
		(void)!lchown(run, AGENT_UID, AGENT_UID);
}

/* ---- rights ------------------------------------------------------------------------------------------------------ */

static bool user_change(void)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return false;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return false;
	return setresgid(AGENT_UID, AGENT_UID, AGENT_UID) == 0 && setresuid(AGENT_UID, AGENT_UID, AGENT_UID) == 0;
}

static bool capabilities_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	data[0].permitted &= KEPT;
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){ 0 };
	return syscall(SYS_capset, &head, data) == 0;
}

static void bounding_drop(void)
{
	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap > 31 || !(KEPT & 1u << cap))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int privilege_start(struct agent *a, struct err *err)
{
	struct privilege *p;

	if (!a->supervision)		/* a part of a test: it goes on as it is */
		return 0;
	p = a->privilege = xcalloc(1, sizeof(*p));
	if (geteuid() == 0) {
		files_give(&a->config);
		bounding_drop();
		p->user = user_change();
	}
	p->capabilities = capabilities_drop();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %m");
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	p->filter = seccomp_install();
	if (!p->capabilities)
		trouble_note(&a->trouble, "privilege", "the capabilities could not be given up");
	if (!p->filter && seccomp_is_meant())
		trouble_note(&a->trouble, "privilege", "the kernel takes no list of system calls");
	return 0;
}

void privilege_stop(struct agent *a)
{
	free(steal(&a->privilege));
}

void privilege_status(struct agent *a, json *o)
{
	json *j = json_set(o, "privilege", json_object());

	json_set_int(j, "uid", geteuid());
	json_set_bool(j, "capabilities_dropped", a->privilege && a->privilege->capabilities);
	json_set_bool(j, "no_new_privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	json_set_bool(j, "seccomp", a->privilege && a->privilege->filter);
}
