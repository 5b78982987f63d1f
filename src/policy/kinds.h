/*
 * policy/kinds.h: the one list of what can be wrong with a data connection.
 * The server's refusals, the sensor's alerts and the auditor's questions all
 * carry these names; INTERFACE of the events documents them.
 *
 * severity is EVE's: 1 high, 2 medium, 3 low, 4 information, and is given
 * for a mere attempt; what was carried out weighs more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#define BOUNCE_KINDS(X) \
/*	name                 severity  signature */ \
	X(none,                 4, "permitted") \
	X(third_party,          2, "data address names a third party") \
	X(privileged_port,      2, "data address names a port below 1024") \
	X(loopback,             1, "data address names the loopback") \
	X(self,                 1, "data address names the server itself") \
	X(internal,             1, "data address names an internal network") \
	X(invalid_target,       2, "data address names no single host") \
	X(malformed,            3, "data address is malformed") \
	X(preauth,              3, "data address before login") \
	X(epsv_all,             3, "data address after EPSV ALL") \
	X(scan_vertical,        1, "ports of one host walked through") \
	X(scan_horizontal,      1, "one port of many hosts tried") \
	X(scan_slow,            1, "slow or spread scan") \
	X(payload_relay,        1, "upload relayed to a service port") \
	X(chained_control,      1, "FTP commands relayed to a server") \
	X(fxp,                  4, "transfer between two servers") \
	X(pasv_theft,           1, "passive data connection of a stranger") \
	X(pasv_race,            2, "stranger raced for a passive port") \
	X(pasv_redirect,        1, "passive reply names another host") \
	X(pasv_predictable,     4, "passive ports are predictable") \
	X(pasv_exhaustion,      2, "passive ports asked for without use") \
	X(active_hijack,        1, "active data connection from a stranger") \
	X(alg_holepunch,        1, "command aimed at a firewall") \
	X(alg_reply_injection,  1, "reply aimed at a firewall") \
	X(cross_protocol,       1, "another protocol on a control connection") \
	X(evasion,              2, "spelling or packets that hide a command") \
	X(unexplained_data_syn, 2, "data connection that nothing explains")

enum bounce_kind {
#define X(name, severity, signature) KIND_##name,
	BOUNCE_KINDS(X)
#undef X
	KIND_COUNT
};

/* The name as it stands in events: "third_party". */
const char *bounce_kind_name(enum bounce_kind kind);

/* A line for people. */
const char *bounce_kind_signature(enum bounce_kind kind);

/* EVE's severity of an attempt, 1 to 4. */
int bounce_kind_severity(enum bounce_kind kind);
