/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/devcontainer_parts.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test-devcontainer-XXXXXX";

static void test_id(void)
{
	char id[53];

	devcontainer_id("/home/u/proj", "/home/u/proj/.devcontainer/devcontainer.json", id);
	is_str(id, "14ak8ob72e8kj9tspe40d7s4kp04qkoe2serr1g7b3oea7nffegl", "the id of /home/u/proj is the CLI's");
	devcontainer_id("/srv/demo/proj", "/srv/demo/proj/.devcontainer/devcontainer.json", id);
	is_str(id, "1obrb9bmbh1ti04ajehplm3i8q3hv17a9dunkl21e35s4sra8mco", "the id of /srv/demo/proj is the CLI's");
}

static void test_variables(void)
{
	static const struct {
		const char *what, *in, *want;
	} t[] = {
		{ "plain text stays", "a b $c {d} ${", "a b $c {d} ${" },
		{ "an override comes before the environment", "${localEnv:OVER}", "ours" },
		{ "the environment is read", "<${localEnv:DC_TEST_SET}>", "<host>" },
		{ "env is another name of localEnv", "${env:DC_TEST_SET}", "host" },
		{ "an empty variable is not an unset one", "<${localEnv:DC_TEST_EMPTY:def}>", "<>" },
		{ "an unset one gives its default", "${localEnv:DC_TEST_NO:def}", "def" },
		{ "a default ends at the next colon", "${localEnv:DC_TEST_NO:a:b}", "a" },
		{ "an unset one without default is empty", "<${localEnv:DC_TEST_NO}>", "<>" },
		{ "localEnv without a name stays", "${localEnv}", "${localEnv}" },
		{ "the folder", "${localWorkspaceFolder}|${localWorkspaceFolderBasename}", "/home/u/proj|proj" },
		{ "the container's folder", "${containerWorkspaceFolder}|${containerWorkspaceFolderBasename}", "/workspaces/proj|proj" },
		{ "the id", "cache-${devcontainerId}", "cache-ID" },
		{ "the container's environment", "${containerEnv:PATH}:/x", "/bin:/x" },
		{ "a default for the container's environment", "${containerEnv:NO:def}", "def" },
		{ "an unknown name stays", "${workspaceFolder}/${}", "${workspaceFolder}/${}" },
		{ "values are not read again", "${localEnv:NEST}", "${localEnv:DC_TEST_SET}" },
	};
	struct strv env = { 0 };
	autojson json *container = json_array();
	struct dc_vars v = { .env = &env, .workspace = "/home/u/proj", .workspace_folder = "/workspaces/proj", .id = "ID",
			     .container_env = container };

	setenv("DC_TEST_SET", "host", 1);
	setenv("DC_TEST_EMPTY", "", 1);
	setenv("OVER", "theirs", 1);
	strv_add(&env, "OVER=ours");
	strv_add(&env, "NEST=${localEnv:DC_TEST_SET}");
	json_add_str(container, "HOME=/root");
	json_add_str(container, "PATH=/bin");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		autofree char *got = dc_subst(&v, t[i].in);

		is_str(got, t[i].want, "%s", t[i].what);
	}
	v.id = NULL;
	v.container_env = NULL;
	autofree char *early = dc_subst(&v, "${devcontainerId} ${containerEnv:PATH}");

	is_str(early, "${devcontainerId} ${containerEnv:PATH}", "what is not known yet stays");
	strv_done(&env);
}

static json *parse(const char *text)
{
	return json_parse(text, strlen(text), NULL);
}

static void test_run_args(void)
{
	static const struct {
		const char *args, *want;
	} t[] = {
		{ "[\"--cap-add=NET_ADMIN\",\"--cap-add\",\"NET_RAW\"]", "{\"HostConfig\":{\"CapAdd\":[\"NET_ADMIN\",\"NET_RAW\"]}}" },
		{ "[\"--init\",\"--privileged\",\"--read-only=false\"]",
		  "{\"HostConfig\":{\"Init\":true,\"Privileged\":true,\"ReadonlyRootfs\":false}}" },
		{ "[\"-it\",\"-e\",\"A=1\",\"-eB=2\",\"--env=A=3\"]",
		  "{\"HostConfig\":{},\"OpenStdin\":true,\"Tty\":true,\"Env\":[\"B=2\",\"A=3\"]}" },
		{ "[\"-p\",\"127.0.0.1:8080:80\",\"-p=53/udp\"]",
		  "{\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}],\"53/udp\":"
		  "[{\"HostIp\":\"\",\"HostPort\":\"\"}]}},\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}}" },
		{ "[\"--device=/dev/net/tun\",\"--device\",\"/dev/a:/dev/b:r\"]",
		  "{\"HostConfig\":{\"Devices\":[{\"PathOnHost\":\"/dev/net/tun\",\"PathInContainer\":\"/dev/net/tun\",\"CgroupPermissions\":"
		  "\"rwm\"},{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/b\",\"CgroupPermissions\":\"r\"}]}}" },
		{ "[\"--memory=2g\",\"--shm-size\",\"64m\",\"--cpus=1.5\",\"--pids-limit=-1\"]",
		  "{\"HostConfig\":{\"Memory\":2147483648,\"ShmSize\":67108864,\"NanoCpus\":1500000000,\"PidsLimit\":-1}}" },
		{ "[\"--ulimit=nofile=1024:2048\",\"--sysctl\",\"net.core.somaxconn=9\"]",
		  "{\"HostConfig\":{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1024,\"Hard\":2048}],\"Sysctls\":{\"net.core.somaxconn\":\"9\"}}}" },
		{ "[\"--security-opt\",\"seccomp=unconfined\",\"--security-opt=label:disable\"]",
		  "{\"HostConfig\":{\"SecurityOpt\":[\"seccomp=unconfined\",\"label=disable\"]}}" },
		{ "[\"--security-opt=systempaths=unconfined\"]", "{\"HostConfig\":{\"MaskedPaths\":[],\"ReadonlyPaths\":[]}}" },
		{ "[\"-v\",\"/a:/b:ro\",\"--tmpfs\",\"/t:size=1m\",\"--volume=/anon\"]",
		  "{\"HostConfig\":{\"Binds\":[\"/a:/b:ro\"],\"Tmpfs\":{\"/t\":\"size=1m\"}},\"Volumes\":{\"/anon\":{}}}" },
		{ "[\"--mount\",\"type=bind,source=/a,target=/b,readonly\"]",
		  "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}]}}" },
		{ "[\"--network=host\",\"--add-host=x=host-gateway\",\"--gpus\",\"all\"]",
		  "{\"HostConfig\":{\"NetworkMode\":\"host\",\"ExtraHosts\":[\"x:host-gateway\"],\"DeviceRequests\":[{\"Count\":-1,"
		  "\"Capabilities\":[[\"gpu\"]]}]}}" },
		{ "[\"-h\",\"box\",\"-w\",\"/w\",\"-u\",\"1000:1000\",\"-l\",\"a=b\",\"--restart=on-failure:3\"]",
		  "{\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}},\"Hostname\":\"box\",\"WorkingDir\":\"/w\","
		  "\"User\":\"1000:1000\",\"Labels\":{\"a\":\"b\"}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct err e = { 0 };
		struct dc_create x;
		autojson json *args = parse(t[i].args);

		dc_create_init(&x);
		if (dc_run_args(&x, args, NULL, "f", &e) < 0)
			ok(false, "%s is taken: %s", t[i].args, err_text(&e));
		autofree char *got = json_text(x.config);

		is_str(got, t[i].want, "%s", t[i].args);
		dc_create_done(&x);
	}
}

static void test_run_args_refused(void)
{
	static const struct {
		const char *text, *want;
	} t[] = {
		{ "{\n \"runArgs\": [\"--init\",\n  \"--cap-ad=X\"] }",
		  "f.json:3:3: runArgs: \"--cap-ad=X\" is not a flag that can be honoured; did you mean \"--cap-add\"?" },
		{ "{\"runArgs\": [\"-e\", \"A=1\", \"-Z\"]}", "f.json:1:27: runArgs: \"-Z\" is not a flag that can be honoured" },
		{ "{\"runArgs\": [\"--network\"]}", "f.json:1:14: runArgs: \"--network\" needs a value" },
		{ "{\"runArgs\": [\"--memory=lots\"]}", "f.json:1:14: runArgs: --memory: \"lots\" is not a size" },
		{ "{\"runArgs\": [\"-p\", \"80:http\"]}",
		  "f.json:1:14: runArgs: --publish: \"80:http\" is not [[ADDRESS:]HOST_PORT:]PORT[/PROTOCOL]" },
		{ "{\"runArgs\": [\"--mount=type=bind,target=/x\"]}", "f.json:1:14: runArgs: --mount: mount: a bind mount needs a source" },
		{ "{\"runArgs\": [\"image\"]}", "f.json:1:14: runArgs: \"image\" is not a flag" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct err e = { 0 };
		struct dc_create x;
		struct yaml_doc doc = { 0 };
		int r = yaml_parse("f.json", t[i].text, strlen(t[i].text), YAML_JSONC | YAML_DUP_OK, &doc, &e);
		autojson json *raw = r == 0 ? yaml_to_json(doc.root) : NULL;

		dc_create_init(&x);
		if (r == 0)
			r = dc_run_args(&x, json_get(raw, "runArgs"), yaml_get(doc.root, "runArgs"), "f.json", &e);
		is_str(r == -EINVAL ? err_text(&e) : "taken", t[i].want, "flags that cannot be honoured are refused (%zu)", i + 1);
		dc_create_done(&x);
		yaml_doc_done(&doc);
	}
}

static void test_mounts(void)
{
	static const struct {
		const char *csv, *want;
	} t[] = {
		{ "source=v,target=/d", "{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/d\"}" },
		{ "type=bind,\"source=/a,b\",dst=/d,consistency=cached",
		  "{\"Type\":\"bind\",\"Source\":\"/a,b\",\"Target\":\"/d\",\"Consistency\":\"cached\"}" },
		{ "type=tmpfs,destination=/t,tmpfs-size=1Mi,tmpfs-mode=1777",
		  "{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":1023}}" },
		{ "type=volume,src=v,target=/d,volume-nocopy,volume-driver=local,volume-opt=type=nfs",
		  "{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/d\",\"VolumeOptions\":{\"NoCopy\":true,\"DriverConfig\":{\"Name\":\"local\","
		  "\"Options\":{\"type\":\"nfs\"}}}}" },
		{ "type=bind,source=/a", "mount: \"target\" has to be an absolute path" },
		{ "type=bind,soruce=/a,target=/b", "mount: unknown key \"soruce\"; did you mean \"source\"?" },
		{ "source,target=/b", "mount: \"source\" needs a value" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct err e = { 0 };
		autojson json *m = dc_parse_mount(t[i].csv, &e);
		autofree char *got = m ? json_text(m) : xstrdup(err_text(&e));

		is_str(got, t[i].want, "--mount %s", t[i].csv);
	}
}

static void test_load_refused(void)
{
	static const struct {
		const char *text, *want;	/* what follows the file's name */
	} t[] = {
		{ "{ \"image\": \"x\",\n  \"features\": { \"ghcr.io/a/b:1\": {} } }", ":2:3: \"features\": features are not supported" },
		{ "{\n  \"dockerComposeFile\": \"c.yml\", \"service\": \"s\" }", ":2:3: \"dockerComposeFile\": compose" },
		{ "{ \"image\": 3 }", ":1:12: \"image\" has to be a string, not a whole number" },
		{ "{ \"image\": \"x\", \"capAdd\": [\"A\", 1] }", ":1:33: \"capAdd\" has to be a string, not a whole number" },
		{ "{ \"image\": \"x\", \"postCreateCommand\": { \"a\": 1 } }",
		  ":1:45: \"postCreateCommand.a\" has to be a string or a list, not a whole number" },
		{ "{ \"name\": \"x\" }", ":1:1: neither \"image\" nor \"build.dockerfile\" is given" },
		{ "[]", ":1:1: has to be an object" },
		{ "{ \"build\": { \"dockerfile\": \"No\" } }", ": there is no " },
		{ "{ \"build\": { \"dockerfile\": \"No\", \"options\": [\"--secret\"] } }",
		  ":1:34: \"options\": build options are not supported" },
		{ "{ \"image\": \"x\", \"mounts\": [ \"type=bind\" ] }", ":1:29: mount: \"target\" has to be an absolute path" },
	};
	autofree char *file = path_join(dir, ".devcontainer.json");

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct devcontainer dc = { 0 };
		struct err e = { 0 };
		int r = file_write(file, t[i].text, strlen(t[i].text), 0644, &e);

		r = r < 0 ? r : devcontainer_load(dir, NULL, &dc, &e);
		if (!ok(r == -EINVAL && str_starts(err_text(&e), file) && str_starts(err_text(&e) + strlen(file), t[i].want),
			"refused: %s", t[i].want))
			printf("# %d %s\n", r, err_text(&e));
		devcontainer_done(&dc);
	}
	(void)unlink(file);
	struct devcontainer dc = { 0 };

	is_int(devcontainer_load(dir, NULL, &dc, NULL), -ENOENT, "a folder without devcontainer.json is said to be one");
	is_int(devcontainer_load(dir, "/nowhere", &dc, NULL), -ENOENT, "also when the other place has none");
}

/* Shell quoting apart, this is what `devcontainer up` was seen to ask of the engine. */
static const char want_create[] =
	"{\"HostConfig\":{\"PortBindings\":{\"9000/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"9000\"}]},\"Mounts\":[{\"Type\":\"bind\","
	"\"Source\":\"DIR\",\"Target\":\"/workspaces/NAME\"},{\"Type\":\"volume\",\"Source\":\"cache-ID\",\"Target\":\"/c\"},{\"Type\":\"bind\","
	"\"Source\":\"/run/d.sock\",\"Target\":\"/var/run/docker.sock\"}],\"CapAdd\":[\"SYS_PTRACE\",\"NET_ADMIN\"],\"SecurityOpt\":"
	"[\"seccomp=unconfined\"],\"Init\":true},\"Image\":\"img:1\",\"ExposedPorts\":{\"9000/tcp\":{}},\"Env\":[\"FROM=base\",\"A=2\",\"N=1\"],"
	"\"User\":\"root\",\"Labels\":{\"x\":\"y\",\"devcontainer.local_folder\":\"DIR\",\"devcontainer.config_file\":"
	"\"DIR/.devcontainer.json\",\"devcontainer.metadata\":\"[{\\\"remoteUser\\\":\\\"vscode\\\",\\\"containerEnv\\\":{\\\"FROM\\\":\\\"base\\\","
	"\\\"A\\\":\\\"1\\\"},\\\"capAdd\\\":[\\\"SYS_PTRACE\\\"]},{\\\"postCreateCommand\\\":\\\"echo hi\\\",\\\"mounts\\\":"
	"[\\\"source=cache-${devcontainerId},target=/c\\\",{\\\"type\\\":\\\"bind\\\",\\\"source\\\":\\\"${localEnv:SOCK}\\\",\\\"target\\\":"
	"\\\"/var/run/docker.sock\\\"}],\\\"containerEnv\\\":{\\\"A\\\":\\\"2\\\",\\\"N\\\":1},\\\"containerUser\\\":\\\"root\\\",\\\"init\\\":true,"
	"\\\"capAdd\\\":[\\\"NET_ADMIN\\\",\\\"SYS_PTRACE\\\"],\\\"securityOpt\\\":[\\\"seccomp=unconfined\\\"],\\\"overrideCommand\\\":false}]\"},"
	"\"Entrypoint\":[\"/bin/sh\"],\"Cmd\":[\"-c\",\"echo Container started\\ntrap \\\"exit 0\\\" 15\\n\\nexec \\\"$@\\\"\\nwhile sleep 1 "
	"& wait $!; do :; done\",\"-\",\"/entry\",\"serve\"]}";

static char *replaced(const char *text, const char *what, const char *with)
{
	auto(buf) struct buf b = BUF_INIT(1 << 20);

	for (const char *at; (at = strstr(text, what)) != NULL; text = at + strlen(what)) {
		buf_add(&b, text, (size_t)(at - text));
		buf_adds(&b, with);
	}
	buf_adds(&b, text);
	return xstrdup(buf_str(&b));
}

static void test_create(void)
{
	static const char text[] = "// comments and trailing commas are fine\n"
		"{ \"image\": \"img:1\", \"appPort\": [9000], \"init\": true, \"capAdd\": [\"NET_ADMIN\", \"SYS_PTRACE\"], /* twice */\n"
		"  \"securityOpt\": [\"seccomp=unconfined\"], \"containerEnv\": { \"A\": \"2\", \"N\": 1 }, \"containerUser\": \"root\",\n"
		"  \"mounts\": [\"source=cache-${devcontainerId},target=/c\",\n"
		"    { \"type\": \"bind\", \"source\": \"${localEnv:SOCK}\", \"target\": \"/var/run/docker.sock\" }],\n"
		"  \"runArgs\": [\"--label\", \"x=y\"], \"overrideCommand\": false, \"postCreateCommand\": \"echo hi\", }\n";
	autojson json *image = parse("{\"Config\":{\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"serve\"],\"Labels\":{\"devcontainer.metadata\":"
		"\"[{\\\"remoteUser\\\":\\\"vscode\\\",\\\"containerEnv\\\":{\\\"FROM\\\":\\\"base\\\",\\\"A\\\":\\\"1\\\"},\\\"capAdd\\\":"
		"[\\\"SYS_PTRACE\\\"]}]\"}}}");
	autofree char *file = path_join(dir, ".devcontainer.json"), *s1 = NULL, *want = NULL, *got = NULL;
	struct devcontainer dc = { 0 };
	struct strv env = { 0 };
	struct err e = { 0 };
	struct dc_create x;
	int r = file_write(file, text, strlen(text), 0644, &e);

	strv_add(&env, "SOCK=/run/d.sock");
	r = r < 0 ? r : devcontainer_load(dir, NULL, &dc, &e);
	if (!ok(r == 0, "a file with comments and trailing commas is loaded"))
		printf("# %s\n", err_text(&e));
	struct dc_vars v = { .env = &env, .workspace = dc.workspace, .workspace_folder = dc.workspace_folder, .id = "ID" };

	dc_create_init(&x);
	r = r < 0 ? r : dc_container(&dc, &v, image, "img:1", false, &x, &e);
	s1 = replaced(want_create, "DIR", dir);
	want = replaced(s1, "NAME", path_basename(dir));
	got = json_text(x.config);
	is_str(got, want, "the container is what the devcontainer CLI would make");
	is_str(dc.remote_user, "root", "containerUser stands in for remoteUser");
	dc_create_done(&x);
	strv_done(&env);
	devcontainer_done(&dc);
	(void)unlink(file);
}

static void test_own_file(void)
{
	struct devcontainer dc = { 0 };
	struct err e = { 0 };
	autojson json *image = json_object();
	struct dc_create x;
	autofree char *want = NULL;
	int r;

	setenv("FIRESTREAM_USER", "dev", 1);
	setenv("FIRESTREAM_DOCKER_SOCKET", "/run/other.sock", 1);
	r = devcontainer_load(".", NULL, &dc, &e);
	if (!ok(r == 0, "our own devcontainer.json is loaded")) {
		printf("# %s\n", err_text(&e));
		return;
	}
	struct dc_vars v = { .env = &dc.env, .workspace = dc.workspace, .workspace_folder = dc.workspace_folder, .id = "ID" };

	want = xasprintf("%s/.devcontainer", dc.workspace);
	is_str(dc.context, want, "its context is the folder of its Dockerfile");
	is_str(dc.remote_user, "dev", "its user is the one asked for");
	dc_create_init(&x);
	is_int(dc_container(&dc, &v, image, "i", false, &x, &e), 0, "it makes a container");
	is_str(json_str(x.host, "Mounts[1].Source", NULL), "/run/other.sock", "with the engine's socket");
	ok(json_bool(x.host, "Init", false) && streq(json_str(x.host, "CapAdd[0]", ""), "NET_ADMIN"), "an init and NET_ADMIN");
	dc_create_done(&x);
	devcontainer_done(&dc);
}

static void test_markers(void)
{
	static const char text[] = "home /home/dev\nmarker 1 onCreateCommand 2026-01-01T00:00:00Z\nmarker 2 postCreateCommand old\n"
		"marker 1 postCreateCommand 2026-01-01T00:00:00Z\nmarker 2 updateContentCommand \nmarker 1 postStartCommand x\n";
	static const struct {
		const char *stage;
		bool done;
		const char *what;
	} t[] = {
		{ "onCreateCommand", true, "the CLI's marker of this container counts" },
		{ "postCreateCommand", true, "one current marker of two counts" },
		{ "updateContentCommand", true, "an empty marker means: never" },
		{ "postStartCommand", false, "a marker of another start does not count" },
		{ "postAttachCommand", false, "no marker does not count" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		ok(dc_marker_done(text, t[i].stage, "2026-01-01T00:00:00Z") == t[i].done, "%s", t[i].what);
}

static void test_own_id(void)
{
	static const char mounts[] =
		"700 600 0:50 / / rw - overlay overlay rw\n"
		"701 700 8:1 /var/lib/docker/containers/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/resolv.conf "
		"/etc/resolv.conf rw - ext4 /dev/vda rw\n";
	static const char host[] = "22 1 8:1 / / rw - ext4 /dev/vda rw\n23 22 8:1 /containers/abc/hostname /etc/hostname rw - ext4 x rw\n";
	autofree char *id = dc_own_id(mounts);
	autofree char *none = dc_own_id(host);

	is_str(id, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "our own id is read from the mounts");
	is_str(none, NULL, "outside there is none");
}

static void test_proxies(void)
{
	autojson json *config = parse("{\"proxies\":{\"default\":{\"httpProxy\":\"http://p:1\",\"noProxy\":\"a,b\"}}}");
	struct dc_create x;
	autofree char *got = NULL;

	dc_create_init(&x);
	dc_set_env(&x, "HTTP_PROXY=mine");
	dc_add_proxies(&x, config, "unix:///var/run/docker.sock");
	got = json_text(json_get(x.config, "Env"));
	is_str(got, "[\"HTTP_PROXY=mine\",\"http_proxy=http://p:1\",\"NO_PROXY=a,b\",\"no_proxy=a,b\"]",
	       "the command line's proxies are passed on, what is set stays");
	dc_create_done(&x);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_id();
	test_variables();
	test_run_args();
	test_run_args_refused();
	test_mounts();
	test_load_refused();
	test_create();
	test_own_file();
	test_markers();
	test_own_id();
	test_proxies();
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
