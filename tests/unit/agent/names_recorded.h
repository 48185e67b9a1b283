/* SPDX-License-Identifier: Apache-2.0 */
/* names_recorded: objects of a k3s cluster as its API server gave them, and what its CoreDNS 1.14 answered: the code,
 * then sorted "section owner ttl type data", joined by " | ". "=" is the name asked for, "+" the SOA alone, NULL what is
 * not ours to answer. Recorded with dig; TTLs that CoreDNS's cache had counted down stand as 5. */
#pragma once

#include "net/dnswire.h"
#include "net/kube/store.h"

static const struct { enum store_kind kind; const char *json; } recorded_objects[] = {
	{ STORE_NAMESPACES,
	  "{\"metadata\":{\"name\":\"default\",\"uid\":\"8c07ebb4-75f0-40c3-9919-6bb2f5c583ce\",\"resourceVersion\":\"15"
	  "\"}}" },
	{ STORE_NAMESPACES,
	  "{\"metadata\":{\"name\":\"empty\",\"uid\":\"88fd6c15-e711-427d-9c69-87af3a19da45\",\"resourceVersion\":\"438\""
	  "}}" },
	{ STORE_NAMESPACES,
	  "{\"metadata\":{\"name\":\"kube-node-lease\",\"uid\":\"060f8767-70cc-4bf5-9c34-deb71c801929\",\"resourceVers"
	  "ion\":\"17\"}}" },
	{ STORE_NAMESPACES,
	  "{\"metadata\":{\"name\":\"kube-public\",\"uid\":\"5bfab1e3-b55b-412d-aae6-ac091febd10e\",\"resourceVersion\""
	  ":\"6\"}}" },
	{ STORE_NAMESPACES,
	  "{\"metadata\":{\"name\":\"kube-system\",\"uid\":\"b88e36e9-9cf5-4b5a-a430-6cb28d5cd9f7\",\"resourceVersion\""
	  ":\"4\"}}" },
	{ STORE_NAMESPACES,
	  "{\"metadata\":{\"name\":\"t\",\"uid\":\"66daf773-c6d8-4493-b182-042dfa6fdd9c\",\"resourceVersion\":\"435\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"uid\":\"253af7e3-7b1a-4551-b345-1fb197eab2"
	  "d7\",\"resourceVersion\":\"201\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.43.0.1\",\"clusterIPs\":[\"1"
	  "0.43.0.1\"],\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"2d1a05da-8db8-4955-992f-c11c674a1102\",\"re"
	  "sourceVersion\":\"346\"},\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.43.106.0\",\"clusterIPs\":[\"10.43.1"
	  "06.0\"],\"ports\":[{\"name\":\"main\",\"port\":80,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"kube-dns\",\"namespace\":\"kube-system\",\"uid\":\"edc8bf89-a771-42e8-bcf0-5dd4da4f"
	  "3115\",\"resourceVersion\":\"223\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.43.0.10\",\"clusterIPs\":"
	  "[\"10.43.0.10\"],\"ports\":[{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"},{\"name\":\"dns-tcp\",\"port\":53,\"p"
	  "rotocol\":\"TCP\"},{\"name\":\"metrics\",\"port\":9153,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"db\",\"namespace\":\"t\",\"uid\":\"0020d083-33b7-49cb-aabf-8809ca9d5f5c\",\"resourceV"
	  "ersion\":\"447\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[{\"na"
	  "me\":\"pg\",\"port\":5432,\"protocol\":\"TCP\"},{\"name\":\"mon\",\"port\":9187,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"dead\",\"namespace\":\"t\",\"uid\":\"121bb520-26c9-456f-88a8-b651e00db020\",\"resourc"
	  "eVersion\":\"449\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[{\""
	  "name\":\"pg\",\"port\":5432,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"ext\",\"namespace\":\"t\",\"uid\":\"8165fb43-1b57-49c8-8ded-9aa31d532d82\",\"resource"
	  "Version\":\"493\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"outside.example.test\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"ext2\",\"namespace\":\"t\",\"uid\":\"61d73659-3367-4127-a895-9f3d733bd485\",\"resourc"
	  "eVersion\":\"452\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"web.t.svc.cluster.local\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"ext3\",\"namespace\":\"t\",\"uid\":\"6a27b040-2140-4653-91ec-c8399f5976c7\",\"resourc"
	  "eVersion\":\"453\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"ext2.t.svc.cluster.local\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"extdb\",\"namespace\":\"t\",\"uid\":\"1a08d9c1-555d-4b0d-ad65-b31486d9a162\",\"resour"
	  "ceVersion\":\"456\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"db.t.svc.cluster.local\",\"ports\":"
	  "[{\"name\":\"pg\",\"port\":5432,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"extgone\",\"namespace\":\"t\",\"uid\":\"94ea799b-47f8-4a9f-99af-be4f89404b20\",\"reso"
	  "urceVersion\":\"455\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"nothere.t.svc.cluster.local\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"extip\",\"namespace\":\"t\",\"uid\":\"b689b501-6411-4541-8b25-af967492239a\",\"resour"
	  "ceVersion\":\"457\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"192.0.2.1\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"extloop\",\"namespace\":\"t\",\"uid\":\"ce37f001-192c-48d1-a3ed-a9225e7b8f21\",\"reso"
	  "urceVersion\":\"454\"},\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"extloop.t.svc.cluster.local\"}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"noend\",\"namespace\":\"t\",\"uid\":\"fabfaf42-5e00-4438-82c0-89220f2bf6f8\",\"resour"
	  "ceVersion\":\"446\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.43.0.203\",\"clusterIPs\":[\"10.43.0.20"
	  "3\"],\"ports\":[{\"name\":\"x\",\"port\":7,\"protocol\":\"SCTP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"none\",\"namespace\":\"t\",\"uid\":\"05223b4c-846c-4283-bdf2-0a7f1dcd7faf\",\"resourc"
	  "eVersion\":\"450\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[{\""
	  "name\":\"pg\",\"port\":5432,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"noports\",\"namespace\":\"t\",\"uid\":\"90d58045-c54c-4ad7-b932-7190f4b74626\",\"reso"
	  "urceVersion\":\"451\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"plain\",\"namespace\":\"t\",\"uid\":\"d4168133-7edf-4400-8f3e-d7521407cd48\",\"resour"
	  "ceVersion\":\"444\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.43.0.202\",\"clusterIPs\":[\"10.43.0.20"
	  "2\"],\"ports\":[{\"port\":9000,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"pub\",\"namespace\":\"t\",\"uid\":\"77d37de2-bdf2-4fc3-9d41-4d640f919bdb\",\"resource"
	  "Version\":\"448\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"publishNotR"
	  "eadyAddresses\":true,\"ports\":[{\"name\":\"pg\",\"port\":5432,\"protocol\":\"TCP\"}]}}" },
	{ STORE_SERVICES,
	  "{\"metadata\":{\"name\":\"web\",\"namespace\":\"t\",\"uid\":\"0e22aaa9-f01a-4780-ab11-7cadf5e7d840\",\"resource"
	  "Version\":\"442\"},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.43.0.201\",\"clusterIPs\":[\"10.43.0.201\""
	  "],\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP"
	  "\"},{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}]}}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"uid\":\"c1c41298-5175-4c56-a56c-cd56f4b69d"
	  "f0\",\"resourceVersion\":\"214\",\"labels\":{\"kubernetes.io/service-name\":\"kubernetes\"}},\"ports\":[{\"nam"
	  "e\":\"https\",\"port\":6443,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"172.25.0.2\"],\"conditions\":"
	  "{\"ready\":true}}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"web-d22qv\",\"namespace\":\"default\",\"uid\":\"3ce70ced-9f90-483a-a94a-4f9ad51b43d"
	  "6\",\"resourceVersion\":\"373\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"ports\":[{\"name\":\"main"
	  "\",\"port\":80,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.0.4\"],\"conditions\":{\"ready\":tru"
	  "e,\"serving\":true,\"terminating\":false},\"targetRef\":{\"kind\":\"Pod\",\"name\":\"web-745dfc9875-hdhxs\"}}]"
	  "}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"kube-dns-dc6qs\",\"namespace\":\"kube-system\",\"uid\":\"18e3ca00-c397-4cca-a9bc-eb"
	  "759dc63d0b\",\"resourceVersion\":\"311\",\"labels\":{\"kubernetes.io/service-name\":\"kube-dns\"}},\"ports\":"
	  "[{\"name\":\"metrics\",\"port\":9153,\"protocol\":\"TCP\"},{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"},{\"nam"
	  "e\":\"dns-tcp\",\"port\":53,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.0.2\"],\"conditions\":{"
	  "\"ready\":true,\"serving\":true,\"terminating\":false},\"targetRef\":{\"kind\":\"Pod\",\"name\":\"coredns-95b88"
	  "b7c4-bq5lb\"}}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"db-1\",\"namespace\":\"t\",\"uid\":\"cf5de3a1-9dd3-4896-a570-3ba1f8fe602d\",\"resourc"
	  "eVersion\":\"460\",\"labels\":{\"kubernetes.io/service-name\":\"db\"}},\"ports\":[{\"name\":\"pg\",\"port\":5432,"
	  "\"protocol\":\"TCP\"},{\"name\":\"mon\",\"port\":9187,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42"
	  ".9.10\"],\"conditions\":{\"ready\":true},\"hostname\":\"db-0\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"db-0\"}},"
	  "{\"addresses\":[\"10.42.9.11\"],\"conditions\":{\"ready\":false,\"serving\":true,\"terminating\":true},\"host"
	  "name\":\"db-1\"},{\"addresses\":[\"10.42.9.12\"],\"conditions\":{\"ready\":true}},{\"addresses\":[\"10.42.9.13"
	  "\"],\"conditions\":{\"ready\":false,\"serving\":false,\"terminating\":false},\"hostname\":\"db-3\"},{\"address"
	  "es\":[\"10.42.9.14\",\"10.42.9.15\"],\"conditions\":{}}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"db-2\",\"namespace\":\"t\",\"uid\":\"708eef4f-a273-4489-b955-2db25ac1e7c3\",\"resourc"
	  "eVersion\":\"461\",\"labels\":{\"kubernetes.io/service-name\":\"db\"}},\"ports\":[{\"name\":\"pg\",\"port\":5432,"
	  "\"protocol\":\"TCP\"},{\"name\":\"mon\",\"port\":9187,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"fd42:"
	  ":10\"],\"conditions\":{\"ready\":true},\"hostname\":\"db-0\"},{\"addresses\":[\"fd42:1:2:3:4:5:6:7\"],\"condit"
	  "ions\":{\"ready\":true}}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"dead-1\",\"namespace\":\"t\",\"uid\":\"403f7452-419a-4ff3-af2f-53727ac91476\",\"resou"
	  "rceVersion\":\"463\",\"labels\":{\"kubernetes.io/service-name\":\"dead\"}},\"ports\":[{\"name\":\"pg\",\"port\":5"
	  "432,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.9.30\"],\"conditions\":{\"ready\":false},\"ho"
	  "stname\":\"dead-0\"}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"noend-orphan\",\"namespace\":\"t\",\"uid\":\"c4a159fe-af02-4f9f-8165-45c504debbf8\","
	  "\"resourceVersion\":\"465\",\"labels\":{\"kubernetes.io/service-name\":\"orphan\"}},\"ports\":[{\"name\":\"o\",\""
	  "port\":1,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.9.50\"],\"conditions\":{\"ready\":true}}"
	  "]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"noports-1\",\"namespace\":\"t\",\"uid\":\"3ef0cecc-af7c-44ae-99c2-fec13518af3f\",\"re"
	  "sourceVersion\":\"464\",\"labels\":{\"kubernetes.io/service-name\":\"noports\"}},\"ports\":null,\"endpoints\""
	  ":[{\"addresses\":[\"10.42.9.40\"],\"conditions\":{\"ready\":true}},{\"addresses\":[\"10.42.9.41\"],\"conditio"
	  "ns\":{\"ready\":true},\"hostname\":\"np\"}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"plain-1\",\"namespace\":\"t\",\"uid\":\"bac7696d-6683-43dd-805d-ba4d2df0aab4\",\"reso"
	  "urceVersion\":\"459\",\"labels\":{\"kubernetes.io/service-name\":\"plain\"}},\"ports\":[{\"name\":\"\",\"port\":9"
	  "000,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.9.3\"],\"conditions\":{}}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"pub-1\",\"namespace\":\"t\",\"uid\":\"48278ddf-3f86-4255-a600-bdc07b5c74d1\",\"resour"
	  "ceVersion\":\"462\",\"labels\":{\"kubernetes.io/service-name\":\"pub\"}},\"ports\":[{\"name\":\"pg\",\"port\":543"
	  "2,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.9.20\"],\"conditions\":{\"ready\":false,\"servi"
	  "ng\":false},\"hostname\":\"pub-0\"},{\"addresses\":[\"10.42.9.10\"],\"conditions\":{\"ready\":true},\"hostname"
	  "\":\"pub-1\"}]}" },
	{ STORE_SLICES,
	  "{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"t\",\"uid\":\"9f6b38fa-8ff1-40df-9351-ae0844d8fd51\",\"resour"
	  "ceVersion\":\"458\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"ports\":[{\"name\":\"http\",\"port\":8"
	  "080,\"protocol\":\"TCP\"},{\"name\":\"https\",\"port\":8443,\"protocol\":\"TCP\"},{\"name\":\"dns\",\"port\":53,\"pro"
	  "tocol\":\"UDP\"}],\"endpoints\":[{\"addresses\":[\"10.42.9.1\"],\"conditions\":{\"ready\":true}},{\"addresses\""
	  ":[\"10.42.9.2\"],\"conditions\":{\"ready\":true},\"hostname\":\"two\"}]}" },
};

static const struct { const char *name; uint16_t type; const char *want; } recorded_answers[] = {
	{ "cluster.local", DNS_A, "NOERROR +" },
	{ "cluster.local", DNS_SOA, 
	  "NOERROR an = 5 SOA ns.dns.cluster.local hostmaster.cluster.local * 7200 1800 86400 5" },
	{ "cluster.local", DNS_NS, 
	  "NOERROR ad kube-dns.kube-system.svc.cluster.local 5 A 10.43.0.10 | an = 5 NS kube-dns.kube-syste"
	  "m.svc.cluster.local" },
	{ "cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "cluster.local", DNS_ANY, "NOERROR +" },
	{ "cluster.local", DNS_SRV, "NOERROR +" },
	{ "svc.cluster.local", DNS_A, "NOERROR +" },
	{ "pod.cluster.local", DNS_AAAA, "NOERROR +" },
	{ "svc.cluster.local", DNS_SRV, "NOERROR +" },
	{ "svc.cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "dns-version.cluster.local", DNS_TXT, "NOERROR an = 5 TXT \"1.1.0\"" },
	{ "dns-version.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "DNS-Version.cluster.local", DNS_TXT, "NOERROR an = 5 TXT \"1.1.0\"" },
	{ "x.dns-version.cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "ns.dns.cluster.local", DNS_A, "NOERROR an = 5 A 10.43.0.10" },
	{ "ns.dns.cluster.local", DNS_AAAA, "NOERROR +" },
	{ "ns.dns.cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "ns.dns.cluster.local", DNS_SRV, "NOERROR +" },
	{ "dns.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "foo.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "foo.cluster.local", DNS_NS, "NXDOMAIN +" },
	{ "t.svc.cluster.local", DNS_A, "NOERROR +" },
	{ "empty.svc.cluster.local", DNS_A, "NOERROR +" },
	{ "gone.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "t.pod.cluster.local", DNS_A, "NOERROR +" },
	{ "gone.pod.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "t.svc.cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "t.svc.cluster.local", DNS_NS, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.43.0.201" },
	{ "web.t.svc.cluster.local", DNS_AAAA, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad = 5 A 10.43.0.201 | an = 5 SRV 0 33 443 web.t.svc.cluster.local | an = 5 SRV 0 33 53 "
	  "web.t.svc.cluster.local | an = 5 SRV 0 33 80 web.t.svc.cluster.local" },
	{ "web.t.svc.cluster.local", DNS_TXT, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_CNAME, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_MX, "NOERROR +" },
	{ "web.t.svc.cluster.local", 65, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_ANY, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_SOA, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_NS, "NOERROR +" },
	{ "web.t.svc.cluster.local", DNS_PTR, "NOERROR +" },
	{ "WEB.T.SVC.CLUSTER.LOCAL", DNS_A, "NOERROR an = 5 A 10.43.0.201" },
	{ "WEB.T.SVC.CLUSTER.LOCAL", DNS_SRV, 
	  "NOERROR ad = 5 A 10.43.0.201 | an = 5 SRV 0 33 443 web.t.svc.cluster.local | an = 5 SRV 0 33 53 "
	  "web.t.svc.cluster.local | an = 5 SRV 0 33 80 web.t.svc.cluster.local" },
	{ "_http._tcp.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad web.t.svc.cluster.local 5 A 10.43.0.201 | an = 5 SRV 0 100 80 web.t.svc.cluster.local" },
	{ "_HTTP._TCP.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad web.t.svc.cluster.local 5 A 10.43.0.201 | an = 5 SRV 0 100 80 web.t.svc.cluster.local" },
	{ "http.tcp.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad web.t.svc.cluster.local 5 A 10.43.0.201 | an = 5 SRV 0 100 80 web.t.svc.cluster.local" },
	{ "_http._udp.web.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "_dns._udp.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad web.t.svc.cluster.local 5 A 10.43.0.201 | an = 5 SRV 0 100 53 web.t.svc.cluster.local" },
	{ "_http._tcp.web.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.43.0.201" },
	{ "_nope._tcp.web.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "_._tcp.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad web.t.svc.cluster.local 5 A 10.43.0.201 | an = 5 SRV 0 50 443 web.t.svc.cluster.local"
	  " | an = 5 SRV 0 50 80 web.t.svc.cluster.local" },
	{ "_._.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad web.t.svc.cluster.local 5 A 10.43.0.201 | an = 5 SRV 0 33 443 web.t.svc.cluster.local"
	  " | an = 5 SRV 0 33 53 web.t.svc.cluster.local | an = 5 SRV 0 33 80 web.t.svc.cluster.local" },
	{ "_tcp.web.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "_http._tcp.plain.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "plain.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad = 5 A 10.43.0.202 | an = 5 SRV 0 100 9000 plain.t.svc.cluster.local" },
	{ "10-42-9-1.web.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.1" },
	{ "two.web.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.2" },
	{ "two.web.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad = 5 A 10.42.9.2 | an = 5 SRV 0 33 53 two.web.t.svc.cluster.local | an = 5 SRV 0 33 80"
	  "80 two.web.t.svc.cluster.local | an = 5 SRV 0 33 8443 two.web.t.svc.cluster.local" },
	{ "TWO.web.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.2" },
	{ "10-42-9-2.web.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "10-42-9-3.plain.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.3" },
	{ "x.web.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "a.b.c.web.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "noend.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.43.0.203" },
	{ "_x._sctp.noend.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad noend.t.svc.cluster.local 5 A 10.43.0.203 | an = 5 SRV 0 100 7 noend.t.svc.cluster.lo"
	  "cal" },
	{ "missing.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "missing.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "missing.t.svc.cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "missing.gone.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "db.t.svc.cluster.local", DNS_A, 
	  "NOERROR an = 5 A 10.42.9.10 | an = 5 A 10.42.9.12 | an = 5 A 10.42.9.14 | an = 5 A 10.42.9.15" },
	{ "db.t.svc.cluster.local", DNS_AAAA, 
	  "NOERROR an = 5 AAAA fd42:1:2:3:4:5:6:7 | an = 5 AAAA fd42::10" },
	{ "db.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad 10-42-9-12.db.t.svc.cluster.local 5 A 10.42.9.12 | ad 10-42-9-14.db.t.svc.cluster.loc"
	  "al 5 A 10.42.9.14 | ad 10-42-9-15.db.t.svc.cluster.local 5 A 10.42.9.15 | ad db-0.db.t.svc.clust"
	  "er.local 5 A 10.42.9.10 | ad db-0.db.t.svc.cluster.local 5 AAAA fd42::10 | ad fd42-1-2-3-4-5-6-7"
	  ".db.t.svc.cluster.local 5 AAAA fd42:1:2:3:4:5:6:7 | an = 5 SRV 0 8 5432 10-42-9-12.db.t.svc.clus"
	  "ter.local | an = 5 SRV 0 8 5432 10-42-9-14.db.t.svc.cluster.local | an = 5 SRV 0 8 5432 10-42-9-"
	  "15.db.t.svc.cluster.local | an = 5 SRV 0 8 5432 db-0.db.t.svc.cluster.local | an = 5 SRV 0 8 543"
	  "2 fd42-1-2-3-4-5-6-7.db.t.svc.cluster.local | an = 5 SRV 0 8 9187 10-42-9-12.db.t.svc.cluster.lo"
	  "cal | an = 5 SRV 0 8 9187 10-42-9-14.db.t.svc.cluster.local | an = 5 SRV 0 8 9187 10-42-9-15.db."
	  "t.svc.cluster.local | an = 5 SRV 0 8 9187 db-0.db.t.svc.cluster.local | an = 5 SRV 0 8 9187 fd42"
	  "-1-2-3-4-5-6-7.db.t.svc.cluster.local" },
	{ "_pg._tcp.db.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad 10-42-9-12.db.t.svc.cluster.local 5 A 10.42.9.12 | ad 10-42-9-14.db.t.svc.cluster.loc"
	  "al 5 A 10.42.9.14 | ad 10-42-9-15.db.t.svc.cluster.local 5 A 10.42.9.15 | ad db-0.db.t.svc.clust"
	  "er.local 5 A 10.42.9.10 | ad db-0.db.t.svc.cluster.local 5 AAAA fd42::10 | ad fd42-1-2-3-4-5-6-7"
	  ".db.t.svc.cluster.local 5 AAAA fd42:1:2:3:4:5:6:7 | an = 5 SRV 0 16 5432 10-42-9-12.db.t.svc.clu"
	  "ster.local | an = 5 SRV 0 16 5432 10-42-9-14.db.t.svc.cluster.local | an = 5 SRV 0 16 5432 10-42"
	  "-9-15.db.t.svc.cluster.local | an = 5 SRV 0 16 5432 db-0.db.t.svc.cluster.local | an = 5 SRV 0 1"
	  "6 5432 fd42-1-2-3-4-5-6-7.db.t.svc.cluster.local" },
	{ "_pg._tcp.db.t.svc.cluster.local", DNS_A, 
	  "NOERROR an = 5 A 10.42.9.10 | an = 5 A 10.42.9.12 | an = 5 A 10.42.9.14 | an = 5 A 10.42.9.15" },
	{ "db-0.db.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.10" },
	{ "db-0.db.t.svc.cluster.local", DNS_AAAA, "NOERROR an = 5 AAAA fd42::10" },
	{ "db-0.db.t.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad = 5 A 10.42.9.10 | ad = 5 AAAA fd42::10 | an = 5 SRV 0 25 5432 db-0.db.t.svc.cluster."
	  "local | an = 5 SRV 0 25 9187 db-0.db.t.svc.cluster.local" },
	{ "db-1.db.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "db-3.db.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "10-42-9-12.db.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.12" },
	{ "10-42-9-12.db.t.svc.cluster.local", DNS_AAAA, "NOERROR +" },
	{ "10-42-9-14.db.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.14" },
	{ "10-42-9-15.db.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.15" },
	{ "fd42-1-2-3-4-5-6-7.db.t.svc.cluster.local", DNS_AAAA, "NOERROR an = 5 AAAA fd42:1:2:3:4:5:6:7" },
	{ "fd42--10.db.t.svc.cluster.local", DNS_AAAA, "NXDOMAIN +" },
	{ "pub.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.10" },
	{ "pub-0.pub.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "dead.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "dead.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "dead-0.dead.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "none.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "none.t.svc.cluster.local", DNS_TXT, "NXDOMAIN +" },
	{ "noports.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.40 | an = 5 A 10.42.9.41" },
	{ "noports.t.svc.cluster.local", DNS_SRV, "NOERROR +" },
	{ "np.noports.t.svc.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.41" },
	{ "np.noports.t.svc.cluster.local", DNS_SRV, "NOERROR +" },
	{ "orphan.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "ext.t.svc.cluster.local", DNS_A, NULL },
	{ "ext.t.svc.cluster.local", DNS_CNAME, "NOERROR an = 5 CNAME outside.example.test" },
	{ "ext.t.svc.cluster.local", DNS_SRV, "NOERROR +" },
	{ "ext.t.svc.cluster.local", DNS_TXT, "NOERROR +" },
	{ "ext.t.svc.cluster.local", 65, "NOERROR +" },
	{ "_x._tcp.ext.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "ext2.t.svc.cluster.local", DNS_A, 
	  "NOERROR an = 5 CNAME web.t.svc.cluster.local | an web.t.svc.cluster.local 5 A 10.43.0.201" },
	{ "ext2.t.svc.cluster.local", DNS_AAAA, "NOERROR +" },
	{ "ext2.t.svc.cluster.local", DNS_CNAME, "NOERROR an = 5 CNAME web.t.svc.cluster.local" },
	{ "ext2.t.svc.cluster.local", DNS_TXT, "NOERROR +" },
	{ "ext2.t.svc.cluster.local", DNS_ANY, "NOERROR +" },
	{ "ext3.t.svc.cluster.local", DNS_A, 
	  "NOERROR an = 5 CNAME ext2.t.svc.cluster.local | an ext2.t.svc.cluster.local 5 CNAME web.t.svc.cl"
	  "uster.local | an web.t.svc.cluster.local 5 A 10.43.0.201" },
	{ "EXT3.t.svc.cluster.local", DNS_A, 
	  "NOERROR an = 5 CNAME ext2.t.svc.cluster.local | an ext2.t.svc.cluster.local 5 CNAME web.t.svc.cl"
	  "uster.local | an web.t.svc.cluster.local 5 A 10.43.0.201" },
	{ "extloop.t.svc.cluster.local", DNS_A, "NOERROR +" },
	{ "extloop.t.svc.cluster.local", DNS_CNAME, "NOERROR an = 5 CNAME extloop.t.svc.cluster.local" },
	{ "extgone.t.svc.cluster.local", DNS_A, "NOERROR +" },
	{ "extgone.t.svc.cluster.local", DNS_CNAME, "NOERROR an = 5 CNAME nothere.t.svc.cluster.local" },
	{ "extdb.t.svc.cluster.local", DNS_A, 
	  "NOERROR an = 5 CNAME db.t.svc.cluster.local | an db.t.svc.cluster.local 5 A 10.42.9.10 | an db.t"
	  ".svc.cluster.local 5 A 10.42.9.12 | an db.t.svc.cluster.local 5 A 10.42.9.14 | an db.t.svc.clust"
	  "er.local 5 A 10.42.9.15" },
	{ "extdb.t.svc.cluster.local", DNS_AAAA, 
	  "NOERROR an = 5 CNAME db.t.svc.cluster.local | an db.t.svc.cluster.local 5 AAAA fd42:1:2:3:4:5:6:"
	  "7 | an db.t.svc.cluster.local 5 AAAA fd42::10" },
	{ "extdb.t.svc.cluster.local", DNS_SRV, "NOERROR +" },
	{ "_pg._tcp.extdb.t.svc.cluster.local", DNS_SRV, "NXDOMAIN +" },
	{ "extip.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "extip.t.svc.cluster.local", DNS_CNAME, "NXDOMAIN +" },
	{ "a.ext.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "10-42-9-1.t.pod.cluster.local", DNS_A, "NOERROR an = 5 A 10.42.9.1" },
	{ "1-2-3-4.t.pod.cluster.local", DNS_A, "NOERROR an = 5 A 1.2.3.4" },
	{ "1-2-3-4.t.pod.cluster.local", DNS_AAAA, "NOERROR +" },
	{ "1-2-3-4.t.pod.cluster.local", DNS_TXT, "NOERROR +" },
	{ "1-2-3-4.t.pod.cluster.local", DNS_SRV, 
	  "NOERROR ad = 5 A 1.2.3.4 | an = 5 SRV 0 100 0 1-2-3-4.t.pod.cluster.local" },
	{ "1-2-3-4.t.pod.cluster.local", 65, "NOERROR +" },
	{ "1-2-3-4.gone.pod.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "1-2-3-400.t.pod.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "01-2-3-4.t.pod.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "fd42--1.t.pod.cluster.local", DNS_AAAA, "NOERROR an = 5 AAAA fd42::1" },
	{ "fd42--1.t.pod.cluster.local", DNS_A, "NOERROR +" },
	{ "1-2-3-4-5-6-7-8.t.pod.cluster.local", DNS_AAAA, "NOERROR an = 5 AAAA 1:2:3:4:5:6:7:8" },
	{ "web.t.pod.cluster.local", DNS_A, "NXDOMAIN +" },
	{ "x.1-2-3-4.t.pod.cluster.local", DNS_A, "NOERROR an = 5 A 1.2.3.4" },
	{ "_a._b.1-2-3-4.t.pod.cluster.local", DNS_A, "NOERROR an = 5 A 1.2.3.4" },
	{ "_a._b.1-2-3-4.t.pod.cluster.local", DNS_SRV, 
	  "NOERROR ad 1-2-3-4.t.pod.cluster.local 5 A 1.2.3.4 | an = 5 SRV 0 100 0 1-2-3-4.t.pod.cluster.lo"
	  "cal" },
	{ "10.0.43.10.in-addr.arpa", DNS_A, NULL },
	{ "201.0.43.10.in-addr.arpa", DNS_PTR, "NOERROR an = 5 PTR web.t.svc.cluster.local" },
	{ "201.0.43.10.in-addr.arpa", DNS_A, NULL },
	{ "1.9.42.10.in-addr.arpa", DNS_PTR, "NOERROR an = 5 PTR 10-42-9-1.web.t.svc.cluster.local" },
	{ "2.9.42.10.in-addr.arpa", DNS_PTR, "NOERROR an = 5 PTR two.web.t.svc.cluster.local" },
	{ "10.9.42.10.in-addr.arpa", DNS_PTR, 
	  "NOERROR an = 5 PTR db-0.db.t.svc.cluster.local | an = 5 PTR pub-1.pub.t.svc.cluster.local" },
	{ "10.9.42.10.IN-ADDR.ARPA", DNS_PTR, 
	  "NOERROR an = 5 PTR db-0.db.t.svc.cluster.local | an = 5 PTR pub-1.pub.t.svc.cluster.local" },
	{ "11.9.42.10.in-addr.arpa", DNS_PTR, NULL },
	{ "20.9.42.10.in-addr.arpa", DNS_PTR, NULL },
	{ "50.9.42.10.in-addr.arpa", DNS_PTR, "NOERROR an = 5 PTR 10-42-9-50.orphan.t.svc.cluster.local" },
	{ "99.9.42.10.in-addr.arpa", DNS_PTR, NULL },
	{ "9.42.10.in-addr.arpa", DNS_PTR, NULL },
	{ "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.4.d.f.ip6.arpa", DNS_PTR, "NOERROR an = 5 PTR db-0.db.t.svc.cluster.local" },
	{ "7.0.0.0.6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa", DNS_PTR, "NOERROR an = 5 PTR fd42-1-2-3-4-5-6-7.db.t.svc.cluster.local" },
	{ "web.T.svc.cluster.local", DNS_SOA, "NOERROR +" },
	{ "web.T.svc.cluster.local", DNS_SRV, 
	  "NOERROR ad = 5 A 10.43.0.201 | an = 5 SRV 0 33 443 web.t.svc.cluster.local | an = 5 SRV 0 33 53 "
	  "web.t.svc.cluster.local | an = 5 SRV 0 33 80 web.t.svc.cluster.local" },
	{ "T.svc.cluster.local", DNS_A, "NOERROR +" },
	{ "1-2-3-4.T.pod.cluster.local", DNS_A, "NOERROR an = 5 A 1.2.3.4" },
	{ "SVC.cluster.local", DNS_A, "NOERROR +" },
	{ "dns-version.cluster.local", 65, "NXDOMAIN +" },
	{ "k3d-nm-server-0", DNS_A, NULL },
};
