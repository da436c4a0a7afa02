# SPDX-License-Identifier: Apache-2.0
#
#   make                 build/bin/bundler and build/bin/deployer; needs no network
#   make check           installs what is missing, then runs every suite
#   make tests           every suite: lint (scripts/lint), unit, replay (of the fuzz corpus), cli; each is a target too
#   make fuzz            clang's fuzzer, FUZZ_SECONDS for each target
#   make docs            man pages (scdoc)            make install PREFIX=/usr/local DESTDIR=
#   make demo|soak|bench the scripts of these names   make clean
#
# V=1 shows commands, WERROR=1 makes warnings errors, ONLY='err cli' runs only these suites.
# SANITIZE=address,undefined or SANITIZE=thread builds into a folder of its own; B=DIR into any other.
# A new lib/x.c, bundler/x.c, deployer/x.c, tests/unit/test_x.c, tests/fuzz/fuzz_x.c, tests/cli/x.sh or
# tests/stand/x.c is found by its name. tests/unit/test_bundler_x.c is linked with bundler/ besides, and so on.

comma := ,
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
B ?= build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $@)

# ---- flags
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wformat-security -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wundef -Wwrite-strings -Woverflow \
	-Wno-unused-parameter -Wno-missing-field-initializers
CFLAGS ?= -O2 -g
STD := -std=gnu11 -D_GNU_SOURCE -Iinclude -I.
ARCH_FLAGS := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),-fcf-protection,-mbranch-protection=standard)
ifeq ($(SANITIZE),)
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection $(ARCH_FLAGS)
else
HARDEN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
LINK := -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(filter -fsanitize=%,$(HARDEN)) $(LDFLAGS)

# ---- foreign libraries, each asked for when there is a file that may include its header
need = $(if $(wildcard $(2)),$(1))
PKGS := libcrypto $(call need,libcrypt,lib/bcrypt.c) $(call need,libzstd,lib/frame.c lib/stream.c) \
	$(call need,jansson,lib/json.c) $(call need,yaml-0.1,lib/yaml.c) $(call need,libcurl,lib/http.c) \
	$(call need,libarchive,lib/tarball.c) $(call need,libgit2,lib/gitrepo.c) \
	$(call need,libsolv libsolvext,lib/depsolver.c) $(call need,expat,lib/rpmmd.c)
SERVER := $(call need,libmicrohttpd,deployer/cmd_serve.c tests/stand/*.c)
CMOCKA := $(call need,cmocka,tests/unit/*.c)
ALONE := $(filter check demo soak bench clean,$(MAKECMDGOALS))
ifeq ($(ALONE)$(shell pkg-config --print-errors --exists $(PKGS) $(SERVER) && echo found),)
$(error a library is missing: run scripts/deps build)
endif
LIBS := $(shell pkg-config --libs $(PKGS))
COMPILE = $(CC) $(STD) $(CFLAGS) -fPIE -pthread $(WARNINGS) $(HARDEN) $(CPPFLAGS) \
	$(shell pkg-config --cflags $(PKGS) $(SERVER))

# ---- files; SKIP='lib/x.c' leaves one out that is under repair
sources = $(filter-out $(SKIP),$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(B)/obj/%.o,$(call sources,$(1)))
chosen = $(filter $(if $(ONLY),$(addprefix %,$(ONLY)),%),$(1))
PROGRAMS := $(patsubst %/main.c,$(B)/bin/%,$(wildcard bundler/main.c deployer/main.c))
STANDS := $(patsubst tests/stand/%.c,$(B)/tests/%,$(call sources,tests/stand))
UNITS := $(call chosen,$(patsubst tests/unit/%.c,$(B)/unit/%,$(call sources,tests/unit)))
FUZZERS := $(call chosen,$(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c))))
REPLAYS := $(patsubst fuzz_%,$(B)/fuzz/replay_%,$(FUZZERS))
SUITES := $(call chosen,$(basename $(filter-out %/testlib.sh,$(wildcard tests/cli/*.sh))))
PAGES := $(patsubst docs/%.scd,$(B)/man/%,$(wildcard docs/*.scd))

all: $(PROGRAMS)
lib: $(B)/libairgap.a
stands: $(STANDS)

# ---- rules
$(B)/flags: FORCE
	@mkdir -p $(@D); echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' >$@

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(if $(filter 1,$(WERROR)),-Werror) -MMD -MP -c -o $@ $<

archive = $(call say,AR)$(if $(V),,;) rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)
link = $(call say,LD)$(if $(V),,;) mkdir -p $(@D) && $(CC) $(LINK) -o $@ $(filter %.o %.a,$^)

$(B)/libairgap.a: $(call objects,lib)
	$(archive)
$(B)/libbundler.a: $(filter-out %/main.o,$(call objects,bundler))
	$(archive)
$(B)/libdeployer.a: $(filter-out %/main.o,$(call objects,deployer))
	$(archive)

$(B)/bin/bundler: $(call objects,bundler) $(B)/libairgap.a
	$(link) $(LIBS)
$(B)/bin/deployer: $(call objects,deployer) $(B)/libairgap.a
	$(link) $(LIBS) $(if $(SERVER),$(shell pkg-config --libs $(SERVER)))
$(STANDS): $(B)/tests/%: $(B)/obj/tests/stand/%.o $(B)/libairgap.a
	$(link) $(LIBS) $(shell pkg-config --libs $(SERVER))

UNIT_LIBS = $(LIBS) $(shell pkg-config --libs $(CMOCKA) $(SERVER))
$(B)/unit/test_bundler_%: $(B)/obj/tests/unit/test_bundler_%.o $(B)/libbundler.a $(B)/libairgap.a
	$(link) $(UNIT_LIBS)
$(B)/unit/test_deployer_%: $(B)/obj/tests/unit/test_deployer_%.o $(B)/libdeployer.a $(B)/libairgap.a
	$(link) $(UNIT_LIBS)
$(B)/unit/test_%: $(B)/obj/tests/unit/test_%.o $(B)/libairgap.a
	$(link) $(UNIT_LIBS)
$(B)/fuzz/replay_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/main.o $(B)/libairgap.a
	$(link) $(LIBS)
$(B)/fuzz/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/libairgap.a
	$(link) -fsanitize=fuzzer $(LIBS)

$(B)/man/%: docs/%.scd
	$(call say,SCDOC)
	$(Q)mkdir -p $(@D) && scdoc <$< >$@.new && mv $@.new $@

# ---- tests: TAP under prove, one line and a time per suite, "N passed, N failed, N skipped" at the end
run = LINT_CFLAGS='$(STD) -O2 $(WARNINGS) $(shell pkg-config --cflags $(PKGS) $(SERVER))' LINT_PROGRAMS='$(PROGRAMS)' \
	SANITIZE='$(SANITIZE)' B='$(B)' scripts/run-tests
unit: $(UNITS)
	@$(run) $^
replay: $(REPLAYS)
	@$(run) $^
cli: all stands
	@$(run) $(SUITES:=.sh)
lint: all
	@$(run) scripts/lint
tests: all stands $(UNITS) $(REPLAYS)
	@$(run) $(if $(SANITIZE),,scripts/lint) $(UNITS) $(REPLAYS) $(SUITES:=.sh)
check:
	@scripts/deps all
	@$(MAKE) --no-print-directory WERROR=1 tests

# libFuzzer adds what it finds to build/fuzz/found; copy what is worth keeping into tests/fuzz/corpus.
fuzz:
	@for t in $(FUZZERS); do \
		$(MAKE) --no-print-directory CC=clang B=build/fuzz SANITIZE=fuzzer-no-link,address,undefined build/fuzz/fuzz/$$t && \
		mkdir -p build/fuzz/found/$$t && build/fuzz/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 \
			-artifact_prefix=build/fuzz/found/ build/fuzz/found/$$t tests/fuzz/corpus/$${t#fuzz_} || exit 1; \
	done

demo soak bench:
	@scripts/$@

docs: $(PAGES)
install: all docs
	install -d $(DESTDIR)$(PREFIX)/bin
	$(if $(PROGRAMS),install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin)
	for p in $(PAGES); do install -D -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/$${p##*/}; done
clean:
	rm -rf $(if $(filter file,$(origin B)),build,$(B))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
FORCE:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all lib stands unit replay cli tests check lint fuzz demo soak bench docs install clean FORCE
