/* The table itself: within a group, in the order in which --help and the man page show it. */
#include "base/clock.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "probe/probe.h"
#include "probe/technique.h"
#include "scan/scan.h"

#define AT(member) offsetof(struct settings, member)
#define RATE_MAX (UINT64_C(1000000000) * 1000)         /* thousandths of packets a second */
#define BANDWIDTH_MAX (UINT64_C(1000) * 1000000000)    /* bits a second */
#define HOUR (3600 * NS_PER_SEC)
#define YEARS_10 (24 * 3650 * HOUR)
#define TECHNIQUE(long_name, word, id, line, further) \
    {.name = (long_name), .dash = (word), .kind = KIND_TECHNIQUE, .group = GROUP_TECHNIQUES, .lo = (id), \
     .at = AT(techniques), .help = (line), .more = (further)}
/* A flag that asks for what is done anyway. */
#define ANYWAY(long_name, others, word, in_group, line, further, other_meaning) \
    {.name = (long_name), .aliases = (others), .dash = (word), .kind = KIND_PRESET, .group = (in_group), \
     .presets = nothing, .help = (line), .more = (further), .clash = (other_meaning)}

static const struct preset nothing[] = {{"yes", ""}, {NULL, NULL}};
static const struct preset fast[] = {{"yes", "top-ports=100"}, {NULL, NULL}};
static const struct preset top_thousand[] = {{"yes", "top-ports=1000"}, {NULL, NULL}};
static const struct preset list[] = {{"yes", "ping=yes dry-run=yes"}, {NULL, NULL}};
static const struct preset bare[] = {{"yes", "output=hostport:-"}, {NULL, NULL}};
static const struct preset json[] = {{"yes", "output=jsonl:-"}, {NULL, NULL}};

/* nmap's templates: 5 minutes, 15 s and 0.4 s between probes; the usual; faster, and fast with fewer tries. */
#define PARANOID "rate=0.003"
#define SNEAKY "rate=0.066"
#define POLITE "rate=2.5"
#define AGGRESSIVE "rate=auto max-rate=30k"
#define INSANE "rate=auto max-rate=100k retries=2 timeout=250ms"
static const struct preset timings[] = {
    {"0", PARANOID}, {"paranoid", PARANOID}, {"1", SNEAKY},     {"sneaky", SNEAKY},         {"2", POLITE},
    {"polite", POLITE}, {"3", ""},           {"normal", ""},    {"4", AGGRESSIVE},          {"aggressive", AGGRESSIVE},
    {"5", INSANE},   {"insane", INSANE},     {NULL, NULL},
};

static const struct preset modules[] = {
    {"tcp_synscan", "syn=yes"}, {"icmp_echoscan", "ping=yes ping-echo=yes"}, {"udp", "udp=yes"}, {NULL, NULL},
};
static const struct preset scan_types[] = {
    {"s", "syn=yes"}, {"syn", "syn=yes"}, {"c", "connect=yes"}, {"connect", "connect=yes"}, {NULL, NULL},
};
static const struct preset orders[] = {{"random", ""}, {NULL, NULL}};

const struct option options[] = {
    {.name = "target", .aliases = "host addresses range ranges a", .kind = KIND_TARGETS,
     .group = GROUP_TARGETS, .metavar = "TARGET", .at = AT(targets), .flags = OPTION_PORTS_OK,
     .help = "a target; the same as naming it without the option",
     .more = "In a config file, targets are written as \"target = ...\", a line each.",
     .clash = "several targets stand with blanks between; RustScan's --range of ports is -p"},
    {.name = "ports", .aliases = "port target-ports", .dash = "p", .kind = KIND_PORTS, .group = GROUP_TARGETS,
     .metavar = "PORTS", .at = AT(ports), .help = "ports: 22,80-90,https; - is 1-65535 (default: the 1000 most common)",
     .more = "Numbers, ranges with open ends (-100, 60000-), and names of services, with commas between. T: U: S: "
             "before a port say that it and those behind it are ports of TCP, UDP or SCTP: -sS -sU -p T:80,443,U:53."},
    {.name = "top-ports", .aliases = "tp", .kind = KIND_NUMBER, .group = GROUP_TARGETS, .metavar = "N", .lo = 1,
     .hi = 65535, .at = AT(top_ports), .help = "the N most common ports", .more = "Adds to what --ports names.",
     .clash = "naabu's full is -p-"},
    {.name = "exclude-ports", .aliases = "ep", .kind = KIND_PORTS, .group = GROUP_TARGETS, .metavar = "PORTS",
     .at = AT(exclude_ports), .help = "never probe these ports"},
    {.name = "input-file", .aliases = "includefile include-file inputlist list allowlist-file whitelist-file l w",
     .dash = "iL", .kind = KIND_WORDS, .group = GROUP_TARGETS, .metavar = "FILE", .at = AT(input_files),
     .help = "read targets from FILE (- is stdin), ip:port lines too",
     .more = "Targets stand between blanks; # or ; begins a comment. The port of an ip:port target is scanned there, "
             "and no other."},
    {.name = "exclude", .aliases = "exclude-hosts exclude-addresses eh x", .kind = KIND_TARGETS,
     .group = GROUP_TARGETS, .metavar = "TARGET", .at = AT(exclude), .help = "never probe these addresses",
     .more = "Exclusions win over everything else."},
    {.name = "exclude-file", .aliases = "excludefile blocklist-file blacklist-file ef", .kind = KIND_WORDS,
     .group = GROUP_TARGETS, .metavar = "FILE", .at = AT(exclude_files),
     .help = "never probe the addresses in FILE (- is stdin)",
     .more = "A file that cannot be read, or one bad line in it, stops the scan before its first packet."},
    {.name = "yes-to-all-of-it", .kind = KIND_FLAG, .group = GROUP_TARGETS, .at = AT(yes_to_all),
     .help = "scan more than 2^24 addresses without an exclude file",
     .more = "Somebody among so many has asked not to be scanned; an exclude file is the better way."},
    {.name = "ipv6", .dash = "6", .kind = KIND_FLAG, .group = GROUP_TARGETS, .at = AT(only_v6),
     .help = "of host names, take only the IPv6 addresses", .more = "IPv6 targets need no option."},
    {.name = "seed", .kind = KIND_NUMBER, .group = GROUP_TARGETS, .metavar = "N", .lo = 0, .hi = UINT64_MAX,
     .at = AT(seed), .help = "fix the random order; the same seed and plan give the same order (default: drawn)"},
    {.name = "shard", .aliases = "shards", .kind = KIND_SHARD, .group = GROUP_TARGETS, .metavar = "I/N",
     .fallback = "1/1", .at = AT(shard), .help = "scan part I of N, each a random sample; give all the same --seed",
     .more = "The N shards together are the whole scan, and no endpoint is in two of them.",
     .clash = "ZMap's --shards N --shard I is --shard I+1/N"},
    {.name = "sample", .aliases = "max-targets", .kind = KIND_NUMBER, .group = GROUP_TARGETS, .metavar = "N", .lo = 1,
     .hi = INT64_MAX, .at = AT(sample), .help = "scan only N endpoints, drawn at random"},

    TECHNIQUE("syn", "sS", TECHNIQUE_SYN, "SYN scan (default where the privilege is there)",
              "This and all that follow but -sT need CAP_NET_RAW and CAP_NET_ADMIN: root, sudo or setcap."),
    TECHNIQUE("connect", "sT", TECHNIQUE_CONNECT, "connect scan: slower, needs no privilege (default without it)",
              "It goes alone, since the kernel sends its probes."),
    TECHNIQUE("fin", "sF", TECHNIQUE_FIN, "FIN scan: a closed port resets, an open one says nothing",
              "An open port cannot be told from one that a filter keeps silent: open|filtered. Some systems (Windows) "
              "reset whatever the port's state."),
    TECHNIQUE("null", "sN", TECHNIQUE_NULL, "the same, with no flag at all", NULL),
    TECHNIQUE("xmas", "sX", TECHNIQUE_XMAS, "the same, with FIN, PSH and URG", NULL),
    TECHNIQUE("maimon", "sM", TECHNIQUE_MAIMON, "the same, with FIN and ACK", NULL),
    TECHNIQUE("ack", "sA", TECHNIQUE_ACK, "ACK scan: which ports a packet filter lets through (unfiltered)", NULL),
    TECHNIQUE("window", "sW", TECHNIQUE_WINDOW, "ACK scan that takes a reset with a window for an open port",
              "Some old systems answer so; with others everything is closed."),
    TECHNIQUE("udp", "sU", TECHNIQUE_UDP, "UDP scan, with the services' own questions",
              "A closed port is told by an ICMP error, of which hosts send few a second: see --host-timeout."),
    TECHNIQUE("sctp-init", "sY", TECHNIQUE_SCTP_INIT, "SCTP INIT scan", NULL),
    TECHNIQUE("sctp-cookie", "sZ", TECHNIQUE_SCTP_COOKIE, "SCTP COOKIE-ECHO scan: a closed port aborts", NULL),
    TECHNIQUE("protocol", "sO", TECHNIQUE_PROTOCOL, "IP protocol scan: -p names protocols, 0-255", NULL),
    {.name = "ping", .aliases = "sP", .dash = "sn", .kind = KIND_TECHNIQUE, .group = GROUP_TECHNIQUES,
     .lo = TECHNIQUE_PING, .at = AT(techniques),
     .help = "find the hosts that are up and probe no port; as noctule ping does"},

    {.name = "alive", .kind = KIND_FLAG, .group = GROUP_PROBES, .at = AT(alive),
     .help = "find the hosts that are up first, and probe the ports of those only",
     .more = "Hosts that answer none of the pings are missed; without this option every host is probed."},
    {.name = "ping-echo", .aliases = "probe-icmp-echo pe", .dash = "PE", .kind = KIND_PING, .group = GROUP_PROBES,
     .lo = PING_ECHO, .at = AT(ping), .flags = OPTION_RAW, .help = "ping by ICMP echo",
     .more = "Without -sn, any of these ping options means --alive. Without any of them, a ping is -PE -PS443 -PA80 "
             "-PP; without privilege it connects to 80 and 443."},
    {.name = "ping-timestamp", .aliases = "probe-icmp-timestamp pp", .dash = "PP", .kind = KIND_PING,
     .group = GROUP_PROBES, .lo = PING_TIMESTAMP, .at = AT(ping), .flags = OPTION_RAW,
     .help = "ping by ICMP timestamp"},
    {.name = "ping-syn", .dash = "PS", .kind = KIND_PING_PORTS, .group = GROUP_PROBES,
     .metavar = "[PORTS]", .lo = PING_SYN, .hi = 80, .at = AT(ping), .help = "ping by SYN to these ports, -PS22,443"},
    {.name = "ping-ack", .dash = "PA", .kind = KIND_PING_PORTS, .group = GROUP_PROBES,
     .metavar = "[PORTS]", .lo = PING_ACK, .hi = 80, .at = AT(ping), .flags = OPTION_RAW, .help = "ping by ACK"},
    {.name = "ping-udp", .dash = "PU", .kind = KIND_PING_PORTS, .group = GROUP_PROBES, .metavar = "[PORTS]",
     .lo = PING_UDP, .hi = 40125, .at = AT(ping), .flags = OPTION_RAW, .help = "ping by UDP"},
    {.name = "ping-sctp", .dash = "PY", .kind = KIND_PING_PORTS, .group = GROUP_PROBES, .metavar = "[PORTS]",
     .lo = PING_SCTP, .hi = 80, .at = AT(ping), .flags = OPTION_RAW, .help = "ping by SCTP INIT"},
    ANYWAY("ping-arp", "arp-ping", "PR", GROUP_PROBES,
           "accepted; on the own link, ARP or neighbour discovery comes first", NULL, NULL),
    {.name = "no-discovery", .aliases = "skip-host-discovery P0 PN", .dash = "Pn", .kind = KIND_FLAG,
     .group = GROUP_PROBES, .at = AT(no_discovery), .help = "accepted; without --alive no ping comes first anyway",
     .more = "Only hosts on the own link that do not answer ARP are left out: no probe could reach them."},
    {.name = "scanflags", .kind = KIND_TCP_FLAGS, .group = GROUP_PROBES, .metavar = "FLAGS", .at = AT(scanflags),
     .flags = OPTION_RAW, .help = "TCP flags of the probes: SYNFIN, URGACKPSHRSTSYNFIN, or a number",
     .more = "Goes with one technique of TCP, which says what the answers mean; -sS where none is given."},
    {.name = "allow-amplifiers", .kind = KIND_FLAG, .group = GROUP_PROBES, .at = AT(amplifiers), .flags = OPTION_RAW,
     .help = "-sU: also ask what makes servers answer with much more than they got",
     .more = "Such questions (of NTP, SSDP, memcached and others) are what floods are made of; some networks take them "
             "for an attack."},
    {.name = "no-reset", .kind = KIND_FLAG, .group = GROUP_PROBES, .at = AT(no_reset),
     .help = "do not send the one RST that closes what an open port has half opened"},
    {.name = "ttl", .aliases = "probe-ttl", .kind = KIND_NUMBER, .group = GROUP_PROBES, .metavar = "N",
     .fallback = "64", .lo = 1, .hi = 255, .at = AT(ttl), .help = "time to live, or hop limit, of the probes"},

    {.name = "rate", .aliases = "min-rate", .kind = KIND_RATE, .group = GROUP_PACE, .metavar = "PPS",
     .fallback = "auto", .lo = 1, .hi = RATE_MAX, .at = AT(rate_milli_pps),
     .help = "packets a second: 0.1, 500, 10k, 2M; auto: as many as the path carries",
     .more = "A number is kept, neither more nor less, re-probes included; so is nmap's --min-rate. auto rises, up to "
             "--max-rate, while no smaller share is answered than before, and falls where the rate itself loses "
             "packets. Where too few answer to tell, it rises by time, and the progress line says (blind). A connect "
             "scan (-sT) has the cap for its rate."},
    {.name = "max-rate", .kind = KIND_RATE_CAP, .group = GROUP_PACE, .metavar = "PPS", .fallback = "10k", .lo = 1,
     .hi = RATE_MAX, .at = AT(max_rate_milli_pps), .help = "the cap of --rate auto",
     .more = "Where it is not given and every target is this machine, nothing caps the rate. What the command line "
             "says of the rate or the cap counts more than what -T or a file says of the other."},
    {.name = "bandwidth", .dash = "B", .kind = KIND_BITS, .group = GROUP_PACE, .metavar = "BPS", .lo = 1,
     .hi = BANDWIDTH_MAX, .at = AT(bandwidth_bps), .help = "bits a second on the wire: 10M, 1G",
     .more = "Counted as an Ethernet wire carries them: preamble, checksum and gap included. It is kept, and "
             "replaces --rate and --max-rate."},
    {.name = "timing", .dash = "T", .kind = KIND_PRESET, .group = GROUP_PACE, .metavar = "0-5", .presets = timings,
     .help = "nmap's templates: -T0 very slow .. -T3 as without .. -T5 very fast",
     .more = "Or by name. 0, paranoid: --rate 0.003; 1, sneaky: --rate 0.066; 2, polite: --rate 2.5; 3, normal: "
             "nothing; 4, aggressive: --max-rate 30k; 5, insane: --max-rate 100k --retries 2 --timeout 250ms. Options "
             "that are given beside it count more.",
     .clash = "ZMap's -T N is --sender-threads N"},
    {.name = "retries", .aliases = "max-retries", .kind = KIND_RETRIES, .group = GROUP_PACE, .metavar = "N",
     .fallback = "auto", .lo = 0, .hi = 10, .at = AT(retries),
     .help = "re-probes of what did not answer; auto: as many as the path's loss needs",
     .more = "auto measures how many first answers come to later tries. A clean path gets one re-probe, a bad one up to "
             "ten; three while there are too few answers to tell."},
    {.name = "miss", .kind = KIND_SHARE, .group = GROUP_PACE, .metavar = "SHARE", .lo = 1, .hi = PPB / 2,
     .at = AT(miss_ppb), .help = "--retries auto: the share of live endpoints that may be missed (default: 0.1%)",
     .more = "Above 2^24 endpoints the default is 1%. The closing words estimate what was missed in fact."},
    {.name = "timeout", .aliases = "initial-rtt-timeout", .kind = KIND_DURATION, .group = GROUP_PACE,
     .metavar = "TIME", .lo = NS_PER_MS, .hi = HOUR / 6, .at = AT(timeout_ns), .flags = OPTION_UNIT,
     .help = "first timeout, doubled every try: 500ms, 2s (default: by round-trip time)"},
    {.name = "host-timeout", .kind = KIND_DURATION, .group = GROUP_PACE, .metavar = "TIME", .fallback = "60s", .lo = 0,
     .hi = YEARS_10, .at = AT(host_timeout_ns),
     .help = "slow down so long for a host that limits its answers; 0: for ever",
     .more = "Many hosts send one ICMP error or a few a second. What is not decided when the time is over is counted "
             "as undecided, and is neither open nor closed."},
    {.name = "wait", .aliases = "cooldown-time", .kind = KIND_DURATION, .group = GROUP_PACE, .metavar = "TIME", .lo = 0,
     .hi = HOUR, .at = AT(wait_ns), .help = "listen at least so long after the last probe"},
    {.name = "max-results", .dash = "N", .kind = KIND_NUMBER, .group = GROUP_PACE, .metavar = "N", .lo = 1,
     .hi = INT64_MAX, .at = AT(max_results), .help = "end after N findings"},
    {.name = "max-runtime", .kind = KIND_DURATION, .group = GROUP_PACE, .metavar = "TIME", .lo = NS_PER_MS,
     .hi = YEARS_10, .at = AT(max_runtime_ns), .help = "stop sending after so long: 90s, 10m, 2h"},

    {.name = "interface", .aliases = "adapter iface i", .dash = "e", .kind = KIND_TEXT, .group = GROUP_ROUTE,
     .metavar = "NAME", .at = AT(interface), .help = "use only this network interface",
     .clash = "ZMap's -e N is --seed N, RustScan's -e PORTS is --exclude-ports PORTS"},
    {.name = "wire", .kind = KIND_CHOICE, .group = GROUP_ROUTE, .metavar = "WIRE", .fallback = "auto",
     .choices = "auto packet xdp", .at = AT(wire), .flags = OPTION_RAW,
     .help = "how packets go: packet, xdp (faster), or auto, by the rate",
     .more = "packet is the kernel's packet socket and changes nothing on the machine. xdp runs a program of noctule's "
             "on the interface while the scan lasts, for which some cards restart. auto takes xdp where the rate may "
             "exceed 300,000 packets a second and the interface can, else packet; -v says why it cannot. What each "
             "interface can do: noctule wires."},
    {.name = "sender-threads", .aliases = "senders", .kind = KIND_NUMBER, .group = GROUP_ROUTE, .metavar = "N",
     .fallback = "0", .lo = 0, .hi = SCAN_SENDERS_MAX, .at = AT(senders), .flags = OPTION_RAW,
     .help = "threads that do nothing but send; 0: the one that makes the probes sends them",
     .more = "Several are bound to a processor each, so there can be no more of them than processors. Worth it only for "
             "rates that one thread cannot keep."},
    {.name = "source-ip", .aliases = "adapter-ip", .dash = "S", .kind = KIND_SOURCE, .group = GROUP_ROUTE,
     .metavar = "IP", .at = AT(source_ip),
     .help = "send from this address, one of the machine's own or a free one on link",
     .more = "One of IPv4 and one of IPv6 may be given. An address that nobody on the link has is answered for while "
             "the scan lasts; any other is refused."},
    {.name = "source-port", .aliases = "adapter-port", .dash = "g", .kind = KIND_NUMBER, .group = GROUP_ROUTE,
     .metavar = "PORT", .lo = 1, .hi = 65535, .at = AT(source_port), .help = "send every probe from this port",
     .more = "The port usually tells which try was answered; with a fixed one, no round-trip time is measured.",
     .clash = "RustScan's -g is -o hostport:-"},
    {.name = "source-mac", .aliases = "adapter-mac", .kind = KIND_MAC, .group = GROUP_ROUTE, .metavar = "MAC",
     .at = AT(source_mac), .flags = OPTION_RAW, .help = "hardware address to send from"},
    {.name = "gateway-mac", .aliases = "router-mac", .dash = "G", .kind = KIND_MAC, .group = GROUP_ROUTE,
     .metavar = "MAC", .at = AT(gateway_mac), .flags = OPTION_RAW,
     .help = "hardware address of the gateway, instead of asking for it"},
    {.name = "unprivileged", .kind = KIND_FLAG, .group = GROUP_ROUTE, .at = AT(unprivileged),
     .help = "connect, also where the privilege for raw packets is there"},
    {.name = "privileged", .kind = KIND_FLAG, .group = GROUP_ROUTE, .at = AT(privileged),
     .help = "send raw packets or fail: never connect instead"},

    {.name = "output", .aliases = "output-file", .dash = "o", .kind = KIND_WORDS, .group = GROUP_OUTPUT,
     .metavar = "FILE", .at = AT(outputs),
     .help = "write findings to FILE.txt, FILE.jsonl or FORMAT:FILE (- is stdout); may repeat",
     .more = "The ending says the format. Without this option, text goes to stdout."},
    {.name = "open", .aliases = "open-only", .kind = KIND_FLAG, .group = GROUP_OUTPUT, .at = AT(open),
     .help = "show what is open for certain, and no more"},
    {.name = "show", .kind = KIND_STATES, .group = GROUP_OUTPUT, .metavar = "STATES", .at = AT(show),
     .help = "what to show: open, closed, filtered ... with commas between, or all (default: open)",
     .more = "The states are open, closed, filtered, unfiltered, open|filtered (in quotes, or open-filtered), "
             "closed|filtered, up, down and unknown. By default open is shown; with -sF -sN -sX -sM -sZ, which "
             "cannot tell more, open|filtered too; with -sA unfiltered, with -sn up. What is not shown is counted "
             "all the same."},
    ANYWAY("reason", NULL, NULL, GROUP_OUTPUT, "accepted; every finding says its reason anyway", NULL, NULL),
    {.name = "packet-trace", .kind = KIND_FLAG, .group = GROUP_OUTPUT, .at = AT(packet_trace), .flags = OPTION_RAW,
     .help = "a line on stderr for each packet sent and received"},
    {.name = "pcap", .kind = KIND_TEXT, .group = GROUP_OUTPUT, .metavar = "FILE", .at = AT(pcap), .flags = OPTION_RAW,
     .help = "keep every packet sent and received in a capture file"},
    {.name = "verbose", .dash = "v", .kind = KIND_COUNT, .group = GROUP_OUTPUT, .at = AT(verbose),
     .help = "say more at the end: what was ignored, and why", .clash = "ZMap's -v N is -v or -vv"},
    {.name = "quiet", .aliases = "silent", .dash = "q", .kind = KIND_FLAG, .group = GROUP_OUTPUT, .at = AT(quiet),
     .help = "no progress line, no notes, no closing words; errors and findings only"},

    {.name = "dry-run", .aliases = "dryrun offline", .kind = KIND_FLAG, .group = GROUP_RUN, .at = AT(dry_run),
     .flags = OPTION_COMMAND_LINE, .help = "print the probes in their order, one a line; send nothing"},
    {.name = "echo", .kind = KIND_FLAG, .group = GROUP_RUN, .at = AT(echo), .flags = OPTION_COMMAND_LINE,
     .help = "print a config file that repeats this run, seed included; send nothing"},
    {.name = "config", .aliases = "conf config-path C", .dash = "c", .kind = KIND_WORDS, .group = GROUP_RUN,
     .metavar = "FILE", .at = AT(configs), .flags = OPTION_COMMAND_LINE,
     .help = "read options from FILE (- is stdin); the command line counts more",
     .clash = "ZMap's -c TIME is --wait TIME, naabu's -c N is not needed"},
    {.name = "completion", .kind = KIND_TEXT, .group = GROUP_RUN, .metavar = "SHELL", .at = AT(completion),
     .flags = OPTION_COMMAND_LINE, .help = "print the completion for a shell (bash)"},
    {.name = "help", .dash = "h", .kind = KIND_FLAG, .group = GROUP_RUN, .at = AT(help), .flags = OPTION_COMMAND_LINE,
     .help = "print this"},
    {.name = "version", .dash = "V", .kind = KIND_FLAG, .group = GROUP_RUN, .at = AT(version),
     .flags = OPTION_COMMAND_LINE, .help = "print the version"},

    {.name = "fast", .dash = "F", .kind = KIND_PRESET, .group = GROUP_WORDS, .presets = fast,
     .help = "nmap: --top-ports 100"},
    {.name = "top", .kind = KIND_PRESET, .group = GROUP_WORDS, .presets = top_thousand,
     .help = "RustScan: --top-ports 1000"},
    {.name = "list-scan", .dash = "sL", .kind = KIND_PRESET, .group = GROUP_WORDS, .presets = list,
     .flags = OPTION_COMMAND_LINE, .help = "nmap: list the targets, --dry-run -sn"},
    {.name = "probe-module", .dash = "M", .kind = KIND_PRESET, .group = GROUP_WORDS, .metavar = "MODULE",
     .presets = modules, .help = "ZMap: tcp_synscan is -sS, icmp_echoscan is -sn -PE, udp is -sU"},
    {.name = "scan-type", .kind = KIND_PRESET, .group = GROUP_WORDS, .metavar = "TYPE", .presets = scan_types,
     .help = "naabu: s is -sS, c is -sT"},
    {.name = "scan-order", .kind = KIND_PRESET, .group = GROUP_WORDS, .metavar = "ORDER", .presets = orders,
     .help = "RustScan: random, as it always is"},
    {.name = "json", .dash = "j", .kind = KIND_PRESET, .group = GROUP_WORDS, .presets = json,
     .help = "naabu: -o jsonl:-"},
    {.name = "greppable", .kind = KIND_PRESET, .group = GROUP_WORDS, .presets = bare,
     .help = "RustScan: -o hostport:-"},
    ANYWAY("numeric", NULL, "n", GROUP_WORDS, "nmap: accepted; addresses are never looked up in the DNS anyway", NULL,
           "ZMap's -n N is --sample N"),
    ANYWAY("randomize-hosts", NULL, NULL, GROUP_WORDS, "nmap, masscan: accepted; the order is random anyway", NULL,
           NULL),
    ANYWAY("no-color", "no-banner accessible disable-syslog no-stdin no-config nc", NULL, GROUP_WORDS,
           "naabu, RustScan, ZMap: accepted; there is nothing to turn off", "So are their --no-banner, --accessible, "
           "--no-config, --no-stdin and --disable-syslog.", NULL),
    ANYWAY("scan-all-ips", "sa", NULL, GROUP_WORDS, "naabu: accepted; every address of a name is scanned anyway", NULL,
           NULL),
};
const size_t option_count = sizeof options / sizeof *options;
