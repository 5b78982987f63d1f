/*
 * gate/flow.c: data connections that the workers have.
 *
 * They are counted only where a limit of transfers or a shared rate is
 * configured: a worker then says of each when it has closed it.  A session
 * counts once, however many it has: its next one may come while the end of
 * the last is still on its way to us.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <unistd.h>

#include "gate/gate.h"

static bool
has_flow(const struct gate_session *s)
{
	for (size_t i = 0; i < GATE_FLOWS; i++)
		if (s->flow[i] != NULL)
			return true;
	return false;
}

static void
count(struct gate_session *s, uint32_t more)
{
	struct gate *g = s->gate;

	g->group[0].transfers += more;
	if (s->count->group > 0)
		g->group[s->count->group].transfers += more;
	s->count->transfers += more;
}

static enum ipc_reason
reached(const struct gate *g, const struct gate_peer *p, uint64_t *limit)
{
	if ((*limit = gate_limit(g, 0, LIMIT_transfers_max)) > 0 &&
	    g->group[0].transfers >= *limit)
		return IPC_BUSY;
	if (p->group > 0 &&
	    (*limit = gate_limit(g, p->group, LIMIT_transfers_max)) > 0 &&
	    g->group[p->group].transfers >= *limit)
		return IPC_BUSY_CLASS;
	if ((*limit = gate_limit(g, p->group, LIMIT_transfers_per_address)) >
	    0 && p->transfers >= *limit)
		return IPC_BUSY_ADDRESS;
	return IPC_OK;
}

bool
gate_flow_is_refused(struct gate_session *s, struct ipc_port *p)
{
	struct gate *g = s->gate;
	uint64_t limit;

	if (!s->worker->tells_done || has_flow(s))
		return false;
	p->reason = reached(g, s->count, &limit);
	p->number = (uint32_t)limit;
	g->counters.busy_full += p->reason == IPC_BUSY;
	g->counters.busy_class += p->reason == IPC_BUSY_CLASS;
	g->counters.busy_address += p->reason == IPC_BUSY_ADDRESS;
	return p->reason != IPC_OK;
}

static void
flow_end(struct gate_flow *f)
{
	struct gate_session *s = f->session;
	struct gate_flow **link = &s->count->flows;

	for (size_t i = 0; i < GATE_FLOWS; i++)
		if (s->flow[i] == f)
			s->flow[i] = NULL;
	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
	if (!has_flow(s))
		count(s, UINT32_MAX); /* one less */
	gate_rate_end(f);
	free(f);
}

/* A free place; the oldest is given up for one that no honest worker needs. */
static struct gate_flow **
place_for(struct gate_session *s)
{
	size_t oldest = 0;

	for (size_t i = 0; i < GATE_FLOWS; i++) {
		if (s->flow[i] == NULL)
			return &s->flow[i];
		if (s->flow[i]->number - s->handed <
		    s->flow[oldest]->number - s->handed)
			oldest = i;
	}
	flow_end(s->flow[oldest]);
	return &s->flow[oldest];
}

void
gate_flow_begin(struct gate_session *s, struct ipc_port p, int fd)
{
	struct gate_flow *f = NULL, **place;

	p.number = ++s->handed;
	if (s->worker->tells_done)
		f = calloc(1, sizeof(*f));
	if (f == NULL) {
		gate_rate_once(s, fd);
	} else {
		*f = (struct gate_flow) { .session = s, .number = p.number,
			.fd = -1 };
		place = place_for(s);
		f->next = s->count->flows;
		if (!has_flow(s))
			count(s, 1);
		*place = f;
		s->count->flows = f;
		gate_rate_begin(f, fd);
	}
	gate_worker_tell(s, IPC_DATA, p, fd);
}

void
gate_flow_done(struct gate_session *s, uint32_t number)
{
	for (size_t i = 0; i < GATE_FLOWS; i++)
		if (s->flow[i] != NULL && s->flow[i]->number == number)
			flow_end(s->flow[i]);
}

void
gate_flows_end(struct gate_session *s)
{
	for (size_t i = 0; i < GATE_FLOWS; i++)
		if (s->flow[i] != NULL)
			flow_end(s->flow[i]);
}
