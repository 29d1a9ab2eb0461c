# The front door. Meson does the building; see meson.build.
BUILD ?= build
PREFIX ?= /usr/local

.PHONY: all demo check check-fast asan fuzz bench install clean lint vm-check packages

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/install-packages build
	meson setup $(BUILD) --prefix=$(PREFIX)

demo: ## install what is missing, build, start a server, run a job, show its log
	@tools/install-packages build run
	@$(MAKE) --no-print-directory all
	@tools/demo $(BUILD)

check: ## install what the tests need and run all of them
	@tools/install-packages build run test
	@$(MAKE) --no-print-directory all
	@tools/check $(BUILD)

check-fast: all ## unit tests and shape checks only
	@tools/check $(BUILD) fast

asan: ## unit and end-to-end tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/install-packages build run test
	@test -f build-asan/build.ninja || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-asan
	@tools/check build-asan asan

lint: all ## compiler analysis, clang-tidy, cppcheck
	@tools/install-packages build lint
	@tools/lint $(BUILD)

fuzz: ## each fuzz target for FUZZ_SECONDS (default 60)
	@tools/install-packages build lint
	@tools/fuzz

bench: ## the published figures, as a table
	@tools/install-packages build run test bench
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)

install: all
	meson install -C $(BUILD)

vm-check: all ## real jobs on Debian's own kernel and cgroup v2, in an emulated machine
	@tests/vm/run $(BUILD)

clean:
	rm -rf build build-asan build-fuzz
