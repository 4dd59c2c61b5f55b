# SPDX-License-Identifier: Apache-2.0
# libnm: `make demo` sets up, builds and shows; `make check` sets up and tests. All output: build/.
# Variables: CC, CFLAGS, LDFLAGS, PREFIX, LIBDIR, DESTDIR, CI=1 (warnings are errors), NO_SETUP=1 (install
# no packages), V=1 (whole commands), NM_TEST_MODELS=DIR (real networks, for the tests that want them).

B         := build
VERSION   := 1.0.0
SOVERSION := 1
CC        ?= cc
AR        ?= ar
PROTOC_C  ?= protoc-c
CFLAGS    ?= -O2 -g
WARN      := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
             -Wmissing-prototypes -Wvla
ifdef CI
WARN      += -Werror
endif
STD       := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=off
INC       := -I. -Iinclude -I$(B)/gen
OMP       := -fopenmp
LDLIBS    := -ldnnl -lprotobuf-c -lm
SAY       := @$(if $(V),:,echo) # the short line for a command
Q         := $(if $(V),,@)
COMPILE    = $(CC) $(STD) $(WARN) $(INC) $(CFLAGS) $(ROOM) -MMD -MP

PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
LIBDIR    ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR   ?= $(PREFIX)/share
DOCDIR    ?= $(DATADIR)/doc/nm
MANDIR    ?= $(DATADIR)/man

FP16      := $(shell echo '__m512h x;' | $(CC) -mavx512fp16 -include immintrin.h -fsyntax-only -xc - \
                 2>/dev/null && echo 1)
$(if $(FP16),,$(info no float16 kernels: $(CC) does not know -mavx512fp16))
SO        := $(B)/libnm.so.$(SOVERSION)
LIB_SRC   := $(sort $(wildcard lib/*/*.c kernels/*.c kernels/ref/*.c kernels/avx2/*.c \
                 kernels/avx512/*.c kernels/dnnl/*.c) $(if $(FP16),$(wildcard kernels/avx512fp16/*.c)))
LIB_OBJ   := $(LIB_SRC:%.c=$(B)/obj/%.o) $(B)/obj/gen/onnx.pb-c.o
NMIE_SRC  := $(sort $(wildcard examples/nmie/*.c examples/nmie/*/*.c))
NMIE_OBJ  := $(NMIE_SRC:%.c=$(B)/obj/%.o) $(B)/obj/gen/onnx.pb-c.o
NMIE_LIBS := -lpng -ljpeg -lcjson -ldl -lpthread
HELP_SRC  := $(sort $(wildcard tests/support/*.c))
HELP_OBJ  := $(HELP_SRC:%.c=$(B)/obj/%.o)
TEST_BIN  := $(patsubst tests/%.c,$(B)/tests/%,$(sort $(wildcard tests/*/test_*.c)))
BENCH_BIN := $(B)/tests/kernels/bench_kernels $(B)/tests/kernels/bench_dense
SLOW_BIN  := $(patsubst tests/%.c,$(B)/tests/%,$(sort $(wildcard tests/*/slow_*.c)))

.PHONY: all lib tests setup demo check check-nets docs run-demo run-check run-check-nets bench-kernels \
        bench-peers bench-report peers-table plot-sparsity clean install uninstall
.DELETE_ON_ERROR:
all: lib $(B)/nmie
lib: $(SO) $(B)/libnm.a
tests: $(TEST_BIN)

# ---- the two commands, and the slow one -------------------------------------------------------------
# Set-up comes first and the build in a second make, which then sees what has been installed.
demo check check-nets: setup
	@$(MAKE) --no-print-directory run-$@

setup:
ifndef NO_SETUP
	@CC='$(CC)' PROTOC_C='$(PROTOC_C)' sh .ci/setup
endif

run-demo: all
	@B='$(B)' sh examples/demo.sh

run-check: all $(TEST_BIN)
	@B='$(B)' CC='$(CC)' MAKE='$(MAKE)' sh tests/run.sh $(TEST_BIN)

run-check-nets: all $(SLOW_BIN)
	@B='$(B)' CC='$(CC)' MAKE='$(MAKE)' sh tests/run.sh $(SLOW_BIN)

# Each kernel alone on one core against the core's own bound. SPARSITY=0.9
bench-kernels: $(BENCH_BIN)
	@taskset -c 0 $(B)/tests/kernels/bench_kernels $(SPARSITY)
	@taskset -c 0 $(B)/tests/kernels/bench_dense

# libnm beside other engines, the rows of docs/performance.md (tests/peers/README.md). ROUNDS, CORE,
# ROWS='rn50-*-b1,avx2-*', ENGINES, PEERS_PYTHON (which has the engines). `make peers-table` puts
# what has been measured into the page.
PEERS_PYTHON ?= python3
ROUNDS   ?= 3
CORE     ?= 1
ROWS     ?= *
ENGINES  ?= onnxruntime,openvino-f32,deepsparse
BENCH_ROWS = $(PEERS_PYTHON) tests/peers/bench_rows.py --folder $(B)/peers
bench-peers: all
	@$(BENCH_ROWS) --nmie $(B)/nmie --rounds $(ROUNDS) --core $(CORE) --rows '$(ROWS)' \
	    --engines '$(ENGINES)'

peers-table:
	@$(BENCH_ROWS) --table docs/performance.md

# One run, and from its JSON the tables and charts of docs/performance.md and README.md: some 20 minutes
# on two cores (tests/peers/report.sh: what is run, and how to run less). BATCHES, THREADS, NETS, ROUNDS,
# SECONDS_EACH, PREDICT; FILL_PAGES= CHART= touch no page.
FILL_PAGES ?= docs/performance.md README.md
CHART      ?= docs/bench.svg
bench-report: all
	@NMIE='$(B)/nmie' OUT='$(B)/report' NETS='$(NETS)' BATCHES='$(BATCHES)' THREADS='$(THREADS)' \
	    ROUNDS='$(ROUNDS)' SECONDS_EACH='$(SECONDS_EACH)' PREDICT='$(PREDICT)' CHART='$(CHART)' \
	    FILL_PAGES='$(FILL_PAGES)' PEERS_PYTHON='$(PEERS_PYTHON)' sh tests/peers/report.sh

# Time against sparsity, ResNet-50: docs/sparsity.svg.
plot-sparsity: all
	@mkdir -p $(B)/peers
	@python3 tests/peers/plot_sparsity.py --nmie $(B)/nmie --rounds $(ROUNDS) --core $(CORE) \
	    --cache $(B)/peers/plans --json $(B)/peers/sparsity.json --out docs/sparsity.svg

# What is made from the code: operators.md (a test compares it).
docs: $(B)/tests/ops/test_operator_doc
	@$< --print > docs/operators.md

# ---- compile ----------------------------------------------------------------------------------------
# ROOM: what one folder or file needs beyond CFLAGS. Only an instruction set's folder gets its flags.
$(B)/obj/lib/ops/%.o $(B)/obj/lib/prune/%.o $(B)/obj/kernels/%.o: ROOM := -O3
$(B)/obj/kernels/avx2/%.o: ROOM := -O3 -mavx2 -mfma
AVX512    := -O3 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
$(B)/obj/kernels/avx512/%.o $(B)/obj/tests/nets/emulated_half.o: ROOM := $(AVX512)
$(B)/obj/kernels/avx512fp16/%.o: ROOM := $(AVX512) -mavx512fp16
$(B)/obj/kernels/registry.o: ROOM := -O3 $(if $(FP16),-DNMI_FP16)
$(B)/obj/lib/base/parallel.o: ROOM := $(OMP)

$(B)/obj/%.o: %.c | $(B)/gen/onnx.pb-c.h
	@mkdir -p $(@D)
	$(SAY) '  cc    $<'
	$(Q)$(COMPILE) -c -o $@ $<

# protobuf-c: CVE-2022-48468 was fixed in 1.4.1; 1.5.0 frees a pointer that it did not set.
$(B)/gen/onnx.pb-c.h: lib/onnx/onnx.proto
	@mkdir -p $(B)/gen
	@pkg-config --atleast-version=1.4.1 libprotobuf-c && ! pkg-config --exact-version=1.5.0 \
	    libprotobuf-c || { echo 'protobuf-c >= 1.4.1, and not 1.5.0, is needed' >&2; exit 1; }
	$(SAY) '  gen   $@'
	$(Q)$(PROTOC_C) --c_out=$(B)/gen -I lib/onnx lib/onnx/onnx.proto

$(B)/gen/onnx.pb-c.c: $(B)/gen/onnx.pb-c.h ;

$(B)/obj/gen/onnx.pb-c.o: $(B)/gen/onnx.pb-c.c $(B)/gen/onnx.pb-c.h
	@mkdir -p $(@D)
	$(SAY) '  cc    $<'
	$(Q)$(CC) $(STD) $(INC) $(CFLAGS) -c -o $@ $<

# ---- link -------------------------------------------------------------------------------------------
$(B)/libnm.a: $(LIB_OBJ)
	$(SAY) '  ar    $@'
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(SO): $(LIB_OBJ) lib/api/nm.map
	$(SAY) '  link  $@'
	$(Q)$(CC) -shared $(CFLAGS) -Wl,-soname,$(@F) -Wl,--version-script,lib/api/nm.map \
	    -Wl,--no-undefined -Wl,-z,relro,-z,now,-z,nodelete -Wl,--as-needed $(LDFLAGS) -o $@ \
	    $(LIB_OBJ) $(OMP) $(LDLIBS)

LINK_NMIE = $(CC) $(CFLAGS) $(LDFLAGS) $(NMIE_OBJ) $(SO) -Wl,--as-needed $(LDLIBS) $(NMIE_LIBS)
$(B)/nmie: $(NMIE_OBJ) $(SO)
	$(SAY) '  link  $@'
	$(Q)$(LINK_NMIE) -Wl,-rpath,'$$ORIGIN' -o $@

# The tool with float16 kernels emulated: what half precision costs in accuracy, on any AVX-512 CPU.
EMULATED := $(B)/obj/tests/nets/emulated_half.o
$(B)/nmie-half: $(NMIE_OBJ) $(EMULATED) $(B)/libnm.a
	$(SAY) '  link  $@'
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %/onnx.pb-c.o,$(NMIE_OBJ)) $(EMULATED) $(B)/libnm.a $(OMP) \
	    $(LDLIBS) $(NMIE_LIBS)

# Check's macros convert what they compare to intmax_t.
$(TEST_BIN) $(SLOW_BIN): ROOM := -Wno-sign-conversion
CHECK_LIBS = $(shell pkg-config --libs check)
# Tests of the tool link its parts and what calls it; the archive brings its own copy of the generated
# messages. The fake engines are a library that bench finds at run time.
NMIE_TEST := $(filter $(B)/tests/nmie/%,$(TEST_BIN))
TOOL_OBJ  := $(B)/obj/tests/nmie/tool.o
FAKES     := $(B)/tests/nmie/fake_engines.so
$(NMIE_TEST): PARTS := $(filter-out %/main.o %/onnx.pb-c.o,$(NMIE_OBJ)) $(TOOL_OBJ)
$(NMIE_TEST): PARTS_LIBS := $(NMIE_LIBS)
$(NMIE_TEST): $(NMIE_OBJ) $(TOOL_OBJ)
$(B)/tests/nets/test_half: PARTS := $(EMULATED) -Wl,--wrap=nmi_cpu_info
$(B)/tests/plan/test_plan: PARTS := $(EMULATED)
$(B)/tests/nets/test_half $(B)/tests/plan/test_plan: $(EMULATED)
$(B)/tests/prune/test_search: PARTS_LIBS := -lcjson
$(TOOL_OBJ): ROOM := -Wno-sign-conversion
$(B)/tests/nmie/test_bench: $(FAKES)

$(FAKES): $(B)/obj/tests/nmie/fake_engines.o
	@mkdir -p $(@D)
	$(SAY) '  link  $@'
	$(Q)$(CC) -shared $(CFLAGS) $(LDFLAGS) -o $@ $<

$(TEST_BIN) $(SLOW_BIN) $(BENCH_BIN): $(B)/tests/%: tests/%.c $(B)/libnm.a $(HELP_OBJ)
	@mkdir -p $(@D)
	$(SAY) '  test  $<'
	$(Q)$(COMPILE) -MT $@ -MF $@.d $(LDFLAGS) -o $@ $< $(PARTS) $(HELP_OBJ) $(B)/libnm.a $(OMP) \
	    $(CHECK_LIBS) $(LDLIBS) $(PARTS_LIBS)

# ---- install ----------------------------------------------------------------------------------------
# NetworkManager owns libnm.so, libnm.pc and include/libnm: the development link and the archive
# stay in $(LIBDIR)/nm, and nm.pc names files, never -lnm.
DOCS     := README.md LICENSE
PAGES    := $(sort $(wildcard docs/*.md docs/*.svg)) # below README.md, as in the source: its links hold
MAN1     := $(sort $(wildcard docs/man/*.1))
MAN3     := $(sort $(wildcard docs/man/*.3))
FILL      = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
                -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@OMP@|$(OMP_LIB)|'
OMP_LIB   = $(if $(findstring clang,$(CC)),-lomp,-lgomp) # the archive's users link it themselves
INSTALL  ?= install
D         = $(DESTDIR)

install: all
	$(INSTALL) -d $(D)$(BINDIR) $(D)$(LIBDIR)/nm $(D)$(LIBDIR)/pkgconfig $(D)$(INCLUDEDIR)/nm \
	    $(D)$(DOCDIR)/docs
	$(INSTALL) -m 644 include/nm/nm.h $(D)$(INCLUDEDIR)/nm/nm.h
	$(INSTALL) -m 644 $(SO) $(D)$(LIBDIR)/libnm.so.$(VERSION)
	ln -sf libnm.so.$(VERSION) $(D)$(LIBDIR)/libnm.so.$(SOVERSION)
	ln -sf ../libnm.so.$(SOVERSION) $(D)$(LIBDIR)/nm/libnm.so
	$(INSTALL) -m 644 $(B)/libnm.a $(D)$(LIBDIR)/nm/libnm.a
	$(FILL) pkgconfig/nm.pc.in > $(D)$(LIBDIR)/pkgconfig/nm.pc
	$(FILL) pkgconfig/nm-static.pc.in > $(D)$(LIBDIR)/pkgconfig/nm-static.pc
	$(LINK_NMIE) -Wl,-rpath,'$$ORIGIN/'$$(realpath -m --relative-to=$(BINDIR) $(LIBDIR)) \
	    -o $(D)$(BINDIR)/nmie
	$(INSTALL) -m 644 $(DOCS) $(D)$(DOCDIR)
	$(INSTALL) -m 644 $(PAGES) $(D)$(DOCDIR)/docs
	$(if $(MAN1),$(INSTALL) -d $(D)$(MANDIR)/man1 && $(INSTALL) -m 644 $(MAN1) $(D)$(MANDIR)/man1)
	$(if $(MAN3),$(INSTALL) -d $(D)$(MANDIR)/man3 && $(INSTALL) -m 644 $(MAN3) $(D)$(MANDIR)/man3)

uninstall:
	rm -f $(D)$(INCLUDEDIR)/nm/nm.h $(D)$(LIBDIR)/libnm.so.$(VERSION) \
	    $(D)$(LIBDIR)/libnm.so.$(SOVERSION) $(D)$(LIBDIR)/nm/libnm.so $(D)$(LIBDIR)/nm/libnm.a \
	    $(D)$(LIBDIR)/pkgconfig/nm.pc $(D)$(LIBDIR)/pkgconfig/nm-static.pc $(D)$(BINDIR)/nmie \
	    $(addprefix $(D)$(DOCDIR)/,$(DOCS) $(PAGES)) \
	    $(addprefix $(D)$(MANDIR)/man1/,$(notdir $(MAN1))) \
	    $(addprefix $(D)$(MANDIR)/man3/,$(notdir $(MAN3)))
	for d in $(D)$(INCLUDEDIR)/nm $(D)$(LIBDIR)/nm $(D)$(DOCDIR)/docs $(D)$(DOCDIR); do \
	    if [ -d $$d ]; then rmdir --ignore-fail-on-non-empty $$d; fi; done

clean:
	rm -rf $(B)

-include $(LIB_OBJ:.o=.d) $(NMIE_OBJ:.o=.d) $(HELP_OBJ:.o=.d) $(TOOL_OBJ:.o=.d) $(TEST_BIN:=.d) \
         $(SLOW_BIN:=.d) $(BENCH_BIN:=.d)
