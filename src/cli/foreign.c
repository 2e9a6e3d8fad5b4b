#include "cli/foreign.h"

#include <string.h>

#include "cli/options.h"

#define NOT_BUILT "not built yet"
#define NOT_HIDING "hiding is not a feature here: one source address, whole packets, honest probes"
#define ADAPTS "timeouts follow the round-trip times; --timeout TIME fixes the first, --retries N the number of tries"
#define PACES "one rate holds for the whole scan (--rate, --max-rate), whatever the number of hosts, sockets or threads"
#define FORMATS "results go to -o FILE.txt, -o FILE.jsonl or -o hostport:FILE (- is stdout)"
#define NO_LOGS "notes and errors go to stderr: 2>FILE keeps them"
#define PORTS_ONLY "noctule finds hosts and ports, no more: hand what it finds (-o hostport:FILE) to a program for that"
#define NO_DNS "addresses are never looked up; host names among the targets are, by the system's resolver"

const struct foreign foreign_words[] = {
    /* What later versions bring. */
    {"banners", NULL, NOT_BUILT "; noctule finds ports, -o hostport:FILE lists them for a program that talks to them"},
    {"resume resume-cfg", NULL, NOT_BUILT "; --shard I/N with one --seed scans in parts"},
    {"max-host-rate", NULL, NOT_BUILT "; --max-rate PPS bounds the whole scan"},
    {"pfring", NULL, NOT_BUILT "; --wire xdp is fast with the kernel's own drivers"},
    {"status-json status-updates-file", NULL, NOT_BUILT "; the summary is the last line of -o FILE.jsonl"},
    {"fields output-fields output-filter output-args", NULL, NOT_BUILT "; -o FILE.jsonl has every field, jq picks"},

    /* nmap */
    {"version-intensity version-light version-all version-trace", "sV", PORTS_ONLY},
    {"script script-args script-args-file script-trace script-updatedb script-help scripts", "sC", PORTS_ONLY},
    {"osscan-limit osscan-guess fuzzy", NULL, PORTS_ONLY},
    {NULL, "A", "only ports are scanned (-sS -sU); -O, -sV, -sC and --traceroute, for which it stands, are not built"},
    {"output-module", "O", "no guess of the system is made, ports are found; ZMap's -O MODULE is -o FORMAT:FILE"},
    {"traceroute", NULL, "no route is traced, traceroute(8) does that; findings name the sender of an ICMP error"},
    {"idle-scan ftp-bounce", "sI", "no scan through third parties: noctule asks the hosts themselves"},
    {NULL, "b", "no scan through third parties; ZMap's -b FILE is --exclude-file FILE, RustScan's -b N is --rate PPS"},
    {"decoys spoof-mac badsum ip-options proxies proxy data data-string data-length", "D", NOT_HIDING},
    {"mtu fragment", NULL, NOT_HIDING},
    {NULL, "f", NOT_HIDING "; ZMap's -f FIELDS: -o FILE.jsonl has every field"},
    {"scan-delay max-scan-delay", NULL, "probes leave evenly spaced: --rate 0.5 is one in two seconds"},
    {"min-parallelism max-parallelism min-hostgroup max-hostgroup", NULL, PACES},
    {"max-rtt-timeout min-rtt-timeout", NULL, ADAPTS},
    {"defeat-rst-ratelimit defeat-icmp-ratelimit", NULL, "a host that limits its answers is paced down: --host-timeout "
                                                         "TIME bounds what that may cost"},
    {"disable-arp-ping", NULL, "no probe reaches a host on the own link that does not answer ARP"},
    {"exclude-hostname", NULL, "--exclude takes names too"},
    {"stats-every stats stats-interval status-interval", NULL, "a terminal has a progress line all the time"},
    {"debug", "d", "-vv for more words, --packet-trace for every packet; --dry-run to send nothing, as ZMap's -d"},
    {"iflist interface-list", "il", "ip address lists the interfaces; noctule finds the way by itself"},
    {"append-output", NULL, "every scan writes a file of its own; cat joins them"},
    {"stylesheet webxml no-stylesheet", NULL, "no XML is written; " FORMATS},
    {"port-ratio", NULL, "--top-ports N takes the most common ones"},
    {"dns-servers system-dns resolve-all reverse-ptr resolver resolvers", "R", NO_DNS},
    {NULL, "r", "the order is always random, --seed N fixes it; a rate is --rate PPS, a range of ports -p FIRST-LAST"},
    {"serial-order", NULL, "the order is always random, --seed N fixes it"},
    {NULL, "iR", "random hosts of all: --sample N 0.0.0.0/0 with --exclude-file FILE"},
    {NULL, "oN oX oG oA oJ oL oD oB oU oS oH", FORMATS},
    {NULL, "PM PO", "a ping is made of -PE, -PP, -PS, -PA, -PU and -PY"},
    {"datadir servicedb versiondb", NULL, "the tables of ports and payloads are part of the program"},
    {NULL, "s", "expected a technique with it (-sS, -sT, -sU, -sn ...); a source port is -g PORT, naabu's -s c is -sT"},

    /* masscan */
    {"output-format output-filename rotate rotate-dir rotate-size rotate-offset rotate-files", NULL, FORMATS},
    {"heartbleed ticketbleed hello hello-file hello-string hello-timeout http-header http-user-agent http-cookie "
     "http-host http-url http-method http-payload http-version capture nocapture connection-timeout "
     "tcp-tick source-tcp", NULL, PORTS_ONLY},
    {"readscan", NULL, "results are lines of text or JSON: grep and jq read them"},
    {"infinite", NULL, "one scan at a time: a loop of the shell repeats it"},
    {"blackrock-rounds", NULL, "the order is a permutation keyed by --seed N"},
    {"adapter-vlan vlan", NULL, "a VLAN is an interface of the kernel: -e NAME, or nothing where a route leads there"},
    {"selftest regress benchmark", NULL, "meson test runs the tests"},
    {"interactive noninteractive send-eth send-ip", NULL, "nothing to choose: leave it out"},

    /* ZMap */
    {"probes", NULL, "only what does not answer is probed again: --retries N"},
    {NULL, "P", "a ping's kinds are -PE, -PP, -PS, -PA, -PU and -PY; ZMap's -P N is --retries N"},
    {"probe-args", NULL, "-sU sends the questions of the services themselves"},
    {"iplayer", "X", "links without Ethernet header are recognised: leave it out"},
    {"cores batch-size batch", NULL, PACES},
    {"min-hitrate max-sendto-failures", NULL, "the scan goes on; Ctrl-C ends it, every file valid"},
    {"list-probe-modules list-output-modules list-output-fields", NULL, "-h lists them all"},
    {"log-file log-directory", "L", NO_LOGS},
    {"metadata-file notes user-metadata", NULL, "the last line of -o FILE.jsonl is the summary"},
    {"no-header-row", NULL, "leave it out; " FORMATS},
    {"ignore-blocklist-errors ignore-invalid-hosts", NULL, "a bad line stops the scan before its first packet"},
    {"verbosity", NULL, "-v for more words, -vv for more still, -q for none"},
    {NULL, "t", "RustScan's is --timeout TIME (500ms), ZMap's --max-runtime TIME"},

    /* naabu, RustScan */
    {"ports-file pf", NULL, "-p takes the list: -p $(paste -sd, FILE)"},
    {"exclude-cdn display-cdn cdn", "ec", "leave networks out by --exclude-file FILE"},
    {"nmap-cli nmap", NULL, "-h lists the options, nmap's words among them; to use nmap on what is found, write -o "
                            "hostport:FILE and hand that to it"},
    {"verify", NULL, "an answer counts only if it carries the probe's cookie; connecting is a scan of its own, -sT"},
    {"csv", NULL, FORMATS},
    {"passive", NULL, "noctule asks the hosts themselves"},
    {"warm-up-time", NULL, "--wait TIME is how long is listened after the last probe"},
    {"threads", NULL, PACES},
    {"ip-version", "iv", "both families are scanned; -6 takes only the IPv6 addresses of names"},
    {"ulimit", "u", "noctule makes do with the open files that the shell allows (ulimit -n)"},
    {"tries", NULL, "tries after the first are --retries N"},
    {"probe-tcp-syn probe-tcp-ack ps pa", NULL, "the ports of a ping stand right behind it: -PS22,443 -PA80"},
    {"probe-icmp-address-mask pm", NULL, "a ping is made of -PE, -PP, -PS, -PA, -PU and -PY"},
};
const size_t foreign_count = sizeof foreign_words / sizeof *foreign_words;

const struct foreign *foreign_by_name(const char *name, size_t n) {
    for (const struct foreign *f = foreign_words; f < foreign_words + foreign_count; f++)
        if (option_among(f->names, name, n))
            return f;
    return NULL;
}

const struct foreign *foreign_by_dash(const char *word, size_t n) {
    for (const struct foreign *f = foreign_words; f < foreign_words + foreign_count; f++)
        if (option_among(f->dashes, word, n))
            return f;
    return NULL;
}

const struct foreign *foreign_by_start(const char *word, size_t *n) {
    for (const struct foreign *f = foreign_words; f < foreign_words + foreign_count; f++) {
        const char *at = f->dashes, *start;
        while ((start = option_next_word(&at, n)))
            if (*n > 1 && strncmp(start, word, *n) == 0)
                return f;
    }
    return NULL;
}
