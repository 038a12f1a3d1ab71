// SPDX-License-Identifier: GPL-2.0-only
/*
 * An executable model of the SDEI specification, see sdei_model.h.
 *
 * "Section" refers to Arm DEN0054C.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "sdei_model.h"

#define BIT_(n)			(1ull << (n))

/* Results of calls (section 5.1) */
#define SUCCESS			0
#define NOT_SUPPORTED		(-1)
#define INVALID_PARAMETERS	(-2)
#define DENIED			(-3)
#define PENDING			(-5)
#define OUT_OF_RESOURCE		(-10)

/* Function ids */
#define FN_VERSION		0xc4000020
#define FN_REGISTER		0xc4000021
#define FN_ENABLE		0xc4000022
#define FN_DISABLE		0xc4000023
#define FN_CONTEXT		0xc4000024
#define FN_COMPLETE		0xc4000025
#define FN_COMPLETE_AND_RESUME	0xc4000026
#define FN_UNREGISTER		0xc4000027
#define FN_STATUS		0xc4000028
#define FN_GET_INFO		0xc4000029
#define FN_ROUTING_SET		0xc400002a
#define FN_PE_MASK		0xc400002b
#define FN_PE_UNMASK		0xc400002c
#define FN_INTERRUPT_BIND	0xc400002d
#define FN_INTERRUPT_RELEASE	0xc400002e
#define FN_SIGNAL		0xc400002f
#define FN_FEATURES		0xc4000030
#define FN_PRIVATE_RESET	0xc4000031
#define FN_SHARED_RESET		0xc4000032

/* Flags of EVENT_REGISTER */
#define REGISTER_ROUTE_PE	BIT_(0)
#define REGISTER_RELATIVE	BIT_(1)

/* Aff3, Aff2, Aff1 and Aff0 of MPIDR_EL1 */
#define MPIDR_AFFINITY		0xff00ffffffull

/* Fields of PSTATE, in the format of SPSR_EL1, and of SCTLR_EL1 */
#define PSTATE_NZCV		(0xfull << 28)
#define PSTATE_TCO		BIT_(25)
#define PSTATE_DIT		BIT_(24)
#define PSTATE_PAN		BIT_(22)
#define PSTATE_SSBS		BIT_(12)
#define PSTATE_DAIF		(0xfull << 6)
#define PSTATE_EL1H		0x5ull

#define SCTLR_DSSBS		BIT_(44)
#define SCTLR_SPAN		BIT_(23)

/*
 * Section 6.1. For each state of a handler and each thing that can happen to
 * it: what the call returns, and the state then. Some of it can't happen at
 * all: an event is not delivered unless its state is ENABLED, and what does not
 * run can't complete.
 */
enum action {
	DO_REGISTER,
	DO_ENABLE,
	DO_DISABLE,
	DO_UNREGISTER,
	DO_DELIVER,
	DO_COMPLETE,
	NR_ACTIONS,
};

#define NEVER	1

struct transition {
	int result;
	enum sdei_model_state next;
};

static const struct transition transitions[SDEI_MODEL_NR_STATES][NR_ACTIONS] = {
	[SDEI_MODEL_UNREGISTERED] = {
		[DO_REGISTER]	= { SUCCESS,	SDEI_MODEL_REGISTERED },
		[DO_ENABLE]	= { DENIED,	SDEI_MODEL_UNREGISTERED },
		[DO_DISABLE]	= { DENIED,	SDEI_MODEL_UNREGISTERED },
		[DO_UNREGISTER]	= { DENIED,	SDEI_MODEL_UNREGISTERED },
		[DO_DELIVER]	= { NEVER,	SDEI_MODEL_UNREGISTERED },
		[DO_COMPLETE]	= { NEVER,	SDEI_MODEL_UNREGISTERED },
	},
	[SDEI_MODEL_UNREGISTER_PENDING] = {
		[DO_REGISTER]	= { DENIED,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_ENABLE]	= { DENIED,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_DISABLE]	= { DENIED,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_UNREGISTER]	= { PENDING,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_DELIVER]	= { NEVER,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_COMPLETE]	= { SUCCESS,	SDEI_MODEL_UNREGISTERED },
	},
	[SDEI_MODEL_REGISTERED] = {
		[DO_REGISTER]	= { DENIED,	SDEI_MODEL_REGISTERED },
		[DO_ENABLE]	= { SUCCESS,	SDEI_MODEL_ENABLED },
		[DO_DISABLE]	= { SUCCESS,	SDEI_MODEL_REGISTERED },
		[DO_UNREGISTER]	= { SUCCESS,	SDEI_MODEL_UNREGISTERED },
		[DO_DELIVER]	= { NEVER,	SDEI_MODEL_REGISTERED },
		[DO_COMPLETE]	= { NEVER,	SDEI_MODEL_REGISTERED },
	},
	[SDEI_MODEL_REGISTERED_RUNNING] = {
		[DO_REGISTER]	= { DENIED,	SDEI_MODEL_REGISTERED_RUNNING },
		[DO_ENABLE]	= { SUCCESS,	SDEI_MODEL_ENABLED_RUNNING },
		[DO_DISABLE]	= { SUCCESS,	SDEI_MODEL_REGISTERED_RUNNING },
		[DO_UNREGISTER]	= { PENDING,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_DELIVER]	= { NEVER,	SDEI_MODEL_REGISTERED_RUNNING },
		[DO_COMPLETE]	= { SUCCESS,	SDEI_MODEL_REGISTERED },
	},
	[SDEI_MODEL_ENABLED] = {
		[DO_REGISTER]	= { DENIED,	SDEI_MODEL_ENABLED },
		[DO_ENABLE]	= { SUCCESS,	SDEI_MODEL_ENABLED },
		[DO_DISABLE]	= { SUCCESS,	SDEI_MODEL_REGISTERED },
		[DO_UNREGISTER]	= { SUCCESS,	SDEI_MODEL_UNREGISTERED },
		[DO_DELIVER]	= { SUCCESS,	SDEI_MODEL_ENABLED_RUNNING },
		[DO_COMPLETE]	= { NEVER,	SDEI_MODEL_ENABLED },
	},
	[SDEI_MODEL_ENABLED_RUNNING] = {
		[DO_REGISTER]	= { DENIED,	SDEI_MODEL_ENABLED_RUNNING },
		[DO_ENABLE]	= { SUCCESS,	SDEI_MODEL_ENABLED_RUNNING },
		[DO_DISABLE]	= { SUCCESS,	SDEI_MODEL_REGISTERED_RUNNING },
		[DO_UNREGISTER]	= { PENDING,	SDEI_MODEL_UNREGISTER_PENDING },
		[DO_DELIVER]	= { NEVER,	SDEI_MODEL_ENABLED_RUNNING },
		[DO_COMPLETE]	= { SUCCESS,	SDEI_MODEL_ENABLED },
	},
};

static int step(struct sdei_model_event *ev, enum action action)
{
	const struct transition *t = &transitions[ev->state][action];

	ev->state = t->next;
	return t->result;
}

bool sdei_model_is_registered(enum sdei_model_state state)
{
	return state >= SDEI_MODEL_REGISTERED;
}

bool sdei_model_is_enabled(enum sdei_model_state state)
{
	return state == SDEI_MODEL_ENABLED || state == SDEI_MODEL_ENABLED_RUNNING;
}

bool sdei_model_is_running(enum sdei_model_state state)
{
	return state == SDEI_MODEL_UNREGISTER_PENDING ||
	       state == SDEI_MODEL_REGISTERED_RUNNING ||
	       state == SDEI_MODEL_ENABLED_RUNNING;
}

const char *sdei_model_state_name(enum sdei_model_state state)
{
	static const char * const names[SDEI_MODEL_NR_STATES] = {
		[SDEI_MODEL_UNREGISTERED]	= "unregistered",
		[SDEI_MODEL_UNREGISTER_PENDING]	= "unregister pending",
		[SDEI_MODEL_REGISTERED]		= "registered",
		[SDEI_MODEL_REGISTERED_RUNNING]	= "registered, running",
		[SDEI_MODEL_ENABLED]		= "enabled",
		[SDEI_MODEL_ENABLED_RUNNING]	= "enabled, running",
	};

	return names[state];
}

const char *sdei_model_call_name(uint32_t fn)
{
	static const char * const names[] = {
		"VERSION", "EVENT_REGISTER", "EVENT_ENABLE", "EVENT_DISABLE",
		"EVENT_CONTEXT", "EVENT_COMPLETE", "EVENT_COMPLETE_AND_RESUME",
		"EVENT_UNREGISTER", "EVENT_STATUS", "EVENT_GET_INFO",
		"EVENT_ROUTING_SET", "PE_MASK", "PE_UNMASK", "INTERRUPT_BIND",
		"INTERRUPT_RELEASE", "EVENT_SIGNAL", "FEATURES",
		"PRIVATE_RESET", "SHARED_RESET",
	};

	if (fn < FN_VERSION || fn > FN_SHARED_RESET)
		return NULL;
	return names[fn - FN_VERSION];
}

void sdei_model_init(struct sdei_model *m, int nr_pes, const uint64_t *mpidrs)
{
	int p;

	memset(m, 0, sizeof(*m));
	m->nr_pes = nr_pes;
	m->nr_events = 1;
	for (p = 0; p < nr_pes; p++) {
		m->pe[p].mpidr = mpidrs[p] & MPIDR_AFFINITY;
		m->pe[p].masked = true;
	}
}

void sdei_model_expose(struct sdei_model *m, uint32_t number,
		       enum sdei_model_priority priority)
{
	struct sdei_model_event *ev;
	int p, e;

	for (p = 0; p < SDEI_MODEL_MAX_PES; p++) {
		ev = m->pe[p].event;
		for (e = m->nr_events; ev[e - 1].number > number; e--)
			ev[e] = ev[e - 1];
		ev[e] = (struct sdei_model_event) {
			.number = number,
			.priority = priority,
		};
	}
	m->nr_events++;
}

int sdei_model_find_event(const struct sdei_model *m, uint32_t number)
{
	int e;

	for (e = 0; e < m->nr_events; e++) {
		if (m->pe[0].event[e].number == number)
			return e;
	}
	return -1;
}

int sdei_model_find_pe(const struct sdei_model *m, uint64_t mpidr)
{
	int p;

	for (p = 0; p < m->nr_pes; p++) {
		if (m->pe[p].mpidr == (mpidr & MPIDR_AFFINITY))
			return p;
	}
	return -1;
}

uint64_t sdei_model_take_exception(const struct sdei_model *m,
				   const struct sdei_model_regs *regs,
				   uint64_t pstate)
{
	uint64_t new = PSTATE_DAIF | PSTATE_EL1H;

	new |= pstate & (PSTATE_NZCV | PSTATE_DIT | PSTATE_PAN);
	if (!(regs->sctlr_el1 & SCTLR_SPAN))
		new |= PSTATE_PAN;
	if (regs->sctlr_el1 & SCTLR_DSSBS)
		new |= PSTATE_SSBS;
	if (m->mte)
		new |= PSTATE_TCO;

	return new;
}

/*
 * Delivery (section 4.3)
 */

bool sdei_model_send(struct sdei_model *m, int p, int event)
{
	struct sdei_model_event *ev = &m->pe[p].event[event];

	if (!sdei_model_is_registered(ev->state))
		return false;

	ev->pending = true;
	return true;
}

int sdei_model_inject(struct sdei_model *m, uint64_t mpidr, uint32_t number)
{
	int p = sdei_model_find_pe(m, mpidr);
	int e = sdei_model_find_event(m, number);

	if (p < 0)
		return -ESRCH;
	if (e < 0)
		return -ENOENT;

	return sdei_model_send(m, p, e) ? 0 : -ENOTCONN;
}

bool sdei_model_can_take(struct sdei_model *m, int p, int event)
{
	struct sdei_model_pe *pe = &m->pe[p];
	struct sdei_model_context *innermost;

	if (!pe->on || pe->masked)
		return false;

	if (transitions[pe->event[event].state][DO_DELIVER].result == NEVER)
		return false;

	if (!pe->depth)
		return true;

	/* A normal handler is preempted by critical events; nothing else is. */
	innermost = &pe->stack[pe->depth - 1];
	return pe->event[innermost->event].priority == SDEI_MODEL_NORMAL &&
	       pe->event[event].priority == SDEI_MODEL_CRITICAL;
}

int sdei_model_next(struct sdei_model *m, int p)
{
	struct sdei_model_event *ev = m->pe[p].event;
	int e, best = -1;

	for (e = 0; e < m->nr_events; e++) {
		if (!ev[e].pending || !sdei_model_can_take(m, p, e))
			continue;
		/* The critical one first; else, the lower number */
		if (best < 0 || ev[e].priority > ev[best].priority)
			best = e;
	}
	return best;
}

void sdei_model_enter(struct sdei_model *m, int p, int event)
{
	struct sdei_model_pe *pe = &m->pe[p];
	struct sdei_model_event *ev = &pe->event[event];
	struct sdei_model_context *ctxt = &pe->stack[pe->depth++];
	struct sdei_model_regs *regs = &pe->regs;

	step(ev, DO_DELIVER);
	ev->pending = false;

	ctxt->event = event;
	ctxt->pc = regs->pc;
	ctxt->pstate = regs->pstate;
	memcpy(ctxt->x, regs->x, sizeof(ctxt->x));

	regs->x[0] = ev->number;
	regs->x[1] = ev->arg;
	regs->x[2] = ctxt->pc;
	regs->x[3] = ctxt->pstate;
	regs->pc = ev->entry + (ev->relative ? regs->vbar_el1 : 0);
	regs->pstate = sdei_model_take_exception(m, regs, ctxt->pstate);
}

int sdei_model_deliver(struct sdei_model *m, int p)
{
	int event = sdei_model_next(m, p);

	if (event >= 0)
		sdei_model_enter(m, p, event);
	return event;
}

void sdei_model_complete(struct sdei_model *m, int p)
{
	struct sdei_model_pe *pe = &m->pe[p];
	struct sdei_model_context *ctxt = &pe->stack[--pe->depth];

	step(&pe->event[ctxt->event], DO_COMPLETE);
	memcpy(pe->regs.x, ctxt->x, sizeof(ctxt->x));
	pe->regs.pc = ctxt->pc;
	pe->regs.pstate = ctxt->pstate;
}

void sdei_model_reset(struct sdei_model *m, int p)
{
	struct sdei_model_pe *pe = &m->pe[p];
	int e;

	pe->masked = true;
	pe->depth = 0;
	for (e = 0; e < m->nr_events; e++) {
		pe->event[e].state = SDEI_MODEL_UNREGISTERED;
		pe->event[e].pending = false;
	}
}

/*
 * Calls (section 5.1)
 */

static int64_t event_register(struct sdei_model_event *ev, const uint64_t *arg)
{
	uint64_t entry = arg[2], flags = arg[4];
	int ret;

	/* The events are private: bit 0 and the affinity mean nothing. */
	if (entry % 4 || (flags & ~(REGISTER_ROUTE_PE | REGISTER_RELATIVE)))
		return INVALID_PARAMETERS;

	ret = step(ev, DO_REGISTER);
	if (ret == SUCCESS) {
		ev->entry = entry;
		ev->arg = arg[3];
		ev->relative = flags & REGISTER_RELATIVE;
		ev->pending = false;
	}
	return ret;
}

static int64_t event_unregister(struct sdei_model_event *ev)
{
	int ret = step(ev, DO_UNREGISTER);

	ev->pending = false;
	return ret;
}

static int64_t event_status(const struct sdei_model_event *ev)
{
	int64_t status = 0;

	if (sdei_model_is_registered(ev->state))
		status |= 1;
	if (sdei_model_is_enabled(ev->state))
		status |= 2;
	if (sdei_model_is_running(ev->state))
		status |= 4;
	return status;
}

static int64_t event_get_info(const struct sdei_model_event *ev, uint32_t info)
{
	switch (info) {
	case 0:		/* Private */
		return 0;
	case 1:		/* 0: can be signalled, and only event 0 can be */
		return ev->number ? 1 : 0;
	case 2:
		return ev->priority == SDEI_MODEL_CRITICAL ? 1 : 0;
	default:	/* Routing of a private event, and what does not exist */
		return INVALID_PARAMETERS;
	}
}

static int64_t interrupt_bind(const struct sdei_model *m, uint32_t intid)
{
	/* SGIs, and what is no interrupt of the client */
	if (intid < 16 || (intid >= 32 && intid - 32 >= m->nr_spis))
		return INVALID_PARAMETERS;

	/* No interrupt can be bound at all. */
	return OUT_OF_RESOURCE;
}

static int64_t private_reset(struct sdei_model *m, struct sdei_model_pe *pe)
{
	int64_t ret = SUCCESS;
	int e;

	for (e = 0; e < m->nr_events; e++) {
		if (event_unregister(&pe->event[e]) == PENDING)
			ret = DENIED;
	}
	return ret;
}

static int64_t features(uint32_t feature)
{
	switch (feature) {
	case 0:		/* No slots for bound interrupts, of either kind */
		return 0;
	case 1:		/* Relative mode */
		return 1;
	default:
		return INVALID_PARAMETERS;
	}
}

/* Whether the first argument of a call is an event */
static bool names_event(uint32_t fn)
{
	switch (fn) {
	case FN_REGISTER:
	case FN_ENABLE:
	case FN_DISABLE:
	case FN_UNREGISTER:
	case FN_STATUS:
	case FN_GET_INFO:
	case FN_ROUTING_SET:
	case FN_INTERRUPT_RELEASE:
	case FN_SIGNAL:
		return true;
	default:
		return false;
	}
}

int sdei_model_call(struct sdei_model *m, int p)
{
	struct sdei_model_pe *pe = &m->pe[p];
	struct sdei_model_regs *regs = &pe->regs;
	struct sdei_model_event *ev = NULL;
	uint64_t arg[18], resume;
	int64_t ret = NOT_SUPPORTED;
	int target = -1;
	uint32_t fn;
	int e;

	memcpy(arg, regs->x, sizeof(arg));
	fn = arg[0];

	if (names_event(fn)) {
		e = sdei_model_find_event(m, arg[1]);
		if (e < 0) {
			ret = INVALID_PARAMETERS;
			goto out;
		}
		ev = &pe->event[e];
	}

	switch (fn) {
	case FN_VERSION:
		ret = BIT_(48) | BIT_(32);
		break;
	case FN_REGISTER:
		ret = event_register(ev, arg);
		break;
	case FN_ENABLE:
		ret = step(ev, DO_ENABLE);
		break;
	case FN_DISABLE:
		ret = step(ev, DO_DISABLE);
		break;
	case FN_CONTEXT:
		if (!pe->depth)
			ret = DENIED;
		else if ((uint32_t)arg[1] > 17)
			ret = INVALID_PARAMETERS;
		else
			ret = pe->stack[pe->depth - 1].x[(uint32_t)arg[1]];
		break;
	case FN_COMPLETE:
		if (pe->depth) {
			sdei_model_complete(m, p);
			return -1;
		}
		ret = DENIED;
		break;
	case FN_COMPLETE_AND_RESUME:
		resume = arg[1];
		if (!pe->depth) {
			ret = DENIED;
		} else if (resume % 4) {
			ret = INVALID_PARAMETERS;
		} else {
			sdei_model_complete(m, p);
			regs->elr_el1 = regs->pc;
			regs->spsr_el1 = regs->pstate;
			regs->pc = resume;
			regs->pstate = sdei_model_take_exception(m, regs,
								 regs->pstate);
			return -1;
		}
		break;
	case FN_UNREGISTER:
		ret = event_unregister(ev);
		break;
	case FN_STATUS:
		ret = event_status(ev);
		break;
	case FN_GET_INFO:
		ret = event_get_info(ev, arg[2]);
		break;
	case FN_ROUTING_SET:		/* Every event is private, */
	case FN_INTERRUPT_RELEASE:	/* and none is bound. */
		ret = INVALID_PARAMETERS;
		break;
	case FN_PE_MASK:
		ret = pe->masked ? 0 : 1;
		pe->masked = true;
		break;
	case FN_PE_UNMASK:
		pe->masked = false;
		ret = SUCCESS;
		break;
	case FN_INTERRUPT_BIND:
		ret = interrupt_bind(m, arg[1]);
		break;
	case FN_SIGNAL:
		target = sdei_model_find_pe(m, arg[2]);
		if (ev->number || target < 0) {
			target = -1;
			ret = INVALID_PARAMETERS;
		} else {
			ret = SUCCESS;
		}
		break;
	case FN_FEATURES:
		ret = features(arg[1]);
		break;
	case FN_PRIVATE_RESET:
		ret = private_reset(m, pe);
		break;
	case FN_SHARED_RESET:
		ret = SUCCESS;
		break;
	}
out:
	/* SMCCC leaves x1 to x3 to the callee; KVM clears them. */
	regs->x[0] = ret;
	regs->x[1] = 0;
	regs->x[2] = 0;
	regs->x[3] = 0;

	return target;
}
