# SPDX-License-Identifier: GPL-2.0
# The verbs.  Each is a script in harness/, whose head says more.
#
#   make test T=sdei M=nvhe		one program, one host mode
#   BASE=6.12				the base kernel (bases/ lists them)

BASE ?= 6.12
T ?=
M ?=
LONG ?=
UPDATE ?=
MINUTES ?=
OPS ?=
SEED ?=
CONFIG ?=
ALSO ?=
KERNEL ?=
QEMU ?=
MIGRATIONS ?= 100
FILES ?= 20
LOOKS ?= 400
RESETS ?= 10
GUEST ?=
SHORT ?=
LOAD ?=
export BASE
# The scripts run beside so many busy loops (harness/lib.sh).
ifneq ($(LOAD),)
export SDEI_LOAD := $(LOAD)
endif

# Our variables are not kbuild's: M= would make it build a module.
MAKEOVERRIDES =
unexport T M

.PHONY: help setup kernel test test-debug test-kcsan coverage soak mutants model bench savings shell demo series series-check qemu-series qemu-series-check \
	qemu-test test-guest test-mainline migrate docs-check bases-test clean distclean

help:
	@echo 'make demo          see a Linux guest take an SDEI event with its interrupts masked'
	@echo 'make test          all tests; the last line is "N passed, N failed"'
	@echo '                   (T=program: only that one; M=vhe|nvhe|protected: only that mode;'
	@echo '                   LONG=1: also those of the kernel that take minutes;'
	@echo '                   CALLS=off|flip: ours, with no call of SDEI served in the exit handlers,'
	@echo '                   or with that changing twice a second)'
	@echo '                   (ALSO="series-check demo": these verbs too, one check each)'
	@echo 'make test-debug    our tests, on a kernel that watches memory, locks and contexts'
	@echo 'make test-kcsan    our tests, on a kernel that watches for data races'
	@echo 'make coverage      what the tests execute of the dispatcher, with a report in HTML'
	@echo 'make soak          the fuzzers, each time from a new seed (MINUTES=n, OPS=n: for how long;'
	@echo '                   SEED=n: the first one; CONFIG=debug: on that kernel)'
	@echo 'make mutants       see that small wrong versions of the dispatcher are noticed'
	@echo '                   (MUTANT=name: only that one of harness/mutants.list)'
	@echo 'make model         search a model of sending and waking up for lost events'
	@echo 'make bench         what SDEI costs, in instructions, and what moved since the reference'
	@echo '                   (UPDATE=1: make this the reference, and redraw the picture of it;'
	@echo '                   CONFIG=small: of a kernel without what distributions turn on)'
	@echo 'make savings       what SDEI saves a mainline guest that would need pseudo-NMI otherwise, and'
	@echo '                   what a backtrace of 8 vCPUs costs (UPDATE=1: as for bench)'
	@echo 'make shell         the emulated host at a prompt, all tests in /t (M=nvhe ...)'
	@echo 'make series        the patch series for the base (KERNEL=tree: for your own tree)'
	@echo 'make series-check  build and check every step of the series'
	@echo 'make qemu-series   the series for QEMU 10.0 (QEMU=tree: for your own tree)'
	@echo 'make qemu-series-check  build and check every step of it'
	@echo 'make test-guest    Linux guests: wedged, dumped, suspended, rebooted ... (T=scenario;'
	@echo '                   GUEST=mainline: only that one, or debian, debian-cloud, debian-rt,'
	@echo '                   debian-backports: its kernels, as they are; LONG=1: 200 CPU off/on'
	@echo '                   cycles; SHORT=1: what continuous integration runs)'
	@echo 'make test-mainline our tests on the mainline kernel, in short (make test BASE=mainline: all)'
	@echo 'make qemu-test     its qtest, on the patched kernel and on the unpatched one'
	@echo 'make migrate       a guest amid a storm of events: migrated, stopped, reset, its books judged'
	@echo '                   (MIGRATIONS=100, FILES=20, LOOKS=400, RESETS=10: how often;'
	@echo '                   GUEST=mainline: with the kernel of that base; M=nvhe)'
	@echo 'make docs-check    the documentation, with Sphinx'
	@echo 'make bases-test    what becomes of the mainline base once Debian has gone on, with made-up kernels'
	@echo 'make kernel        build the host kernel and the selftests only'
	@echo 'make ... LOAD=6    any of these beside as many busy loops: no verdict depends on speed'
	@echo '                   (time-outs are in seconds of an idle machine;'
	@echo '                   SDEI_PATIENCE=3 in the environment: three times as many)'
	@echo 'make setup         install the Debian packages that all this needs'
	@echo 'make clean         remove build/ (downloads and compiler results stay in the cache)'

setup:
	@harness/setup

kernel: setup
	@harness/kernel pristine
	@harness/kernel patched

test: setup
	@harness/test $(if $(T),-t '$(T)') $(if $(M),-m '$(M)') $(if $(CALLS),-p $(CALLS)) \
		$(if $(LONG),-l) $(addprefix -x ,$(ALSO))

test-debug test-kcsan: setup
	@harness/test -c $(@:test-%=%) $(if $(T),-t '$(T)') $(if $(M),-m '$(M)')

coverage: setup
	@harness/coverage

mutants: setup
	@harness/mutants $(MUTANT)

model: setup
	@harness/model

soak: setup
	@harness/soak $(if $(MINUTES),-m $(MINUTES)) $(if $(OPS),-o $(OPS)) \
		$(if $(SEED),-s $(SEED)) $(if $(CONFIG),-c $(CONFIG))

bench: setup kernel
	@harness/bench $(if $(M),-m '$(M)') $(if $(CONFIG),-c $(CONFIG)) $(if $(UPDATE),-u)

savings: setup
	@MODE='$(M)' harness/savings $(if $(UPDATE),-u)

shell: setup kernel
	@harness/shell $(M)

demo: setup
	@MODE='$(M)' harness/demo

series: setup
	@harness/series $(if $(KERNEL),KERNEL='$(KERNEL)' $(if $(findstring command,$(origin BASE)),$(BASE)),$(BASE))

series-check: setup
	@harness/series-check $(BASE)

qemu-series: setup
	@harness/qemu-series $(if $(QEMU),QEMU='$(QEMU)')

qemu-series-check: setup
	@harness/qemu-series check

test-guest: setup
	@harness/guest-test $(if $(T),-t '$(T)') $(if $(M),-m '$(M)') $(if $(GUEST),-g '$(GUEST)') $(if $(LONG),-l) $(if $(SHORT),-s)

test-mainline: setup
	@BASE=mainline harness/test -s -m 'vhe nvhe'

qemu-test: setup
	@harness/qemu-test $(if $(M),-m '$(M)')

migrate: setup
	@harness/migrate $(if $(M),-m '$(M)') $(if $(GUEST),-g '$(GUEST)') \
		$(MIGRATIONS) $(FILES) $(LOOKS) $(RESETS)

docs-check: setup
	@harness/docs-check $(BASE)

bases-test: setup
	@harness/bases-test

clean:
	rm -rf build
