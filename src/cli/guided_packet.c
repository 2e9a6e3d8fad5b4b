#include "cli/guided_packet.h"

#include <stdarg.h>

#include "base/bytes.h"
#include "probe/packet.h"

enum { EXTENSIONS_MAX = 8, DATA_SHOWN = 16 };

/* The names that the RFCs give the fields. */
enum field {
    FIELD_VERSION, FIELD_IHL, FIELD_DSCP, FIELD_ECN, FIELD_TOTAL_LENGTH, FIELD_IDENTIFICATION, FIELD_IP_FLAGS,
    FIELD_FRAGMENT_OFFSET, FIELD_TIME_TO_LIVE, FIELD_PROTOCOL, FIELD_HEADER_CHECKSUM, FIELD_SOURCE, FIELD_DESTINATION,
    FIELD_OPTIONS, FIELD_TRAFFIC_CLASS, FIELD_FLOW_LABEL, FIELD_PAYLOAD_LENGTH, FIELD_NEXT_HEADER, FIELD_HOP_LIMIT,
    FIELD_SOURCE_PORT, FIELD_DESTINATION_PORT, FIELD_SEQUENCE, FIELD_ACKNOWLEDGMENT, FIELD_DATA_OFFSET, FIELD_CONTROL_BITS,
    FIELD_WINDOW, FIELD_CHECKSUM, FIELD_URGENT, FIELD_LENGTH, FIELD_TYPE, FIELD_CODE, FIELD_DATA,
    FIELD_MSS, FIELD_WINDOW_SCALE, FIELD_SACK_PERMITTED, FIELD_TIMESTAMPS, FIELD_OPTION_KIND, FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT][LANGUAGE_COUNT] = {
    [FIELD_VERSION] = {"Version", "版本"},
    [FIELD_IHL] = {"Header Length", "首部长度"},
    [FIELD_DSCP] = {"DSCP", "区分服务 DSCP"},
    [FIELD_ECN] = {"ECN", "拥塞通知 ECN"},
    [FIELD_TOTAL_LENGTH] = {"Total Length", "总长度"},
    [FIELD_IDENTIFICATION] = {"Identification", "标识"},
    [FIELD_IP_FLAGS] = {"Flags", "标志"},
    [FIELD_FRAGMENT_OFFSET] = {"Fragment Offset", "片偏移"},
    [FIELD_TIME_TO_LIVE] = {"Time to Live", "生存时间 TTL"},
    [FIELD_PROTOCOL] = {"Protocol", "协议"},
    [FIELD_HEADER_CHECKSUM] = {"Header Checksum", "首部校验和"},
    [FIELD_SOURCE] = {"Source Address", "源地址"},
    [FIELD_DESTINATION] = {"Destination Address", "目的地址"},
    [FIELD_OPTIONS] = {"Options", "选项"},
    [FIELD_TRAFFIC_CLASS] = {"Traffic Class", "流量类别"},
    [FIELD_FLOW_LABEL] = {"Flow Label", "流标签"},
    [FIELD_PAYLOAD_LENGTH] = {"Payload Length", "载荷长度"},
    [FIELD_NEXT_HEADER] = {"Next Header", "下一首部"},
    [FIELD_HOP_LIMIT] = {"Hop Limit", "跳数限制"},
    [FIELD_SOURCE_PORT] = {"Source Port", "源端口"},
    [FIELD_DESTINATION_PORT] = {"Destination Port", "目的端口"},
    [FIELD_SEQUENCE] = {"Sequence Number", "序号"},
    [FIELD_ACKNOWLEDGMENT] = {"Acknowledgment Number", "确认号"},
    [FIELD_DATA_OFFSET] = {"Data Offset", "数据偏移"},
    [FIELD_CONTROL_BITS] = {"Control Bits", "控制位"},
    [FIELD_WINDOW] = {"Window", "窗口"},
    [FIELD_CHECKSUM] = {"Checksum", "校验和"},
    [FIELD_URGENT] = {"Urgent Pointer", "紧急指针"},
    [FIELD_LENGTH] = {"Length", "长度"},
    [FIELD_TYPE] = {"Type", "类型"},
    [FIELD_CODE] = {"Code", "代码"},
    [FIELD_DATA] = {"Data", "数据"},
    [FIELD_MSS] = {"Maximum Segment Size", "最大段长 MSS"},
    [FIELD_WINDOW_SCALE] = {"Window Scale", "窗口扩大因子"},
    [FIELD_SACK_PERMITTED] = {"SACK Permitted", "允许 SACK"},
    [FIELD_TIMESTAMPS] = {"Timestamps", "时间戳"},
    [FIELD_OPTION_KIND] = {"Option Kind", "选项类型"},
};

/* Where the headers of an IP packet lie. */
struct layout {
    const uint8_t *l4;
    size_t l4_len;    /* bytes at l4 that are there */
    uint8_t proto;    /* of what stands at l4 */
    bool v6, whole;   /* whole: l4 is the beginning of the payload, not a later fragment */
};

/* Bytes of the extension header at p, or 0 where it is none of those, or is cut off. */
static size_t extension_len(uint8_t proto, const uint8_t *p, size_t n) {
    size_t len = 0;
    if (n < IPV6_EXTENSION_UNIT)
        return 0;
    if (proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_DEST_OPTIONS)
        len = (p[1] + (size_t)1) * IPV6_EXTENSION_UNIT;
    else if (proto == PROTO_FRAGMENT)
        len = IPV6_EXTENSION_UNIT;
    else if (proto == PROTO_AH)
        len = (p[1] + (size_t)2) * 4;
    return len <= n ? len : 0;
}

static bool layout_v6(const uint8_t *p, size_t n, struct layout *out) {
    if (n < IPV6_LEN)
        return false;
    size_t payload = load_be16(p + IPV6_PAYLOAD_LEN);
    *out = (struct layout){.l4 = p + IPV6_LEN, .l4_len = n - IPV6_LEN, .proto = p[IPV6_NEXT_HEADER], .v6 = true,
                           .whole = true};
    if (payload < out->l4_len)
        out->l4_len = payload;
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        size_t len = extension_len(out->proto, out->l4, out->l4_len);
        if (len == 0)
            break;
        if (out->proto == PROTO_FRAGMENT && load_be16(out->l4 + IPV6_FRAGMENT_OFFSET) & IPV6_OFFSET_MASK)
            out->whole = false;
        out->proto = out->l4[0];
        out->l4 += len;
        out->l4_len -= len;
    }
    return true;
}

static bool layout_of(const uint8_t *p, size_t n, struct layout *out) {
    if (n > 0 && p[0] >> 4 == 6)
        return layout_v6(p, n, out);
    size_t header = n > 0 ? (size_t)(p[0] & 15) * 4 : 0;
    if (n < IPV4_LEN || p[0] >> 4 != 4 || header < IPV4_LEN || header > n)
        return false;
    size_t total = load_be16(p + IPV4_TOTAL_LEN), rest = n - header;
    *out = (struct layout){.l4 = p + header, .l4_len = rest, .proto = p[IPV4_PROTO],
                           .whole = !(load_be16(p + IPV4_FRAGMENT) & IPV4_OFFSET_MASK)};
    if (total >= header && total - header < rest)
        out->l4_len = total - header;
    return true;
}

static addr_t address_at(const uint8_t *p, bool v6) {
    return v6 ? (addr_t)load_be64(p) << 64 | load_be64(p + 8) : addr_from_v4(load_be32(p));
}

/* Does this ICMP message quote the packet it is about? (RFC 792: 3, 4, 5, 11, 12; RFC 4443: types below 128) */
static bool quotes(const struct layout *l) {
    if (!l->whole || l->l4_len < ICMP_LEN)
        return false;
    uint8_t type = l->l4[ICMP_TYPE];
    if (l->proto == PROTO_ICMPV6)
        return l->v6 && type < ICMPV6_ECHO;
    return l->proto == PROTO_ICMP && !l->v6 && ((type >= 3 && type <= 5) || type == 11 || type == 12);
}

bool packet_ends(const uint8_t *p, size_t n, struct packet_ends *out) {
    struct layout l;
    bool quoted = false;
    if (!layout_of(p, n, &l))
        return false;
    if (quotes(&l)) {
        quoted = true;
        p = l.l4 + ICMP_LEN;
        if (!layout_of(p, l.l4_len - ICMP_LEN, &l))
            return false;
    }
    if (!l.whole || l.l4_len < 4 || (l.proto != PROTO_TCP && l.proto != PROTO_UDP))
        return false;
    *out = (struct packet_ends){
        .source = address_at(p + (l.v6 ? IPV6_SOURCE : IPV4_SOURCE), l.v6),
        .dest = address_at(p + (l.v6 ? IPV6_DEST : IPV4_DEST), l.v6),
        .source_port = load_be16(l.l4 + TCP_SOURCE_PORT),
        .dest_port = load_be16(l.l4 + TCP_DEST_PORT),
        .proto = l.proto,
        .tcp_flags = !quoted && l.proto == PROTO_TCP && l.l4_len >= TCP_LEN ? l.l4[TCP_FLAGS] : 0,
        .quoted = quoted,
    };
    return true;
}

/* ---- text ---- */

struct printer {
    FILE *f;
    enum language language;
    const char *indent;
    bool quoted; /* what a packet quotes is indented once more */
    bool first;  /* of its line */
};

static void header(struct printer *o, const char *name) {
    fprintf(o->f, "%s%s%s: ", o->indent, o->quoted ? "  " : "", name);
    o->first = true;
}

__attribute__((format(printf, 3, 4))) static void put(struct printer *o, enum field field, const char *fmt, ...) {
    va_list ap;
    fprintf(o->f, "%s%s ", o->first ? "" : ", ", field_names[field][o->language]);
    va_start(ap, fmt);
    vfprintf(o->f, fmt, ap);
    va_end(ap);
    o->first = false;
}

/* A header that ends before its fields do. */
static void cut(struct printer *o, size_t n) {
    fprintf(o->f, o->language == LANGUAGE_ZH ? "（被截断，%zu 字节）\n" : "(cut off after %zu bytes)\n", n);
}

static const char *protocol_name(uint8_t proto) {
    switch (proto) {
    case PROTO_HOP_BY_HOP: return " (Hop-by-Hop Options)";
    case PROTO_ICMP: return " (ICMP)";
    case PROTO_TCP: return " (TCP)";
    case PROTO_UDP: return " (UDP)";
    case PROTO_ROUTING: return " (Routing)";
    case PROTO_FRAGMENT: return " (Fragment)";
    case PROTO_AH: return " (Authentication)";
    case PROTO_ICMPV6: return " (ICMPv6)";
    case PROTO_DEST_OPTIONS: return " (Destination Options)";
    default: return "";
    }
}

static void print_addresses(struct printer *o, const uint8_t *source, const uint8_t *dest, bool v6) {
    char text[ADDR_STRLEN];
    put(o, FIELD_SOURCE, "%s", addr_format(address_at(source, v6), text));
    put(o, FIELD_DESTINATION, "%s", addr_format(address_at(dest, v6), text));
    fputc('\n', o->f);
}

static void print_ipv4(struct printer *o, const uint8_t *p) {
    uint16_t fragment = load_be16(p + IPV4_FRAGMENT);
    unsigned len = (p[0] & 15u) * 4;
    header(o, "IP");
    put(o, FIELD_VERSION, "%u", p[0] >> 4);
    put(o, FIELD_IHL, "%u", len);
    put(o, FIELD_DSCP, "%u", p[1] >> 2);
    put(o, FIELD_ECN, "%u", p[1] & 3);
    put(o, FIELD_TOTAL_LENGTH, "%u", load_be16(p + IPV4_TOTAL_LEN));
    put(o, FIELD_IDENTIFICATION, "0x%04x", load_be16(p + IPV4_ID));
    put(o, FIELD_IP_FLAGS, "%s%s%s", fragment & IPV4_DONT_FRAGMENT ? "DF" : "",
        (fragment & IPV4_DONT_FRAGMENT) && (fragment & IPV4_MORE_FRAGMENTS) ? "+" : "",
        fragment & IPV4_MORE_FRAGMENTS ? "MF" : fragment & IPV4_DONT_FRAGMENT ? "" : "-");
    put(o, FIELD_FRAGMENT_OFFSET, "%u", (fragment & IPV4_OFFSET_MASK) * 8u);
    put(o, FIELD_TIME_TO_LIVE, "%u", p[IPV4_TTL]);
    put(o, FIELD_PROTOCOL, "%u%s", p[IPV4_PROTO], protocol_name(p[IPV4_PROTO]));
    put(o, FIELD_HEADER_CHECKSUM, "0x%04x", load_be16(p + IPV4_CHECKSUM));
    if (len > IPV4_LEN)
        put(o, FIELD_OPTIONS, "%u", len - IPV4_LEN);
    print_addresses(o, p + IPV4_SOURCE, p + IPV4_DEST, false);
}

static void print_ipv6(struct printer *o, const uint8_t *p, const struct layout *l) {
    uint32_t word = load_be32(p);
    header(o, "IPv6");
    put(o, FIELD_VERSION, "%u", p[0] >> 4);
    put(o, FIELD_TRAFFIC_CLASS, "%u", word >> 20 & 255);
    put(o, FIELD_FLOW_LABEL, "0x%05x", word & IPV6_FLOW_MASK);
    put(o, FIELD_PAYLOAD_LENGTH, "%u", load_be16(p + IPV6_PAYLOAD_LEN));
    put(o, FIELD_NEXT_HEADER, "%u%s", p[IPV6_NEXT_HEADER], protocol_name(p[IPV6_NEXT_HEADER]));
    put(o, FIELD_HOP_LIMIT, "%u", p[IPV6_HOP_LIMIT]);
    print_addresses(o, p + IPV6_SOURCE, p + IPV6_DEST, true);
    const uint8_t *at = p + IPV6_LEN;
    for (uint8_t proto = p[IPV6_NEXT_HEADER]; at < l->l4;) {
        size_t len = extension_len(proto, at, (size_t)(l->l4 - at) + l->l4_len);
        const char *name = protocol_name(proto);
        header(o, "IPv6");
        put(o, FIELD_OPTIONS, "%u%s", proto, name);
        put(o, FIELD_NEXT_HEADER, "%u%s", at[0], protocol_name(at[0]));
        put(o, FIELD_LENGTH, "%zu", len);
        fputc('\n', o->f);
        proto = at[0];
        at += len;
    }
}

static void print_tcp_options(struct printer *o, const uint8_t *p, size_t n) {
    for (size_t at = 0; at < n && p[at] != 0;) { /* 0 ends the list */
        if (p[at] == 1) {                        /* and 1 fills */
            at++;
            continue;
        }
        size_t len = at + 1 < n ? p[at + 1] : 0;
        if (len < 2 || len > n - at)
            return;
        if (p[at] == 2 && len == 4)
            put(o, FIELD_MSS, "%u", load_be16(p + at + 2));
        else if (p[at] == 3 && len == 3)
            put(o, FIELD_WINDOW_SCALE, "%u", p[at + 2]);
        else if (p[at] == 4 && len == 2)
            put(o, FIELD_SACK_PERMITTED, "%s", "1");
        else if (p[at] == 8 && len == 10)
            put(o, FIELD_TIMESTAMPS, "%u/%u", load_be32(p + at + 2), load_be32(p + at + 6));
        else
            put(o, FIELD_OPTION_KIND, "%u", p[at]);
        at += len;
    }
}

static void print_flags(struct printer *o, uint8_t flags) {
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    char text[40] = "";
    size_t at = 0;
    for (unsigned i = 0; i < 8; i++)
        if (flags >> i & 1)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? "+" : "", names[i]);
    put(o, FIELD_CONTROL_BITS, "%s", at ? text : "-");
}

/* The first bytes of n that follow a header. */
static void print_data(struct printer *o, const uint8_t *p, size_t n) {
    char text[DATA_SHOWN * 3 + 1] = "";
    if (n == 0)
        return;
    for (size_t i = 0; i < n && i < DATA_SHOWN; i++)
        snprintf(text + i * 3, sizeof text - i * 3, " %02x", p[i]);
    put(o, FIELD_DATA, "%zu:%s%s", n, text, n > DATA_SHOWN ? " ..." : "");
}

static void print_ports(struct printer *o, const uint8_t *p) {
    put(o, FIELD_SOURCE_PORT, "%u", load_be16(p + TCP_SOURCE_PORT));
    put(o, FIELD_DESTINATION_PORT, "%u", load_be16(p + TCP_DEST_PORT));
}

static void print_tcp(struct printer *o, const uint8_t *p, size_t n) {
    header(o, "TCP");
    if (n >= ICMP_QUOTE_LEN) {
        print_ports(o, p);
        put(o, FIELD_SEQUENCE, "%u", load_be32(p + TCP_SEQ));
    }
    if (n < TCP_LEN) {
        fputs(n >= ICMP_QUOTE_LEN ? " " : "", o->f);
        cut(o, n);
        return;
    }
    size_t len = (size_t)(p[TCP_OFFSET] >> 4) * 4;
    put(o, FIELD_ACKNOWLEDGMENT, "%u", load_be32(p + TCP_ACK_NUMBER));
    put(o, FIELD_DATA_OFFSET, "%zu", len);
    print_flags(o, p[TCP_FLAGS]);
    put(o, FIELD_WINDOW, "%u", load_be16(p + TCP_WINDOW));
    put(o, FIELD_CHECKSUM, "0x%04x", load_be16(p + TCP_CHECKSUM));
    put(o, FIELD_URGENT, "%u", load_be16(p + TCP_OPTIONS - 2));
    if (len > TCP_LEN && len <= n)
        print_tcp_options(o, p + TCP_OPTIONS, len - TCP_LEN);
    if (len >= TCP_LEN && len < n)
        print_data(o, p + len, n - len);
    fputc('\n', o->f);
}

static void print_udp(struct printer *o, const uint8_t *p, size_t n) {
    header(o, "UDP");
    if (n < UDP_LEN) {
        cut(o, n);
        return;
    }
    print_ports(o, p);
    put(o, FIELD_LENGTH, "%u", load_be16(p + UDP_LENGTH));
    put(o, FIELD_CHECKSUM, "0x%04x", load_be16(p + UDP_CHECKSUM));
    print_data(o, p + UDP_LEN, n - UDP_LEN);
    fputc('\n', o->f);
}

/* What type and code say, for the errors that a scan meets. */
static const char *icmp_meaning(bool v6, uint8_t type, uint8_t code) {
    static const char *const v4_codes[] = {
        [0] = " (Network Unreachable)", [1] = " (Host Unreachable)", [2] = " (Protocol Unreachable)",
        [3] = " (Port Unreachable)", [9] = " (Network Prohibited)", [10] = " (Host Prohibited)",
        [13] = " (Administratively Prohibited)",
    };
    static const char *const v6_codes[] = {
        " (No Route)", " (Administratively Prohibited)", " (Beyond Scope)", " (Address Unreachable)",
        " (Port Unreachable)", " (Source Policy)", " (Route Rejected)",
    };
    const char *const *codes = v6 ? v6_codes : v4_codes;
    size_t n = v6 ? sizeof v6_codes / sizeof *v6_codes : sizeof v4_codes / sizeof *v4_codes;
    if (type != (v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE) || code >= n || !codes[code])
        return "";
    return codes[code];
}

static void print_l4(struct printer *o, const struct layout *l);

static void print_packet(struct printer *o, const uint8_t *p, const struct layout *l) {
    if (l->v6)
        print_ipv6(o, p, l);
    else
        print_ipv4(o, p);
    if (l->whole)
        print_l4(o, l);
}

static const char *icmp_type_name(bool v6, uint8_t type) {
    if (type == (v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE))
        return " (Destination Unreachable)";
    if (type == (v6 ? ICMPV6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED))
        return " (Time Exceeded)";
    return type == (v6 ? ICMPV6_ECHO : ICMP_ECHO)             ? " (Echo)"
           : type == (v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY) ? " (Echo Reply)"
                                                              : "";
}

static void print_icmp(struct printer *o, const struct layout *l) {
    const uint8_t *p = l->l4;
    header(o, l->v6 ? "ICMPv6" : "ICMP");
    if (l->l4_len < ICMP_LEN) {
        cut(o, l->l4_len);
        return;
    }
    put(o, FIELD_TYPE, "%u%s", p[ICMP_TYPE], icmp_type_name(l->v6, p[ICMP_TYPE]));
    put(o, FIELD_CODE, "%u%s", p[ICMP_CODE], icmp_meaning(l->v6, p[ICMP_TYPE], p[ICMP_CODE]));
    put(o, FIELD_CHECKSUM, "0x%04x", load_be16(p + ICMP_CHECKSUM));
    fputc('\n', o->f);
    struct layout quoted;
    if (!quotes(l) || !layout_of(p + ICMP_LEN, l->l4_len - ICMP_LEN, &quoted) || quotes(&quoted))
        return;
    fprintf(o->f, "%s%s\n", o->indent, o->language == LANGUAGE_ZH ? "其中引用的数据包：" : "which quotes:");
    o->quoted = true;
    print_packet(o, p + ICMP_LEN, &quoted); /* no deeper: what is quoted quotes nothing */
}

static void print_l4(struct printer *o, const struct layout *l) {
    if (l->proto == PROTO_TCP)
        print_tcp(o, l->l4, l->l4_len);
    else if (l->proto == PROTO_UDP)
        print_udp(o, l->l4, l->l4_len);
    else if (l->proto == (l->v6 ? PROTO_ICMPV6 : PROTO_ICMP))
        print_icmp(o, l);
}

void packet_print(FILE *f, enum language language, const char *indent, const uint8_t *p, size_t n) {
    struct printer o = {.f = f, .language = language, .indent = indent};
    struct layout l;
    if (!layout_of(p, n, &l)) {
        header(&o, "IP");
        cut(&o, n);
        return;
    }
    print_packet(&o, p, &l);
}
