/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/http.h"
#include "net/kube/client.h"

struct kind {
	const char *group;	/* "": the core, /api/v1 */
	const char *kind;
	const char *plural;
	bool cluster;		/* has no namespace */
};

static const struct kind kinds[] = {
	{ "", "ConfigMap", "configmaps", false },
	{ "", "Endpoints", "endpoints", false },
	{ "", "Event", "events", false },
	{ "", "LimitRange", "limitranges", false },
	{ "", "Namespace", "namespaces", true },
	{ "", "Node", "nodes", true },
	{ "", "PersistentVolume", "persistentvolumes", true },
	{ "", "PersistentVolumeClaim", "persistentvolumeclaims", false },
	{ "", "Pod", "pods", false },
	{ "", "PodTemplate", "podtemplates", false },
	{ "", "ReplicationController", "replicationcontrollers", false },
	{ "", "ResourceQuota", "resourcequotas", false },
	{ "", "Secret", "secrets", false },
	{ "", "Service", "services", false },
	{ "", "ServiceAccount", "serviceaccounts", false },
	{ "admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", true },
	{ "admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", true },
	{ "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", true },
	{ "apiregistration.k8s.io", "APIService", "apiservices", true },
	{ "apps", "ControllerRevision", "controllerrevisions", false },
	{ "apps", "DaemonSet", "daemonsets", false },
	{ "apps", "Deployment", "deployments", false },
	{ "apps", "ReplicaSet", "replicasets", false },
	{ "apps", "StatefulSet", "statefulsets", false },
	{ "autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", false },
	{ "batch", "CronJob", "cronjobs", false },
	{ "batch", "Job", "jobs", false },
	{ "certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests", true },
	{ "coordination.k8s.io", "Lease", "leases", false },
	{ "discovery.k8s.io", "EndpointSlice", "endpointslices", false },
	{ "events.k8s.io", "Event", "events", false },
	{ "helm.cattle.io", "HelmChart", "helmcharts", false },
	{ "helm.cattle.io", "HelmChartConfig", "helmchartconfigs", false },
	{ "k3s.cattle.io", "Addon", "addons", false },
	{ "metrics.k8s.io", "NodeMetrics", "nodes", true },
	{ "metrics.k8s.io", "PodMetrics", "pods", false },
	{ "networking.k8s.io", "Ingress", "ingresses", false },
	{ "networking.k8s.io", "IngressClass", "ingressclasses", true },
	{ "networking.k8s.io", "NetworkPolicy", "networkpolicies", false },
	{ "node.k8s.io", "RuntimeClass", "runtimeclasses", true },
	{ "policy", "PodDisruptionBudget", "poddisruptionbudgets", false },
	{ "rbac.authorization.k8s.io", "ClusterRole", "clusterroles", true },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", true },
	{ "rbac.authorization.k8s.io", "Role", "roles", false },
	{ "rbac.authorization.k8s.io", "RoleBinding", "rolebindings", false },
	{ "scheduling.k8s.io", "PriorityClass", "priorityclasses", true },
	{ "storage.k8s.io", "CSIDriver", "csidrivers", true },
	{ "storage.k8s.io", "CSINode", "csinodes", true },
	{ "storage.k8s.io", "StorageClass", "storageclasses", true },
	{ "storage.k8s.io", "VolumeAttachment", "volumeattachments", true },
};

/* "v1" → "", "v1"; "apps/v1" → "apps", "v1". */
static void api_version_split(const char *api_version, struct str *ret_group, struct str *ret_version)
{
	const char *slash = strchr(api_version, '/');

	*ret_group = slash ? (struct str){ api_version, (size_t)(slash - api_version) } : STR("");
	*ret_version = str_from(slash ? slash + 1 : api_version);
}

static const struct kind *kind_find(struct str group, const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(group, kinds[i].group) && streq(kinds[i].kind, kind))
			return &kinds[i];
	return NULL;
}

char *kube_path(const char *api_version, const char *kind, const char *ns, const char *name)
{
	struct buf b = BUF_INIT(4096);
	struct str group, version;
	const struct kind *k;

	api_version_split(api_version, &group, &version);
	k = kind_find(group, kind);
	if (!k || !version.len || memchr(version.p, '/', version.len))
		return NULL;
	buf_adds(&b, group.len ? "/apis/" : "/api/");
	buf_adds(&b, api_version);
	if (!k->cluster && (ns || name)) {
		buf_adds(&b, "/namespaces/");
		http_escape(&b, ns ? ns : "default");
	}
	buf_addf(&b, "/%s", k->plural);
	if (name) {
		buf_addc(&b, '/');
		http_escape(&b, name);
	}
	if (!buf_ok(&b)) {
		buf_done(&b);
		return NULL;
	}
	return buf_steal(&b);
}
