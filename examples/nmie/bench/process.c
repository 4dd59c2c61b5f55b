/* SPDX-License-Identifier: Apache-2.0 */
/* Children and their pipes. */
#include "examples/nmie/bench/process.h"

#include "examples/nmie/interrupt.h"
#include "examples/nmie/model_source.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What an engine prints goes to stderr, that it may not mix with answers or results. */
static void child(const int to[2], const int from[2], const cpu_set_t *cores, process_main run,
                  void *context)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    close(to[1]);
    close(from[0]);
    dup2(2, 1);
    if (cores) {
        sched_setaffinity(0, sizeof *cores, cores);
    }
    FILE *in = fdopen(to[0], "r"), *out = fdopen(from[1], "w");
    if (in && out) {
        run(context, in, out);
        fflush(out);
    }
    _exit(in && out ? 0 : 1);
}

nm_status process_start(struct process *p, const cpu_set_t *cores, process_main run, void *context,
                        nm_error *err)
{
    int to[2], from[2];
    *p = (struct process){0};
    if (pipe2(to, O_CLOEXEC)) {
        return complain(err, NM_EIO, "no pipe: %s", strerror(errno));
    }
    if (pipe2(from, O_CLOEXEC)) {
        close(to[0]);
        close(to[1]);
        return complain(err, NM_EIO, "no pipe: %s", strerror(errno));
    }
    signal(SIGPIPE, SIG_IGN); /* of a child that is gone: write says so */
    p->pid = fork();
    if (p->pid == 0) {
        child(to, from, cores, run, context);
    }
    close(to[0]);
    close(from[1]);
    p->to = to[1];
    p->from = from[0];
    if (p->pid < 0) {
        p->pid = 0;
        close(p->to);
        close(p->from);
        return complain(err, NM_EIO, "no child process: %s", strerror(errno));
    }
    setpgid(p->pid, p->pid); /* the child does so too: whoever is first */
    return NM_OK;
}

/* Kills what is left and says how it ended. */
static nm_status buried(struct process *p, nm_error *err)
{
    int status = 0;
    kill(-p->pid, SIGCONT);
    pid_t gone = 0;
    for (int i = 0; i < 100 && gone == 0; i++) { /* its pipe is closed: it is about to end */
        gone = waitpid(p->pid, &status, WNOHANG);
        if (gone == 0) {
            usleep(10000);
        }
    }
    kill(-p->pid, SIGKILL);
    if (gone == 0) {
        waitpid(p->pid, &status, 0);
    }
    p->pid = 0;
    if (WIFSIGNALED(status)) {
        return complain(err, NM_EINTERNAL, "crashed: %s", strsignal(WTERMSIG(status)));
    }
    return complain(err, NM_EINTERNAL, "ended with exit status %d and gave no answer",
                    WEXITSTATUS(status));
}

static bool grow(struct process *p)
{
    size_t room = 2 * p->room + 65536;
    char *line = p->filled + 1 < p->room ? p->line : realloc(p->line, room);
    if (!line) {
        return false;
    }
    p->room = line == p->line && p->filled + 1 < p->room ? p->room : room;
    p->line = line;
    return true;
}

/* Reads up to and with a newline, which becomes a NUL. */
static nm_status read_line(struct process *p, double timeout, nm_error *err)
{
    const double end = source_now() + timeout;
    p->filled = 0;
    for (;;) {
        struct pollfd fd = {.fd = p->from, .events = POLLIN};
        double left = end - source_now();
        int ready = poll(&fd, 1, left > 0.0 ? (int)(left * 1e3) + 1 : 0);
        if (interrupt_status() || ready == 0 || (ready < 0 && errno != EINTR)) {
            kill(-p->pid, SIGKILL);
            buried(p, NULL);
            return interrupt_status()
                       ? complain(err, NM_ECANCELED, "interrupted")
                       : complain(err, NM_EINTERNAL, "hangs: no answer in %.0f s", timeout);
        }
        if (!grow(p)) {
            return complain(err, NM_ENOMEM, "no memory for an answer");
        }
        ssize_t n = ready < 0 ? 0 : read(p->from, p->line + p->filled, p->room - p->filled - 1);
        if (ready > 0 && n <= 0) {
            return buried(p, err);
        }
        p->filled += (size_t)n;
        p->line[p->filled] = '\0';
        if (p->filled && p->line[p->filled - 1] == '\n') {
            return NM_OK;
        }
    }
}

static nm_status refusal(const cJSON *answer, nm_error *err)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "refused");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(answer, "status");
    return cJSON_IsString(error)
               ? complain(err, (nm_status)status->valueint, "%s", error->valuestring)
               : NM_OK;
}

nm_status process_ask(struct process *p, const char *line, double timeout, cJSON **answer,
                      nm_error *err)
{
    *answer = NULL;
    if (!p->pid) {
        return complain(err, NM_EINTERNAL, "is gone");
    }
    kill(-p->pid, SIGCONT);
    if (line && (write(p->to, line, strlen(line)) < 0 || write(p->to, "\n", 1) < 0)) {
        return buried(p, err);
    }
    nm_status status = read_line(p, timeout, err);
    if (status) {
        return status;
    }
    kill(-p->pid, SIGSTOP);
    cJSON *top = cJSON_Parse(p->line);
    status = top ? refusal(top, err) : complain(err, NM_EINTERNAL, "its answer is not JSON");
    if (status) {
        cJSON_Delete(top);
        return status;
    }
    *answer = top;
    return NM_OK;
}

double process_cpu_seconds(const struct process *p)
{
    char path[64];
    unsigned long long ticks[4] = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
    FILE *f = p->pid ? fopen(path, "re") : NULL;
    char line[1024] = "", *end;
    if (f && fgets(line, sizeof line, f) && (end = strrchr(line, ')'))) {
        if (sscanf(end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", ticks,
                   ticks + 1, ticks + 2, ticks + 3) != 4) {
            memset(ticks, 0, sizeof ticks);
        }
    }
    if (f) {
        fclose(f);
    }
    return (double)(ticks[0] + ticks[1] + ticks[2] + ticks[3]) / (double)sysconf(_SC_CLK_TCK);
}

void process_end(struct process *p)
{
    if (p->pid) {
        kill(-p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    if (p->to || p->from) {
        close(p->to);
        close(p->from);
    }
    free(p->line);
    *p = (struct process){0};
}

void process_answer(struct json *j, FILE *out)
{
    *j = (struct json){.out = out};
    json_open(j, NULL, '{');
}

void process_answered(struct json *j)
{
    json_close(j, '}');
    json_end(j);
    fflush(j->out);
}

void process_refuse(FILE *out, const nm_error *err)
{
    struct json j;
    process_answer(&j, out);
    json_string(&j, "refused", err->message);
    json_int(&j, "status", err->status);
    process_answered(&j);
}
