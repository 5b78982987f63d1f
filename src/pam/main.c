/*
 * pam/main.c: portcullis-pam, which asks PAM for the keeper.
 *
 * PAM's modules read what they like, start programs and talk to the network:
 * no walls fit around them, and the keeper's would not hold with one inside.
 * So they have a process that knows nobody but the keeper, and each question
 * one of its own, forked for it: a module that leaks, hangs or crashes costs
 * one answer.  What it has started goes with it (pam/leftover.h).
 *
 * Here no module is ever loaded: this process forks, waits and counts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <errno.h>
#include <security/pam_appl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "conf/conf.h"
#include "ipc/inherit.h"
#include "ipc/system.h"
#include "pam/leftover.h"
#include "pam/question.h"

#define FINISH_S 3
#define LOOK_MS 10
#define TROUBLE_MS 60000	/* the same one is said again after that */
#define LATE (-1)

struct desk;

struct job {
	struct desk *desk;
	struct loop_timer timer;
	pid_t pid;		/* its process, and group; 0: none */
	uint32_t seq;
	bool late;
};

struct desk {
	struct conf conf;
	struct loop loop;
	struct loop_watch keeper, warden, ended;
	struct job job[SYSTEM_JOBS_MAX];
	int last_trouble;			/* a wait status, or LATE */
	uint64_t trouble_ms;
	struct system_question question;	/* wiped when it is forked */
};

static void
end_leftovers(const struct desk *d)
{
	pid_t questions[SYSTEM_JOBS_MAX];

	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		questions[i] = d->job[i].pid;
	leftover_end(questions, SYSTEM_JOBS_MAX);
}

/* Nobody is to outlive us who has a password. */
static _Noreturn void
finish(struct desk *d, int status)
{
	pid_t ended;

	alarm(FINISH_S);	/* for one that not even a signal ends */
	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		if (d->job[i].pid > 0)
			kill(-d->job[i].pid, SIGKILL);
	/* The kernel's list of children may leave one out while it changes. */
	do {
		end_leftovers(d);
		poll(NULL, 0, LOOK_MS);
		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			;
	} while (ended == 0);
	_exit(status);
}

static void
answer(struct desk *d, uint32_t seq, enum system_verdict verdict,
    uint8_t rule)
{
	struct system_answer a = { .version = SYSTEM_VERSION, .seq = seq,
		.verdict = (uint8_t)verdict, .rule = rule };

	if (send(d->keeper.fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)sizeof(a))
		finish(d, 0);	/* nobody is there to be told */
}

/* ---- a question's end */

/* pam_exec says "system error" for each password that its script dislikes. */
static bool
is_news(struct desk *d, int trouble)
{
	if (trouble == d->last_trouble &&
	    d->loop.now_ms - d->trouble_ms < TROUBLE_MS)
		return false;
	d->last_trouble = trouble;
	d->trouble_ms = d->loop.now_ms;
	return true;
}

/* What the operator should know of; the text has nothing of the client's. */
static void
say_trouble(const struct job *j, int status)
{
	const char *service = j->desk->conf.accounts_pam;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (!is_news(j->desk, j->late ? LATE : status))
		return;
	if (j->late)
		log_line("PAM (%s) did not answer in %u s", service,
		    j->desk->conf.accounts_pam_timeout_s);
	else if (code >= QUESTION_BROKEN && code < 2 * QUESTION_BROKEN)
		log_line("PAM (%s): %s", service,
		    pam_strerror(NULL, code - QUESTION_BROKEN));
	else if (code >= 0)
		log_line("PAM (%s): a module ended it with status %d",
		    service, code);
	else
		log_line("PAM (%s): a module ended it by signal %d", service,
		    WTERMSIG(status));
}

static void
conclude(struct job *j, int status)
{
	struct desk *d = j->desk;
	int code = WIFEXITED(status) && !j->late ? WEXITSTATUS(status) : -1;
	uint32_t seq = j->seq;

	loop_timer_stop(&d->loop, &j->timer);
	j->pid = 0;
	if (code >= QUESTION_YES) {
		answer(d, seq, SYSTEM_YES, (uint8_t)(code - QUESTION_YES));
	} else if (code == QUESTION_NO) {
		answer(d, seq, SYSTEM_NO, 0);
	} else {
		say_trouble(j, status);
		answer(d, seq, SYSTEM_BROKEN, 0);
	}
}

/* As long as it is not waited for, no other group can have its number. */
static void
look_after(struct job *j)
{
	siginfo_t info = { .si_pid = 0 };
	int status = 0;

	if (j->pid <= 0 || waitid(P_PID, (id_t)j->pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != j->pid)
		return;
	kill(-j->pid, SIGKILL);
	if (waitpid(j->pid, &status, 0) == j->pid)
		conclude(j, status);
}

static void
child_ended(struct loop_watch *w, uint32_t events)
{
	struct desk *d = LOOP_OWNER(w, struct desk, ended);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) > 0)
		;
	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		look_after(&d->job[i]);
	end_leftovers(d);
}

/* It is told of when the process has ended: not before it holds nothing. */
static void
time_is_up(struct loop_timer *t)
{
	struct job *j = LOOP_OWNER(t, struct job, timer);

	if (j->pid <= 0)
		return;
	j->late = true;
	kill(-j->pid, SIGKILL);
}

/* ---- a question's beginning */

/* Modules are strangers: they find no channel, and get no say in our log. */
static _Noreturn void
be_asked(struct desk *d)
{
	rlim_t seconds = d->conf.accounts_pam_timeout_s + 1;
	struct rlimit work = { seconds, seconds };
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	leftover_collect();
	if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0 ||
	    dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		_exit(1);
	(void)setrlimit(RLIMIT_CPU, &work);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	question_answer(&d->conf, &d->question);
}

static struct job *
find_room(struct desk *d)
{
	for (uint32_t i = 0; i < d->conf.keeper_jobs; i++)
		if (d->job[i].pid == 0)
			return &d->job[i];
	return NULL;
}

static void
begin(struct desk *d)
{
	struct job *j = find_room(d);
	uint32_t seq = d->question.seq;
	pid_t pid = j == NULL ? -1 : fork();

	if (pid == 0)
		be_asked(d);
	explicit_bzero(&d->question, sizeof(d->question));
	if (pid < 0) {
		log_line("no process for a question err=%d", errno);
		answer(d, seq, SYSTEM_BROKEN, 0);
		return;
	}
	setpgid(pid, pid);	/* whoever of us is first */
	*j = (struct job) { .desk = d, .pid = pid, .seq = seq,
		.timer = { .fire = time_is_up } };
	loop_timer_set(&d->loop, &j->timer,
	    (uint64_t)d->conf.accounts_pam_timeout_s * 1000);
}

static bool
is_sound(const struct system_question *q, ssize_t len)
{
	return len == (ssize_t)sizeof(*q) && q->version == SYSTEM_VERSION &&
	    q->user_len <= KEEPER_USER_MAX &&
	    q->password_len <= KEEPER_PASSWORD_MAX;
}

static void
keeper_asks(struct loop_watch *w, uint32_t events)
{
	struct desk *d = LOOP_OWNER(w, struct desk, keeper);
	ssize_t len = recv(w->fd, &d->question, sizeof(d->question),
	    MSG_DONTWAIT | MSG_TRUNC);

	(void)events;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0)
		finish(d, 0);
	if (!is_sound(&d->question, len)) {
		log_line("the keeper's channel is broken");
		finish(d, 1);
	}
	begin(d);
}

/* It says nothing to us: this is its end, or that we are to end. */
static void
warden_gone(struct loop_watch *w, uint32_t events)
{
	(void)events;
	finish(LOOP_OWNER(w, struct desk, warden), 0);
}

/* ---- start */

static void
watch(struct desk *d, struct loop_watch *w, int fd,
    void (*ready)(struct loop_watch *, uint32_t))
{
	*w = (struct loop_watch) { .fd = fd, .ready = ready };
	if (fd < 0 || !loop_watch(&d->loop, w, EPOLLIN))
		log_fatal(1, "cannot start err=%d", errno);
}

static int
signals_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(void)
{
	static struct desk d;
	struct rlimit no_core = { 0, 0 };

	log_open("pam");
	signal(SIGPIPE, SIG_IGN);
	if (!conf_from_fd(&d.conf, INHERIT_CONF))
		log_fatal(2, "is started by portcullisd alone");
	close(INHERIT_CONF);
	if (setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || !loop_init(&d.loop))
		log_fatal(1, "cannot start err=%d", errno);
	leftover_collect();
	watch(&d, &d.keeper, INHERIT_SYSTEM, keeper_asks);
	watch(&d, &d.warden, INHERIT_WARDEN, warden_gone);
	watch(&d, &d.ended, signals_fd(), child_ended);
	loop_run(&d.loop);
	finish(&d, 1);
}
