# SPDX-License-Identifier: GPL-2.0-or-later
#
# The front door. The work is in scripts/; every step is skipped when its
# result is current, and all results are under build/.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHARE ?=
K ?=
PROTOCOL ?= 9pfs
export PROTOCOL

BACKEND ?= ours
QUICK ?=
DESTDIR ?=
TIME ?= 60

.PHONY: help demo shell check lint check-unit check-loopback check-virtio \
        check-asan check-tsan check-system check-packages check-newer many soak \
        fuzz coverage loopback-shell compare bench figures roots \
        qemu stock asan tsan deb check-deb tools images clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' \
	    $(MAKEFILE_LIST)

demo: qemu images ## real Xen, emulated: a guest shares a directory (SHARE=dir PROTOCOL=9pfs|virtfs)
	@scripts/machine demo $(if $(SHARE),"$(SHARE)")

shell: qemu images ## the same, with the guest's console for you (SHARE=dir)
	@scripts/machine shell $(if $(SHARE),"$(SHARE)")

check: ## lint, unit tests, the backend without a hypervisor and on real Xen, virtio-9p
	@scripts/check

lint: qemu ## checkpatch, gcc, clang, shellcheck on our own sources
	@scripts/lint

check-unit: roots ## unit tests, with sanitizers
	@scripts/check-unit

check-loopback: qemu tools $(if $(filter stock,$(BACKEND)),stock) ## the backend without a hypervisor (BACKEND=ours|stock|xen-9pfsd, DISPATCH=auto|worker|inline)
	@scripts/check-loopback $(BACKEND)

check-virtio: qemu ## QEMU's own tests of virtio-9p, with our changes of its 9P server
	@scripts/check-virtio

check-asan: asan tools ## the same with address and undefined-behaviour sanitizers
	@scripts/check-loopback asan

check-tsan: tsan tools ## the same with the thread sanitizer
	@scripts/check-loopback tsan

soak: qemu tools ## nothing grows, each protocol for TIME seconds (two hours: TIME=7200)
	@LOOP_SOAK_S=$(TIME) scripts/check-loopback ours soak virtfs-soak

fuzz: asan ## every fuzzer from its kept corpus (TIME=seconds of each, DISPATCH=auto|worker|inline)
	@tests/fuzz/run $(TIME)

coverage: asan tools ## which lines of the backend suites and fuzzers run
	@tests/fuzz/coverage

loopback-shell: qemu ## 9P commands for a backend without a hypervisor (SHARE=dir)
	@tests/loopback/shell $(if $(SHARE),"$(SHARE)",.)

compare: qemu stock tools ## which backend passes what, on the loopback
	@tests/loopback/compare

bench: qemu stock images ## ours, stock and xen-9pfsd side by side (QUICK=1)
	@tests/bench/run $(if $(QUICK),--quick)
	@$(if $(QUICK),:,scripts/machine bench)
	@$(if $(QUICK),:,tests/bench/run --xen /src/build/bench-xen/rows.json)

figures: ## what compare and bench gave, into docs/
	@scripts/figures

check-system: qemu tools images ## guests on real Xen, emulated (K=pytest expression MACHINES=1|2)
	@scripts/check-system $(if $(K),"$(K)")

check-packages: deb images ## the same with the packages installed in dom0, as a user has them (K=...)
	@scripts/check-packages $(if $(K),"$(K)")

check-newer: tools ## newer QEMUs of Debian's archive, on the loopback (QEMU_SRC=tree: that one)
	@scripts/check-newer

many: qemu tools images ## 32 guests with a share each, and one with 16, on real Xen
	@scripts/check-system many

roots: ## the Debian 13 roots in which everything happens
	@scripts/roots

qemu: roots ## build/qemu-system-i386 (QEMU_SRC=tree; PATCHES=none)
	@scripts/qemu

stock: roots ## build/qemu-stock: QEMU's own backend, only hot plug cured
	@scripts/qemu stock

asan: roots ## build/qemu-asan: ours with sanitizers
	@scripts/qemu asan

tsan: roots ## build/qemu-tsan: ours with the thread sanitizer
	@scripts/qemu tsan

deb: ## Debian packages of all of it, in build/deb
	@scripts/deb

check-deb: deb ## they are the same when built again, can be installed, work
	@scripts/check-deb

tools: roots ## build/xen-virtfs, with its man page (DESTDIR=dir: install)
	@scripts/tools $(if $(DESTDIR),"$(DESTDIR)")

images: roots ## what the test machine boots
	@scripts/images

clean: ## remove what was built, keep the roots and QEMU's source
	@find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +
	@rm -rf build/cache/qemu-build*

distclean: ## remove everything that was made
	@rm -rf build
