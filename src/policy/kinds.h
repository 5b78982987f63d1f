/*
 * policy/kinds.h: the one list of what can be wrong with a data connection.
 * The server's refusals, the sensor's alerts and the auditor's questions all
 * carry these names; INTERFACE of the events documents them.
 *
 * New ones go to the end: events number them (signature_id).
 *
 * Each has two levels: of a mere attempt, and of one that was carried out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#define BOUNCE_LEVELS(X) \
/*	name       severity, as EVE counts it: 1 high to 4 low */ \
	X(INFO,     4, "info") \
	X(LOW,      3, "low") \
	X(MEDIUM,   2, "medium") \
	X(HIGH,     1, "high") \
	X(CRITICAL, 1, "critical")

enum bounce_level {
#define X(NAME, severity, text) LEVEL_##NAME,
	BOUNCE_LEVELS(X)
#undef X
	LEVEL_COUNT
};

/* How far it went. */
#define BOUNCE_STAGES(X) \
	X(attempt,   "asked for") \
	X(accepted,  "agreed to by the server") \
	X(executed,  "connected") \
	X(completed, "and data has flowed")

enum bounce_stage {
#define X(name, meaning) STAGE_##name,
	BOUNCE_STAGES(X)
#undef X
	STAGE_COUNT
};

#define BOUNCE_KINDS(X) \
/*	name                 attempt   executed  signature */ \
	X(none,                INFO,     INFO,     "permitted") \
	X(third_party,         MEDIUM,   HIGH,     "data address names a third party") \
	X(privileged_port,     MEDIUM,   HIGH,     "data address names a port below 1024") \
	X(loopback,            HIGH,     CRITICAL, "data address names the loopback") \
	X(self,                HIGH,     CRITICAL, "data address names the server itself") \
	X(internal,            HIGH,     CRITICAL, "data address names an internal network") \
	X(invalid_target,      MEDIUM,   HIGH,     "data address names no single host") \
	X(malformed,           LOW,      MEDIUM,   "data address is malformed") \
	X(preauth,             LOW,      HIGH,     "data address before login") \
	X(epsv_all,            LOW,      HIGH,     "data address after EPSV ALL") \
	X(scan_vertical,       HIGH,     CRITICAL, "ports of one host walked through") \
	X(scan_horizontal,     HIGH,     CRITICAL, "one port of many hosts tried") \
	X(scan_slow,           HIGH,     CRITICAL, "slow or spread scan") \
	X(payload_relay,       CRITICAL, CRITICAL, "upload relayed to a service port") \
	X(chained_control,     CRITICAL, CRITICAL, "FTP commands relayed to a server") \
	X(fxp,                 INFO,     INFO,     "transfer between two servers") \
	X(pasv_theft,          HIGH,     HIGH,     "passive data connection of a stranger") \
	X(pasv_race,           MEDIUM,   MEDIUM,   "stranger raced for a passive port") \
	X(pasv_redirect,       HIGH,     HIGH,     "passive reply names another host") \
	X(pasv_predictable,    INFO,     INFO,     "passive ports are predictable") \
	X(pasv_exhaustion,     MEDIUM,   MEDIUM,   "passive ports asked for without use") \
	X(active_hijack,       HIGH,     HIGH,     "active data connection from a stranger") \
	X(alg_holepunch,       HIGH,     HIGH,     "command aimed at a firewall") \
	X(alg_reply_injection, HIGH,     HIGH,     "reply aimed at a firewall") \
	X(cross_protocol,      HIGH,     HIGH,     "another protocol on a control connection") \
	X(evasion,             MEDIUM,   HIGH,     "spelling or packets that hide a command") \
	X(unexplained_data_syn, MEDIUM,  MEDIUM,   "data connection that nothing explains") \
	X(stale_address,       LOW,      LOW,      "data address used after it was void") \
	X(port_flood,          MEDIUM,   MEDIUM,   "data addresses without a transfer") \
	X(pasv_private,        INFO,     INFO,     "passive reply names a private address")

enum bounce_kind {
#define X(name, attempt, executed, signature) KIND_##name,
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

/*
 * What it weighs at this stage.
 *
 * refused   the server said no: one level less, as long as it is an attempt
 * low_port  of a third party, below 1024: one level more
 */
enum bounce_level bounce_level_of(enum bounce_kind kind,
    enum bounce_stage stage, bool refused, bool low_port);

const char *bounce_level_name(enum bounce_level level);
int bounce_level_severity(enum bounce_level level);
/* "attempt", "accepted", "executed", "completed". */
const char *bounce_stage_name(enum bounce_stage stage);
