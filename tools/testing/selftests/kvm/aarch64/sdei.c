// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei - The calls of KVM's SDEI dispatcher: their results, the states of an
 *	  event, and the checks of arguments.
 *
 * The calls are in section 5.1 of DEN0054C. Every test runs with HVC and with
 * SMC as the conduit. Earlier attempts at an SDEI dispatcher for KVM had the
 * defects that the following tests are for; those not listed here are in
 * sdei_deliver.c, sdei_smp.c and sdei_vmm.c:
 *
 *  defect  2	event number that is "negative" or has undefined bits:
 *		bad_event_numbers_are_invalid_*
 *  defect  6	EVENT_SIGNAL ignores its target:
 *		signal_to_no_such_pe_is_invalid
 *  defect  8	PE_MASK always returns 0: pe_mask_tells_whether_it_masked
 *  defect  9	COMPLETE outside a handler leaves x0 alone:
 *		completions_outside_handlers_are_denied
 *  defect 10	PRIVATE_RESET succeeds in a handler, stale pending bits:
 *		private_reset_in_a_handler_is_denied_but_resets,
 *		private_reset_forgets_what_is_pending,
 *		unregister_forgets_what_is_pending
 *  defect 11	any entry address is accepted: misaligned_entry_is_invalid
 *  defect 12	calls answer NOT_SUPPORTED: every_call_is_implemented
 *  defect 13	GET_INFO's "signalable" inverted: get_info_tells_what_is_exposed
 *  defect 14	event numbers beyond the vendor range:
 *		bad_event_numbers_are_invalid_*
 */

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"
#include "vgic.h"

#include "kvm_test_harness.h"

/* Slow machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

#define GARBAGE		0xdeadbeef00000000ull

SDEI_CONDUIT_FIXTURE(sdei)

static const uint64_t all_events[] = {
	EV_SOFT, EV_NORMAL, EV_CRITICAL, EV_NORMAL_2, EV_CRITICAL_2,
};

/* Lets a test pass a function to be run in the handler of @event. */
static void (*guest_in_handler)(struct sdei_frame *frame);
static int guest_nr_handled;

static void guest_handler_calls(struct sdei_frame *frame)
{
	guest_nr_handled++;
	guest_in_handler(frame);
}

/* Run @fn in the handler of @event, which stays registered and enabled. */
static void guest_run_in_handler(uint64_t event, void (*fn)(struct sdei_frame *frame))
{
	int nr = guest_nr_handled;

	guest_in_handler = fn;
	sdei_guest_setup(event, 0, guest_handler_calls);
	sdei_call(SDEI_PE_UNMASK);
	sdei_guest_trigger(event);
	GUEST_ASSERT_EQ(guest_nr_handled, nr + 1);
}

/*
 * Discovery
 */

SDEI_GUEST_TEST(sdei, version_is_1_1)
{
	GUEST_ASSERT_CALL(BIT(48) | BIT(32), SDEI_VERSION);
}

/* No interrupt can be bound; the entry point may be relative. */
SDEI_GUEST_TEST(sdei, features_are_no_bind_slots_and_relative_mode)
{
	GUEST_ASSERT_CALL(0, SDEI_FEATURES, 0);
	GUEST_ASSERT_CALL(1, SDEI_FEATURES, 1);
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_FEATURES, 2);
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_FEATURES, 0x7fffffff);
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_FEATURES, 0x80000000);
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_FEATURES, 0xffffffff);
}

static void guest_check_all_implemented(void)
{
	int64_t ret;
	int fn;

	for (fn = 0; fn < SDEI_NR_FNS; fn++) {
		if (fn == SDEI_EVENT_COMPLETE || fn == SDEI_EVENT_COMPLETE_AND_RESUME)
			continue;

		ret = sdei_call(fn);
		__GUEST_ASSERT(ret != SDEI_NOT_SUPPORTED,
			       "Function 0x%x is NOT_SUPPORTED", fn);
	}
}

static void guest_all_implemented_handler(struct sdei_frame *frame)
{
	guest_check_all_implemented();
}

/* Defect 12 */
SDEI_GUEST_TEST(sdei, every_call_is_implemented)
{
	guest_check_all_implemented();
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE_AND_RESUME);
	guest_run_in_handler(EV_NORMAL, guest_all_implemented_handler);
}

/* EVENT_STATUS of event 0, by an instruction whose immediate is 1 */
static int64_t guest_status_imm_1(bool smc)
{
	register uint64_t x0 asm("x0") = SDEI_1_0_FN_SDEI_EVENT_STATUS;
	register uint64_t x1 asm("x1") = EV_SOFT;

	if (smc)
		asm volatile("smc	#1" : "+r" (x0), "+r" (x1) :: "x2", "x3");
	else
		asm volatile("hvc	#1" : "+r" (x0), "+r" (x1) :: "x2", "x3");

	return x0;
}

/* As for all of KVM's calls: SMC's immediate has to be 0, HVC's is ignored. */
SDEI_GUEST_TEST(sdei, immediate_of_smc_is_0)
{
	GUEST_ASSERT_EQ(sdei_register(EV_SOFT, 0), 0);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED);
	GUEST_ASSERT_EQ(guest_status_imm_1(false), SDEI_REGISTERED);
	GUEST_ASSERT_EQ(guest_status_imm_1(true), SDEI_NOT_SUPPORTED);
}

SDEI_GUEST_TEST(sdei, numbers_without_a_function_are_not_supported)
{
	static const uint64_t no_args[5];
	int n;

	for (n = SDEI_NR_FNS; n < 0x20; n++)
		GUEST_ASSERT_CALL(SDEI_NOT_SUPPORTED, n);

	/* There is no SMC32 form of SDEI, and no yielding call. */
	for (n = 0; n < 0x20; n++) {
		GUEST_ASSERT_EQ(__sdei_call(0x84000020 + n, no_args),
				SDEI_NOT_SUPPORTED);
		GUEST_ASSERT_EQ(__sdei_call(0x44000020 + n, no_args),
				SDEI_NOT_SUPPORTED);
	}
}

/*
 * Arguments
 */

static const uint64_t bad_events[] = {
	/* Standard range: there is only event 0 */
	1, 2, 31, 32, 63, 64, 0x1000, 0x00ffffff,
	/* Vendor range: not exposed */
	0x40000000, 0x40000001, 0x40000002, 0x40000004, 0x40000043,
	0x40fffffd, 0x40400000, EV_ASYNC_PF, 0x40400002,
	/* Undefined bits [29:24], with numbers that exist below them */
	BIT(24), BIT(25), BIT(26), BIT(27), BIT(28), BIT(29),
	BIT(24) | EV_NORMAL, BIT(25) | EV_NORMAL, BIT(26) | EV_NORMAL,
	BIT(27) | EV_NORMAL, BIT(28) | EV_NORMAL, BIT(29) | EV_NORMAL,
	BIT(24) | EV_CRITICAL_2, BIT(29) | EV_CRITICAL_2,
	0x3f000000, 0x7f000042, 0x7fffffff, 0x41000000,
	/* Bit 31: negative numbers */
	BIT(31), BIT(31) | EV_NORMAL, BIT(31) | EV_CRITICAL, BIT(31) | 1,
	0xffffffff, 0xfffffffe, 0xffffffc0, 0xffff0000,
	/* The numbers without bit 30 */
	EV_NORMAL & ~BIT(30), EV_CRITICAL & ~BIT(30), EV_NORMAL_2 & ~BIT(30),
};

static void guest_check_bad_events(void)
{
	uint64_t entry = (uint64_t)sdei_guest_entry;
	uint64_t ev;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(bad_events); i++) {
		/* Zero, sign and arbitrary extension to 64 bits */
		for (j = 0; j < 3; j++) {
			ev = bad_events[i];
			if (j == 1)
				ev |= 0xffffffff00000000ull;
			else if (j == 2)
				ev |= GARBAGE;

			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_REGISTER, ev, entry);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_ENABLE, ev);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_DISABLE, ev);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_UNREGISTER, ev);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_STATUS, ev);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev,
					  SDEI_EVENT_INFO_EV_TYPE);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev,
					  SDEI_EVENT_INFO_EV_PRIORITY);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_ROUTING_SET, ev,
					  SDEI_EVENT_REGISTER_RM_PE, sdei_guest_mpidr());
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_INTERRUPT_RELEASE, ev);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_SIGNAL, ev,
					  sdei_guest_mpidr());
		}
	}

	/* None of that touched an event that exists. */
	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		if (!guest_nr_handled || all_events[i] != EV_CRITICAL)
			GUEST_ASSERT_STATUS(all_events[i], 0);
	}
}

static void guest_bad_events_handler(struct sdei_frame *frame)
{
	guest_check_bad_events();
}

/* Defects 2 and 14 */
SDEI_GUEST_TEST(sdei, bad_event_numbers_are_invalid_outside_handlers)
{
	guest_check_bad_events();
}

SDEI_GUEST_TEST(sdei, bad_event_numbers_are_invalid_in_handlers)
{
	guest_run_in_handler(EV_CRITICAL, guest_bad_events_handler);
}

static void guest_garbage_handler(struct sdei_frame *frame)
{
	GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, GARBAGE | 17),
			frame->x[17]);
	GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, (-1ull << 32) | 4),
			frame->x[4]);
	/* Ends with EVENT_COMPLETE */
	frame->arg = GARBAGE | SDEI_EV_FAILED;
}

/*
 * Event, index, info and status are 32 bits wide, whatever is above them;
 * so is the function number.
 */
SDEI_GUEST_TEST(sdei, upper_halves_of_32_bit_arguments_are_ignored)
{
	static const uint64_t garbage[] = { GARBAGE, -1ull << 32, BIT(63), BIT(32) };
	uint64_t entry = (uint64_t)sdei_guest_entry;
	uint64_t event, g, args[5] = {};
	int i, j;

	for (i = 0; i < ARRAY_SIZE(garbage); i++) {
		g = garbage[i];

		for (j = 0; j < ARRAY_SIZE(all_events); j++) {
			event = all_events[j];

			GUEST_ASSERT_CALL(0, SDEI_EVENT_REGISTER, g | event, entry);
			GUEST_ASSERT_STATUS(g | event, SDEI_REGISTERED);
			GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, g | event);
			GUEST_ASSERT_STATUS(event, SDEI_REGISTERED | SDEI_ENABLED);
			GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, g | event);
			GUEST_ASSERT_STATUS(event, SDEI_REGISTERED);
			GUEST_ASSERT_CALL(0, SDEI_EVENT_GET_INFO, g | event,
					  g | SDEI_EVENT_INFO_EV_TYPE);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_GET_INFO, g | event, g | 5);
			GUEST_ASSERT_CALL(0, SDEI_EVENT_UNREGISTER, g | event);
			GUEST_ASSERT_STATUS(event, 0);
		}

		GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, g | EV_SOFT, sdei_guest_mpidr());
		GUEST_ASSERT_EQ(__sdei_call(g | SDEI_1_0_FN_SDEI_VERSION, args),
				(int64_t)(BIT(48) | BIT(32)));
	}

	guest_run_in_handler(EV_SOFT, guest_garbage_handler);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED | SDEI_ENABLED);
}

/* Defect 11 */
SDEI_GUEST_TEST(sdei, misaligned_entry_is_invalid)
{
	uint64_t entry = (uint64_t)sdei_guest_entry;
	int i, off;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (off = 1; off < 4; off++) {
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_REGISTER,
					  all_events[i], entry + off);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_REGISTER,
					  all_events[i], entry + off, 0,
					  SDEI_EVENT_REGISTER_RELATIVE);
			GUEST_ASSERT_STATUS(all_events[i], 0);
		}
	}
}

/* Flags are 64 bits wide. */
SDEI_GUEST_TEST(sdei, reserved_register_flags_are_invalid)
{
	uint64_t entry = (uint64_t)sdei_guest_entry;
	int bit;

	for (bit = 2; bit < 64; bit++) {
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_REGISTER,
				  EV_NORMAL, entry, 0, BIT(bit));
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_REGISTER,
				  EV_SOFT, entry, 0, BIT(bit) | SDEI_EVENT_REGISTER_RELATIVE);
	}
	GUEST_ASSERT_STATUS(EV_NORMAL, 0);
	GUEST_ASSERT_STATUS(EV_SOFT, 0);
}

/* Routing is for shared events. */
SDEI_GUEST_TEST(sdei, routing_of_private_events_is_ignored_by_register)
{
	static const uint64_t affinity[] = { 0, 1, 0x00ff, BIT(31) | 5, GARBAGE, -1ull };
	uint64_t entry = (uint64_t)sdei_guest_entry;
	uint64_t flags;
	int i;

	for (flags = 0; flags < 4; flags++) {
		for (i = 0; i < ARRAY_SIZE(affinity); i++) {
			GUEST_ASSERT_CALL(0, SDEI_EVENT_REGISTER, EV_NORMAL, entry, 0,
					  flags, affinity[i]);
			GUEST_ASSERT_STATUS(EV_NORMAL, SDEI_REGISTERED);
			GUEST_ASSERT_CALL(0, SDEI_EVENT_UNREGISTER, EV_NORMAL);
		}
	}
}

/* Defect 13: "signalable" is 0 for what EVENT_SIGNAL takes. */
static void guest_check_get_info(void)
{
	bool critical;
	uint64_t ev;
	int i, info;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		ev = all_events[i];
		critical = ev == EV_CRITICAL || ev == EV_CRITICAL_2;

		GUEST_ASSERT_CALL(SDEI_EVENT_TYPE_PRIVATE, SDEI_EVENT_GET_INFO, ev,
				  SDEI_EVENT_INFO_EV_TYPE);
		GUEST_ASSERT_CALL(ev != EV_SOFT, SDEI_EVENT_GET_INFO, ev,
				  SDEI_EVENT_INFO_EV_SIGNALED);
		GUEST_ASSERT_CALL(critical, SDEI_EVENT_GET_INFO, ev,
				  SDEI_EVENT_INFO_EV_PRIORITY);
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev,
				  SDEI_EVENT_INFO_EV_ROUTING_MODE);
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev,
				  SDEI_EVENT_INFO_EV_ROUTING_AFF);

		for (info = 5; info < 70; info++)
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_GET_INFO, ev, info);
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev, BIT(31));
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev,
				  BIT(31) | SDEI_EVENT_INFO_EV_PRIORITY);
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_GET_INFO, ev,
				  0xffffffff);
	}
}

static void guest_get_info_handler(struct sdei_frame *frame)
{
	guest_check_get_info();
}

SDEI_GUEST_TEST(sdei, get_info_tells_what_is_exposed)
{
	int i;

	guest_check_get_info();
	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		GUEST_ASSERT_EQ(sdei_register(all_events[i], 0), 0);
	guest_check_get_info();
	GUEST_ASSERT_CALL(0, SDEI_PRIVATE_RESET);
	guest_run_in_handler(EV_NORMAL, guest_get_info_handler);
}

/* Whatever their state, private events have no routing. */
SDEI_GUEST_TEST(sdei, routing_set_of_private_events_is_invalid)
{
	int i, state;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (state = 0; state < 3; state++) {
			if (state == 1)
				GUEST_ASSERT_EQ(sdei_register(all_events[i], 0), 0);
			else if (state == 2)
				GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, all_events[i]);

			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_ROUTING_SET, all_events[i],
					  SDEI_EVENT_REGISTER_RM_ANY, 0);
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_ROUTING_SET, all_events[i],
					  SDEI_EVENT_REGISTER_RM_PE, sdei_guest_mpidr());
			GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_ROUTING_SET, all_events[i], 2, 0);
		}
	}
}

/* Arguments are judged before resources, of which there are none. */
static void guest_interrupt_bind(void)
{
	static const uint64_t bad[] = {
		0, 1, 15, 1020, 1021, 1022, 1023, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_INTERRUPT_BIND, bad[i]);

	GUEST_ASSERT_CALL(SDEI_OUT_OF_RESOURCE, SDEI_INTERRUPT_BIND, 20);
	GUEST_ASSERT_CALL(SDEI_OUT_OF_RESOURCE, SDEI_INTERRUPT_BIND, 32);
	GUEST_ASSERT_CALL(SDEI_OUT_OF_RESOURCE, SDEI_INTERRUPT_BIND, 40);
	GUEST_DONE();
}

TEST_F(sdei, interrupt_bind_has_no_slot_but_checks_first)
{
	struct sdei_vm svm;
	int gic;

	sdei_vm_create(&svm, 1, variant->conduit, guest_interrupt_bind);
	gic = vgic_v3_setup(svm.vm, 1, 64);
	if (gic < 0)
		SKIP(return, "no vGICv3");
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	close(gic);
	sdei_vm_free(&svm);
}

SDEI_GUEST_TEST(sdei, interrupt_release_finds_nothing_bound)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_INTERRUPT_RELEASE,
				  all_events[i]);
		GUEST_ASSERT_EQ(sdei_register(all_events[i], 0), 0);
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_INTERRUPT_RELEASE,
				  all_events[i]);
	}
}

static void guest_shared_reset_handler(struct sdei_frame *frame)
{
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_ASSERT_STATUS(EV_NORMAL, SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
}

/* There are no shared events: it succeeds, and changes nothing. */
SDEI_GUEST_TEST(sdei, shared_reset_succeeds_and_leaves_private_events_alone)
{
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_ASSERT_EQ(sdei_register(EV_SOFT, 0), 0);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, EV_SOFT);
	GUEST_ASSERT_EQ(sdei_register(EV_CRITICAL, 0), 0);
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED | SDEI_ENABLED);
	GUEST_ASSERT_STATUS(EV_CRITICAL, SDEI_REGISTERED);
	guest_run_in_handler(EV_NORMAL, guest_shared_reset_handler);
	/* The mask of this PE is as it was. */
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
}

/* Defect 6 */
SDEI_GUEST_TEST(sdei, signal_to_no_such_pe_is_invalid)
{
	uint64_t self = sdei_guest_mpidr() & 0xff00ffffffull;
	int bit;

	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_SIGNAL, EV_SOFT, self + 1);
	for (bit = 0; bit < 24; bit++)
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_SIGNAL,
				  EV_SOFT, self ^ BIT(bit));
	for (bit = 32; bit < 40; bit++)
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_SIGNAL,
				  EV_SOFT, self ^ BIT(bit));
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_SIGNAL, EV_SOFT,
			  0xff00ffffffull);
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_SIGNAL, EV_SOFT, -1ull);
}

/* What is not affinity in MPIDR_EL1 does not matter; clients pass it raw. */
SDEI_GUEST_TEST(sdei, signal_takes_a_raw_mpidr)
{
	uint64_t self = sdei_guest_mpidr() & 0xff00ffffffull;

	GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, EV_SOFT, self);
	GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, EV_SOFT, self | BIT(31));
	GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, EV_SOFT, self | BIT(31) | BIT(24));
	GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, EV_SOFT, self | BIT(30));
	GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, EV_SOFT, sdei_guest_mpidr());
}

/* Event 0 is the one for it, and it is never DENIED. */
SDEI_GUEST_TEST(sdei, signal_is_for_event_0_only)
{
	int i, state;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (state = 0; state < 3; state++) {
			if (state == 1)
				GUEST_ASSERT_EQ(sdei_register(all_events[i], 0), 0);
			else if (state == 2)
				GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, all_events[i]);

			GUEST_ASSERT_CALL(all_events[i] == EV_SOFT ?
					  SDEI_SUCCESS : SDEI_INVALID_PARAMETERS,
					  SDEI_EVENT_SIGNAL, all_events[i],
					  sdei_guest_mpidr());
		}
	}
}

/*
 * States (section 6.1)
 */

enum state { S_000, S_001, S_100, S_101, S_110, S_111, NR_STATES };

static const char * const state_name[] = {
	"unregistered", "unregister pending", "registered",
	"registered, running", "enabled", "enabled, running",
};

static const uint64_t state_status[] = {
	0,
	SDEI_RUNNING,
	SDEI_REGISTERED,
	SDEI_REGISTERED | SDEI_RUNNING,
	SDEI_REGISTERED | SDEI_ENABLED,
	SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING,
};

/* The state that each state is left for by the completion of the handler */
static const enum state state_completed[] = {
	[S_001] = S_000,
	[S_101] = S_100,
	[S_111] = S_110,
};

#define OK	SDEI_SUCCESS
#define DEN	SDEI_DENIED
#define PEN	SDEI_PENDING
#define INV	SDEI_INVALID_PARAMETERS

static const struct transition {
	enum sdei_fn fn;
	struct {
		int64_t ret;
		enum state next;
	} in[NR_STATES];
} transitions[] = {
	{ SDEI_EVENT_REGISTER, {
		[S_000] = { OK, S_100 }, [S_001] = { DEN, S_001 },
		[S_100] = { DEN, S_100 }, [S_101] = { DEN, S_101 },
		[S_110] = { DEN, S_110 }, [S_111] = { DEN, S_111 } } },
	{ SDEI_EVENT_ENABLE, {
		[S_000] = { DEN, S_000 }, [S_001] = { DEN, S_001 },
		[S_100] = { OK, S_110 }, [S_101] = { OK, S_111 },
		[S_110] = { OK, S_110 }, [S_111] = { OK, S_111 } } },
	{ SDEI_EVENT_DISABLE, {
		[S_000] = { DEN, S_000 }, [S_001] = { DEN, S_001 },
		[S_100] = { OK, S_100 }, [S_101] = { OK, S_101 },
		[S_110] = { OK, S_100 }, [S_111] = { OK, S_101 } } },
	{ SDEI_EVENT_UNREGISTER, {
		[S_000] = { DEN, S_000 }, [S_001] = { PEN, S_001 },
		[S_100] = { OK, S_000 }, [S_101] = { PEN, S_001 },
		[S_110] = { OK, S_000 }, [S_111] = { PEN, S_001 } } },
	{ SDEI_EVENT_ROUTING_SET, {
		[S_000] = { INV, S_000 }, [S_001] = { INV, S_001 },
		[S_100] = { INV, S_100 }, [S_101] = { INV, S_101 },
		[S_110] = { INV, S_110 }, [S_111] = { INV, S_111 } } },
	{ SDEI_INTERRUPT_RELEASE, {
		[S_000] = { INV, S_000 }, [S_001] = { INV, S_001 },
		[S_100] = { INV, S_100 }, [S_101] = { INV, S_101 },
		[S_110] = { INV, S_110 }, [S_111] = { INV, S_111 } } },
	{ SDEI_SHARED_RESET, {
		[S_000] = { OK, S_000 }, [S_001] = { OK, S_001 },
		[S_100] = { OK, S_100 }, [S_101] = { OK, S_101 },
		[S_110] = { OK, S_110 }, [S_111] = { OK, S_111 } } },
	{ SDEI_PRIVATE_RESET, {
		[S_000] = { OK, S_000 }, [S_001] = { DEN, S_001 },
		[S_100] = { OK, S_000 }, [S_101] = { DEN, S_001 },
		[S_110] = { OK, S_000 }, [S_111] = { DEN, S_001 } } },
	/* Outside handlers; in handlers they end the test of a transition. */
	{ SDEI_EVENT_CONTEXT, {
		[S_000] = { DEN, S_000 }, [S_100] = { DEN, S_100 },
		[S_110] = { DEN, S_110 } } },
	{ SDEI_EVENT_COMPLETE, {
		[S_000] = { DEN, S_000 }, [S_100] = { DEN, S_100 },
		[S_110] = { DEN, S_110 } } },
	{ SDEI_EVENT_COMPLETE_AND_RESUME, {
		[S_000] = { DEN, S_000 }, [S_100] = { DEN, S_100 },
		[S_110] = { DEN, S_110 } } },
};

static bool is_running(enum state s)
{
	return state_status[s] & SDEI_RUNNING;
}

/* From "unregistered" or, in the handler, "enabled, running" */
static void guest_reach_state(uint64_t event, enum state s)
{
	switch (s) {
	case S_000:
	case S_111:
		break;
	case S_001:
		GUEST_ASSERT_CALL(PEN, SDEI_EVENT_UNREGISTER, event);
		break;
	case S_110:
	case S_100:
		GUEST_ASSERT_EQ(sdei_register(event, 0), OK);
		if (s == S_110)
			GUEST_ASSERT_CALL(OK, SDEI_EVENT_ENABLE, event);
		break;
	case S_101:
		GUEST_ASSERT_CALL(OK, SDEI_EVENT_DISABLE, event);
		break;
	default:
		GUEST_FAIL("Bad state %d", s);
	}

	GUEST_ASSERT_STATUS(event, state_status[s]);
}

static void guest_check_transition(const struct transition *t, uint64_t event,
				   enum state s)
{
	int64_t ret, status;

	guest_reach_state(event, s);

	switch (t->fn) {
	case SDEI_EVENT_REGISTER:
		ret = sdei_register(event, 0);
		break;
	case SDEI_EVENT_CONTEXT:
	case SDEI_EVENT_COMPLETE:
	case SDEI_EVENT_COMPLETE_AND_RESUME:
	case SDEI_PRIVATE_RESET:
	case SDEI_SHARED_RESET:
		ret = sdei_call(t->fn, 0);
		break;
	default:
		ret = sdei_call(t->fn, event, 0, 0);
	}

	__GUEST_ASSERT(ret == t->in[s].ret,
		       "Function 0x%x for %s event 0x%lx is %ld, want %ld",
		       t->fn, state_name[s], event, (long)ret, (long)t->in[s].ret);

	status = sdei_call(SDEI_EVENT_STATUS, event);
	__GUEST_ASSERT(status == state_status[t->in[s].next],
		       "Function 0x%x for %s event 0x%lx leads to status %ld, want %s",
		       t->fn, state_name[s], event, (long)status,
		       state_name[t->in[s].next]);
}

SDEI_GUEST_TEST(sdei, state_table_outside_handlers)
{
	const struct transition *t;
	enum state s;
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (t = transitions; t < transitions + ARRAY_SIZE(transitions); t++) {
			for (s = 0; s < NR_STATES; s++) {
				if (is_running(s))
					continue;
				guest_check_transition(t, all_events[i], s);
				GUEST_ASSERT_CALL(OK, SDEI_PRIVATE_RESET);
			}
		}
	}
}

/* What the handler is to check */
static const struct transition *guest_transition;
static enum state guest_state;
static uint64_t guest_event;
/* The call that ends the handler */
static enum sdei_fn guest_completion;

static void guest_transition_handler(struct sdei_frame *frame)
{
	GUEST_ASSERT_EQ(frame->x[0], guest_event);
	guest_nr_handled++;
	if (guest_transition)
		guest_check_transition(guest_transition, guest_event, guest_state);
	else
		guest_reach_state(guest_event, guest_state);

	frame->fn = SDEI_1_0_FN_BASE + guest_completion;
	if (guest_completion == SDEI_EVENT_COMPLETE_AND_RESUME)
		frame->arg = (uint64_t)sdei_guest_resume;
}

static void guest_resumed_nop(struct ex_regs *regs)
{
}

/* In the handler of the event itself, both by COMPLETE and COMPLETE_AND_RESUME */
static void guest_state_table_in_handler(enum sdei_fn completion)
{
	const struct transition *end = transitions + ARRAY_SIZE(transitions);
	const struct transition *t;
	enum state s, completed;
	int i, nr = 0;

	guest_completion = completion;
	sdei_guest_resumed = guest_resumed_nop;
	GUEST_ASSERT_CALL(OK, SDEI_PE_UNMASK);

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		guest_event = all_events[i];

		/* The end of the table stands for no call but the completion. */
		for (t = transitions; t <= end; t++) {
			for (s = 0; s < NR_STATES; s++) {
				if (!is_running(s))
					continue;

				guest_transition = t == end ? NULL : t;
				if (t < end && t->fn >= SDEI_EVENT_CONTEXT &&
				    t->fn <= SDEI_EVENT_COMPLETE_AND_RESUME)
					continue;

				guest_state = s;
				sdei_guest_setup(guest_event, 0, guest_transition_handler);
				sdei_guest_trigger(guest_event);
				GUEST_ASSERT_EQ(guest_nr_handled, ++nr);

				completed = state_completed[t == end ? s : t->in[s].next];
				GUEST_ASSERT_STATUS(guest_event, state_status[completed]);
				GUEST_ASSERT_CALL(DEN, SDEI_EVENT_COMPLETE);
				GUEST_ASSERT_CALL(OK, SDEI_PRIVATE_RESET);
			}
		}
	}
}

SDEI_GUEST_TEST(sdei, state_table_in_the_events_handler)
{
	guest_state_table_in_handler(SDEI_EVENT_COMPLETE);
}

SDEI_GUEST_TEST(sdei, state_table_in_the_events_handler_that_resumes)
{
	guest_state_table_in_handler(SDEI_EVENT_COMPLETE_AND_RESUME);
}

static uint64_t guest_other_event;

static void guest_other_handler(struct sdei_frame *frame)
{
	const struct transition *t;
	enum state s;

	guest_nr_handled++;

	for (t = transitions; t < transitions + ARRAY_SIZE(transitions); t++) {
		/* These would act on the event whose handler runs. */
		if (t->fn == SDEI_PRIVATE_RESET ||
		    (t->fn >= SDEI_EVENT_CONTEXT &&
		     t->fn <= SDEI_EVENT_COMPLETE_AND_RESUME))
			continue;

		for (s = 0; s < NR_STATES; s++) {
			if (is_running(s))
				continue;
			guest_check_transition(t, guest_other_event, s);
			/* There is no reset here that leaves frame's event alone. */
			sdei_call(SDEI_EVENT_UNREGISTER, guest_other_event);
			GUEST_ASSERT_STATUS(guest_other_event, 0);
		}
	}

	GUEST_ASSERT_STATUS(frame->x[0], SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
}

SDEI_GUEST_TEST(sdei, state_table_in_another_events_handler)
{
	int i, j, nr = 0;

	GUEST_ASSERT_CALL(OK, SDEI_PE_UNMASK);

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		for (j = 0; j < ARRAY_SIZE(all_events); j++) {
			if (i == j)
				continue;

			guest_other_event = all_events[j];
			sdei_guest_setup(all_events[i], 0, guest_other_handler);
			sdei_guest_trigger(all_events[i]);
			GUEST_ASSERT_EQ(guest_nr_handled, ++nr);
			GUEST_ASSERT_CALL(OK, SDEI_EVENT_UNREGISTER, all_events[i]);
		}
	}
}

/*
 * Contexts and completions
 */

/* Defect 9. That no handler runs is checked first. */
SDEI_GUEST_TEST(sdei, completions_outside_handlers_are_denied)
{
	int off;

	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE, SDEI_EV_HANDLED);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE, SDEI_EV_FAILED);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE, GARBAGE | 7);
	for (off = 0; off < 4; off++)
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE_AND_RESUME,
				  (uint64_t)sdei_guest_resume + off);

	/* A registered and enabled event makes no difference, */
	sdei_guest_setup(EV_NORMAL, 0, NULL);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE_AND_RESUME,
			  (uint64_t)sdei_guest_resume);
	/* nor does one that is pending. */
	sdei_guest_ask_inject(EV_NORMAL);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE);
}

/* The same order of checks */
SDEI_GUEST_TEST(sdei, context_outside_handlers_is_denied)
{
	static const uint64_t indices[] = { 0, 17, 18, 31, 0x80000000, 0xffffffff, GARBAGE };
	int i;

	for (i = 0; i < ARRAY_SIZE(indices); i++)
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_CONTEXT, indices[i]);
}

static void guest_context_handler(struct sdei_frame *frame)
{
	static const uint64_t bad[] = {
		18, 19, 30, 31, 32, 0x7fffffff, BIT(31), BIT(31) | 1, 0xfffffff0,
		0xffffffff, GARBAGE | 18, (-1ull << 32) | 18, -1ull,
	};
	int i;

	/*
	 * x0..x3 were the call's; the SIGNAL that brought us here returned
	 * SUCCESS, and changed nothing else.
	 */
	GUEST_ASSERT_CALL(SDEI_SUCCESS, SDEI_EVENT_CONTEXT, 0);
	for (i = 4; i < 18; i++)
		GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, i), frame->x[i]);

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_CONTEXT, bad[i]);
}

SDEI_GUEST_TEST(sdei, context_returns_x0_to_x17_and_no_more)
{
	guest_run_in_handler(EV_SOFT, guest_context_handler);
}

static void guest_resume_misaligned_handler(struct sdei_frame *frame)
{
	uint64_t addr = (uint64_t)sdei_guest_resume;
	int off;

	for (off = 1; off < 4; off++)
		GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS,
				  SDEI_EVENT_COMPLETE_AND_RESUME, addr + off);
	GUEST_ASSERT_CALL(SDEI_INVALID_PARAMETERS, SDEI_EVENT_COMPLETE_AND_RESUME, -1ull);

	/* The handler still runs, with its context. */
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
	GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, 5), frame->x[5]);
}

SDEI_GUEST_TEST(sdei, resume_at_a_misaligned_address_is_invalid)
{
	guest_run_in_handler(EV_SOFT, guest_resume_misaligned_handler);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED | SDEI_ENABLED);
}

static void guest_failed_handler(struct sdei_frame *frame)
{
	frame->arg = SDEI_EV_FAILED;
}

/* EV_FAILED completes just as well. */
SDEI_GUEST_TEST(sdei, complete_with_failed_status_completes)
{
	guest_run_in_handler(EV_SOFT, guest_failed_handler);
	GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED | SDEI_ENABLED);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_CONTEXT, 0);
}

/*
 * The mask
 */

static void guest_mask_handler(struct sdei_frame *frame)
{
	/* To be entered at all, this PE was not masked. */
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
}

/* Defect 8 */
SDEI_GUEST_TEST(sdei, pe_mask_tells_whether_it_masked)
{
	/* A PE starts masked. */
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);

	/* The completion does not restore the mask. */
	guest_run_in_handler(EV_SOFT, guest_mask_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
}

/*
 * Resets and what is pending
 */

static void guest_unexpected_handler(struct sdei_frame *frame)
{
	GUEST_FAIL("Event 0x%lx should not have been delivered", frame->x[0]);
}

static void guest_count_handler(struct sdei_frame *frame)
{
	guest_nr_handled++;
}

/* Make each event pending, while this PE is masked. */
static void guest_make_all_pending(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		sdei_guest_setup(all_events[i], 0, guest_unexpected_handler);
		sdei_guest_trigger(all_events[i]);
	}
}

/* Enable each event afresh, and see that nothing comes of it. */
static void guest_check_nothing_pending(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		GUEST_ASSERT_STATUS(all_events[i], 0);
		sdei_guest_setup(all_events[i], 0, guest_unexpected_handler);
	}
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_SYNC(1);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);

	/* They do work, however. */
	guest_nr_handled = 0;
	sdei_guest_handler = guest_count_handler;
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		sdei_guest_trigger(all_events[i]);
	GUEST_ASSERT_EQ(guest_nr_handled, ARRAY_SIZE(all_events));
	GUEST_DONE();
}

static void guest_private_reset_pending(void)
{
	guest_make_all_pending();
	GUEST_ASSERT_CALL(0, SDEI_PRIVATE_RESET);
	/* Resets leave the mask alone. */
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	guest_check_nothing_pending();
}

static void guest_unregister_pending(void)
{
	int i;

	guest_make_all_pending();
	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		GUEST_ASSERT_CALL(0, SDEI_EVENT_UNREGISTER, all_events[i]);
	guest_check_nothing_pending();
}

static void host_run_to_stage_1(enum sdei_conduit conduit, void *guest_code)
{
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, conduit, guest_code);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

/* Defect 10 */
TEST_F(sdei, private_reset_forgets_what_is_pending)
{
	host_run_to_stage_1(variant->conduit, guest_private_reset_pending);
}

/* Defect 10 */
TEST_F(sdei, unregister_forgets_what_is_pending)
{
	host_run_to_stage_1(variant->conduit, guest_unregister_pending);
}

static void guest_reset_handler(struct sdei_frame *frame)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		if (all_events[i] != frame->x[0])
			GUEST_ASSERT_EQ(sdei_register(all_events[i], 0), 0);
	}

	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_PRIVATE_RESET);

	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		GUEST_ASSERT_STATUS(all_events[i], all_events[i] == frame->x[0] ?
				    SDEI_RUNNING : 0);

	/* Unregister pending: again, and as UNREGISTER sees it */
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_PRIVATE_RESET);
	GUEST_ASSERT_CALL(SDEI_PENDING, SDEI_EVENT_UNREGISTER, frame->x[0]);
	GUEST_ASSERT_EQ(sdei_register(frame->x[0], 0), SDEI_DENIED);
	/* The context is still there. */
	GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, 17), frame->x[17]);
	/* and the mask is as it was. */
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
}

/* Defect 10 */
SDEI_GUEST_TEST(sdei, private_reset_in_a_handler_is_denied_but_resets)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		guest_run_in_handler(all_events[i], guest_reset_handler);
		GUEST_ASSERT_STATUS(all_events[i], 0);
		GUEST_ASSERT_CALL(0, SDEI_PRIVATE_RESET);
	}
}

static void guest_unregister_handler(struct sdei_frame *frame)
{
	uint64_t event = frame->x[0];
	int i;

	for (i = 0; i < 3; i++) {
		GUEST_ASSERT_CALL(SDEI_PENDING, SDEI_EVENT_UNREGISTER, event);
		GUEST_ASSERT_STATUS(event, SDEI_RUNNING);
		GUEST_ASSERT_EQ(sdei_register(event, 0), SDEI_DENIED);
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_ENABLE, event);
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_DISABLE, event);
	}
}

SDEI_GUEST_TEST(sdei, unregister_in_a_handler_is_pending_until_it_completes)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		guest_run_in_handler(all_events[i], guest_unregister_handler);
		GUEST_ASSERT_STATUS(all_events[i], 0);
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_UNREGISTER, all_events[i]);
		GUEST_ASSERT_EQ(sdei_register(all_events[i], 0), 0);
		GUEST_ASSERT_STATUS(all_events[i], SDEI_REGISTERED);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_UNREGISTER, all_events[i]);
	}
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	return test_harness_run(argc, argv);
}
