#include "cli/help.h"

#include <string.h>

#include "cli/command.h"
#include "cli/foreign.h"
#include "cli/options.h"

#define HELP_COLUMN 27 /* where the text of --help begins */
#define SHORT_ALIAS 2u /* letters of names that other tools write behind one dash */

struct example {
    const char *line, *what;
};

static const struct example examples[] = {
    {"noctule 192.0.2.0/24", "the 1000 most common TCP ports of a network"},
    {"noctule ping 192.0.2.0/24", "which of its hosts are up"},
    {"noctule -sS -sU -p T:22,80,443,U:53,161 192.0.2.7 2001:db8::7", "TCP and UDP ports, both families"},
    {"noctule 192.0.2.7 -p- -o host.jsonl", "every port of a host, also as JSON lines"},
    {"noctule -iL hosts.txt -p80,443 --max-rate 50k --exclude-file never.txt",
     "two ports of many hosts, faster where the path carries it"},
};

static const char *const statuses[][2] = {
    {"0", "the scan is complete, or reached a limit that was asked for (--max-results, --max-runtime)"},
    {"1", "it failed on the way, or an output was closed before the end"},
    {"2", "it did not start: bad usage or input, or a privilege is missing; nothing was sent"},
    {"128+N", "signal N ended it, every file being closed validly: 130 after Ctrl-C (SIGINT), 143 after SIGTERM"},
};

void help_usage(FILE *f) {
    fputs("usage: noctule [options] TARGET...\n"
          "       noctule 192.0.2.0/24 -p 22,80,443\n"
          "       noctule ping 192.0.2.0/24\n"
          "Targets: 192.0.2.7, 192.0.2.0/24, 192.0.2.1-192.0.2.9, 10.0.0-3.1,7, host.example\n"
          "noctule --help lists the options; noctule guided asks for what it needs to know.\n", f);
}

/* "-p, --ports PORTS" */
static int write_names(char *buf, size_t size, const struct option *o) {
    const char *between = !o->metavar ? "" : option_value_optional(o) ? "=" : " ";
    return snprintf(buf, size, "%s%s%s--%s%s%s", o->dash ? "-" : "    ", o->dash ? o->dash : "", o->dash ? ", " : "",
                    o->name, between, o->metavar ? o->metavar : "");
}

static void print_option(FILE *f, const struct option *o) {
    char names[80];
    int n = write_names(names, sizeof names, o);
    fprintf(f, "  %s", names);
    if (n + 3 > HELP_COLUMN)
        fprintf(f, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(f, "%*s", HELP_COLUMN - n - 2, "");
    fputs(o->help, f);
    if (o->fallback && !strstr(o->help, "default"))
        fprintf(f, " (default: %s)", o->fallback);
    fputc('\n', f);
}

static void print_clashes(FILE *f) {
    fputs("\nLetters that clash (what stands here is how to say what the other tool means):\n", f);
    for (const struct option *o = options; o < options + option_count; o++)
        if (o->clash)
            fprintf(f, "  %s%-*s%s\n", o->dash ? "-" : "--", HELP_COLUMN - (o->dash ? 3 : 4),
                    o->dash ? o->dash : o->name, o->clash);
}

void help_print(FILE *f) {
    fputs("noctule [scan] [options] TARGET...\n"
          "noctule ping [options] TARGET...\n"
          "noctule guided [options]\n"
          "noctule wires [--json] [INTERFACE...]\n"
          "Finds the open ports of many hosts, quickly, and misses none; with ping, the hosts that are up;\n"
          "guided asks for what it needs to know, and explains; wires says what each network interface can do\n"
          "for a scan, and what it lacks (see --wire).\n"
          "Targets: 192.0.2.7, 192.0.2.0/24, 192.0.2.1-192.0.2.9, 10.0.0-3.1,7, 2001:db8::/120, host.example,\n"
          "    192.0.2.7:80, [2001:db8::7]:80, fe80::1%eth0\n"
          "Command lines of nmap, masscan, ZMap, naabu and RustScan are taken as they are, or refused in a line that\n"
          "names our way. Where their letters clash, nmap's meaning counts; those that do are listed at the end.\n", f);
    for (enum option_group g = 0; g < GROUP_COUNT; g++) {
        fprintf(f, "\n%s:\n", option_group_title(g));
        for (const struct option *o = options; o < options + option_count; o++)
            if (o->group == g)
                print_option(f, o);
    }
    print_clashes(f);
    fputs("\nExit status:\n", f);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        fprintf(f, "  %-7s%s\n", statuses[i][0], statuses[i][1]);
    fputs("\nExamples:\n", f);
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        fprintf(f, "  %s\n      %s\n", examples[i].line, examples[i].what);
    fputs("\nScan only what is yours, or what you have been asked to scan.\n", f);
}

/* Text as roff shows it: hyphens that can be copied, no accidental request at the start of a line. */
static void man_text(FILE *f, const char *s) {
    if (*s == '.' || *s == '\'')
        fputs("\\&", f);
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", f);
        else if (*s == '-')
            fputs("\\-", f);
        else
            fputc(*s, f);
    }
}

/* A sentence begins with a capital and ends with a full stop; help texts do neither. */
static void man_sentence(FILE *f, const char *s) {
    char first[2] = {s[0], '\0'};
    if (first[0] >= 'a' && first[0] <= 'z')
        first[0] = (char)(first[0] - 'a' + 'A');
    man_text(f, first);
    if (*s)
        man_text(f, s + 1);
    fputs(".\n", f);
}

static void man_name(FILE *f, const char *dashes, const char *name, size_t n, const char *metavar) {
    fputs("\\fB", f);
    man_text(f, dashes);
    for (size_t i = 0; i < n; i++)
        man_text(f, (char[2]){name[i], '\0'});
    fputs("\\fR", f);
    if (metavar)
        fprintf(f, " \\fI%s\\fR", metavar);
}

static void man_option(FILE *f, const struct option *o) {
    fputs(".TP\n", f);
    if (o->dash) {
        man_name(f, "-", o->dash, strlen(o->dash), o->metavar);
        fputs(", ", f);
    }
    man_name(f, "--", o->name, strlen(o->name), o->metavar);
    size_t n = 0;
    const char *at = o->aliases, *alias;
    while ((alias = option_next_word(&at, &n))) {
        fputs(", ", f);
        man_name(f, n <= SHORT_ALIAS ? "-" : "--", alias, n, o->metavar);
    }
    fputc('\n', f);
    man_sentence(f, o->help);
    if (o->more) {
        man_text(f, o->more);
        fputc('\n', f);
    }
    if (o->fallback)
        fprintf(f, "The default is %s.\n", o->fallback);
    if (o->clash)
        man_sentence(f, o->clash);
    if (option_repeats(o) && option_takes_value(o))
        fputs("May be given more than once; each adds to the others.\n", f);
}

static void man_section(FILE *f, const char *title) {
    fprintf(f, ".SH %s\n", title);
}

static const char man_targets[] =
    "A target is an address (192.0.2.7, 2001:db8::7, fe80::1%eth0), a prefix (192.0.2.0/24), a range\n"
    "(192.0.2.1\\-192.0.2.9), octet ranges as nmap has them (10.0.0\\-3.1,7, with * for 0\\-255), or a host name, of which\n"
    "every address is scanned. With a port behind it (192.0.2.7:80, [2001:db8::7]:80), only that port is scanned there.\n"
    ".PP\n"
    "Special-use ranges (loopback, multicast, reserved, documentation and the like; IANA's registries) are left out of\n"
    "every target that is wider than they are. A target within such a range is scanned: somebody meant it.\n";

static const char man_wires[] =
    ".B noctule wires\nsays, for the interfaces named or for all, whether packets can go by the packet wire (the\n"
    "kernel's packet socket) and by the xdp wire (round the kernel's stack), what\n.B \\-\\-wire auto\nwould choose there, and\n"
    "what is missing, with the way to get it. It sends nothing, changes nothing and needs no privilege.\n"
    ".PP\n"
    "The table has the kind of link, the driver, its receive queues, the MTU; whether the packet wire can be had;\n"
    "whether the driver runs XDP programs itself (native XDP); how the xdp wire would send there: without a copy\n"
    "(zero\\-copy), by injected frames (injection), or not at all; the id of an XDP program that is there already; and the choice. A\n"
    "question mark stands for what the kernel does not tell. With\n.B \\-\\-json\nthe same comes as one object a line,\n"
    "whose \"missing\" holds the lines.\n";

static const char man_config[] =
    "A line is\n.RS\n\\fIkey\\fR = \\fIvalue\\fR\n.RE\n"
    "where the keys are the long names of the options above, without dashes; flags take yes or no. # begins a comment at\n"
    "the start of a line or behind a blank. A value with blanks at its ends, with # or with \" stands in double quotes,\n"
    "in which \\e\", \\e\\e, \\en and \\er may be used. What may be given more than once adds up over all files and the\n"
    "command line; of everything else the last one counts, and the command line comes after the files.\n"
    ".B noctule \\-\\-echo\nprints such a file.\n";

static const char man_signals[] =
    "The first SIGINT (Ctrl\\-C), SIGTERM or SIGHUP stops sending; answers are heard for one more timeout, then every file\n"
    "is closed. A second one ends the scan at once, files valid all the same.\n";

static void man_statuses(FILE *f) {
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        fprintf(f, ".TP\n.B %s\n", statuses[i][0]);
        man_sentence(f, statuses[i][1]);
    }
}

void help_man(FILE *f) {
    fprintf(f, ".TH NOCTULE 1 \"\" \"noctule %s\" \"User Commands\"\n", NOCTULE_VERSION);
    man_section(f, "NAME");
    fputs("noctule \\- finds the open ports of many hosts\n", f);
    man_section(f, "SYNOPSIS");
    fputs(".B noctule\n[\\fBscan\\fR] [\\fIoptions\\fR] \\fITARGET\\fR...\n.br\n"
          ".B noctule ping\n[\\fIoptions\\fR] \\fITARGET\\fR...\n.br\n"
          ".B noctule guided\n[\\fIoptions\\fR]\n.br\n"
          ".B noctule wires\n[\\fB\\-\\-json\\fR] [\\fIINTERFACE\\fR...]\n", f);
    man_section(f, "DESCRIPTION");
    fputs("noctule probes a set of addresses and ports in random order, re-probes what does not answer, and prints what\n"
          "is open. It finds out by itself which way packets leave, and needs no firewall rule.\n", f);
    man_section(f, "TARGETS");
    fputs(man_targets, f);
    man_section(f, "OPTIONS");
    fputs("Options may stand anywhere, as \\-\\-name value, \\-\\-name=value or \\-name value. Command lines of nmap,\n"
          "masscan, ZMap, naabu and RustScan are taken as they are, or refused in a line that names our way. Where\n"
          "their letters clash, nmap's meaning counts.\n", f);
    for (enum option_group g = 0; g < GROUP_COUNT; g++) {
        fputs(".SS ", f);
        man_text(f, option_group_title(g));
        fputc('\n', f);
        for (const struct option *o = options; o < options + option_count; o++)
            if (o->group == g)
                man_option(f, o);
    }
    man_section(f, "WIRES");
    fputs(man_wires, f);
    man_section(f, "CONFIG FILES");
    fputs(man_config, f);
    man_section(f, "SIGNALS");
    fputs(man_signals, f);
    man_section(f, "EXIT STATUS");
    man_statuses(f);
    man_section(f, "EXAMPLES");
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        fputs(".TP\n.B ", f);
        man_text(f, examples[i].line);
        fputc('\n', f);
        man_sentence(f, examples[i].what);
    }
    man_section(f, "SEE ALSO");
    fputs(".BR nmap (1),\n.BR masscan (8)\n", f);
}

void help_completion(FILE *f) {
    fputs("_noctule() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} first=\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then first=\"", f);
    for (const struct command *c = commands; c < commands + command_count; c++) {
        if (c->run)
            fprintf(f, "%s%s", c == commands ? "" : " ", c->name);
    }
    fputs("\"\n    elif [ \"${COMP_WORDS[1]}\" = wires ]; then\n"
          "        COMPREPLY=($(compgen -W \"--json --help $(ls /sys/class/net)\" -- \"$word\")); return\n"
          "    fi\n    case $before in\n", f);
    for (const struct option *o = options; o < options + option_count; o++) {
        bool file = o->metavar && strcmp(o->metavar, "FILE") == 0;
        if (file || o->choices)
            fprintf(f, "    --%s%s%s) COMPREPLY=($(compgen %s%s%s -- \"$word\")); return ;;\n", o->name,
                    o->dash ? "|-" : "", o->dash ? o->dash : "", file ? "-f" : "-W \"", file ? "" : o->choices,
                    file ? "" : "\"");
    }
    fputs("    --interface|-e) COMPREPLY=($(compgen -W \"$(ls /sys/class/net)\" -- \"$word\")); return ;;\n    esac\n"
          "    COMPREPLY=($(compgen -W \"$first", f);
    for (const struct option *o = options; o < options + option_count; o++) {
        fprintf(f, " --%s", o->name);
        if (o->dash)
            fprintf(f, " -%s", o->dash);
    }
    fputs("\" -- \"$word\"))\n}\ncomplete -F _noctule noctule\n", f);
}

void help_table(FILE *f) {
    static const char *const kinds[KIND_COUNT_OF_KINDS] = {
        [KIND_FLAG] = "flag",         [KIND_COUNT] = "count",       [KIND_NUMBER] = "number",
        [KIND_RATE] = "rate",         [KIND_BITS] = "bits",         [KIND_DURATION] = "duration",
        [KIND_RETRIES] = "retries",   [KIND_SHARE] = "share",       [KIND_RATE_CAP] = "rate-cap",
        [KIND_SHARD] = "shard",       [KIND_TEXT] = "text",         [KIND_WORDS] = "words",
        [KIND_TARGETS] = "targets",   [KIND_PORTS] = "ports",       [KIND_SOURCE] = "source",
        [KIND_MAC] = "mac",           [KIND_STATES] = "states",     [KIND_TECHNIQUE] = "technique",
        [KIND_TCP_FLAGS] = "tcp-flags", [KIND_PING] = "ping",       [KIND_PING_PORTS] = "ping-ports",
        [KIND_PRESET] = "preset",     [KIND_CHOICE] = "choice",
    };
    for (const struct option *o = options; o < options + option_count; o++)
        fprintf(f, "%s\t%s\t%s\t%s\t%s\t%s\n", kinds[o->kind], o->name, o->aliases ? o->aliases : "",
                o->dash ? o->dash : "", o->metavar ? o->metavar : "",
                o->flags & OPTION_COMMAND_LINE ? "command-line" : "");
    for (const struct foreign *w = foreign_words; w < foreign_words + foreign_count; w++)
        fprintf(f, "refused\t\t%s\t%s\t\t\n", w->names ? w->names : "", w->dashes ? w->dashes : "");
}
