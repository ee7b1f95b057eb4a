# Thin front door to Meson; README.md says what each target is for.
BUILD  ?= build
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3

.PHONY: all deps check check-kernels check-all demo bench install uninstall clean
# The packages before what needs them, also with -j; ninja builds in parallel by itself.
.NOTPARALLEL:

# A prefix that was asked for counts for a build that was configured with another.
all: $(BUILD)/build.ninja
	@$(if $(filter-out file,$(origin PREFIX)),meson configure $(BUILD) -Dprefix=$(PREFIX))
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@echo "make: the first build in $(BUILD)/ takes a minute or more"
	@meson setup $(BUILD) --prefix $(PREFIX) >/dev/null

deps:
	@dist/deps

check: deps
	@$(PYTHON) tests/check.py

check-kernels: deps
	@$(PYTHON) tests/check_kernels.py

check-all: deps
	@$(PYTHON) tests/check.py --all

demo: deps all
	@$(PYTHON) -m lab.demo

bench: deps all
	@bench/all $(if $(QUICK),--quick) $(if $(RESUME),--resume)

install: all
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

# What was installed last from BUILD; a configuration stays.
uninstall:
	@ninja -C $(BUILD) --quiet uninstall >/dev/null

clean:
	@rm -rf build build-clang build-sanitize
