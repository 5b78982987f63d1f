/*
 * Runs bounce.tsv through everything that is pure between a byte and a reply:
 * Telnet, command, address, policy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/named.h"

#include <stdio.h>

#include "proto/command.h"
#include "proto/hostport.h"
#include "proto/reply.h"
#include "proto/telnet.h"
#include "unit.h"
#include "vectors.h"

struct answer {
	int reply;	  /* 0 where none is given */
	const char *kind; /* "-" where no address was understood */
};

/* The verbs that the worker has no handler for: 502. */
static bool
is_absent(enum ftp_verb verb)
{
	static const char *const handlers[V_COUNT] = {
#define X(VERB, handler, ...) [V_##VERB] = #handler,
		FTP_VERBS(X)
#undef X
	};

	return strcmp(handlers[verb], "absent") == 0;
}

static int
reply_of(enum ftp_verb verb, struct sv arg, const struct bounce_question *who,
    const struct named *m)
{
	struct bounce_question q = *who;
	enum ftp_err err;

	if (is_absent(verb) || verb == V_LPRT)
		return 502;
	err = verb == V_PORT ? hostport_parse(arg, &q.asked) :
	    eprt_parse(arg, &q.asked);
	return err != FTP_OK ? ftp_err_reply(err) : bounce_reply(&q, m->kind);
}

static struct answer
answer_address(enum ftp_verb verb, struct sv arg, const struct addr *peer,
    const struct addr *server)
{
	struct bounce_question who = { .peer = *peer, .local = *server };
	struct named m = named_judge(verb, arg, true, &who);

	return (struct answer) { reply_of(verb, arg, &who, &m),
		bounce_kind_name(m.kind) };
}

/* What is no command as it stands may be one to a careless server. */
static const char *
hidden_kind(struct sv line, const struct addr *peer,
    const struct addr *server)
{
	struct bounce_question who = { .peer = *peer, .local = *server };
	char room[LENIENT_LINE_MAX];
	enum ftp_verb verb;
	struct sv arg;

	if (!lenient_command(line, room, &verb, &arg))
		return "-";
	return bounce_kind_name(named_judge(verb, arg, false, &who).kind);
}

static struct answer
answer_line(struct sv line, struct sv when, const struct addr *peer,
    const struct addr *server)
{
	enum ftp_verb verb;
	struct sv arg;
	enum ftp_err err = command_parse(line, &verb, &arg);

	if (err != FTP_OK)
		return (struct answer) { ftp_err_reply(err),
			hidden_kind(line, peer, server) };
	if (is_absent(verb))
		return (struct answer) { 502, "-" };
	if (sv_eq(when, SV("greeted")) &&
	    (ftp_commands[verb].at & AT_GREETED) == 0)
		return (struct answer) { 530,
			bounce_kind_name(KIND_preauth) };
	if (sv_eq(when, SV("epsv_all")) &&
	    (verb == V_PORT || verb == V_EPRT || verb == V_PASV))
		return (struct answer) { 504,
			bounce_kind_name(KIND_epsv_all) };
	if (named_is_asked(verb))
		return answer_address(verb, arg, peer, server);
	return (struct answer) { 200, "-" };
}

static struct answer
answer_bytes(struct sv bytes, struct sv when, const struct addr *peer,
    const struct addr *server)
{
	struct answer last = { 0, "-" };
	enum telnet_event event;
	struct telnet t;
	char buf[512];

	telnet_init(&t, buf, sizeof(buf));
	while ((event = telnet_feed(&t, &bytes)) != TELNET_MORE)
		if (event == TELNET_LINE)
			last = answer_line(telnet_line(&t), when, peer,
			    server);
	return last;
}

static struct answer
answer_stranger(struct sv from_text, const struct addr *peer)
{
	struct addr from;

	assert_true(addr_parse_ip_port(from_text, &from));
	return (struct answer) { 0, bounce_kind_name(
	    bounce_is_owner(&from, peer) ? KIND_none : KIND_pasv_theft) };
}

static struct answer
answer_reply(struct sv line, const struct addr *server)
{
	struct reply_line reply;
	struct addr named;

	assert_int_equal(reply_parse(line, &reply), FTP_OK);
	assert_int_equal(reply.code == 227 ?
	    pasv_reply_parse(reply.text, &named) :
	    epsv_reply_parse(reply.text, &named), FTP_OK);
	return (struct answer) { 0,
		bounce_kind_name(bounce_judge_passive(&named, server)) };
}

static void
check_row(const struct vector *v)
{
	struct sv when = v->column[1], bytes = v->column[2];
	struct addr peer, server;
	struct answer a;
	char reply[16] = "-";

	assert_true(addr_parse_ip(v->column[3], &peer));
	assert_true(addr_parse_ip(v->column[4], &server));
	if (sv_eq(when, SV("accepting")))
		a = answer_stranger(bytes, &peer);
	else if (sv_eq(when, SV("reading")))
		a = answer_reply(bytes, &server);
	else
		a = answer_bytes(bytes, when, &peer, &server);

	if (a.reply != 0)
		snprintf(reply, sizeof(reply), "%d", a.reply);
	vector_same(v, "kind", sv_of(a.kind), v->column[5]);
	vector_same(v, "reply", sv_of(reply), v->column[6]);
}

static void
vectors_are_judged_as_they_say(void **state)
{
	(void)state;
	vectors_each("bounce.tsv", 7, check_row);
}

static struct addr
endpoint(const char *text)
{
	struct addr a;

	assert_true(addr_parse_ip_port(sv_of(text), &a));
	return a;
}

/* Nobody is permitted to anybody when it is not known who asks. */
static void
without_a_peer_nothing_is_permitted(void **state)
{
	struct bounce_question q = { .asked = endpoint("198.51.100.7:50000") };

	(void)state;
	assert_int_equal(bounce_judge(&q), KIND_third_party);
	q.asked = (struct addr) { .family = ADDR_NONE, .port = 50000 };
	assert_int_equal(bounce_judge(&q), KIND_invalid_target);
	assert_false(bounce_is_owner(&q.asked, &q.peer));
}

static void
every_low_port_is_refused(void **state)
{
	struct addr peer = endpoint("198.51.100.7:0");
	struct bounce_question q = { .asked = peer, .peer = peer };

	(void)state;
	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		enum bounce_kind wanted = KIND_none;

		if (port < 1024)
			wanted = KIND_privileged_port;
		if (port == 0)
			wanted = KIND_malformed;
		q.asked.port = (uint16_t)port;
		assert_int_equal(bounce_judge(&q), wanted);
		assert_int_equal(bounce_judge_peer_port(&peer, (uint16_t)port,
		    NULL, 0), wanted);
	}
}

static void
denied_networks_are_never_connected_to(void **state)
{
	struct addr peer = endpoint("[::ffff:198.51.100.7]:21");
	struct bounce_question q = { .asked = endpoint("198.51.100.7:50000"),
		.peer = peer, .deny_count = 1 };
	struct addr_net net;

	(void)state;
	assert_true(addr_parse_net(SV("198.51.100.0/24"), &net));
	q.deny = &net;
	assert_int_equal(bounce_judge(&q), KIND_internal);
	assert_int_equal(bounce_reply(&q, KIND_internal), 504);
	assert_int_equal(bounce_judge_peer_port(&peer, 50000, &net, 1),
	    KIND_internal);
	assert_true(addr_parse_net(SV("198.51.101.0/24"), &net));
	assert_int_equal(bounce_judge(&q), KIND_none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_are_judged_as_they_say),
		cmocka_unit_test(without_a_peer_nothing_is_permitted),
		cmocka_unit_test(every_low_port_is_refused),
		cmocka_unit_test(denied_networks_are_never_connected_to),
	};

	return RUN(tests);
}
