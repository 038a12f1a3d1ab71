// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_trace - The tracepoints of KVM's SDEI dispatcher: what they show of an
 *		event that a guest signals to itself. And what is seen of calls
 *		that KVM serves without leaving for its run loop.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#include "kvm_test_harness.h"

/* Slow machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

#define TRACEFS		"/sys/kernel/tracing/"

SDEI_CONDUIT_FIXTURE(sdei_trace)

static void tracefs_write(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY | O_TRUNC);

	TEST_ASSERT(fd >= 0, "%s can't be written: errno %d", name, errno);
	TEST_ASSERT(write(fd, value, strlen(value)) == strlen(value),
		    "%s does not take '%s': errno %d", name, value, errno);
	close(fd);
}

static void trace_events(bool on)
{
	tracefs_write(TRACEFS "events/kvm/kvm_sdei_inject/enable", on ? "1" : "0");
	tracefs_write(TRACEFS "events/kvm/kvm_sdei_deliver/enable", on ? "1" : "0");
	tracefs_write(TRACEFS "events/kvm/kvm_sdei_complete/enable", on ? "1" : "0");
}

/* Guest addresses that the trace is to show */
static uint64_t guest_interrupted_pc;

static void guest_handler(struct sdei_frame *frame)
{
	guest_interrupted_pc = frame->x[2];
}

static void guest_one_event(void)
{
	sdei_guest_setup(EV_SOFT, 0, guest_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(sdei_signal_self(), SDEI_SUCCESS);
	GUEST_DONE();
}

/* Finds "@what: vcpu 0 event 0x0" behind *@at, and steps over it. */
static const char *expect(const char *at, const char *what)
{
	char line[64];
	const char *p;

	snprintf(line, sizeof(line), "%s: vcpu 0 event 0x0", what);
	p = strstr(at, line);
	TEST_ASSERT(p, "No '%s' in the trace, or not in this order", line);

	return p + strlen(line);
}

/* The PCs behind @at: where the vCPU comes from and where it goes on */
static void expect_pcs(const char *at, unsigned long *from, unsigned long *to)
{
	if (sscanf(at, " PC: 0x%lx -> 0x%lx", from, to) != 2)
		TEST_FAIL("The trace has no PCs: %.40s", at);
}

static void read_trace(const char *name, char *buf, size_t size)
{
	int fd = open(name, O_RDONLY);
	ssize_t len;

	TEST_ASSERT(fd >= 0, "The trace can't be read: errno %d", errno);
	while (size > 1 && (len = read(fd, buf, size - 1)) > 0) {
		buf += len;
		size -= len;
	}
	*buf = 0;
	close(fd);
}

TEST_F(sdei_trace, injection_delivery_and_completion_are_traced_in_order)
{
	static char trace[1 << 16];
	unsigned long from, to, pc;
	struct sdei_vm svm;
	const char *p;

	if (access(TRACEFS "events/kvm/kvm_sdei_inject/enable", W_OK))
		SKIP(return, "no tracefs with KVM's events");

	sdei_vm_create(&svm, 1, variant->conduit, guest_one_event);
	tracefs_write(TRACEFS "trace", "\n");
	trace_events(true);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	trace_events(false);

	read_trace(TRACEFS "trace", trace, sizeof(trace));
	pc = READ_ONCE(*guest_ptr(&svm, guest_interrupted_pc));

	p = expect(trace, "kvm_sdei_inject");
	p = expect(p, "kvm_sdei_deliver");
	expect_pcs(p, &from, &to);
	TEST_ASSERT_EQ(from, pc);
	TEST_ASSERT_EQ(to, (uint64_t)sdei_guest_entry);
	p = expect(p, "kvm_sdei_complete");
	expect_pcs(p, &from, &to);
	TEST_ASSERT_EQ(to, pc);
	TEST_ASSERT(!strstr(p, "kvm_sdei_"), "There is more than one event");

	sdei_vm_free(&svm);
}

/* Calls of each kind between two stages of the guest */
#define NR_CALLS	100

/* What KVM may serve without leaving for its run loop, an event included */
static void guest_fast_calls(void)
{
	int stage, i;

	sdei_guest_setup(EV_SOFT, 0, guest_handler);
	for (stage = 1; stage < 4; stage++) {
		GUEST_SYNC(stage);
		for (i = 0; i < NR_CALLS; i++) {
			sdei_call(SDEI_PE_MASK);
			sdei_call(SDEI_PE_UNMASK);
			sdei_call(SDEI_EVENT_STATUS, EV_SOFT);
			sdei_signal_self();
		}
	}
	GUEST_DONE();
}

/* The four, and EVENT_COMPLETE */
#define NR_FAST_CALLS	(5 * NR_CALLS)

/* A vCPU's statistic counts a call by HVC, whoever serves it. */
TEST_F(sdei_trace, hvc_statistic_counts_every_call)
{
	uint64_t want = variant->conduit == SDEI_HVC ? NR_FAST_CALLS : 0;
	struct sdei_vm svm;
	uint64_t before;
	int stage;

	sdei_vm_create(&svm, 1, variant->conduit, guest_fast_calls);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	for (stage = 2; stage < 4; stage++) {
		before = sdei_vcpu_stat(&svm, 0, "hvc_exit_stat");
		TEST_ASSERT_EQ(sdei_run(&svm, 0), stage);
		TEST_ASSERT_EQ(sdei_vcpu_stat(&svm, 0, "hvc_exit_stat") - before, want);
	}
	sdei_vm_free(&svm);
}

/* Whoever debugs a guest meets all of its calls where KVM deals with debugging. */
TEST_F(sdei_trace, every_call_of_a_debugged_guest_is_an_exit)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE };
	struct sdei_vm svm;
	uint64_t before;

	sdei_vm_create(&svm, 1, variant->conduit, guest_fast_calls);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 2);

	vcpu_guest_debug_set(svm.vcpu[0], &debug);
	before = sdei_vcpu_stat(&svm, 0, "exits");
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 3);
	TEST_ASSERT(sdei_vcpu_stat(&svm, 0, "exits") - before >= NR_FAST_CALLS,
		    "Fewer exits than calls");

	sdei_vm_free(&svm);
}

#define INSTANCE	TRACEFS "instances/sdei_trace/"

/*
 * While somebody traces hypercalls or events, all of them are there: also those
 * of a vCPU whose calls were served without the run loop before, and are again
 * afterwards. SMCs have no tracepoint.
 */
TEST_F(sdei_trace, every_call_is_traced)
{
	bool hvc = variant->conduit == SDEI_HVC;
	const char *event = hvc ? "kvm_hvc_arm64" : "kvm_sdei_complete";
	/* Not a variable, of which the guest would have a copy */
	const size_t size = 1 << 20;
	char *trace = malloc(size);
	struct sdei_vm svm;
	char enable[128];
	const char *p;
	int nr = 0;

	if (mkdir(INSTANCE, 0755))
		SKIP(return, "no instances of tracefs: errno %d", errno);

	snprintf(enable, sizeof(enable), INSTANCE "events/kvm/%s/enable", event);
	sdei_vm_create(&svm, 1, variant->conduit, guest_fast_calls);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 2);
	tracefs_write(enable, "1");
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 3);
	tracefs_write(enable, "0");
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);

	TEST_ASSERT(trace, "No memory");
	read_trace(INSTANCE "trace", trace, size);
	for (p = trace; (p = strstr(p, event)); p++)
		nr++;
	TEST_ASSERT_EQ(nr, hvc ? NR_FAST_CALLS : NR_CALLS);

	free(trace);
	sdei_vm_free(&svm);
	rmdir(INSTANCE);
}

int main(int argc, char *argv[])
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	return test_harness_run(argc, argv);
}
