# SPDX-License-Identifier: Apache-2.0
# libnm: `make demo` sets up, builds and shows; `make check` sets up and tests. All output: build/.

B        := build
VERSION  := 1.0.0
SOVERSION := 1
CC       ?= cc
AR       ?= ar
PROTOC_C ?= protoc-c
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
ifdef CI
WARN     += -Werror
endif
STD      := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=off
INC      := -I. -Iinclude -I$(B)/gen
OMP      := -fopenmp
LDLIBS   := -ldnnl -lprotobuf-c -lm

LIB_SRC    := $(sort $(wildcard lib/*/*.c) $(wildcard kernels/*.c kernels/ref/*.c kernels/avx2/*.c kernels/avx512/*.c kernels/dnnl/*.c))
LIB_OBJ    := $(LIB_SRC:%.c=$(B)/obj/%.o) $(B)/obj/gen/onnx.pb-c.o
NMIE_SRC   := $(sort $(wildcard examples/nmie/*.c))
NMIE_OBJ   := $(NMIE_SRC:%.c=$(B)/obj/%.o) $(B)/obj/gen/onnx.pb-c.o
TEST_SRC   := $(sort $(wildcard tests/*/test_*.c))
TEST_BIN   := $(TEST_SRC:tests/%.c=$(B)/tests/%)
TEST_HELP  := $(sort $(wildcard tests/support/*.c))
TEST_HELP_OBJ := $(TEST_HELP:%.c=$(B)/obj/%.o)

.PHONY: all demo check setup clean lib tests
all: lib $(B)/nmie

lib: $(B)/libnm.so.$(SOVERSION) $(B)/libnm.a

# ---- compile ---------------------------------------------------------------------------------------
$(B)/obj/lib/ops/%.o: CFLAGS += -O3
$(B)/obj/kernels/%.o: CFLAGS += -O3
$(B)/obj/kernels/avx2/%.o: CFLAGS += -mavx2 -mfma
$(B)/obj/kernels/avx512/%.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
$(B)/obj/lib/base/parallel.o: CFLAGS += $(OMP)

$(B)/obj/%.o: %.c $(B)/gen/onnx.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(INC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/onnx.pb-c.c $(B)/gen/onnx.pb-c.h: lib/onnx/onnx.proto
	@mkdir -p $(B)/gen
	$(PROTOC_C) --c_out=$(B)/gen -I lib/onnx lib/onnx/onnx.proto

$(B)/obj/gen/onnx.pb-c.o: $(B)/gen/onnx.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(INC) $(CFLAGS) -c -o $@ $<

# ---- link ------------------------------------------------------------------------------------------
$(B)/libnm.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcsD $@ $^

$(B)/libnm.so.$(SOVERSION): $(LIB_OBJ) lib/api/nm.map
	$(CC) -shared -Wl,-soname,libnm.so.$(SOVERSION) -Wl,--version-script,lib/api/nm.map \
	    -Wl,--no-undefined -Wl,-z,relro,-z,now,-z,nodelete $(LDFLAGS) -o $@ $(LIB_OBJ) $(OMP) $(LDLIBS)

$(B)/nmie: $(NMIE_OBJ) $(B)/libnm.so.$(SOVERSION)
	$(CC) $(LDFLAGS) -o $@ $(NMIE_OBJ) $(B)/libnm.so.$(SOVERSION) -Wl,-rpath,'$$ORIGIN' \
	    $(LDLIBS) -lpng -ljpeg

# ---- test ------------------------------------------------------------------------------------------
tests: $(TEST_BIN)
$(B)/tests/%: tests/%.c $(B)/libnm.a $(TEST_HELP_OBJ)
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(INC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(TEST_HELP_OBJ) $(B)/libnm.a \
	    $(OMP) $(shell pkg-config --libs check) $(LDLIBS)

clean:
	rm -rf $(B)

-include $(LIB_OBJ:.o=.d) $(NMIE_OBJ:.o=.d) $(TEST_BIN:=.d) $(TEST_HELP_OBJ:.o=.d)
