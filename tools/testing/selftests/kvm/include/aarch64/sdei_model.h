/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An executable model of the SDEI specification (Arm DEN0054C, version 1.1),
 * as far as KVM offers it: private events, no bound interrupts.
 *
 * It says what each call returns, which handler runs next, and what every
 * register holds then. It is written from the specification, to be compared
 * with KVM's dispatcher, and has nothing in common with it: six named states
 * and a table, a stack of contexts, a flag for what is pending.
 *
 * Plain C; nothing here knows of KVM.
 */
#ifndef SELFTEST_KVM_SDEI_MODEL_H
#define SELFTEST_KVM_SDEI_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SDEI_MODEL_MAX_EVENTS	16
#define SDEI_MODEL_MAX_PES	8

/* What the specification (section 6.1) calls the handler state of an event */
enum sdei_model_state {
	SDEI_MODEL_UNREGISTERED,
	SDEI_MODEL_UNREGISTER_PENDING,
	SDEI_MODEL_REGISTERED,
	SDEI_MODEL_REGISTERED_RUNNING,
	SDEI_MODEL_ENABLED,
	SDEI_MODEL_ENABLED_RUNNING,
	SDEI_MODEL_NR_STATES,
};

enum sdei_model_priority {
	SDEI_MODEL_NORMAL,
	SDEI_MODEL_CRITICAL,
};

/**
 * struct sdei_model_regs - what a PE shows of itself at an instruction
 * @x:		x0 to x30
 * @sp_el0:	stack pointer of EL0
 * @sp_el1:	stack pointer of EL1
 * @pc:		address of the instruction
 * @pstate:	in the format of SPSR_ELx
 * @elr_el1:	system register
 * @spsr_el1:	system register
 * @esr_el1:	system register
 * @sctlr_el1:	system register, the client's: no call changes it
 * @vbar_el1:	the same
 */
struct sdei_model_regs {
	uint64_t x[31];
	uint64_t sp_el0;
	uint64_t sp_el1;
	uint64_t pc;
	uint64_t pstate;
	uint64_t elr_el1;
	uint64_t spsr_el1;
	uint64_t esr_el1;
	uint64_t sctlr_el1;
	uint64_t vbar_el1;
};

/**
 * struct sdei_model_event - an event on one PE
 * @number:	event number
 * @priority:	constant
 * @state:	the handler's
 * @pending:	triggered and not yet delivered
 * @relative:	@entry is an offset from VBAR_EL1
 * @entry:	as registered
 * @arg:	as registered
 */
struct sdei_model_event {
	uint32_t number;
	enum sdei_model_priority priority;
	enum sdei_model_state state;
	bool pending;
	bool relative;
	uint64_t entry;
	uint64_t arg;
};

/**
 * struct sdei_model_context - what a handler has interrupted
 * @event:	whose handler it is, an index into the PE's events
 * @x:		x0 to x17
 * @pc:		where the interrupted code goes on
 * @pstate:	its PSTATE
 */
struct sdei_model_context {
	int event;
	uint64_t x[18];
	uint64_t pc;
	uint64_t pstate;
};

/**
 * struct sdei_model_pe - a PE
 * @mpidr:	affinity fields of MPIDR_EL1
 * @on:		not powered off
 * @masked:	by PE_MASK, or from reset
 * @event:	in ascending order of event numbers
 * @depth:	handlers that run: the innermost one is @stack[@depth - 1]
 * @stack:	what they interrupted
 * @regs:	the registers
 */
struct sdei_model_pe {
	uint64_t mpidr;
	bool on;
	bool masked;
	struct sdei_model_event event[SDEI_MODEL_MAX_EVENTS];
	int depth;
	struct sdei_model_context stack[2];
	struct sdei_model_regs regs;
};

/**
 * struct sdei_model - a VM
 * @nr_events:	exposed events, event 0 included
 * @nr_pes:	number of PEs
 * @mte:	the PEs have MTE
 * @nr_spis:	shared peripheral interrupts that the client has
 * @pe:		the PEs
 */
struct sdei_model {
	int nr_events;
	int nr_pes;
	bool mte;
	unsigned int nr_spis;
	struct sdei_model_pe pe[SDEI_MODEL_MAX_PES];
};

/* An instance with @nr_pes PEs that are off, and event 0. */
void sdei_model_init(struct sdei_model *m, int nr_pes, const uint64_t *mpidrs);

/* Expose another event, before anything else happens. */
void sdei_model_expose(struct sdei_model *m, uint32_t number,
		       enum sdei_model_priority priority);

/**
 * sdei_model_call() - the PE executes HVC or SMC
 * @m: the model
 * @p: the PE; x0 is the function, PC the instruction after the call
 *
 * Does all of the call but for delivery, and but for what it sends to another
 * PE or to this one.
 *
 * Return: the PE to which an event is to be sent, by sdei_model_send() of event
 * 0; or -1.
 */
int sdei_model_call(struct sdei_model *m, int p);

/* Trigger an event; true if it is pending now. */
bool sdei_model_send(struct sdei_model *m, int p, int event);

/**
 * sdei_model_inject() - the VMM injects an event
 * @m: the model
 * @mpidr: of the target
 * @number: of the event
 *
 * Return: 0, -ENOENT if the event is not exposed, -ESRCH if there is no such
 * PE, -ENOTCONN if the event is not registered there.
 */
int sdei_model_inject(struct sdei_model *m, uint64_t mpidr, uint32_t number);

/* Would the PE take this event at once if it were pending? */
bool sdei_model_can_take(struct sdei_model *m, int p, int event);

/* The event that the PE takes next, or -1. */
int sdei_model_next(struct sdei_model *m, int p);

/* Enter the handler of an event, which is no longer pending then. */
void sdei_model_enter(struct sdei_model *m, int p, int event);

/* Deliver what can be delivered: the event, or -1. */
int sdei_model_deliver(struct sdei_model *m, int p);

/* Complete the innermost handler: the interrupted code goes on. */
void sdei_model_complete(struct sdei_model *m, int p);

/*
 * The SDEI state of a PE after power on, after a reset by the VMM, and after
 * CPU_OFF. Registers are not for SDEI to reset.
 */
void sdei_model_reset(struct sdei_model *m, int p);

/* PSTATE at the first instruction after an exception taken to EL1 */
uint64_t sdei_model_take_exception(const struct sdei_model *m,
				   const struct sdei_model_regs *regs,
				   uint64_t pstate);

/* The event with that number, or -1 */
int sdei_model_find_event(const struct sdei_model *m, uint32_t number);

/* The PE with that affinity, whatever its other bits are, or -1 */
int sdei_model_find_pe(const struct sdei_model *m, uint64_t mpidr);

bool sdei_model_is_registered(enum sdei_model_state state);
bool sdei_model_is_enabled(enum sdei_model_state state);
bool sdei_model_is_running(enum sdei_model_state state);

/* For messages */
const char *sdei_model_call_name(uint32_t fn);
const char *sdei_model_state_name(enum sdei_model_state state);

#endif /* SELFTEST_KVM_SDEI_MODEL_H */
