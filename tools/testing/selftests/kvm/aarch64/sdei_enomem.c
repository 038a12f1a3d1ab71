// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_enomem - What KVM's SDEI dispatcher allocates, failing: each allocation
 *		 in turn. Needs a host with FAILSLAB and FAULT_INJECTION_DEBUG_FS.
 */

#include <fcntl.h>
#include <unistd.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#include "kvm_test_harness.h"

/* Slow machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"

/* More than any of the system calls below allocates */
#define MAX_ALLOCS	1000

static void write_number(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY);

	TEST_ASSERT(fd >= 0, "%s can't be opened: errno %d", name, errno);
	TEST_ASSERT(write(fd, value, strlen(value)) == strlen(value),
		    "%s does not take %s: errno %d", name, value, errno);
	close(fd);
}

/* Open all the time: opening it allocates, too. */
static int fail_nth_fd;

/* Have the @nth allocation of this thread from now on fail; 0: none. */
static void fail_nth(int nth)
{
	char value[16];
	int len = snprintf(value, sizeof(value), "%d", nth);

	TEST_ASSERT(pwrite(fail_nth_fd, value, len, 0) == len,
		    FAIL_NTH " can't be written: errno %d", errno);
}

/* Has it failed? No allocation fails from now on. */
static bool has_failed(void)
{
	char value[16] = "";

	TEST_ASSERT(pread(fail_nth_fd, value, sizeof(value) - 1, 0) > 0,
		    FAIL_NTH " can't be read: errno %d", errno);
	fail_nth(0);

	return !atoi(value);
}

FIXTURE(sdei_enomem) {
};

FIXTURE_SETUP(sdei_enomem)
{
	/* What may sleep fails, too, and says nothing. */
	write_number(FAILSLAB "ignore-gfp-wait", "N");
	write_number(FAILSLAB "verbose", "0");

	fail_nth_fd = open(FAIL_NTH, O_RDWR);
	TEST_ASSERT(fail_nth_fd >= 0, FAIL_NTH " can't be opened: errno %d", errno);
}

FIXTURE_TEARDOWN(sdei_enomem)
{
	close(fail_nth_fd);
	write_number(FAILSLAB "ignore-gfp-wait", "Y");
	write_number(FAILSLAB "verbose", "2");
}

static bool has_sdei(struct kvm_vm *vm)
{
	return !__kvm_has_device_attr(vm->fd, KVM_ARM_VM_SDEI_CTRL,
				      KVM_ARM_VM_SDEI_EVENT);
}

TEST_F(sdei_enomem, failing_to_enable_the_capability_leaves_it_disabled)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_SDEI };
	int enomem = 0;

	for (int nth = 1; ; nth++) {
		struct kvm_vm *vm = vm_create_barebones();
		bool failed;
		int ret;

		TEST_ASSERT(nth < MAX_ALLOCS, "It never runs out of failures");

		fail_nth(nth);
		ret = __vm_ioctl(vm, KVM_ENABLE_CAP, &cap) ? errno : 0;
		failed = has_failed();

		if (ret) {
			TEST_ASSERT_EQ(ret, ENOMEM);
			TEST_ASSERT(failed, "ENOMEM, but no allocation failed");
			TEST_ASSERT(!has_sdei(vm), "It is enabled all the same");
			enomem++;
			vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
		}
		TEST_ASSERT(has_sdei(vm), "It is not enabled");

		kvm_vm_free(vm);
		if (!failed)
			break;
	}
	TEST_ASSERT(enomem, "No failure made a difference");
}

TEST_F(sdei_enomem, failing_to_create_a_vcpu_leaves_the_vm_without_it)
{
	int enomem = 0;

	for (int nth = 1; ; nth++) {
		struct kvm_vm *vm = vm_create_barebones();
		struct kvm_vcpu_init init;
		struct kvm_vcpu *vcpu;
		bool failed;
		int fd, err;

		TEST_ASSERT(nth < MAX_ALLOCS, "It never runs out of failures");

		vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);

		fail_nth(nth);
		fd = __vm_ioctl(vm, KVM_CREATE_VCPU, (void *)0);
		err = errno;
		failed = has_failed();

		if (fd < 0) {
			TEST_ASSERT_EQ(err, ENOMEM);
			TEST_ASSERT(failed, "ENOMEM, but no allocation failed");
			enomem++;

			/* There is no vCPU: events can still be exposed... */
			TEST_ASSERT_EQ(__sdei_expose(vm, EV_CRITICAL,
						     SDEI_EVENT_PRIORITY_CRITICAL), 0);
			TEST_ASSERT_EQ(__sdei_inject(vm, 0, EV_SOFT), -ESRCH);

			/* ... and a vCPU with that number can be created. */
			vcpu = __vm_vcpu_add(vm, 0);
			init = sdei_vcpu_init(vm);
			vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);
			TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_PE),
				       SDEI_PE_MASKED);
		} else {
			close(fd);
		}

		kvm_vm_free(vm);
		if (!failed)
			break;
	}
	TEST_ASSERT(enomem, "No failure made a difference");
}

int main(int argc, char *argv[])
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));
	TEST_REQUIRE(!access(FAILSLAB, F_OK) && !access(FAIL_NTH, F_OK));

	return test_harness_run(argc, argv);
}
