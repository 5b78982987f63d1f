/*
 * resolver/main.c: portcullis-resolver, which asks name servers for the names
 * in passive.address, once, and ends.
 *
 * The warden starts it again and again: a process that lives for a moment
 * reads what the system says about names as it stands then, keeps nothing
 * between two questions, and has nothing to be restarted for.  It is told
 * nothing by clients and nothing by other processes; what it says is a place
 * in the list and an address, which decides the text of a 227 reply and
 * nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/inherit.h"
#include "policy/passive.h"
#include "resolver/sandbox.h"

/* All names, each of which may wait for several name servers in vain. */
#define LIFE_S 300

/*
 * Loads what libc resolves names with, before the walls forbid it.  A label
 * of 64 bytes cannot be asked for (RFC 1035 §2.3.4): every service that
 * nsswitch.conf names is loaded and turns it down, and nothing is sent.
 */
static void
load_services(void)
{
	const struct addrinfo hints = { .ai_family = AF_INET,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *none = NULL;
	char name[65 + sizeof(".invalid")];

	memset(name, 'x', 64);
	memcpy(name + 64, ".invalid.", sizeof(".invalid."));
	if (getaddrinfo(name, NULL, &hints, &none) == 0)
		freeaddrinfo(none);
}

static enum ipc_reason
reason_of(int error)
{
	switch (error) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return IPC_REFUSED;
	case EAI_AGAIN:
		return IPC_TIMEOUT;
	default:
		return IPC_BROKEN;
	}
}

/*
 * 127.0.1.1 is what /etc/hosts of many systems has for the host's own name;
 * a client that is told it connects to itself.
 */
static bool
is_of_use(const struct addr *a)
{
	return passive_can_be_told(a) && a->ip[0] != 127;
}

/* Of several the lowest, so that it does not change with their order. */
static enum ipc_reason
resolve(const char *name, struct addr *out)
{
	const struct addrinfo hints = { .ai_family = AF_INET,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int error = getaddrinfo(name, NULL, &hints, &list);

	if (error != 0)
		return reason_of(error);
	*out = (struct addr) { .family = ADDR_NONE };
	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
		struct sockaddr_storage ss = { 0 };
		struct addr a;

		memcpy(&ss, i->ai_addr, i->ai_addrlen);
		a = addr_of_sockaddr(&ss);
		if (is_of_use(&a) && (out->family == ADDR_NONE ||
		    memcmp(a.ip, out->ip, sizeof(a.ip)) < 0))
			*out = a;
	}
	freeaddrinfo(list);
	return out->family == ADDR_NONE ? IPC_FORBIDDEN : IPC_OK;
}

static void
tell(struct ipc_channel *warden, uint32_t place, const char *name)
{
	struct ipc_msg m = { .type = IPC_RESOLVED };

	m.resolved.place = place;
	m.resolved.reason = resolve(name, &m.resolved.at);
	ipc_send(warden, &m, -1);
	if (ipc_flush_plain(warden) != IPC_GOOD)
		log_fatal(1, "the warden is gone");
}

int
main(void)
{
	static struct conf conf;
	const struct conf_passive *list = &conf.passive_address;
	struct ipc_channel warden;

	log_open("resolver");
	signal(SIGPIPE, SIG_IGN);
	if (!conf_from_fd(&conf, INHERIT_CONF))
		log_fatal(2, "is started by portcullisd alone");
	close(INHERIT_CONF);
	alarm(LIFE_S);
	load_services();
	if (!sandbox_enter() && conf.sandbox == SANDBOX_REQUIRE)
		log_fatal(1, "sandbox = require, and there is no seccomp");
	ipc_init(&warden, INHERIT_WARDEN);
	for (uint32_t i = 0; i < list->count; i++)
		if (list->at[i].means == PASSIVE_NAMED)
			tell(&warden, i, list->at[i].name);
	_exit(0);	/* nothing is left to be flushed */
}
