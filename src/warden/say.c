/*
 * warden/say.c: what the warden tells people, and systemd.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/walls.h"
#include "tls/ktls.h"
#include "warden/warden.h"

#define WALLS_TEXT 640

static bool
stands(uint32_t standing, unsigned wall)
{
	return (standing >> wall & 1) != 0;
}

/* The names of those in the set; "" when there are none. */
static const char *
name_walls(char text[WALLS_TEXT], uint32_t set)
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < WALL_COUNT; i++)
		if (stands(set, i) && n < WALLS_TEXT)
			n += (size_t)snprintf(text + n, WALLS_TEXT - n, "%s%s",
			    n > 0 ? "; " : "", wall_meaning((enum wall)i));
	return text;
}

static uint32_t
missing_required(uint32_t standing)
{
	uint32_t missing = 0;

	for (unsigned i = 0; i < WALL_COUNT; i++)
		if (wall_is_required((enum wall)i) && !stands(standing, i))
			missing |= 1U << i;
	return missing;
}

void
say_walls(uint32_t standing)
{
	char text[WALLS_TEXT];

	log_line("walls: %s", name_walls(text, standing));
	if (name_walls(text, ~standing)[0] != '\0')
		log_line("walls missing here: %s", text);
}

bool
say_if_walls_lack(const struct conf *c, uint32_t standing)
{
	uint32_t missing = missing_required(standing);
	char text[WALLS_TEXT];

	if (missing == 0 || c->sandbox != SANDBOX_REQUIRE)
		return true;
	log_line("sandbox = require, and this kernel lacks: %s",
	    name_walls(text, missing));
	return false;
}

void
say_how_it_ended(const char *what, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_line("%s pid=%d was ended by SIG%s%s", what, (int)pid,
		    sigabbrev_np(WTERMSIG(status)) != NULL ?
		    sigabbrev_np(WTERMSIG(status)) : "?",
		    WTERMSIG(status) == SIGSYS ?
		    ": it tried what its sandbox forbids" : "");
	else if (WEXITSTATUS(status) != 0)
		log_line("%s pid=%d ended with status %d", what, (int)pid,
		    WEXITSTATUS(status));
}

/* By hand: it is one datagram (sd_notify(3)), and libsystemd is not. */
void
say_state(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void
say_who_encrypts(struct conf *c)
{
	enum tls_ktls ktls;

	if (!conf_has_tls(c))
		return;
	ktls = tls_has_ktls();
	if (c->tls_kernel == 0)
		log_line("files are encrypted by the server itself: "
		    "tls.kernel = off");
	else if (ktls == TLS_KTLS_HERE)
		log_line("files are encrypted %s", tls_ktls_text(ktls));
	else
		log_line("files are encrypted by the server itself: %s",
		    tls_ktls_text(ktls));
	if (ktls != TLS_KTLS_HERE)
		c->tls_kernel = 0;
}

void
say_ready(const struct warden *w)
{
	char text[CONF_LISTEN_MAX * (ADDR_TEXT_MAX + 9)], at[ADDR_TEXT_MAX];
	const struct conf_listen *tls = &w->conf.tls_listen;
	size_t n = 0;

	for (int i = 0; i < w->listeners; i++) {
		struct addr a = run_listener_address(w->listener[i]);

		n += (size_t)snprintf(text + n, sizeof(text) - n, " %s://%s/",
		    addr_is_in(tls->at, tls->count, &a) ? "ftps" : "ftp",
		    addr_format(&a, at));
	}
	log_line("ready:%s", text);
	say_state("READY=1");
}
