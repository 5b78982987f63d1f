/*
 * worker/cmd_host.c: HOST (RFC 7151): which of our sites a session is in.
 *
 * A site is its own storage: nothing that a path says leads from one to
 * another, since each opens beneath its own directory's descriptor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/host.h"
#include "worker/worker.h"

/* The site of that name; sites.count: there is none. */
static uint32_t
find_site(const struct conf_sites *sites, struct sv name)
{
	uint32_t i = 0;

	while (i < sites->count &&
	    !hostname_is_in(sv_of(sites->at[i].names), name))
		i++;
	return i;
}

uint32_t
sess_find_site(const struct worker *w, uint64_t name)
{
	uint32_t i = 0;

	while (i < w->conf.sites.count && board_name(w->site_name[i]) != name)
		i++;
	return i;
}

void
sess_enter_site(struct sess *s, uint32_t i)
{
	struct worker *w = s->w;
	const struct conf_site *site = &w->conf.sites.at[i];

	sess_leave_site(s);
	s->storage = w->site_storage[i];
	s->who.site = w->site_name[i];
	if (site->banner[0] != '\0')
		s->banner = site->banner;
}

/*
 * Legal before login alone.  One that is refused changes nothing; one that
 * comes after another replaces it.
 */
void
cmd_host(struct sess *s, struct sv arg)
{
	const struct conf_sites *sites = &s->w->conf.sites;
	struct host host;
	uint32_t i = sites->count;

	if (host_parse(arg, &host) != FTP_OK) {
		reply(s, 501, "HOST takes a name, or an address of ours.");
		return;
	}
	if (host.name.len > 0)
		i = find_site(sites, host.name);
	if (i == sites->count && (host.name.len > 0 ||
	    !addr_same_ip(&host.ip, &s->who.server))) {
		reply(s, 504, "There is no such site here.");
		return;
	}
	/* RFC 7151 §3.3: the certificate was for that one. */
	if (s->site_by_tls && (i == sites->count ||
	    s->who.site != s->w->site_name[i])) {
		reply(s, 504, "TLS has named another site.");
		return;
	}
	sess_reset(s);
	if (i < sites->count)
		sess_enter_site(s, i);
	else
		sess_leave_site(s);
	reply(s, 220, s->banner);
}
