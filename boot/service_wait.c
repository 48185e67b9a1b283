/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "boot/service.h"

#define POLL_MS 250
#define LOG_LINES 10

struct service_waiting {
	struct step_ctx *c;
	struct kube *kube;
	const char *name, *revision;
};

/* Does the controller's status speak of this revision? */
static bool rollout_is_seen(const json *dep, const char *revision)
{
	return streq(json_str(dep, "metadata.annotations['firestream/revision']", NULL), revision) &&
	       json_int(dep, "status.observedGeneration", 0) >= json_int(dep, "metadata.generation", 1);
}

int service_rolled_out(const json *deployment, const char *revision, struct err *reason)
{
	int64_t want = json_int(deployment, "spec.replicas", 1);
	int64_t updated = json_int(deployment, "status.updatedReplicas", 0);
	int64_t available = json_int(deployment, "status.availableReplicas", 0);

	if (!streq(json_str(deployment, "metadata.annotations['firestream/revision']", NULL), revision)) {
		(void)err_set(reason, -EAGAIN, "its chart is not installed yet");
		return 0;
	}
	if (!rollout_is_seen(deployment, revision) || updated < want ||
	    available < want || json_int(deployment, "status.replicas", 0) > want) {
		(void)err_set(reason, -EAGAIN, "%lld of %lld replicas are available", (long long)MIN(updated, available),
			      (long long)want);
		return 0;
	}
	return 1;
}

/* Reasons that do not go away by waiting. */
static bool is_hopeless(const char *reason)
{
	static const char *const known[] = {
		"CrashLoopBackOff", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError",
		"CreateContainerError", "RunContainerError",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(reason, known[i]))
			return true;
	return false;
}

static void show_logs(struct service_waiting *w, const char *ns, const char *pod, bool previous)
{
	auto(buf) struct buf log = BUF_INIT(1 << 16);
	struct str rest, line;

	if (kube_logs(w->kube, ns, pod, NULL, LOG_LINES, previous, &log, NULL) < 0)
		return;
	rest = str_from(buf_str(&log));
	while (str_split(&rest, '\n', &line)) {
		autofree char *text = xstrndup(line.p, line.len);

		progress_output(w->c->progress, text);
	}
}

#define ROLLOUT "metadata.annotations['deployment.kubernetes.io/revision']"

/* Is the pod of the Deployment's newest ReplicaSet? One that is being replaced has troubles that are over soon. */
static bool pod_is_current(struct service_waiting *w, const json *dep, const json *pod)
{
	const char *newest = json_str(dep, ROLLOUT, NULL), *set = json_str(pod, "metadata.ownerReferences[0].name", NULL);
	autofree char *path = set ? kube_path("apps/v1", "ReplicaSet", SERVICE_NAMESPACE, set) : NULL;
	autojson json *owner = NULL;

	return path && kube_get(w->kube, path, &owner, NULL) == 0 && streq(json_str(owner, ROLLOUT, NULL), newest);
}

/* A pod of the service that cannot start: the error, with its last log lines shown. */
static int pod_trouble(struct service_waiting *w, const json *dep, struct err *err)
{
	autofree char *path = xasprintf("/api/v1/namespaces/" SERVICE_NAMESPACE "/pods?labelSelector=app.kubernetes.io%%2Fname%%3D%s",
					w->name);
	autojson json *pods = NULL;

	if (!rollout_is_seen(dep, w->revision) || kube_get(w->kube, path, &pods, NULL) < 0)
		return 0;
	json_each (pod, json_get(pods, "items")) {
		const char *name = json_str(pod, "metadata.name", "");
		const char *reason = json_str(pod, "status.containerStatuses[0].state.waiting.reason", "");

		if (!is_hopeless(reason) || json_is(pod, "metadata.deletionTimestamp") || !pod_is_current(w, dep, pod))
			continue;
		show_logs(w, SERVICE_NAMESPACE, name, streq(reason, "CrashLoopBackOff"));
		return err_set(err, -EIO, "service \"%s\": pod %s: %s: %.300s", w->name, name, reason,
			       json_str(pod, "status.containerStatuses[0].state.waiting.message",
					json_str(pod, "status.containerStatuses[0].lastState.terminated.reason", "no message")));
	}
	return 0;
}

/* The install job failed for good. */
static int job_trouble(struct service_waiting *w, struct err *err)
{
	autofree char *path = xasprintf("/apis/batch/v1/namespaces/kube-system/jobs/helm-install-%s", w->name);
	autofree char *pods_path = xasprintf("/api/v1/namespaces/kube-system/pods?labelSelector=job-name%%3Dhelm-install-%s", w->name);
	autojson json *job = NULL, *pods = NULL;

	if (kube_get(w->kube, path, &job, NULL) < 0 || json_int(job, "status.failed", 0) < 3)
		return 0;
	if (kube_get(w->kube, pods_path, &pods, NULL) == 0)
		show_logs(w, "kube-system", json_str(pods, "items[0].metadata.name", ""), false);
	return err_set(err, -EIO, "service \"%s\": installing its chart failed %lld times", w->name,
		       (long long)json_int(job, "status.failed", 0));
}

static int service_test(void *arg, struct err *reason)
{
	struct service_waiting *w = arg;
	autofree char *path = kube_path("apps/v1", "Deployment", SERVICE_NAMESPACE, w->name);
	autojson json *dep = NULL;
	int r = kube_get(w->kube, path, &dep, reason);

	if (r == -ECANCELED)
		return r;
	if (r == 0) {
		r = service_rolled_out(dep, w->revision, reason);
		if (r > 0)
			return r;
		progress_note(w->c->progress, "%s: %s", w->name, err_text(reason));
		r = pod_trouble(w, dep, reason);
	} else {
		r = job_trouble(w, reason);
	}
	return r < 0 ? r : 0;
}

int service_wait(struct step_ctx *c, struct kube *k, const char *name, const char *revision, struct err *err)
{
	struct service_waiting w = { .c = c, .kube = k, .name = name, .revision = revision };
	autofree char *what = xasprintf("service \"%s\"", name);

	return kube_poll(c->loop, what, service_test, &w, POLL_MS, c->deadline_ns, err);
}
