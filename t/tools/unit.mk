
# Copyright (C) nginx-guardrail authors

# The core and its unit tests, three times: by gcc, by clang, and with
# sanitizers; "make gcov" is a fourth, which counts lines.  Programs go to
# build/unit/VARIANT.

VARIANTS = gcc clang asan
OUT = build/unit

CORE := $(wildcard src/core/*/*.c)
TESTS := $(wildcard t/unit/*.c)

WARN = -Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Wmissing-prototypes \
	-Werror
HAVE = -DGUARDRAIL_HAVE_BROTLI=1 -DGUARDRAIL_HAVE_ZSTD=1
LIBS = -lz -lbrotlidec -lbrotlienc -lzstd -pthread
BASE = -std=c11 -g -Isrc/core $(HAVE) -MMD -MP

CC_gcc = gcc
CC_clang = clang
CC_asan = gcc
CC_gcov = gcc

OPT_gcc = -O2
OPT_clang = -O2 -Wconditional-uninitialized
OPT_asan = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all \
	-DGUARDRAIL_ZONE_POINTS -DGUARDRAIL_ZONE_SCALAR
OPT_gcov = -O0 --coverage -fprofile-update=atomic -DGUARDRAIL_ZONE_POINTS


all: $(foreach v,$(VARIANTS),$(TESTS:t/unit/%.c=$(OUT)/$(v)/%)) core

core: $(foreach v,$(VARIANTS),$(CORE:%.c=$(OUT)/.objs/$(v)/%.o))

gcov: $(TESTS:t/unit/%.c=$(OUT)/gcov/%)


define VARIANT

$(OUT)/.objs/$(1)/src/%.o: src/%.c t/tools/unit.mk
	@mkdir -p $$(@D)
	$(CC_$(1)) $(BASE) $(OPT_$(1)) $(WARN) -c -o $$@ $$<

$(OUT)/.objs/$(1)/t/%.o: t/%.c t/tools/unit.mk
	@mkdir -p $$(@D)
	$(CC_$(1)) $(BASE) $(OPT_$(1)) -It/unit -Wall -Wextra -Werror \
		-c -o $$@ $$<

$(OUT)/$(1)/%: $(OUT)/.objs/$(1)/t/unit/%.o \
		$(CORE:%.c=$(OUT)/.objs/$(1)/%.o)
	@mkdir -p $$(@D)
	$(CC_$(1)) $(OPT_$(1)) -o $$@ $$^ $(LIBS)

endef

$(foreach v,$(VARIANTS) gcov,$(eval $(call VARIANT,$(v))))


-include $(shell find $(OUT)/.objs -name '*.d' 2>/dev/null)

.PHONY: all core gcov
.SECONDARY:
