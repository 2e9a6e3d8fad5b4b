"""Debian's servers that answer our UDP payloads: how each is started by hand, with files of its own."""
import dataclasses
import os
import subprocess

HOST = "198.18.1.2"  # the servers' address
SECOND = "198.18.1.3"  # and another of theirs: Teredo servers have two in a row
CLIENT = "198.18.1.1"
LINK = "host0"       # the servers' interface


@dataclasses.dataclass
class Server:
    """One server. In argv, files and prepare, $DIR stands for its folder."""
    argv: list
    files: dict = dataclasses.field(default_factory=dict)
    prepare: list = dataclasses.field(default_factory=list)  # commands that are run first, in the same place
    environment: dict = dataclasses.field(default_factory=dict)

    def lay_out(self, folder):
        for name, text in self.files.items():
            (folder / name).write_text(text.replace("$DIR", str(folder)))

    def command(self, folder, argv):
        """With an empty /run and /tmp of its own where `ip netns exec` has unshared mounts: nothing of a server is
        left behind, and none meets another."""
        shell = 'mount -t tmpfs none /run && cd "$0" && exec "$@"'
        return ["sh", "-c", shell, str(folder), *(word.replace("$DIR", str(folder)) for word in argv)]

    def start(self, namespace, folder):
        self.lay_out(folder)
        environment = {**os.environ, **{k: v.replace("$DIR", str(folder)) for k, v in self.environment.items()}}
        for argv in self.prepare:
            namespace.run(*self.command(folder, argv), env=environment)
        log = open(folder / "log", "wb")
        with log:  # an open pipe on stdin: some servers stop at its end
            return namespace.start(*self.command(folder, self.argv), env=environment, stdin=subprocess.PIPE,
                                   stdout=log, stderr=subprocess.STDOUT, text=False)


CERTIFICATE = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
               "7", "-subj", "/CN=noctule.invalid", "-keyout", "$DIR/key", "-out", "$DIR/cert"]

XINETD = "\n".join(f"""service {name}
{{
    type = INTERNAL
    id = {name}-dgram
    socket_type = dgram
    protocol = udp
    user = root
    wait = yes
    disable = no
}}""" for name in ("echo", "daytime", "time", "chargen"))

FREERADIUS = f"""
libdir = /usr/lib/freeradius
logdir = $DIR
run_dir = $DIR
log {{
    destination = stderr
}}
security {{
    allow_vulnerable_openssl = yes
}}
modules {{
    always reject {{
        rcode = reject
    }}
}}
client near {{
    ipaddr = {CLIENT}
    secret = noctule
}}
server default {{
    listen {{
        type = auth
        ipaddr = {HOST}
        port = 1812
    }}
    authorize {{
        reject
    }}
}}
"""

IPMI = f"""name "noctule"
set_working_mc 0x20
  startlan 1
    addr {HOST} 623
    priv_limit admin
    allowed_auths_admin md5
    allowed_auths_user md5
    guid a123456789abcdefa123456789abcdef
  endlan
  user 2 true "noctule" "noctule" admin 10 md5
"""

SERVERS = {
    "xinetd": Server(["xinetd", "-dontfork", "-f", "$DIR/conf", "-pidfile", "$DIR/pid", "-filelog", "/dev/stderr"],
                     {"conf": XINETD}),
    "dnsmasq-base": Server(["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "-u", "root",
                            f"--listen-address={HOST}", "--bind-interfaces"]),
    "tftpd-hpa": Server(["in.tftpd", "-L", "-s", "-u", "root", "-a", f"{HOST}:69", "$DIR"]),
    "krb5-kdc": Server(
        ["krb5kdc", "-n", "-P", "$DIR/pid"],
        {"krb5.conf": "[libdefaults]\ndefault_realm = LAB.INVALID\n[realms]\nLAB.INVALID = { kdc = localhost }\n"
                      "[logging]\nkdc = STDERR\n",
         "kdc.conf": "[kdcdefaults]\nkdc_listen = 88\nkdc_tcp_listen = \"\"\n[realms]\nLAB.INVALID = {\n"
                     "database_name = $DIR/principal\nkey_stash_file = $DIR/stash\nacl_file = $DIR/acl\n}\n"},
        prepare=[["kdb5_util", "-r", "LAB.INVALID", "-P", "noctule", "create", "-s"]],
        environment={"KRB5_CONFIG": "$DIR/krb5.conf", "KRB5_KDC_PROFILE": "$DIR/kdc.conf"}),
    "rpcbind": Server(["rpcbind", "-f", "-r"]),
    # -x: it must not touch this machine's clock.
    "chrony": Server(["chronyd", "-d", "-x", "-u", "root", "-f", "$DIR/conf"],
                     {"conf": "local stratum 10\nallow\ncmdport 0\npidfile /run/chronyd.pid\ndriftfile $DIR/drift\n"}),
    "snmpd": Server(["snmpd", "-f", "-Lo", "-C", "-c", "$DIR/conf", "-I", "-smux", f"udp:{HOST}:161"],
                    {"conf": "rocommunity public\nsysDescr a laboratory\n"},
                    environment={"SNMP_PERSISTENT_DIR": "$DIR"}),
    "xdm": Server(["xdm", "-nodaemon", "-config", "$DIR/conf"],
                  {"conf": "DisplayManager.errorLogFile: $DIR/errors\nDisplayManager.pidFile: $DIR/pid\n"
                           "DisplayManager.authDir: $DIR\nDisplayManager.servers: $DIR/servers\n"
                           "DisplayManager.accessFile: $DIR/access\nDisplayManager.requestPort: 177\n",
                   "servers": "", "access": "*\n"}),
    "ngtcp2-server": Server(["gtlsserver", HOST, "443", "$DIR/key", "$DIR/cert"], prepare=[CERTIFICATE]),
    "openssl": Server(["openssl", "s_server", "-dtls1_2", "-listen", "-accept", f"{HOST}:4433", "-key", "$DIR/key",
                       "-cert", "$DIR/cert"], prepare=[CERTIFICATE]),
    "strongswan-charon": Server(["/usr/lib/ipsec/charon", "--use-syslog"],
                                {"conf": "charon {\nfilelog { stderr { default = 1 } }\n"
                                         "plugins { vici { socket = unix:///run/vici } }\n}\n"},
                                environment={"STRONGSWAN_CONF": "$DIR/conf"}),
    "openipmi": Server(["ipmi_sim", "-c", "$DIR/lan.conf", "-f", "$DIR/emu", "-s", "$DIR", "-n"],
                       {"lan.conf": IPMI,
                        "emu": "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n"
                               "mc_enable 0x20\n"}),
    "openvpn": Server(["openvpn", "--dev", "null", "--local", HOST, "--tls-server", "--dh", "none", "--ca", "$DIR/cert",
                       "--cert", "$DIR/cert", "--key", "$DIR/key"], prepare=[CERTIFICATE]),
    "xl2tpd": Server(["xl2tpd", "-D", "-c", "$DIR/conf", "-p", "$DIR/pid", "-C", "$DIR/control"],
                     {"conf": "[global]\nport = 1701\n[lns default]\nip range = 198.18.9.2-198.18.9.9\n"
                              "local ip = 198.18.9.1\n"}),
    "freeradius": Server(["freeradius", "-f", "-l", "stderr", "-d", "$DIR"], {"radiusd.conf": FREERADIUS}),
    "miniupnpd": Server(["miniupnpd", "-d", "-f", "$DIR/conf", "-P", "$DIR/pid"],
                        {"conf": f"ext_ifname=lo\nlistening_ip={LINK}\nenable_upnp=yes\n"
                                 "enable_natpmp=yes\nhttp_port=5000\nuuid=00000000-0000-4000-8000-000000000000\n"}),
    "osmo-ggsn": Server(["osmo-ggsn", "-c", "$DIR/conf"],
                        {"conf": f"ggsn ggsn0\n gtp state-dir $DIR\n gtp bind-ip {HOST}\n apn lab\n"
                                 "  gtpu-mode tun\n  tun-device tun9\n  type-support v4\n"
                                 "  ip prefix dynamic 198.18.9.0/24\n  no shutdown\n default-apn lab\n"
                                 " no shutdown ggsn\n"}),
    "coturn": Server(["turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "-L", HOST, "-a", "-r", "lab.invalid",
                      "--pidfile", "$DIR/pid", "--log-file", "stdout", "--userdb", "$DIR/db"]),
    "miredo-server": Server(["miredo-server", "-f", "-c", "$DIR/conf", "-u", "nobody", "-p", "$DIR/pid"],
                            {"conf": f"ServerBindAddress {HOST}\nPrefix 2001::\n"}),
    "kamailio": Server(["kamailio", "-DD", "-E", "-f", "$DIR/conf", "-Y", "$DIR", "-P", "$DIR/pid"],
                       {"conf": f"#!KAMAILIO\nchildren=1\nlisten=udp:{HOST}:5060\nloadmodule \"sl.so\"\n"
                                "loadmodule \"maxfwd.so\"\nrequest_route {\nif (!mf_process_maxfwd_header(\"10\")) {\n"
                                "sl_send_reply(\"483\", \"Too Many Hops\");\nexit;\n}\n"
                                "sl_send_reply(\"404\", \"Not Found\");\n}\n"}),
    "avahi-daemon": Server(["sh", "-c", "mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot "
                                        "--no-rlimits -f \"$DIR/conf\""],
                           {"conf": f"[server]\nhost-name=lab\nuse-ipv6=no\nallow-interfaces={LINK}\nenable-dbus=no\n"
                                    "[publish]\npublish-workstation=yes\n"}),
    "libcoap3-bin": Server(["coap-server-notls", "-A", HOST]),
    "transmission-daemon": Server(["transmission-daemon", "-f", "-g", "$DIR", "-w", "$DIR", "-o", "-P", "51413", "-M",
                                   "-i", HOST]),
    "memcached": Server(["memcached", "-u", "root", "-l", HOST, "-p", "0", "-U", "11211"]),
    "mumble-server": Server(["murmurd", "-fg", "-ini", "$DIR/ini"],
                            {"ini": f"database=$DIR/db\nhost={HOST}\nbonjour=false\nlogfile=\npidfile=$DIR/pid\n"
                                    "uname=root\n"}),
}
