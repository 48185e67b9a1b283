# SPDX-License-Identifier: Apache-2.0
# Firestream: two programs (bootstrap, agent) over four layers: programs -> boot|agent -> net -> base.
# Each layer is an archive of its own, so that a call upwards fails at link time of the lower layer's tests.

BUILD      ?= release
CC         ?= cc
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share/firestream
DESTDIR    ?=
PKG_CONFIG ?= pkg-config
PROVE      ?= prove

# O: where all output goes. The launcher gives one per system, as host and dev container share the checkout.
O ?= build
B := $(O)/$(BUILD)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
SYSTEM := $(shell uname -s)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

# library -> Debian package, for the message when one is missing. The launcher reads these lines too.
DEB_TOOLS := gcc libc6-dev make pkg-config iptables
PKGS_base := libcjson:libcjson-dev yaml-0.1:libyaml-dev libarchive:libarchive-dev libcrypto:libssl-dev
PKGS_net  := libcurl:libcurl4-openssl-dev libssl:libssl-dev
PKGS_agent := libnl-3.0:libnl-3-dev libnl-route-3.0:libnl-route-3-dev libcares:libc-ares-dev
PKGS_boot := libgit2:libgit2-dev
ALL_PKGS  := $(PKGS_base) $(PKGS_net) $(PKGS_agent) $(PKGS_boot)
names      = $(foreach p,$(1),$(firstword $(subst :, ,$(p))))
DEBS      := $(foreach p,$(ALL_PKGS),$(lastword $(subst :, ,$(p))))

ifneq ($(filter-out clean help debs dist lint,$(or $(MAKECMDGOALS),all)),)
MISSING := $(foreach p,$(ALL_PKGS),$(if $(shell $(PKG_CONFIG) --exists $(firstword $(subst :, ,$(p))) && echo y),,$(lastword $(subst :, ,$(p)))))
ifneq ($(strip $(MISSING)),)
$(error libraries are missing; Debian: apt-get install pkg-config $(MISSING))
endif
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(call names,$(ALL_PKGS)))
LIBS_base  := $(shell $(PKG_CONFIG) --libs $(call names,$(PKGS_base))) -lpthread -lm
LIBS_net   := $(shell $(PKG_CONFIG) --libs $(call names,$(PKGS_net)))
LIBS_agent := $(shell $(PKG_CONFIG) --libs $(call names,$(PKGS_agent)))
LIBS_boot  := $(shell $(PKG_CONFIG) --libs $(call names,$(PKGS_boot)))
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla -Wformat=2 -Wundef \
	-Wno-unused-parameter
WARN_STRICT := -Wconversion -Wno-sign-conversion
ifeq ($(WERROR),1)
WARN += -Werror
endif

OPT_release := -O2 -g -D_FORTIFY_SOURCE=2
OPT_debug   := -O0 -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
OPT_cover   := -O0 -g --coverage
CFLAGS  ?=
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -I$(B) -include base/banned.h $(WARN) $(OPT_$(BUILD)) -fstack-protector-strong -fPIE \
	$(LIB_CFLAGS) -MMD -MP $(CFLAGS)
ALL_LDFLAGS = $(OPT_$(BUILD)) -pie $(LDFLAGS)
ifeq ($(SYSTEM),Linux)
ALL_LDFLAGS += -Wl,-z,relro,-z,now,--as-needed
endif

# What only Linux has lives in net/linux/ and is linked into the agent alone.
SRC_base  := $(wildcard base/*.c)
SRC_net   := $(wildcard net/*.c net/kube/*.c net/forward/*.c)
SRC_linux := $(wildcard net/linux/*.c)
SRC_boot  := $(wildcard boot/*.c)
SRC_agent := $(filter-out agent/main.c,$(wildcard agent/*.c))

lib = $(B)/lib$(1).a
obj = $(patsubst %.c,$(B)/%.o,$(1))

PROGRAMS := $(B)/bootstrap
ifeq ($(SYSTEM),Linux)
PROGRAMS += $(B)/agent/agent $(B)/agent.tar
endif

.PHONY: all check unit scenario asan fuzz bench lint cover netns e2e install uninstall dist clean help debs tests
.SECONDARY:

all: $(PROGRAMS)

help:
	@echo "make [all|check|scenario|asan|fuzz|lint|bench|netns|e2e|cover|install|uninstall|dist|clean]  BUILD=release|debug|asan|fuzz|cover V=1 WERROR=1"

debs: # what apt has to install to build this
	@echo $(DEB_TOOLS) $(DEBS)

$(B)/version.h: .FORCE
	@mkdir -p $(@D)
	@printf '#define FIRESTREAM_VERSION "%s"\n' '$(VERSION)' | cmp -s - $@ || printf '#define FIRESTREAM_VERSION "%s"\n' '$(VERSION)' > $@
.PHONY: .FORCE

$(B)/base/%.o $(B)/net/%.o: ALL_CFLAGS += $(WARN_STRICT)
$(B)/%.o: %.c | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(call lib,base): $(call obj,$(SRC_base))
$(call lib,net): $(call obj,$(SRC_net))
$(call lib,linux): $(call obj,$(SRC_linux))
$(call lib,boot): $(call obj,$(SRC_boot))
$(call lib,agent): $(call obj,$(SRC_agent))
$(B)/lib%.a:
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define link
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(1)
endef

DEPS_base  := $(call lib,base)
DEPS_net   := $(call lib,net) $(DEPS_base)
DEPS_linux := $(call lib,linux) $(DEPS_net)
DEPS_boot  := $(call lib,boot) $(DEPS_net)
DEPS_agent := $(call lib,agent) $(DEPS_linux)
L_base  = $(DEPS_base) $(LIBS_base)
L_net   = $(DEPS_net) $(LIBS_net) $(LIBS_base)
L_linux = $(DEPS_linux) $(LIBS_agent) $(LIBS_net) $(LIBS_base)
L_boot  = $(DEPS_boot) $(LIBS_boot) $(LIBS_net) $(LIBS_base)
L_agent = $(DEPS_agent) $(LIBS_agent) $(LIBS_net) $(LIBS_base)

$(B)/bootstrap: $(B)/bootstrap.o $(DEPS_boot)
	$(call link,$< $(L_boot))
$(B)/agent/agent: $(B)/agent/main.o $(DEPS_agent)
	$(call link,$< $(L_agent))

# The agent with its loader, libraries and iptables: runs in any Linux image.
$(B)/agent.tar: $(B)/agent/agent tools/bundle
	$(say) TAR $@
	$(Q)tools/bundle $< $@

# ---- tests -----------------------------------------------------------------------------------------------------------
TESTS := $(foreach l,base net linux boot agent,$(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/$(l)/test_*.c)))
FAKES := $(call obj,$(wildcard tests/fake/*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(B)/replay/%,$(FUZZ_SRC))

define test_rule
$(B)/tests/$(1)/%: $(B)/tests/unit/$(1)/%.o $(FAKES) $(DEPS_$(1))
	$$(call link,$$< $(if $(filter-out base,$(1)),$(FAKES)) $$(L_$(1)))
endef
$(foreach l,base net linux boot agent,$(eval $(call test_rule,$(l))))

tests: $(TESTS)
# PROVE_FLAGS=-v: all the lines, which tests/tap-sum counts
PROVE_FLAGS ?= -q
unit: all $(TESTS)
	$(Q)BUILD_DIR="$(abspath $(B))" $(PROVE) -e '' $(PROVE_FLAGS) -j2 $(TESTS) $(wildcard tests/unit/*.t)

check: unit replay scenario lint

# The agent's DNS on a fake clock, its upstreams lines of a text. tests/scenario/transport.c takes the place of net/linux/upstream.
PLAY := $(B)/scenario/play
$(PLAY): $(call obj,$(wildcard tests/scenario/*.c)) $(DEPS_agent)
	$(call link,$(filter %.o,$^) $(L_agent))
scenario: $(PLAY)
	$(Q)$(PROVE) -e $(PLAY) $(PROVE_FLAGS) $(wildcard tests/scenario/*.t)

# Every corpus file through its parser, without libFuzzer.
replay: $(REPLAY_BIN)
	$(Q)for f in $(REPLAY_BIN); do n=$${f##*/fuzz_}; \
		"$$f" tests/fuzz/corpus/$$n/* && echo "ok - corpus of $$n" || { echo "not ok - corpus of $$n"; exit 1; }; done

L_fuzz = $(if $(findstring fuzz_agent_,$(1)),$(L_agent),$(if $(findstring fuzz_boot_,$(1)),$(L_boot),$(L_net)))
# The whole DNS side is fuzzed in the scenarios' world.
WORLD := $(call obj,$(addprefix tests/scenario/,world.c transport.c text.c))
X_fuzz = $(if $(findstring fuzz_agent_dns,$(1)),$(WORLD))
D_fuzz = $(WORLD) $(DEPS_boot) $(if $(filter Linux,$(SYSTEM)),$(DEPS_agent))
$(B)/replay/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(D_fuzz)
	$(call link,$< $(B)/tests/fuzz/replay.o $(call X_fuzz,$@) $(call L_fuzz,$@))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(D_fuzz)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(call X_fuzz,$@) $(call L_fuzz,$@)

fuzz-bins: $(FUZZ_BIN)
# 60 s shared by all targets, from the committed corpus; findings end in build/
FUZZ_SECONDS ?= 60
fuzz:
	$(Q)$(MAKE) --no-print-directory BUILD=fuzz CC=clang fuzz-bins
	$(Q)tests/fuzz/run $(O)/fuzz/fuzz/fuzz $(FUZZ_SECONDS)

asan:
	$(Q)$(MAKE) --no-print-directory BUILD=asan unit replay scenario

lint:
	$(Q)tools/lint

# The pieces of the world that tests/netns puts around a real agent.
$(B)/netns/%: $(B)/tests/netns/%.o $(FAKES) $(DEPS_agent)
	$(call link,$< $(FAKES) $(L_agent))

netns: all $(B)/netns/fakes
	$(Q)BUILD_DIR="$(abspath $(B))" $(PROVE) -e '' $(PROVE_FLAGS) $(wildcard tests/netns/*.t)

# What the end-to-end scripts copy into containers: static, so that it runs in any.
$(B)/e2e/%: $(B)/tests/e2e/%.o $(DEPS_net)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT_$(BUILD)) -static-pie $(LDFLAGS) -o $@ $< $(DEPS_net)

e2e: all $(B)/e2e/compare
	$(Q)BUILD_DIR="$(abspath $(B))" tests/e2e/run

# The load, the far ends and the references of tests/bench.
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(filter-out tests/bench/figures.c,$(wildcard tests/bench/*.c)))
$(B)/bench/%: $(B)/tests/bench/%.o $(B)/tests/bench/figures.o $(FAKES) $(DEPS_net)
	$(call link,$< $(B)/tests/bench/figures.o $(FAKES) $(L_net))

# The far end of what is forwarded, in a pod: static.
$(B)/bench/farend: tests/e2e/farend.c
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -std=gnu11 -D_GNU_SOURCE -static -o $@ $< -lpthread

bench: all $(BENCH_BIN) $(B)/bench/farend
	$(Q)BUILD_DIR="$(abspath $(B))" tests/bench/run

cover:
	$(Q)$(MAKE) --no-print-directory BUILD=cover unit
	$(Q)gcov -n -r $$(find $(O)/cover -name '*.gcda') 2>/dev/null | awk '/^File/{f=$$2} /^Lines/{print f, $$2}' | sort -u

# ---- installation ----------------------------------------------------------------------------------------------------
SHARED := templates charts catalog images examples .devcontainer

install: all
	install -D -m 755 $(B)/bootstrap $(DESTDIR)$(BINDIR)/firestream
	install -D -m 644 docs/man/bootstrap.1 $(DESTDIR)$(MANDIR)/man1/firestream.1
	install -D -m 644 docs/man/agent.8 $(DESTDIR)$(MANDIR)/man8/firestream-agent.8
	mkdir -p $(DESTDIR)$(DATADIR) && cp -R $(SHARED) $(DESTDIR)$(DATADIR)/
	install -m 644 $(wildcard $(B)/agent.tar) $(DESTDIR)$(DATADIR)/

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/firestream $(DESTDIR)$(MANDIR)/man1/firestream.1 $(DESTDIR)$(MANDIR)/man8/firestream-agent.8
	rm -rf $(DESTDIR)$(DATADIR)

dist:
	git archive --prefix=firestream-$(VERSION)/ -o firestream-$(VERSION).tar.gz HEAD

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
