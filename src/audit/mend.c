/*
 * audit/mend.c: how each line is mended on each server.  Lines that one
 * setting mends share a theme; what is not known of a server is said in
 * general, and a server without a setting is not given one.
 *
 * Options are those of the servers' manuals: vsftpd 3.0.3, ProFTPD 1.3.8,
 * Pure-FTPd 1.0.50, pyftpdlib 1.5.7, SFTPGo 2, inetutils 2.4, wu-ftpd 2.6,
 * IIS 10.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/lore.h"

#include <assert.h>

#define THEMES(X) \
	X(foreign) \
	X(low_port) \
	X(harmless) \
	X(stale) \
	X(epsv_all) \
	X(no_endpoint) \
	X(before_login) \
	X(theft) \
	X(theft_kills) \
	X(same_address) \
	X(passive_ports) \
	X(passive_address) \
	X(listeners) \
	X(dial_early) \
	X(dial_source) \
	X(balancer) \
	X(one_line) \
	X(iac) \
	X(clear_password) \
	X(enumeration) \
	X(leak) \
	X(listing) \
	X(write) \
	X(overwrite) \
	X(tls_reuse) \
	X(tls_ccc) \
	X(tls_versions) \
	X(tls_alpn) \
	X(tls_sni) \
	X(starttls) \
	X(throttling) \
	X(log)

enum theme {
	THEME_none,		/* a question that was forgotten below */
#define X(name) THEME_##name,
	THEMES(X)
#undef X
	THEME_COUNT
};

static const enum theme themes[ASK_COUNT] = {
	[ASK_bounce] = THEME_foreign,
	[ASK_bounce_private] = THEME_foreign,
	[ASK_payload] = THEME_foreign,
	[ASK_low_port_other] = THEME_foreign,
	[ASK_low_port_own] = THEME_low_port,
	[ASK_eprt_v4] = THEME_foreign,
	[ASK_eprt_v6] = THEME_foreign,
	[ASK_eprt_mapped] = THEME_foreign,
	[ASK_eprt_mapped_own] = THEME_harmless,
	[ASK_eprt_delimiter] = THEME_foreign,
	[ASK_epsv_protocol] = THEME_harmless,
	[ASK_lprt] = THEME_foreign,
	[ASK_spelling] = THEME_foreign,
	[ASK_leading_zeros] = THEME_harmless,
	[ASK_wrap_octet] = THEME_foreign,
	[ASK_wrap_port] = THEME_low_port,
	[ASK_wrap_low_port] = THEME_low_port,
	[ASK_stale_refused] = THEME_stale,
	[ASK_stale_rein] = THEME_stale,
	[ASK_stale_passive] = THEME_stale,
	[ASK_epsv_all_active] = THEME_epsv_all,
	[ASK_epsv_all_pasv] = THEME_epsv_all,
	[ASK_no_endpoint] = THEME_no_endpoint,
	[ASK_before_login] = THEME_before_login,
	[ASK_theft] = THEME_theft,
	[ASK_theft_kills] = THEME_theft_kills,
	[ASK_theft_race] = THEME_theft,
	[ASK_theft_same_address] = THEME_same_address,
	[ASK_passive_ports] = THEME_passive_ports,
	[ASK_passive_address] = THEME_passive_address,
	[ASK_listeners] = THEME_listeners,
	[ASK_oracle] = THEME_foreign,
	[ASK_dial_early] = THEME_dial_early,
	[ASK_dial_source] = THEME_dial_source,
	[ASK_loopback] = THEME_foreign,
	[ASK_self] = THEME_foreign,
	[ASK_balancer] = THEME_balancer,
	[ASK_pipelining] = THEME_foreign,
	[ASK_telnet] = THEME_foreign,
	[ASK_bare_lf] = THEME_foreign,
	[ASK_bare_cr] = THEME_foreign,
	[ASK_long_line] = THEME_one_line,
	[ASK_iac_memory] = THEME_iac,
	[ASK_clear_password] = THEME_clear_password,
	[ASK_user_enumeration] = THEME_enumeration,
	[ASK_address_leak] = THEME_leak,
	[ASK_listing_cut] = THEME_listing,
	[ASK_write] = THEME_write,
	[ASK_overwrite] = THEME_overwrite,
	[ASK_tls_bounce] = THEME_foreign,
	[ASK_tls_theft] = THEME_theft,
	[ASK_tls_data_reuse] = THEME_tls_reuse,
	[ASK_tls_ccc] = THEME_tls_ccc,
	[ASK_tls_versions] = THEME_tls_versions,
	[ASK_tls_alpn] = THEME_tls_alpn,
	[ASK_tls_sni] = THEME_tls_sni,
	[ASK_starttls_injection] = THEME_starttls,
	[ASK_listener_lifetime] = THEME_listeners,
	[ASK_throttling] = THEME_throttling,
	[ASK_log_trace] = THEME_log,
};

#define VSFTPD_CONF " in vsftpd.conf"
#define PROFTPD_CONF " in proftpd.conf"
#define PURE_CONF " in pure-ftpd.conf (Debian: a file each in " \
	"/etc/pure-ftpd/conf)"
#define PYFTPDLIB_CLASS " in the handler class"
#define SFTPGO_BINDING " in each of ftpd's bindings in sftpgo.json"

#define VSFTPD_PASSIVE_ONLY "no setting for this alone; port_enable=NO" \
	VSFTPD_CONF " turns active mode off"
#define PROFTPD_PASSIVE_ONLY "no setting for this alone; upgrade, or turn " \
	"active mode off: <Limit PORT EPRT> DenyAll </Limit>" PROFTPD_CONF
#define SFTPGO_PASSIVE_ONLY "no setting for this alone; " \
	"\"disable_active_mode\": true under ftpd in sftpgo.json"

static const char *const mends[THEME_COUNT][SERVER_COUNT] = {
	[THEME_foreign] = {
		[SERVER_unknown] = "let PORT and EPRT name the client's own "
		    "address alone; without such a setting turn active mode "
		    "off, or replace the server",
		[SERVER_vsftpd] = "port_promiscuous=NO (the default)"
		    VSFTPD_CONF "; or port_enable=NO: no active mode",
		[SERVER_proftpd] = "AllowForeignAddress off" PROFTPD_CONF
		    ", in <Global> and in every <VirtualHost> and <Anonymous>",
		[SERVER_pureftpd] = "AllowUserFXP no and AllowAnonymousFXP no"
		    PURE_CONF " (on the command line: neither -w nor -W)",
		[SERVER_pyftpdlib] = "permit_foreign_addresses = False (the "
		    "default)" PYFTPDLIB_CLASS,
		[SERVER_sftpgo] = "\"active_connections_security\": 0"
		    SFTPGO_BINDING "; or \"disable_active_mode\": true",
		[SERVER_filezilla] = "upgrade to 1.x; in 0.9, \"Allow "
		    "Incoming FXP\" and \"Allow outgoing FXP\" at 0 in "
		    "FileZilla Server.xml",
		[SERVER_wuftpd] = "remove port-allow (and pasv-allow) from "
		    "ftpaccess; wu-ftpd is no longer maintained: replace it",
		[SERVER_inetutils] = "no setting; upgrade, or put it behind a "
		    "firewall that lets it connect to nobody",
		[SERVER_microsoft] = "matchClientAddressForPort=\"true\" in "
		    "ftpServer/security/dataChannelSecurity of "
		    "applicationHost.config",
	},
	[THEME_low_port] = {
		[SERVER_unknown] = "refuse ports below 1024 and above 65535 in "
		    "PORT and EPRT; without such a setting upgrade, or turn "
		    "active mode off",
		[SERVER_vsftpd] = "port_promiscuous=NO" VSFTPD_CONF
		    " refuses them; or port_enable=NO: no active mode",
		[SERVER_proftpd] = PROFTPD_PASSIVE_ONLY,
		[SERVER_pureftpd] = "no setting; upgrade (1.0.50 refuses them)",
		[SERVER_pyftpdlib] = "permit_privileged_ports = False (the "
		    "default)" PYFTPDLIB_CLASS,
		[SERVER_sftpgo] = SFTPGO_PASSIVE_ONLY,
		[SERVER_filezilla] = "no setting; upgrade",
		[SERVER_wuftpd] = "no setting; replace it: it is no longer "
		    "maintained",
		[SERVER_inetutils] = "no setting; a firewall that lets the "
		    "server connect to ports of 1024 and above alone",
		[SERVER_microsoft] = "no setting; a firewall rule for the "
		    "service: no connections to ports below 1024",
	},
	[THEME_harmless] = {
		[SERVER_unknown] = "nothing need be done: it is told so that "
		    "firewalls and filters in front of the server know it",
	},
	[THEME_stale] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade, "
		    "or turn active mode off where nobody needs it",
		[SERVER_vsftpd] = VSFTPD_PASSIVE_ONLY,
		[SERVER_proftpd] = PROFTPD_PASSIVE_ONLY,
		[SERVER_pureftpd] = "no setting; upgrade to 1.0.53 or later",
		[SERVER_sftpgo] = SFTPGO_PASSIVE_ONLY,
	},
	[THEME_epsv_all] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade, "
		    "or turn off the mode that nobody needs",
		[SERVER_vsftpd] = VSFTPD_PASSIVE_ONLY,
		[SERVER_proftpd] = "no setting; upgrade to 1.3.9d or later "
		    "(before, an aborted transfer made it forget EPSV ALL)",
		[SERVER_pureftpd] = "no setting; report it to its author",
		[SERVER_sftpgo] = SFTPGO_PASSIVE_ONLY,
	},
	[THEME_no_endpoint] = {
		[SERVER_unknown] = "a short limit for transfers that do not "
		    "begin, and for sessions of one address",
		[SERVER_pyftpdlib] = "no setting; a short timeout and a small "
		    "max_cons_per_ip in the server class bound what it costs",
		[SERVER_proftpd] = "TimeoutNoTransfer and MaxClientsPerHost"
		    PROFTPD_CONF " bound what it costs",
	},
	[THEME_before_login] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade, "
		    "or turn active mode off",
		[SERVER_vsftpd] = VSFTPD_PASSIVE_ONLY,
		[SERVER_proftpd] = PROFTPD_PASSIVE_ONLY,
		[SERVER_sftpgo] = SFTPGO_PASSIVE_ONLY,
	},
	[THEME_theft] = {
		[SERVER_unknown] = "take data connections from the client's "
		    "own address alone; else require TLS for them, or replace "
		    "the server",
		[SERVER_vsftpd] = "pasv_promiscuous=NO (the default)"
		    VSFTPD_CONF,
		[SERVER_proftpd] = "upgrade to 1.3.9d or later; before it, "
		    "AllowForeignAddress off must be written out" PROFTPD_CONF
		    ": the default is not kept (issue 2272)",
		[SERVER_pureftpd] = "AllowUserFXP no and AllowAnonymousFXP no"
		    PURE_CONF " (neither -w nor -W)",
		[SERVER_pyftpdlib] = "permit_foreign_addresses = False (the "
		    "default)" PYFTPDLIB_CLASS,
		[SERVER_sftpgo] = "\"passive_connections_security\": 0"
		    SFTPGO_BINDING,
		[SERVER_filezilla] = "upgrade to 1.x, and require TLS: the "
		    "data connection must then resume its session",
		[SERVER_wuftpd] = "remove pasv-allow from ftpaccess; wu-ftpd "
		    "is no longer maintained: replace it",
		[SERVER_inetutils] = "no setting; upgrade, or replace it",
		[SERVER_microsoft] = "matchClientAddressForPasv=\"true\" in "
		    "ftpServer/security/dataChannelSecurity of "
		    "applicationHost.config",
	},
	[THEME_theft_kills] = {
		[SERVER_unknown] = "no server has a setting for this; a wide "
		    "range of passive ports makes it a matter of luck",
		[SERVER_vsftpd] = "no setting; require TLS and leave "
		    "pasv_min_port and pasv_max_port wide, so that the port "
		    "is hard to find",
		[SERVER_proftpd] = "no setting; upgrade, and leave "
		    "PassivePorts wide",
		[SERVER_inetutils] = "no setting; upgrade, or replace it",
	},
	[THEME_same_address] = {
		[SERVER_unknown] = "addresses cannot tell them apart: require "
		    "TLS for data connections, with resumed sessions",
		[SERVER_vsftpd] = "require_ssl_reuse=YES and "
		    "force_local_data_ssl=YES" VSFTPD_CONF
		    " (force_anon_data_ssl=YES for anonymous users)",
		[SERVER_proftpd] = "TLSRequired on, and TLSOptions without "
		    "NoSessionReuseRequired" PROFTPD_CONF,
		[SERVER_pureftpd] = "no setting: since 1.0.48 it does not ask "
		    "for resumed sessions; TLS 3 hides the transfer only from "
		    "who reads along",
		[SERVER_pyftpdlib] = "no setting: it does not ask for resumed "
		    "sessions",
		[SERVER_sftpgo] = "\"tls_session_reuse\": 1" SFTPGO_BINDING
		    " where the version has it, and \"tls_mode\": 1",
		[SERVER_portcullis] = "no setting: clients without TLS that "
		    "share an address cannot be told apart",
	},
	[THEME_passive_ports] = {
		[SERVER_unknown] = "a wide range of passive ports, drawn at "
		    "random; with a narrow range a thief need not guess",
		[SERVER_vsftpd] = "pasv_min_port and pasv_max_port wide (0 is "
		    "all)" VSFTPD_CONF "; it draws them by rand(): TLS with "
		    "require_ssl_reuse=YES makes the guess useless",
		[SERVER_proftpd] = "PassivePorts 49152 65535" PROFTPD_CONF
		    ", or none at all: the system then chooses",
		[SERVER_pureftpd] = "PassivePortRange wide, or not set"
		    PURE_CONF,
		[SERVER_pyftpdlib] = "passive_ports = None" PYFTPDLIB_CLASS
		    ": the system then chooses; or a wide range",
		[SERVER_sftpgo] = "\"passive_port_range\" wide under ftpd in "
		    "sftpgo.json (the default is 101 ports)",
		[SERVER_filezilla] = "a wide custom port range in its passive "
		    "mode settings, or none",
		[SERVER_wuftpd] = "passive ports with a wide range in "
		    "ftpaccess; replace it",
		[SERVER_inetutils] = "no setting: the system chooses "
		    "(net.ipv4.ip_local_port_range)",
		[SERVER_microsoft] = "lowDataChannelPort and "
		    "highDataChannelPort far apart in "
		    "system.ftpServer/firewallSupport",
		[SERVER_portcullis] = "passive.ports with a wide range in "
		    "portcullis.conf",
	},
	[THEME_passive_address] = {
		[SERVER_unknown] = "set the address and the ports that it "
		    "tells in 227 to its public address and to ports of 1024 "
		    "and above",
		[SERVER_vsftpd] = "pasv_address=ITS PUBLIC ADDRESS"
		    VSFTPD_CONF "; pasv_min_port at 1024 or above",
		[SERVER_proftpd] = "MasqueradeAddress ITS PUBLIC ADDRESS"
		    PROFTPD_CONF ", or none where there is no NAT",
		[SERVER_pureftpd] = "ForcePassiveIP ITS PUBLIC ADDRESS"
		    PURE_CONF ", or none where there is no NAT",
		[SERVER_pyftpdlib] = "masquerade_address = \"ITS PUBLIC "
		    "ADDRESS\"" PYFTPDLIB_CLASS,
		[SERVER_sftpgo] = "\"force_passive_ip\": \"ITS PUBLIC "
		    "ADDRESS\"" SFTPGO_BINDING,
		[SERVER_filezilla] = "the public address in its passive mode "
		    "settings (\"host override\" in 1.x)",
		[SERVER_wuftpd] = "passive address in ftpaccess; replace it",
		[SERVER_inetutils] = "no setting: it tells the address that "
		    "was connected to; use EPSV, or a NAT that knows FTP",
		[SERVER_microsoft] = "externalIp4Address in "
		    "ftpServer/firewallSupport of applicationHost.config",
		[SERVER_portcullis] = "no setting: behind a NAT, clients "
		    "must use EPSV, or the NAT must know FTP",
	},
	[THEME_listeners] = {
		[SERVER_unknown] = "a short limit for passive ports that "
		    "nobody connects to, and few sessions for one address",
		[SERVER_vsftpd] = "accept_timeout=30 and max_per_ip"
		    VSFTPD_CONF,
		[SERVER_proftpd] = "no setting for the listener alone; "
		    "TimeoutNoTransfer and MaxClientsPerHost" PROFTPD_CONF
		    " bound it",
		[SERVER_pureftpd] = "no setting for the listener alone; "
		    "MaxIdleTime and MaxClientsPerIP" PURE_CONF " bound it",
		[SERVER_pyftpdlib] = "PassiveDTP.timeout (30 s) and "
		    "max_cons_per_ip of the server class",
		[SERVER_portcullis] = "passive.timeout in portcullis.conf",
	},
	[THEME_dial_early] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade, "
		    "or turn active mode off",
		[SERVER_pyftpdlib] = "no setting: it connects at PORT; take "
		    "PORT and EPRT out of proto_cmds" PYFTPDLIB_CLASS
		    " where nobody needs active mode",
	},
	[THEME_dial_source] = {
		[SERVER_unknown] = "have it connect from the address that the "
		    "client connected to",
		[SERVER_vsftpd] = "listen_address=THE ADDRESS" VSFTPD_CONF
		    ", one server for each address",
		[SERVER_proftpd] = "DefaultAddress and SocketBindTight on"
		    PROFTPD_CONF,
		[SERVER_pureftpd] = "Bind ADDRESS,21" PURE_CONF
		    ", one server for each address",
		[SERVER_sftpgo] = "an \"address\"" SFTPGO_BINDING,
	},
	[THEME_balancer] = {
		[SERVER_unknown] = "have the balancer keep the client's "
		    "address, or tell it by the PROXY protocol; and let the "
		    "server believe that balancer alone",
		[SERVER_vsftpd] = "no setting: it knows no PROXY protocol; "
		    "have the balancer keep the client's address",
		[SERVER_proftpd] = "mod_proxy_protocol for the balancer's "
		    "connections, or a balancer that keeps the address",
		[SERVER_pureftpd] = "no setting: it knows no PROXY protocol; "
		    "have the balancer keep the client's address",
		[SERVER_pyftpdlib] = "no setting: it knows no PROXY protocol; "
		    "have the balancer keep the client's address",
		[SERVER_portcullis] = "no setting: it knows no PROXY "
		    "protocol; have the balancer keep the client's address",
		[SERVER_sftpgo] = "\"proxy_protocol\": 2 and "
		    "\"proxy_allowed\" with the balancer alone, under common "
		    "in sftpgo.json",
	},
	[THEME_one_line] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade",
		[SERVER_proftpd] = "upgrade; CommandBufferSize" PROFTPD_CONF
		    " moves the limit, and mends nothing",
	},
	[THEME_iac] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade",
		[SERVER_proftpd] = "upgrade to 1.3.3c or later "
		    "(CVE-2010-4221)",
	},
	[THEME_clear_password] = {
		[SERVER_unknown] = "require TLS before USER of all but "
		    "anonymous users",
		[SERVER_vsftpd] = "ssl_enable=YES, force_local_logins_ssl=YES "
		    "and force_local_data_ssl=YES" VSFTPD_CONF,
		[SERVER_proftpd] = "TLSEngine on and TLSRequired on (or "
		    "auth+data)" PROFTPD_CONF,
		[SERVER_pureftpd] = "TLS 2" PURE_CONF " (TLS 3 for data, too; "
		    "on the command line -Y 2)",
		[SERVER_pyftpdlib] = "use TLS_FTPHandler with "
		    "tls_control_required = True",
		[SERVER_sftpgo] = "\"tls_mode\": 1" SFTPGO_BINDING,
		[SERVER_filezilla] = "\"Require explicit FTP over TLS\" for "
		    "each listener",
		[SERVER_wuftpd] = "no setting: it knows no TLS; replace it",
		[SERVER_inetutils] = "no setting: it knows no TLS; allow "
		    "anonymous users alone (-A), or replace it",
		[SERVER_microsoft] = "controlChannelPolicy=\"SslRequire\" (or "
		    "SslRequireCredentialsOnly) in ftpServer/security/ssl",
	},
	[THEME_enumeration] = {
		[SERVER_unknown] = "have USER answered with the same 331 for "
		    "everybody",
		[SERVER_vsftpd] = "userlist_enable=NO" VSFTPD_CONF
		    ": with a list USER is refused at once",
		[SERVER_proftpd] = "DelayEngine on" PROFTPD_CONF
		    " against the clock; no setting for the text; upgrade",
		[SERVER_inetutils] = "do not start it with --non-rfc2577",
	},
	[THEME_leak] = {
		[SERVER_unknown] = "no server has a setting for this; where "
		    "the address must not be known, keep it from the server",
		[SERVER_pureftpd] = "no setting: its refusal tells the "
		    "address that it sees of the client",
	},
	[THEME_listing] = {
		[SERVER_unknown] = "raise the limit of names in a listing "
		    "above the largest directory",
		[SERVER_pureftpd] = "LimitRecursion 1000000 8" PURE_CONF
		    " (-L 1000000:8): more names than any directory has",
		[SERVER_proftpd] = "ListOptions without maxfiles" PROFTPD_CONF,
	},
	[THEME_write] = {
		[SERVER_unknown] = "forbid anonymous users to store files, or "
		    "give them a directory that nobody can read",
		[SERVER_vsftpd] = "anon_upload_enable=NO and "
		    "anon_mkdir_write_enable=NO" VSFTPD_CONF,
		[SERVER_proftpd] = "<Limit WRITE> DenyAll </Limit> in "
		    "<Anonymous>" PROFTPD_CONF,
		[SERVER_pureftpd] = "AnonymousCantUpload yes and AntiWarez yes"
		    PURE_CONF " (-i and -s)",
		[SERVER_pyftpdlib] = "add_anonymous() with perm=\"elr\", the "
		    "default",
		[SERVER_sftpgo] = "the permissions \"list\" and \"download\" "
		    "alone for that user",
		[SERVER_filezilla] = "read-only access for that user's "
		    "mount points",
		[SERVER_wuftpd] = "upload ... no in ftpaccess; replace it",
		[SERVER_inetutils] = "no setting: the directories' own "
		    "permissions; none of ~ftp may be ftp's to write",
		[SERVER_microsoft] = "Read alone for anonymous users in the "
		    "FTP authorization rules",
	},
	[THEME_overwrite] = {
		[SERVER_unknown] = "forbid anonymous users to overwrite, "
		    "delete and rename files",
		[SERVER_vsftpd] = "anon_other_write_enable=NO and "
		    "anon_upload_enable=NO" VSFTPD_CONF,
		[SERVER_proftpd] = "AllowOverwrite off in <Anonymous>"
		    PROFTPD_CONF,
		[SERVER_pureftpd] = "AnonymousCantUpload yes, or AutoRename "
		    "yes" PURE_CONF " (-i or -r)",
		[SERVER_pyftpdlib] = "add_anonymous() with perm=\"elr\", the "
		    "default",
		[SERVER_sftpgo] = "no \"overwrite\", \"delete\" and "
		    "\"rename\" among that user's permissions",
		[SERVER_filezilla] = "read-only access for that user's "
		    "mount points",
		[SERVER_wuftpd] = "overwrite no anonymous in ftpaccess; "
		    "replace it",
		[SERVER_microsoft] = "Read alone for anonymous users in the "
		    "FTP authorization rules",
	},
	[THEME_tls_reuse] = {
		[SERVER_unknown] = "require that data connections resume the "
		    "control connection's TLS session",
		[SERVER_vsftpd] = "require_ssl_reuse=YES (the default)"
		    VSFTPD_CONF,
		[SERVER_proftpd] = "TLSOptions without NoSessionReuseRequired"
		    PROFTPD_CONF,
		[SERVER_pureftpd] = "no setting: its authors took the check "
		    "out in 1.0.48",
		[SERVER_pyftpdlib] = "no setting; it resumes no sessions",
		[SERVER_sftpgo] = "\"tls_session_reuse\": 1" SFTPGO_BINDING
		    " where the version has it",
		[SERVER_filezilla] = "upgrade to 1.x, which requires it",
		[SERVER_microsoft] = "no setting",
	},
	[THEME_tls_ccc] = {
		[SERVER_unknown] = "forbid CCC",
		[SERVER_proftpd] = "TLSRequired on (not auth+data)"
		    PROFTPD_CONF,
		[SERVER_pureftpd] = "no setting; report it to its author",
		[SERVER_microsoft] = "deny CCC in "
		    "ftpServer/security/commandFiltering",
	},
	[THEME_tls_versions] = {
		[SERVER_unknown] = "allow TLS 1.2 and 1.3 alone",
		[SERVER_vsftpd] = "ssl_tlsv1=NO" VSFTPD_CONF ", and "
		    "ssl_tlsv1_1=NO where the version has it; else MinProtocol "
		    "= TLSv1.2 in OpenSSL's own configuration",
		[SERVER_proftpd] = "TLSProtocol TLSv1.2 TLSv1.3" PROFTPD_CONF,
		[SERVER_pureftpd] = "upgrade to 1.0.48 or later, which speaks "
		    "neither",
		[SERVER_pyftpdlib] = "add SSL.OP_NO_TLSv1 and "
		    "SSL.OP_NO_TLSv1_1 to ssl_options of TLS_FTPHandler",
		[SERVER_sftpgo] = "\"min_tls_version\": 12" SFTPGO_BINDING,
		[SERVER_filezilla] = "TLS 1.2 as the least version of each "
		    "listener",
		[SERVER_microsoft] = "turn TLS 1.0 and 1.1 off for servers in "
		    "SCHANNEL's part of the registry",
	},
	[THEME_tls_alpn] = {
		[SERVER_unknown] = "refuse ALPN without \"ftp\"; no setting "
		    "in most servers: upgrade, and give FTP a host name and "
		    "a certificate of its own",
		[SERVER_vsftpd] = "upgrade to 3.0.4 or later",
		[SERVER_proftpd] = "TLSNextProtocol on (the default)"
		    PROFTPD_CONF ", and upgrade",
		[SERVER_filezilla] = "upgrade to 1.x",
	},
	[THEME_tls_sni] = {
		[SERVER_unknown] = "no setting in most servers: a host name "
		    "and a certificate that serve FTP alone",
		[SERVER_vsftpd] = "ssl_sni_hostname=ITS NAME" VSFTPD_CONF
		    " (3.0.4 and later)",
		[SERVER_proftpd] = "no setting: TLSOptions IgnoreSNI would "
		    "only ignore it; use a certificate that serves FTP alone",
	},
	[THEME_starttls] = {
		[SERVER_unknown] = "no server has a setting for this: upgrade",
		[SERVER_proftpd] = "upgrade to 1.3.3e or later",
		[SERVER_pureftpd] = "upgrade to 1.0.30 or later "
		    "(CVE-2011-1575)",
	},
	[THEME_throttling] = {
		[SERVER_unknown] = "end or slow sessions of refused commands: "
		    "by a limit of the server's own, or by a log watcher that "
		    "blocks the address",
		[SERVER_vsftpd] = "no setting for refused commands; "
		    "max_per_ip" VSFTPD_CONF " and a log watcher with "
		    "log_ftp_protocol=YES",
		[SERVER_proftpd] = "MaxCommandRate" PROFTPD_CONF
		    " slows them; mod_ban with BanOnEvent ends them",
		[SERVER_pureftpd] = "no setting for refused commands; "
		    "MaxClientsPerIP, and a log watcher with VerboseLog yes"
		    PURE_CONF,
		[SERVER_pyftpdlib] = "no setting; override "
		    "pre_process_command" PYFTPDLIB_CLASS,
		[SERVER_sftpgo] = "the defender (\"enabled\": true under "
		    "common) counts logins alone; a log watcher for the rest",
	},
	[THEME_log] = {
		[SERVER_unknown] = "have commands logged with their argument "
		    "and the client's address",
		[SERVER_vsftpd] = "log_ftp_protocol=YES with "
		    "xferlog_std_format=NO" VSFTPD_CONF,
		[SERVER_proftpd] = "ExtendedLog FILE ALL with a LogFormat that "
		    "has %a and %r" PROFTPD_CONF,
		[SERVER_pureftpd] = "VerboseLog yes" PURE_CONF " (-d)",
		[SERVER_pyftpdlib] = "pyftpdlib.log.config_logging(level="
		    "logging.DEBUG)",
		[SERVER_sftpgo] = "\"debug\": true" SFTPGO_BINDING,
		[SERVER_inetutils] = "start it with -d: its commands go to "
		    "syslog",
		[SERVER_wuftpd] = "log commands anonymous,guest,real in "
		    "ftpaccess",
		[SERVER_microsoft] = "logFile with c-ip, cs-method and "
		    "cs-uri-stem in the site's ftpServer",
		[SERVER_portcullis] = "events=FILE in portcullis.conf",
	},
};

/* What it has no setting for is a defect of ours. */
#define OURS "a defect of Portcullis: upgrade, and report it"

const char *
lore_mend(enum server_kind kind, enum audit_question q)
{
	enum theme theme = themes[q];

	assert(theme != THEME_none);
	if (mends[theme][kind] != NULL)
		return mends[theme][kind];
	if (kind == SERVER_portcullis && theme != THEME_harmless)
		return OURS;
	return mends[theme][SERVER_unknown];
}
