/*
 * The replies are those of Debian 12's packages and, for the servers that it
 * has not, of published transcripts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/lore.h"

#include "unit.h"

static const struct {
	const char *banner, *syst, *feat, *help, *stat;
	enum server_kind kind;
	bool sure;
	const char *version;
} known[] = {
	{ "220 (vsFTPd 3.0.3)\r\n", "215 UNIX Type: L8\r\n", NULL, NULL, NULL,
	  SERVER_vsftpd, true, "3.0.3" },
	{ "220 Welcome.\r\n", NULL, NULL, "214-The following commands are "
	  "recognized.\r\n ABOR\r\n214 Help OK.\r\n", NULL, SERVER_vsftpd,
	  false, "" },
	{ "220 Welcome.\r\n", NULL, NULL, "214 Help OK.\r\n", "211-FTP server "
	  "status:\r\n     vsFTPd 3.0.3 - secure, fast, stable\r\n"
	  "211 End of status\r\n", SERVER_vsftpd, true, "3.0.3" },
	{ "220 ProFTPD 1.3.8b Server (Debian) [127.0.0.1]\r\n", NULL, NULL,
	  NULL, NULL, SERVER_proftpd, true, "1.3.8b" },
	{ "220 ProFTPD Server ready.\r\n", NULL, NULL, NULL, NULL,
	  SERVER_proftpd, true, "" },
	{ "220 127.0.0.1 FTP server ready\r\n", "215 UNIX Type: L8\r\n",
	  "211-Features:\r\n CLNT\r\n CSID\r\n EPRT\r\n211 End\r\n", NULL,
	  NULL, SERVER_proftpd, false, "" },
	{ "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n"
	  "220-You are user number 1 of 50 allowed.\r\n220 You will be "
	  "disconnected after 15 minutes of inactivity.\r\n", NULL, NULL, NULL,
	  NULL, SERVER_pureftpd, true, "" },
	{ "220 ready\r\n", NULL, "211-Extensions supported:\r\n ESTA\r\n PASV"
	  "\r\n EPSV\r\n ESTP\r\n211 End.\r\n", NULL, NULL, SERVER_pureftpd,
	  false, "" },
	{ "220 ready\r\n", NULL, NULL, "214-The following SITE commands are "
	  "recognized\r\n ALIAS\r\n214 Pure-FTPd - http://pureftpd.org/\r\n",
	  NULL, SERVER_pureftpd, true, "" },
	{ "220 pyftpdlib 1.5.7 ready.\r\n", NULL, NULL, NULL, NULL,
	  SERVER_pyftpdlib, true, "1.5.7" },
	{ "220 hello\r\n", NULL, "211-Features supported:\r\n EPRT\r\n"
	  "211 End FEAT.\r\n", NULL, NULL, SERVER_pyftpdlib, false, "" },
	{ "220 SFTPGo 2.7.5 ready\r\n", NULL, "211- These are my features\r\n"
	  " CLNT\r\n211 end\r\n", NULL, NULL, SERVER_sftpgo, true, "2.7.5" },
	{ "220 hello\r\n", NULL, "211- These are my features\r\n CLNT\r\n"
	  "211 end\r\n", NULL, NULL, SERVER_sftpgo, false, "" },
	{ "220-FileZilla Server 1.10.3\r\n220 Please visit "
	  "https://filezilla-project.org/\r\n", NULL, NULL, NULL, NULL,
	  SERVER_filezilla, true, "1.10.3" },
	{ "220 hello\r\n", "215 UNIX emulated by FileZilla.\r\n", NULL, NULL,
	  NULL, SERVER_filezilla, true, "" },
	{ "220 h FTP server (Version wu-2.6.2(1) Tue Jul 31 2007) ready.\r\n",
	  NULL, NULL, NULL, NULL, SERVER_wuftpd, true, "2.6.2" },
	{ "220 h FTP server (Revision 9.0 Version wuftpd-2.6.1 Mon) ready.\r\n",
	  NULL, NULL, NULL, NULL, SERVER_wuftpd, true, "2.6.1" },
	{ "220 h FTP server (GNU inetutils 2.4) ready.\r\n", NULL, NULL, NULL,
	  NULL, SERVER_inetutils, true, "2.4" },
	{ "220 h FTP server ready.\r\n", NULL, NULL, NULL, "211- h FTP server "
	  "status:\r\n     ftpd (GNU inetutils) 2.4\r\n211 End of status\r\n",
	  SERVER_inetutils, true, "2.4" },
	{ "220 Microsoft FTP Service\r\n", "215 Windows_NT\r\n", NULL, NULL,
	  NULL, SERVER_microsoft, true, "" },
	{ "220 hello\r\n", "215 Windows_NT\r\n", NULL, NULL, NULL,
	  SERVER_microsoft, false, "" },
	{ "220 FTP server ready.\r\n", "215 UNIX Type: L8\r\n",
	  "211-Features:\r\n EPRT\r\n UTF8\r\n211 End.\r\n",
	  "214-Commands (HELP and one of them says more):\r\n ABOR \r\n214 End.\r\n", NULL,
	  SERVER_portcullis, false, "" },
	/* a greeting that claims what the rest denies */
	{ "220 ProFTPD 1.3.8 Server\r\n", NULL, NULL, NULL, "211-FTP server "
	  "status:\r\n     vsFTPd 3.0.3 - secure, fast, stable\r\n211 End\r\n",
	  SERVER_vsftpd, true, "3.0.3" },
	/* BSD's words are many servers' */
	{ "220 h FTP server ready.\r\n", "215 UNIX Type: L8\r\n", NULL,
	  "214-The following commands are recognized (* =>'s unimplemented)."
	  "\r\n214 Direct comments to root@h\r\n", NULL, SERVER_unknown, false,
	  "" },
	{ NULL, NULL, NULL, NULL, NULL, SERVER_unknown, false, "" },
};

static struct sv
words(const char *text)
{
	return text != NULL ? sv_of(text) : (struct sv) { NULL, 0 };
}

static void
servers_are_known_by_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		struct server_known got = server_recognise(
		    &(struct server_words) { words(known[i].banner),
		    words(known[i].syst), words(known[i].feat),
		    words(known[i].help), words(known[i].stat) });

		if (got.kind != known[i].kind || got.sure != known[i].sure ||
		    strcmp(got.version, known[i].version) != 0)
			fail_msg("row %zu: %s, sure %d, version \"%s\"", i,
			    server_kind_name(got.kind), got.sure, got.version);
	}
}

static void
a_version_has_an_end(void **state)
{
	char banner[300] = "220 (vsFTPd 3.";
	struct server_known got;

	(void)state;
	memset(banner + strlen(banner), '9', 200);
	got = server_recognise(&(struct server_words) { sv_of(banner) });
	assert_int_equal(got.kind, SERVER_vsftpd);
	assert_int_equal(strlen(got.version), SERVER_VERSION_MAX - 1);
	got = server_recognise(&(struct server_words) { SV("vsFTPd ") });
	assert_string_equal(got.version, "");
	/* Neither a sign nor a version reaches beyond the view. */
	got = server_recognise(&(struct server_words) {
	    { "vsFTPd 3.0.3", 10 } });
	assert_string_equal(got.version, "3.0");
	got = server_recognise(&(struct server_words) {
	    { "vsFTPd 3.0.3", 5 } });
	assert_int_equal(got.kind, SERVER_unknown);
}

static void
kinds_have_names_both_ways(void **state)
{
	(void)state;
	for (size_t k = 0; k < SERVER_COUNT; k++) {
		enum server_kind kind = (enum server_kind)k;

		assert_int_equal(server_kind_find(server_kind_name(kind)),
		    kind);
		assert_true(strlen(server_name(kind)) > 0);
	}
	assert_int_equal(server_kind_find("nobody's"), SERVER_unknown);
}

static void
questions_have_ids_both_ways(void **state)
{
	(void)state;
	for (size_t q = 0; q < ASK_COUNT; q++)
		assert_int_equal(audit_question_find(audit_questions[q].id),
		    q);
	assert_int_equal(audit_question_find("theft"), ASK_theft);
	assert_int_equal(audit_question_find(""), ASK_COUNT);
	assert_int_equal(audit_question_find("thef"), ASK_COUNT);
	assert_int_equal(audit_questions[ASK_theft].level, LEVEL_HIGH);
	assert_string_equal(audit_questions[ASK_theft].test, "T9");
}

static void
every_line_is_mended_on_every_server(void **state)
{
	(void)state;
	for (size_t k = 0; k < SERVER_COUNT; k++)
		for (size_t q = 0; q < ASK_COUNT; q++) {
			const char *mend = lore_mend((enum server_kind)k,
			    (enum audit_question)q);

			assert_non_null(mend);
			assert_in_range(strlen(mend), 10, 220);
			for (; *mend != '\0'; mend++)
				assert_in_range(*mend, 0x20, 0x7e);
		}
}

/* A setting of one server is of no use on another. */
static void
mends_are_the_servers_own(void **state)
{
	static const struct {
		enum server_kind kind;
		enum audit_question q;
		const char *has;
	} rows[] = {
		{ SERVER_vsftpd, ASK_bounce, "port_promiscuous=NO" },
		{ SERVER_vsftpd, ASK_theft, "pasv_promiscuous=NO" },
		{ SERVER_vsftpd, ASK_tls_data_reuse, "require_ssl_reuse=YES" },
		{ SERVER_vsftpd, ASK_tls_versions, "ssl_tlsv1=NO" },
		{ SERVER_vsftpd, ASK_clear_password, "force_local_logins_ssl" },
		{ SERVER_proftpd, ASK_eprt_v6, "AllowForeignAddress off" },
		{ SERVER_proftpd, ASK_theft, "1.3.9d" },
		{ SERVER_proftpd, ASK_passive_ports, "PassivePorts" },
		{ SERVER_proftpd, ASK_tls_data_reuse, "NoSessionReuse" },
		{ SERVER_pureftpd, ASK_bounce, "AllowUserFXP no" },
		{ SERVER_pureftpd, ASK_listing_cut, "LimitRecursion" },
		{ SERVER_pyftpdlib, ASK_theft, "permit_foreign_addresses" },
		{ SERVER_pyftpdlib, ASK_low_port_own, "permit_privileged" },
		{ SERVER_pyftpdlib, ASK_passive_address, "masquerade_address" },
		{ SERVER_sftpgo, ASK_bounce, "active_connections_security" },
		{ SERVER_sftpgo, ASK_theft_race, "passive_connections_sec" },
		{ SERVER_wuftpd, ASK_bounce, "port-allow" },
		{ SERVER_microsoft, ASK_theft, "matchClientAddressForPasv" },
		{ SERVER_inetutils, ASK_bounce, "no setting" },
		{ SERVER_portcullis, ASK_bounce, "a defect of Portcullis" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strstr(lore_mend(rows[i].kind, rows[i].q),
		    rows[i].has) == NULL)
			fail_msg("%s, %s: %s", server_kind_name(rows[i].kind),
			    audit_questions[rows[i].q].id,
			    lore_mend(rows[i].kind, rows[i].q));
	for (size_t q = 0; q < ASK_COUNT; q++)
		assert_null(strstr(lore_mend(SERVER_unknown,
		    (enum audit_question)q), ".conf"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_known_by_what_they_say),
		cmocka_unit_test(a_version_has_an_end),
		cmocka_unit_test(kinds_have_names_both_ways),
		cmocka_unit_test(questions_have_ids_both_ways),
		cmocka_unit_test(every_line_is_mended_on_every_server),
		cmocka_unit_test(mends_are_the_servers_own),
	};

	return RUN(tests);
}
