/* SPDX-License-Identifier: Apache-2.0 */
/* nmie: libnm on the command line. The table of commands, and help. */
#include "examples/nmie/nmie.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
    &cmd_run,   &cmd_verify,  &cmd_classify, &cmd_eval,  &cmd_bench, &cmd_compare, &cmd_profile,
    &cmd_prune, &cmd_analyze, &cmd_masks,    &cmd_synth, &cmd_inspect, &cmd_version};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static const char tail[] =
    "\n'nmie help COMMAND' tells more. Start with one of these:\n"
    "\n"
    "  nmie bench builtin:resnet50 --sparsity 0.9 --compare   what sparsity buys on this machine\n"
    "  nmie classify net.onnx picture.jpg --labels names.txt  a picture through a trained network\n"
    "  nmie prune net.onnx -o sparse.onnx --sparsity 0.9      make a network sparse\n"
    "\n"
    "Data goes to stdout, talk to stderr. Exit status: 0 good, 1 failed, 2 usage, 3 model "
    "refused.\n"
    "Environment: NM_NUM_THREADS, NM_ISA, NM_VERBOSE, XDG_CACHE_HOME.\n";

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static void overview(FILE *to)
{
    fputs("Usage: nmie COMMAND [argument]...\n\nRuns ONNX networks, sparse ones fast.\n\n", to);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(to, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(to, "  %-10s%s\n%s", "help", "this page, or a command's", tail);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int unknown(const char *name)
{
    say("no command '%s'; 'nmie help' lists them", name);
    return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    const struct command *command = argc > 1 ? find(argv[1]) : NULL;
    if (argc > 1 && !command) {
        return unknown(argv[1]);
    }
    if (command) {
        fputs(command->help, stdout);
    } else {
        overview(stdout);
    }
    return EXIT_GOOD;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(argc - 1, argv + 1);
    }
    const struct command *command = find(strcmp(name, "--version") ? name : "version");
    if (!command) {
        return unknown(name);
    }
    if (asks_for_help(argc - 1, argv + 1)) {
        fputs(command->help, stdout);
        return EXIT_GOOD;
    }
    char title[32];
    snprintf(title, sizeof title, "nmie %s", command->name);
    argv[1] = title; /* getopt_long speaks under this name */
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int code = dispatch(argc, argv);
    if (fflush(stdout) || ferror(stdout)) {
        say("could not write all output");
        return code ? code : EXIT_FAILED;
    }
    return code;
}
