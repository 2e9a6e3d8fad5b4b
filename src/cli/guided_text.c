#include "cli/guided_text.h"

#include <string.h>

static const char *const texts[TEXT_COUNT][LANGUAGE_COUNT] = {
    [TEXT_USAGE] =
        {"Scanner: usage:  [-h]  --help information\n"
         "                [-c]  --TCP connect scan\n"
         "                [-s]  --TCP syn scan\n"
         "                [-f]  --TCP fin scan\n"
         "                [-u]  --UDP scan\n",
         "Scanner: 用法:   [-h]  --显示帮助信息\n"
         "                [-c]  --TCP connect 扫描\n"
         "                [-s]  --TCP SYN 扫描\n"
         "                [-f]  --TCP FIN 扫描\n"
         "                [-u]  --UDP 扫描\n"},
    [TEXT_USAGE_MORE] =
        {"\n"
         "Several of -c -s -f -u run one after another, in this order. It asks for the host and the ports.\n"
         "    --explain      shows the packets of each port, and why they mean its state\n"
         "    --lang LANG    en or zh: the language of everything it says\n"
         "    --no-ping      scans although the host does not answer a ping\n"
         "    --host-timeout TIME  how long a host that limits its answers is waited for: 5m, or 0 for ever\n"
         "Scan only what is yours, or what you were asked to scan.\n",
         "\n"
         "-c -s -f -u 可以同时给出几个，按此顺序依次运行。程序会询问主机地址和端口范围。\n"
         "    --explain      显示每个端口往来的数据包，并说明为什么由此得出该状态\n"
         "    --lang LANG    en 或 zh：程序使用的语言\n"
         "    --no-ping      即使主机不回应 ping 也照样扫描\n"
         "    --host-timeout TIME  对限制回应频率的主机最多等待多久：默认 5m，0 表示不限\n"
         "只扫描属于您自己的，或者您受托扫描的主机。\n"},
    [TEXT_BAD_OPTION] =
        {"\"{0}\" is no option of the guided mode: expected -h, -c, -s, -f, -u, --explain, --lang, "
         "--no-ping or --host-timeout\n",
         "引导模式没有选项 \"{0}\"：可用的是 -h、-c、-s、-f、-u、--explain、--lang、--no-ping 和 --host-timeout\n"},
    [TEXT_BAD_TIME] = {"--host-timeout: expected a time such as 90s, 5m or 1h, or 0 for no limit, not \"{0}\"\n",
                       "--host-timeout：应为时间，如 90s、5m、1h，或表示不限的 0，而不是 \"{0}\"\n"},
    [TEXT_BAD_LANGUAGE] = {"--lang: expected en or zh, not \"{0}\"\n", "--lang：应为 en 或 zh，而不是 \"{0}\"\n"},
    [TEXT_NO_PRIVILEGE] =
        {"{0} needs the privilege to send raw packets (CAP_NET_RAW and CAP_NET_ADMIN), which this program has not got: "
         "start it with sudo, or once run \"setcap cap_net_raw,cap_net_admin+ep\" on it; -c needs no privilege\n",
         "{0} 需要发送原始数据包的权限（CAP_NET_RAW 和 CAP_NET_ADMIN），本程序没有：请用 sudo 启动，"
         "或对本程序执行一次 \"setcap cap_net_raw,cap_net_admin+ep\"；-c 不需要任何权限\n"},
    [TEXT_ASK_HOST] = {"Please input IP address of a Host:", "请输入主机的 IP 地址:"},
    [TEXT_ASK_RANGE] = {"Please input the range of port...\n", "请输入端口范围...\n"},
    [TEXT_ASK_BEGIN] = {"Begin Port:", "起始端口:"},
    [TEXT_ASK_END] = {"End Port:", "结束端口:"},
    [TEXT_BAD_HOST] =
        {"\"{0}\" is no IP address: expected one such as 192.0.2.7 or 2001:db8::7 (names are not looked up here: "
         "\"getent hosts NAME\" does that)\n",
         "\"{0}\" 不是 IP 地址：应形如 192.0.2.7 或 2001:db8::7（这里不解析主机名，可用 \"getent hosts 主机名\" 查询）\n"},
    [TEXT_NO_SUCH_ZONE] =
        {"\"{0}\": behind the % stands no network interface of this machine (\"ip link\" lists them)\n",
         "\"{0}\"：% 后面不是本机的网络接口（可用 \"ip link\" 列出）\n"},
    [TEXT_ZONE_MISSING] =
        {"{0} is a link-local address, which means nothing without its interface: expected {0}%eth0, say\n",
         "{0} 是链路本地地址，必须带上网络接口才有意义：例如 {0}%eth0\n"},
    [TEXT_NOT_ONE_HOST] =
        {"{0} is not the address of one host, but \"no address\", a multicast group or everybody\n",
         "{0} 不是某一台主机的地址，而是空地址、组播地址或广播地址\n"},
    [TEXT_BAD_PORT] = {"\"{0}\" is no port: expected a number from 1 to 65535\n",
                       "\"{0}\" 不是端口：应为 1 到 65535 之间的数\n"},
    [TEXT_BAD_RANGE] = {"{0}~{1} is no range of ports: the end must not be below the beginning\n",
                        "{0}~{1} 不是端口范围：结束端口不能小于起始端口\n"},
    [TEXT_NO_ANSWER] = {"\nNo answer was given: nothing is scanned.\n", "\n没有得到回答：未扫描任何主机。\n"},
    [TEXT_SCAN_HOST] = {"Scan Host {0} port {1}~{2} ...\n", "扫描主机 {0} 端口 {1}~{2} ...\n"},
    [TEXT_PING_ANSWERED] = {"Ping Host {0} Successfully !\n", "Ping 主机 {0} 成功！\n"},
    [TEXT_PING_SILENT] =
        {"Ping Host {0} failed: no answer within 3 seconds !\n"
         "The host may be off, or a firewall on the way may eat pings. If you know that it is up, go on without:\n"
         "    Scanner {1} --no-ping\n",
         "Ping 主机 {0} 失败：3 秒内没有回应！\n"
         "主机可能没有开机，也可能是途中的防火墙丢弃了 ping。如果确定主机在线，可以跳过 ping：\n"
         "    Scanner {1} --no-ping\n"},
    [TEXT_BEGIN_CONNECT] = {"Begin TCP connect scan...\n", "开始 TCP connect 扫描...\n"},
    [TEXT_EXIT_CONNECT] = {"TCP Connect Scan thread exit !\n", "TCP connect 扫描线程退出！\n"},
    [TEXT_FINISHED_CONNECT] = {"TCP Connect Scan finished !\n", "TCP connect 扫描完成！\n"},
    [TEXT_BEGIN_SYN] = {"Begin TCP SYN scan...\n", "开始 TCP SYN 扫描...\n"},
    [TEXT_EXIT_SYN] = {"TCP SYN scan thread exit !\n", "TCP SYN 扫描线程退出！\n"},
    [TEXT_FINISHED_SYN] = {"TCP SYN Scan finished !\n", "TCP SYN 扫描完成！\n"},
    [TEXT_BEGIN_FIN] = {"Begin TCP FIN scan...\n", "开始 TCP FIN 扫描...\n"},
    [TEXT_EXIT_FIN] = {"TCP FIN scan thread exit !\n", "TCP FIN 扫描线程退出！\n"},
    [TEXT_FINISHED_FIN] = {"TCP FIN Scan finished !\n", "TCP FIN 扫描完成！\n"},
    [TEXT_BEGIN_UDP] = {"Begin UDP scan...\n", "开始 UDP 扫描...\n"},
    [TEXT_EXIT_UDP] = {"UDP Scan thread exit !\n", "UDP 扫描线程退出！\n"},
    [TEXT_FINISHED_UDP] = {"UDP Scan finished !\n", "UDP 扫描完成！\n"},
    [TEXT_PORT] = {"Host: {0} Port: {1} {2} !\n", "主机: {0} 端口: {1} {2}！\n"},
    [TEXT_PORT_LIMITED] =
        {"Host: {0} Port: {1} undecided, the host limits how often it answers !\n",
         "主机: {0} 端口: {1} 未能判定，主机限制了回应的频率！\n"},
    [TEXT_PORT_UNDECIDED] = {"Host: {0} Port: {1} undecided, {2} !\n", "主机: {0} 端口: {1} 未能判定，{2}！\n"},
    [TEXT_PORT_REVISED] =
        {"A stronger answer came: port {1} of {0} is {2}, not {3} !\n",
         "收到了更可信的回应：主机 {0} 的端口 {1} 是{2}，而不是{3}！\n"},
    [TEXT_FIN_HINT] =
        {"Every port answered closed: Windows does this whatever the port's state, so ports may be open all the same. "
         "Compare with -s or -c.\n",
         "所有端口都回应为关闭：Windows 无论端口处于什么状态都会这样回应，所以端口仍有可能是开放的。请用 -s 或 -c 对照。\n"},
    [TEXT_LIMITED_HINT] =
        {"{0} ports are undecided because the time was over: --host-timeout 1h would give the host more, 0 all it "
         "needs.\n",
         "因时间用尽有 {0} 个端口未能判定：用 --host-timeout 1h 可以给主机更多时间，用 0 则不限时间。\n"},
    [TEXT_LEFT_SECONDS] = {"UDP scan: about {0} s remain ...\n", "UDP 扫描：大约还剩 {0} 秒 ...\n"},
    [TEXT_LEFT_MINUTES] = {"UDP scan: about {0} min {1} s remain ...\n", "UDP 扫描：大约还剩 {0} 分 {1} 秒 ...\n"},
    [TEXT_HOST_DOWN] = {"nobody has that address on the link", "链路上没有主机使用该地址"},
    [TEXT_NO_WAY] = {"there is no way to the host", "没有通往该主机的路径"},
    [TEXT_NOT_REACHED] = {"the scan ended before", "扫描提前结束"},
    [TEXT_STOPPED] = {"Stopped: {0} ports are not decided.\n", "已停止：还有 {0} 个端口未判定。\n"},
    [TEXT_NO_ROUTE] = {"This machine has no route to {0}.\n", "本机没有通往 {0} 的路由。\n"},
    [TEXT_FAILED] = {"The scan failed: {0}\n", "扫描失败：{0}\n"},
    [TEXT_STATE + STATE_UNKNOWN] = {"undecided", "未判定"},
    [TEXT_STATE + STATE_OPEN] = {"open", "开放"},
    [TEXT_STATE + STATE_CLOSED] = {"closed", "关闭"},
    [TEXT_STATE + STATE_FILTERED] = {"filtered", "被过滤"},
    [TEXT_STATE + STATE_UNFILTERED] = {"unfiltered", "未被过滤"},
    [TEXT_STATE + STATE_OPEN_FILTERED] = {"open|filtered", "开放|被过滤"},
    [TEXT_STATE + STATE_CLOSED_FILTERED] = {"closed|filtered", "关闭|被过滤"},
    [TEXT_STATE + STATE_UP] = {"up", "在线"},
    [TEXT_STATE + STATE_DOWN] = {"down", "离线"},

    [TEXT_PORT_TITLE] = {"\nPort {0}: {1}\n", "\n端口 {0}：{1}\n"},
    [TEXT_SENT] = {"  sent:\n", "  发送：\n"},
    [TEXT_SENT_LATER] = {"  sent {0} ms after the first one:\n", "  发送（在第一个之后 {0} 毫秒）：\n"},
    [TEXT_RECEIVED] = {"  received:\n", "  收到：\n"},
    [TEXT_UNSEEN_PRIVILEGE] =
        {"  The kernel made this connection, and only a privileged program may watch its packets (CAP_NET_RAW): it sends "
         "a SYN; a SYN-ACK comes back where somebody listens, and is acknowledged; then a RST ends it. A RST comes back "
         "where nobody listens.\n",
         "  此连接由内核建立，只有特权程序才能观察其数据包（CAP_NET_RAW）：内核发送 SYN；如果有程序在监听，对方回 SYN-ACK，"
         "内核予以确认，随后用 RST 结束连接。如果没有程序监听，对方回 RST。\n"},
    [TEXT_UNSEEN] = {"  No packet of this port was seen.\n", "  没有看到此端口的数据包。\n"},
    [TEXT_TOO_MANY] = {"  More packets than are kept came in: some are missing here.\n",
                       "  数据包多于可保存的数量：这里缺少一部分。\n"},
    [TEXT_WHY] = {"  Why: {0} For a probe of {1} that means: {2}.\n", "  原因：{0}对于 {1} 的探测，这意味着：{2}。\n"},
    [TEXT_WHY_ICMP] =
        {"  Why: {0} ({3}, sent by {4}.) For a probe of {1} that means: {2}.\n",
         "  原因：{0}（{3}，由{4}发出。）对于 {1} 的探测，这意味着：{2}。\n"},
    [TEXT_THE_HOST] = {"the host", "该主机"},
    [TEXT_OWN_PORT] =
        {"  Why: this scan itself has taken that port of this machine for its probes, so nobody else listens there: "
         "closed. Nothing had to be sent.\n",
         "  原因：本次扫描自己占用了本机的这个端口来发送探测，所以没有别的程序在监听：关闭。无需发送任何数据包。\n"},
    [TEXT_LIMITED] =
        {"  Why: the host sends only so many ICMP errors a second. A closed port that it was not free to answer for "
         "looks like a silent one, so nothing is claimed.\n",
         "  原因：主机每秒只发送有限的 ICMP 错误。它来不及回应的关闭端口看起来与沉默的端口一样，所以不作判定。\n"},
    [TEXT_OUTCOME + OUTCOME_SILENCE] = {"no answer came, though the probe was repeated.",
                                        "虽然重复了探测，但没有收到任何回应。"},
    [TEXT_OUTCOME + OUTCOME_SYN_ACK] =
        {"a SYN-ACK that acknowledges our SYN came back: a program listens there and would talk (RFC 9293 3.5).",
         "收到了确认我方 SYN 的 SYN-ACK：有程序在该端口监听并愿意通信（RFC 9293 3.5）。"},
    [TEXT_OUTCOME + OUTCOME_ACK] =
        {"the target opened a connection to us at the same moment, and acknowledged ours (RFC 9293 3.5).",
         "目标在同一时刻向我方发起连接，并确认了我方的连接（RFC 9293 3.5）。"},
    [TEXT_OUTCOME + OUTCOME_RESET] =
        {"a RST came back: the host was reached, and nobody listens on this port (RFC 9293 3.10.7.1).",
         "收到了 RST：到达了主机，但没有程序监听该端口（RFC 9293 3.10.7.1）。"},
    [TEXT_OUTCOME + OUTCOME_RESET_WINDOW] =
        {"a RST with a window came back: the host was reached, and nobody listens on this port (RFC 9293 3.10.7.1).",
         "收到了带窗口值的 RST：到达了主机，但没有程序监听该端口（RFC 9293 3.10.7.1）。"},
    [TEXT_OUTCOME + OUTCOME_UDP] = {"a UDP packet came back from this port: a service answers there.",
                                    "从该端口收到了 UDP 数据包：有服务在那里回应。"},
    [TEXT_OUTCOME + OUTCOME_INIT_ACK] = {"an SCTP INIT-ACK came back: a program listens there (RFC 9260 5.1).",
                                         "收到了 SCTP INIT-ACK：有程序在监听（RFC 9260 5.1）。"},
    [TEXT_OUTCOME + OUTCOME_ABORT] = {"an SCTP ABORT came back: nobody listens there (RFC 9260 8.4).",
                                      "收到了 SCTP ABORT：没有程序监听（RFC 9260 8.4）。"},
    [TEXT_OUTCOME + OUTCOME_PROTOCOL] = {"a packet of this protocol came back.", "收到了该协议的数据包。"},
    [TEXT_OUTCOME + OUTCOME_ECHO] = {"an ICMP echo reply came back.", "收到了 ICMP 回显应答。"},
    [TEXT_OUTCOME + OUTCOME_TIMESTAMP] = {"an ICMP timestamp reply came back.", "收到了 ICMP 时间戳应答。"},
    [TEXT_OUTCOME + OUTCOME_NEIGHBOUR] = {"the host told its link address.", "主机告知了它的链路地址。"},
    [TEXT_OUTCOME + OUTCOME_PORT_UNREACH] =
        {"an ICMP error \"port unreachable\" came back from the target itself (RFC 1122 4.1.3.1).",
         "收到了目标自己发出的 ICMP 错误“端口不可达”（RFC 1122 4.1.3.1）。"},
    [TEXT_OUTCOME + OUTCOME_PROTO_UNREACH] =
        {"an ICMP error \"protocol unreachable\" came back from the target.", "收到了目标发出的 ICMP 错误“协议不可达”。"},
    [TEXT_OUTCOME + OUTCOME_HEADER_FIELD] =
        {"an ICMPv6 error about a header field came back.", "收到了关于首部字段的 ICMPv6 错误。"},
    [TEXT_OUTCOME + OUTCOME_TARGET_ERROR] =
        {"an ICMP error came back from the target: something in front of the port refuses the probe.",
         "收到了目标发出的 ICMP 错误：端口之前有什么拒绝了探测。"},
    [TEXT_OUTCOME + OUTCOME_ICMP_ERROR] =
        {"an ICMP error came back from somebody on the way: the probe did not reach the port.",
         "收到了途中某设备发出的 ICMP 错误：探测没有到达该端口。"},
    [TEXT_SILENCE_TCP] =
        {"no answer came, though the probe was repeated; an open or closed port would have answered, so something on the "
         "way, or a firewall of the host, drops the packets.",
         "虽然重复了探测，但没有收到任何回应；开放或关闭的端口都会回应，所以是途中的设备或主机的防火墙丢弃了数据包。"},
    [TEXT_SILENCE_FIN] =
        {"no answer came, though the probe was repeated; an open port ignores a bare FIN (RFC 9293 3.10.7.2), but a "
         "firewall that drops it looks just the same.",
         "虽然重复了探测，但没有收到任何回应；开放的端口会忽略单独的 FIN（RFC 9293 3.10.7.2），但丢弃它的防火墙看起来也一样。"},
    [TEXT_SILENCE_UDP] =
        {"no answer came, though the probe was repeated; a service may ignore what it does not understand, but a "
         "firewall that drops it looks just the same.",
         "虽然重复了探测，但没有收到任何回应；服务可能忽略它不理解的内容，但丢弃它的防火墙看起来也一样。"},
    [TEXT_RESET_FIN] =
        {"a RST came back: a closed port resets whatever it gets, an open one would have kept silent (RFC 9293 "
         "3.10.7.1).",
         "收到了 RST：关闭的端口对收到的一切都回 RST，而开放的端口会保持沉默（RFC 9293 3.10.7.1）。"},
    [TEXT_STATES_TITLE] = {"\nWhat the six states mean\n", "\n六种状态的含义\n"},
    [TEXT_MEANS_OPEN] = {"  open: a program answers on this port.\n", "  开放：有程序在该端口回应。\n"},
    [TEXT_MEANS_CLOSED] =
        {"  closed: the host answers, and says that nobody listens on this port.\n",
         "  关闭：主机有回应，并表明没有程序监听该端口。\n"},
    [TEXT_MEANS_FILTERED] =
        {"  filtered: something, most often a firewall, keeps the probes from the port; whether it is open cannot be "
         "told.\n",
         "  被过滤：有什么（多半是防火墙）使探测无法到达该端口；无法得知它是否开放。\n"},
    [TEXT_MEANS_UNFILTERED] =
        {"  unfiltered: probes reach the port, but this kind of probe cannot tell whether it is open (only -sA of the "
         "full noctule says so).\n",
         "  未被过滤：探测可以到达该端口，但这种探测无法得知它是否开放（只有完整的 noctule 的 -sA 会这样报告）。\n"},
    [TEXT_MEANS_OPEN_FILTERED] =
        {"  open|filtered: silence, which is what an open port does with such a probe, and a firewall too.\n",
         "  开放|被过滤：沉默。开放的端口对这种探测保持沉默，防火墙也会如此。\n"},
    [TEXT_MEANS_CLOSED_FILTERED] =
        {"  closed|filtered: closed or filtered, one cannot tell which (the idle scan of other tools says so; noctule "
         "never does).\n",
         "  关闭|被过滤：关闭或被过滤，无法区分（其他工具的空闲扫描会这样报告；noctule 从不这样报告）。\n"},
    [TEXT_LOGS_TITLE] = {"\nWhat the target could have logged\n", "\n目标可能记录了什么\n"},
    [TEXT_LOGS_CONNECT] =
        {"  -c: each open port's program saw a complete connection that was reset at once; many write such a thing into "
         "their log, with your address.\n",
         "  -c：每个开放端口的程序都看到了一个完整的连接立即被重置；许多程序会把它连同您的地址写入日志。\n"},
    [TEXT_LOGS_SYN] =
        {"  -s: no program saw a connection, since none was completed; the kernel does not log it. Firewalls and "
         "intrusion detection see every SYN, and know the pattern.\n",
         "  -s：没有程序看到连接，因为连接从未完成；内核也不记录。防火墙和入侵检测系统能看到每一个 SYN，并认识这种模式。\n"},
    [TEXT_LOGS_FIN] =
        {"  -f: no program saw anything. A firewall that follows connections sees FINs that belong to none, which is "
         "conspicuous.\n",
         "  -f：没有程序看到任何东西。跟踪连接的防火墙会看到不属于任何连接的 FIN，这很显眼。\n"},
    [TEXT_LOGS_UDP] =
        {"  -u: each open port's service got a datagram, and may have logged a request or a malformed one, with your "
         "address. The host's kernel counts what came for closed ports.\n",
         "  -u：每个开放端口的服务都收到了一个数据报，可能把它作为请求或格式错误连同您的地址写入日志。"
         "主机内核会统计发往关闭端口的数据报。\n"},
    [TEXT_LOGS_ALL] =
        {"  All: every router and firewall on the way can record who asked, when, and for which port. A scan is never "
         "invisible.\n",
         "  全部：途中的每个路由器和防火墙都能记录谁在何时询问了哪个端口。扫描从来不是隐形的。\n"},
};

const char *guided_text(enum language language, enum guided_text text) {
    return texts[text][language];
}

const char *guided_state(enum language language, enum state state) {
    return texts[TEXT_STATE + state][language];
}

void guided_say(FILE *f, enum language language, enum guided_text text, const char *const *args) {
    flockfile(f); /* several threads speak: each text stays whole */
    for (const char *s = texts[text][language]; *s; s++) {
        if (s[0] == '{' && s[1] >= '0' && s[1] < '0' + (int)TEXT_ARGS_MAX && s[2] == '}') {
            fputs(args[s[1] - '0'], f);
            s += 2;
        } else {
            fputc(*s, f);
        }
    }
    fflush(f);
    funlockfile(f);
}

bool guided_language(const char *text, enum language *out) {
    static const char *const names[LANGUAGE_COUNT] = {[LANGUAGE_EN] = "en", [LANGUAGE_ZH] = "zh"};
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum language)i;
            return true;
        }
    }
    return false;
}
