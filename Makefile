# SPDX-License-Identifier: Apache-2.0
#
# gatewayd. `make help` lists what there is to make. Sources are found by folder: a new file needs
# no line here. Each room is one static library; a room may use only those before it in ROOMS.

VERSION := 0.2.0
ROOMS := conf gatewayd cluster admin

BUILD ?= build
SAN ?=
OPT ?= -O2
# LTO=1 optimises gatewayd as a whole: a tenth fewer instructions per request, a slower link.
LTO ?=
# What is measured, and installed unless BUILD is given: optimised as a whole.
RELEASE ?= build-release
INSTALLED := $(if $(filter file,$(origin BUILD)),$(RELEASE),$(BUILD))
PYTHON ?= /usr/bin/python3

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

## ---- tools and flags ---------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
CCACHE ?= $(shell command -v ccache)
# Optimising as a whole writes the folder it runs in into debug information, whatever options say of
# that, by the name that it is told: one that is the same everywhere.
ANYWHERE := $(if $(LTO),PWD=/proc/self/cwd)
COMPILE = $(ANYWHERE) $(CCACHE) $(CC)
LINK = $(ANYWHERE) $(CC)

# Libraries whose adapter is not in the tree yet are not asked for.
PACKAGES := libevent_core libevent_pthreads libevent_openssl openssl libconfig jansson \
    libpcre2-8 libcares \
    $(if $(wildcard gatewayd/http/h2_*.c),libnghttp2) \
    $(if $(wildcard cluster/redis*.c),hiredis)
CTL_PACKAGES := libcurl jansson libconfig openssl
SYSTEMD := $(shell pkg-config --exists libsystemd 2>/dev/null && echo libsystemd)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
    -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef \
    -Wswitch-enum -Wimplicit-fallthrough -Wno-unused-parameter -Wno-missing-field-initializers \
    -Werror

# MEM_FREE and the socket API look at pointers through other types: no type-based aliasing.
CODEGEN := -g -fno-strict-aliasing -fstack-protector-strong -fPIE
# Profilers and sanitizers like frame pointers; they are one instruction in thirty.
CODEGEN += $(if $(LTO),-fomit-frame-pointer,-fno-omit-frame-pointer)
ifneq ($(LTO),)
CODEGEN += -flto $(if $(findstring clang,$(CC)),,-ffat-lto-objects)
LTO_LINK := $(OPT) -flto$(if $(findstring clang,$(CC)),,=auto)
endif
ifeq ($(SAN),)
HARDENING := $(if $(filter -O0 -Og,$(OPT)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
else
# Instrumented code misleads the compiler's own flow analysis: warnings are for the plain build.
HARDENING := -fsanitize=$(SAN) -fno-sanitize-recover=all -Wno-error
endif

CPPFLAGS += -I. -D_GNU_SOURCE -DGATEWAYD_VERSION='"$(VERSION)"' -DOPENSSL_API_COMPAT=30000 \
    -DOPENSSL_NO_DEPRECATED $(if $(SYSTEMD),-DHAVE_LIBSYSTEMD=1) \
    $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS_ALL = -std=gnu11 $(OPT) $(CODEGEN) $(WARNINGS) $(HARDENING) $(COVERAGE) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(SAN),-fsanitize=$(SAN)) \
    $(COVERAGE) $(LDFLAGS) $(if $(LTO),-fno-lto)
LIBS = $(shell pkg-config --libs $(PACKAGES) $(SYSTEMD)) -lpthread -lm
CTL_LIBS = $(shell pkg-config --libs $(CTL_PACKAGES)) -lpthread -lm

## ---- what there is -----------------------------------------------------------------------------

# find_sources(folder): the .c files below it.
find_sources = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROGRAM_MAINS := gatewayd/main.c conf/schema_docs.c admin/openapi_print.c
CTL_SOURCES := $(call find_sources,admin/ctl)
$(foreach room,$(ROOMS),$(eval $(room)_SOURCES := $(filter-out $(PROGRAM_MAINS) $(CTL_SOURCES),\
    $(call find_sources,$(room)))))
# The Lua scripts that Redis runs are C texts in a generated source of their own.
SCRIPTS := $(sort $(wildcard cluster/*.lua))
cluster_GENERATED := $(if $(SCRIPTS),$(BUILD)/obj/cluster/redis_scripts_text.o)
# The programs beside keepalived stand alone: the C library and what of ha/ they share.
HA_MAINS := $(sort $(wildcard ha/gatewayd-*.c))
HA_SOURCES := $(filter-out $(HA_MAINS),$(call find_sources,ha))
HA_PROGRAMS := $(patsubst ha/%.c,$(BUILD)/%,$(HA_MAINS))
ROOM_LIBS := $(foreach room,$(ROOMS),$(if $($(room)_SOURCES),$(BUILD)/lib$(room).a))

PROGRAMS := \
    $(if $(wildcard gatewayd/main.c),$(BUILD)/gatewayd) \
    $(if $(wildcard admin/ctl/gatewayctl.c),$(BUILD)/gatewayctl) \
    $(if $(wildcard conf/schema_docs.c),$(BUILD)/schema-docs) \
    $(if $(wildcard admin/openapi_print.c),$(BUILD)/openapi) \
    $(HA_PROGRAMS)

UNIT_SOURCES := $(call find_sources,tests/unit)
UNIT_TESTS := $(foreach f,$(UNIT_SOURCES),$(if $(filter test_%,$(notdir $(f))),$(f)))
UNIT_SUPPORT := $(filter-out $(UNIT_TESTS),$(UNIT_SOURCES))
UNIT_PROGRAMS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_TESTS))

FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_SUPPORT := $(filter-out $(FUZZ_SOURCES) tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c))
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))
FUZZ_REPLAYS := $(patsubst tests/fuzz/%.c,$(BUILD)/replay/%,$(FUZZ_SOURCES))

BENCH_SOURCES := $(wildcard tests/bench/bench_*.c)
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_SOURCES))

ALL_SOURCES := $(foreach room,$(ROOMS),$($(room)_SOURCES)) $(CTL_SOURCES) $(PROGRAM_MAINS) \
    $(HA_MAINS) $(HA_SOURCES) $(UNIT_SOURCES) $(wildcard tests/fuzz/*.c) $(BENCH_SOURCES)
ALL_CODE := $(shell find $(ROOMS) $(wildcard ha) tests/unit tests/fuzz -name '*.[ch]' -o -name '*.def' 2>/dev/null)

# V=1 shows whole commands.
V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@echo '  $(1)  $(2)')

## ---- building ----------------------------------------------------------------------------------

.PHONY: all
all: $(BUILD)/.rooms $(ROOM_LIBS) $(PROGRAMS) ## gatewayd, gatewayctl and the room libraries

# The order of the rooms holds in every build.
$(BUILD)/.rooms: tests/lint/rooms.sh $(ALL_CODE)
	@mkdir -p $(@D)
	@tests/lint/rooms.sh
	@touch $@

# A static rule: objects are targets in their own right, made again when they are missing.
$(call objects,$(ALL_SOURCES)): $(BUILD)/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The list is a prerequisite so that a script that went away is noticed.
$(BUILD)/scripts.list: force
	@mkdir -p $(@D)
	@echo '$(SCRIPTS)' | cmp -s - $@ || echo '$(SCRIPTS)' > $@
$(BUILD)/gen/redis_scripts_text.c: $(SCRIPTS) $(BUILD)/scripts.list
	@mkdir -p $(@D)
	$(call say,LUA,$@)
	$(Q){ echo '#include "cluster/redis_scripts.h"'; \
	for file in $(SCRIPTS); do name=$$(basename $$file .lua); \
	    echo "REDIS_SCRIPT($$name);"; \
	    echo "const struct redis_script redis_script_$$name = { \"$$name\", TEXT("; \
	    sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$$/\\n"/' $$file; echo ') };'; done; } > $@
$(BUILD)/obj/cluster/redis_scripts_text.o: $(BUILD)/gen/redis_scripts_text.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
-include $(BUILD)/obj/cluster/redis_scripts_text.d

# Changed flags rebuild everything; unchanged ones leave the stamp alone.
.PHONY: force
$(BUILD)/.flags: force
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS_ALL))' | cmp -s - $@ || \
	    echo '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS_ALL))' > $@

# The list is a prerequisite so that a source that went away leaves the library too.
define room_library
$(BUILD)/lib$(1).list: force
	@mkdir -p $$(@D)
	@echo '$($(1)_SOURCES) $($(1)_GENERATED)' | cmp -s - $$@ || \
	    echo '$($(1)_SOURCES) $($(1)_GENERATED)' > $$@
$(BUILD)/lib$(1).a: $(call objects,$($(1)_SOURCES)) $($(1)_GENERATED) $(BUILD)/lib$(1).list
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach room,$(ROOMS),$(if $($(room)_SOURCES),$(eval $(call room_library,$(room)))))

# main names the services of all rooms, so the libraries are searched as one group.
ROOM_GROUP = -Wl,--start-group $(ROOM_LIBS) -Wl,--end-group

$(BUILD)/gatewayd: $(call objects,gatewayd/main.c) $(ROOM_LIBS)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) $(LTO_LINK) -o $@ $< $(ROOM_GROUP) $(LIBS)

$(BUILD)/gatewayctl: $(call objects,$(CTL_SOURCES)) $(BUILD)/libconf.a
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $^ $(CTL_LIBS)

# For the unit tests of its parts.
$(BUILD)/libctl.a: $(call objects,$(filter-out %/gatewayctl.c,$(CTL_SOURCES)))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

$(BUILD)/libha.a: $(call objects,$(HA_SOURCES))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

$(HA_PROGRAMS): $(BUILD)/%: $(BUILD)/obj/ha/%.o $(BUILD)/libha.a
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $^

$(BUILD)/schema-docs: $(call objects,conf/schema_docs.c) $(ROOM_LIBS)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $< $(ROOM_GROUP) $(LIBS)

$(BUILD)/openapi: $(call objects,admin/openapi_print.c) $(ROOM_LIBS)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $< $(ROOM_GROUP) $(LIBS)

-include $(patsubst %.o,%.d,$(call objects,$(ALL_SOURCES)))

## ---- variants ----------------------------------------------------------------------------------

.PHONY: release debug asan tsan
release: ## optimised as a whole (LTO), into build-release/: what is installed and measured
	+$(MAKE) BUILD=$(RELEASE) OPT=-O3 LTO=1 all
debug: ## unoptimised, into build-debug/
	+$(MAKE) BUILD=build-debug OPT=-Og all
asan: ## address and undefined behaviour sanitizers, into build-asan/
	+$(MAKE) BUILD=build-asan OPT=-O1 SAN=address,undefined all
tsan: ## thread sanitizer, into build-tsan/
	+$(MAKE) BUILD=build-tsan OPT=-O1 SAN=thread all

## ---- unit tests --------------------------------------------------------------------------------

# Those of gatewayctl (tests/unit/admin/test_ctl_*.c) see its parts; no room does.
$(filter $(BUILD)/unit/admin/test_ctl_%,$(UNIT_PROGRAMS)): $(BUILD)/libctl.a
$(filter $(BUILD)/unit/admin/test_ctl_%,$(UNIT_PROGRAMS)): UNIT_LIBS := $(BUILD)/libctl.a $(CTL_LIBS)

$(filter $(BUILD)/unit/ha/%,$(UNIT_PROGRAMS)): $(BUILD)/libha.a
$(filter $(BUILD)/unit/ha/%,$(UNIT_PROGRAMS)): UNIT_LIBS := $(BUILD)/libha.a

# Shared helpers of unit tests (tests/unit/**/*.c without test_) are linked to every one.
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(call objects,$(UNIT_SUPPORT)) $(ROOM_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(UNIT_LIBS) $(ROOM_GROUP) -lcmocka $(LIBS)

.PHONY: unit-build unit
unit-build: all $(UNIT_PROGRAMS) ## every unit test as a program in build/unit/
unit: unit-build ## build and run the unit tests; TESTS=conf/test_text runs one
	@$(PYTHON) tests/unit/run --build $(BUILD) $(TESTS)

## ---- fuzzing -----------------------------------------------------------------------------------

# What fuzzers share (tests/fuzz/*.c without fuzz_) is linked to every one.
FUZZ_PARTS := $(call objects,$(FUZZ_SUPPORT)) $(BUILD)/libha.a $(ROOM_LIBS)

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(FUZZ_PARTS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(BUILD)/libha.a $(ROOM_GROUP) $(LIBS)

$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(FUZZ_PARTS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(BUILD)/libha.a $(ROOM_GROUP) $(LIBS)

.PHONY: fuzz fuzz-build fuzz-replay fuzz-replay-build
fuzz-build: $(FUZZ_PROGRAMS)
fuzz: ## libFuzzer programs (clang) in build-fuzz/fuzz/
	+$(MAKE) BUILD=build-fuzz CC=clang OPT=-O1 SAN=fuzzer-no-link,address,undefined fuzz-build
	@echo 'one of them: build-fuzz/fuzz/fuzz_path -max_total_time=60 -artifact_prefix=build-fuzz/ FOLDER tests/fuzz/corpus/path'
fuzz-replay-build: $(FUZZ_REPLAYS)
fuzz-replay: ## run the corpora in tests/fuzz/corpus/ through the fuzzed functions, sanitized
	+$(MAKE) BUILD=build-asan OPT=-O1 SAN=address,undefined fuzz-replay-build
	@tests/fuzz/run-replay build-asan

## ---- checks ------------------------------------------------------------------------------------

.PHONY: test test-long test-packages lint docs docs-check format coverage print-cppflags
test: ## everything: installs what tests need, builds, ends in "N passed, N failed"
	@tests/run
test-long: ## what takes longer: outages of Redis, shared limits, shared history sanitized, keepalived
	@tests/run stories-long stories-long-asan stories-long-tsan stories-ha
test-packages: ## .deb and .rpm: made twice, checked, installed on Debian 12 and 13 that systemd boots
	@tests/deps packages || true
	@tests/run packages

lint: all ## rooms, names, sizes, headers, libraries, docs, clang-tidy, cppcheck, spelling ...
	@tests/deps lint
	@tests/lint/run --build $(BUILD)

# The references in the rooms are printed by the tables they describe.
DOCS := $(filter %/schema-docs %/openapi,$(PROGRAMS))
docs: $(DOCS) ## write the generated references again
	$(BUILD)/schema-docs update conf/README.md
	$(BUILD)/openapi update admin/README.md
	$(BUILD)/openapi yaml > admin/openapi.yaml
docs-check: $(DOCS)
	@$(BUILD)/schema-docs check conf/README.md && \
	    $(BUILD)/openapi page admin/README.md | cmp -s - admin/README.md && \
	    $(BUILD)/openapi yaml | cmp -s - admin/openapi.yaml || \
	    { echo "a generated reference is not current: make docs"; exit 1; }

format: ## clang-format over all C
	git ls-files '*.c' '*.h' | xargs clang-format -i

coverage: ## unit tests and stories, instrumented; the report is build-coverage/report/index.html
	@tests/deps test
	@tests/deps lint
	+$(MAKE) BUILD=build-coverage OPT=-O0 COVERAGE=--coverage all unit-build
	@tests/coverage build-coverage

print-cppflags:
	@echo $(CPPFLAGS)

## ---- small benchmarks --------------------------------------------------------------------------

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(ROOM_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) $(LDFLAGS_ALL) -o $@ $< $(ROOM_GROUP) $(LIBS)

.PHONY: bench-small
bench-small: $(BENCH_PROGRAMS) ## nanoseconds of parsing and printing a head
	@for program in $(BENCH_PROGRAMS); do $$program; done

## ---- running and installing --------------------------------------------------------------------

PREFIX ?= /usr
# Where bin and sbin are one (Fedora 42 and later), $(PREFIX)/bin.
SBINDIR ?= $(PREFIX)/sbin
SYSCONFDIR ?= /etc

.PHONY: run cluster-demo cluster cluster-down bench install install-system install-ha deb rpm
run: ## on a fresh machine: install what is needed, build, start a node with two demo services
	@tests/deps run
	+@$(MAKE) --no-print-directory all
	@packaging/demo/run.sh $(BUILD)

cluster-demo: ## as make run, with two nodes that share a Redis
	@tests/deps cluster
	+@$(MAKE) --no-print-directory all
	@packaging/demo/cluster.sh $(BUILD)

cluster: ## two nodes, Redis, keepalived and a client in network namespaces, left running (root)
	@tests/deps ha
	+@$(MAKE) --no-print-directory all
	@cd tests/e2e && $(PYTHON) -B -m harness.lab up $(abspath $(BUILD))

cluster-down: ## removes all that make cluster made
	@cd tests/e2e && $(PYTHON) -B -m harness.lab down $(abspath $(BUILD))

bench: ## CPU per request beside nginx and HAProxy, on the same work
	@tests/deps bench
	+@$(MAKE) --no-print-directory release
	@tests/bench/run $(RELEASE)

MAN := $(DESTDIR)$(PREFIX)/share/man
DOC := $(DESTDIR)$(PREFIX)/share/doc/gatewayd
COMPLETIONS := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
install: $(if $(filter file,$(origin BUILD)),release,all) ## into DESTDIR: both programs, manual pages, completion, documentation
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SYSCONFDIR)/gatewayd \
	    $(MAN)/man1 $(MAN)/man5 $(MAN)/man8 $(COMPLETIONS) $(DOC)
	install -m 0755 $(INSTALLED)/gatewayd $(DESTDIR)$(SBINDIR)/gatewayd
	install -m 0755 $(INSTALLED)/gatewayctl $(DESTDIR)$(PREFIX)/bin/gatewayctl
	umask 022; $(INSTALLED)/gatewayctl help --man > $(MAN)/man1/gatewayctl.1
	umask 022; $(INSTALLED)/schema-docs man > $(MAN)/man5/gatewayd.conf.5
	install -m 0644 gatewayd/gatewayd.8 $(MAN)/man8/gatewayd.8
	umask 022; $(INSTALLED)/gatewayctl completion bash > $(COMPLETIONS)/gatewayctl
	install -m 0644 README.md CHANGELOG.md LICENSE admin/openapi.yaml $(DOC)
	for room in $(ROOMS); do [ ! -f $$room/README.md ] || \
	    install -m 0644 $$room/README.md $(DOC)/$$room.md; done

LIBEXEC := $(DESTDIR)$(PREFIX)/libexec/gatewayd
SYSTEM := $(DESTDIR)$(PREFIX)/lib
install-system: ## into DESTDIR: unit, user, folders, log rotation, default configuration, examples
	install -d $(LIBEXEC) $(SYSTEM)/systemd/system $(SYSTEM)/sysusers.d $(SYSTEM)/tmpfiles.d \
	    $(DESTDIR)$(SYSCONFDIR)/gatewayd $(DESTDIR)$(SYSCONFDIR)/logrotate.d $(DOC)/examples
	install -m 0755 packaging/scripts/first-token packaging/scripts/replace-running $(LIBEXEC)
	install -m 0644 packaging/systemd/gatewayd.service $(SYSTEM)/systemd/system
	install -m 0644 packaging/systemd/gatewayd.sysusers $(SYSTEM)/sysusers.d/gatewayd.conf
	install -m 0644 packaging/systemd/gatewayd.tmpfiles $(SYSTEM)/tmpfiles.d/gatewayd.conf
	install -m 0644 packaging/systemd/gatewayd.logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/gatewayd
	install -m 0644 packaging/default/gatewayd.conf $(DESTDIR)$(SYSCONFDIR)/gatewayd
	install -m 0644 packaging/examples/* cluster/redis.acl $(DOC)/examples

HA_DOC := $(DESTDIR)$(PREFIX)/share/doc/gatewayd-ha
install-ha: $(if $(filter file,$(origin BUILD)),release,all) ## into DESTDIR: what keeps virtual addresses (ha/)
	packaging/install-ha $(DESTDIR)$(PREFIX) $(HA_DOC) $(patsubst $(BUILD)/%,$(INSTALLED)/%,$(HA_PROGRAMS))

deb: ## gatewayd and gatewayd-ha for the Debian or Ubuntu it runs on, into build/packages/
	@packaging/build-deb $(VERSION)
rpm: ## as make deb, for RHEL and Fedora
	@packaging/build-rpm $(VERSION)

.PHONY: clean help
clean: ## remove everything built
	rm -rf build build-debug build-asan build-tsan build-fuzz build-coverage build-clang build-release
help: ## this list
	@sed -nE 's/^([a-z-]+):.* ## (.*)/\1\t\2/p' Makefile | sort | \
	    while IFS="$$(printf '\t')" read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done
	@echo
	@echo '  BUILD=folder  SAN=sanitizers  OPT=-O2  LTO=1  CC=gcc|clang  V=1  TESTS=name'
