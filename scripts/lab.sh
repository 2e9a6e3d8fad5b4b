#!/bin/bash
# A practice network to scan: a handful of hosts with real servers, in namespaces of their own with no way out, and a
# shell beside them. Leaving the shell, or killing it, removes everything: nothing here has a name outside.
#
#   scripts/lab.sh               a shell in the lab
#   scripts/lab.sh COMMAND...    only run this there
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)

if [ -z "${NOCTULE_LAB-}" ]; then
    # As the first process of a new process namespace, this script takes every other one of the lab with it. A user
    # who is not root is root of a user namespace.
    as=()
    export NOCTULE_LAB=root
    if [ "$(id -u)" -ne 0 ]; then
        as=(--user --map-root-user)
        NOCTULE_LAB=user
    fi
    exec unshare "${as[@]}" --net --mount --pid --fork --kill-child --mount-proc -- "$root/scripts/lab.sh" "$@"
fi

# Files of the servers live in a /run that only this lab sees.
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/lab/www
echo '<h1>A page of the practice network</h1>' >/run/lab/www/index.html
chmod -R a+rX /run/lab
cd /run/lab
export PATH="$root/build:$PATH:/usr/sbin:/sbin"

unshare --net sleep infinity &
far=$!
# The link can only be made once the far side has a network namespace of its own.
until [ "$(readlink "/proc/$far/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do
    sleep 0.01
done
on_far() { nsenter --net="/proc/$far/ns/net" "$@"; }

ip link set lo up
ip link add near0 type veth peer name far0 netns "$far"
ip addr add 198.18.0.1/24 dev near0
ip link set near0 up
on_far ip link set lo up
for host in 10 11 12 13; do
    on_far ip addr add "198.18.0.$host/24" dev far0
done
# Without IPv6 on this machine the lab is one of IPv4.
ip -6 addr add 2001:2::1/64 dev near0 nodad 2>/dev/null || true
addresses13=(198.18.0.13)
! on_far ip -6 addr add 2001:2::13/64 dev far0 nodad 2>/dev/null || addresses13+=(2001:2::13)
on_far ip link set far0 up

serve() { on_far "$@" >>/run/lab/servers.log 2>&1 & }
has() { command -v "$1" >/dev/null; }

# 198.18.0.10 is a web server.
if has nginx && [ "$NOCTULE_LAB" = root ]; then
    cat >nginx.conf <<'CONF'
daemon off;
pid /run/lab/nginx.pid;
error_log /run/lab/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path /run/lab/body;
    proxy_temp_path /run/lab/proxy;
    fastcgi_temp_path /run/lab/fastcgi;
    uwsgi_temp_path /run/lab/uwsgi;
    scgi_temp_path /run/lab/scgi;
    server { listen 198.18.0.10:80; root /run/lab/www; }
}
CONF
    serve nginx -e /run/lab/nginx.log -c /run/lab/nginx.conf
else
    serve python3 -m http.server --bind 198.18.0.10 --directory /run/lab/www 80
fi
serve python3 -m http.server --bind 198.18.0.10 --directory /run/lab/www 8080

# 198.18.0.11 is what people forget about.
serve python3 -m http.server --bind 198.18.0.11 --directory /run/lab/www 31337
if has redis-server; then
    serve redis-server --bind 198.18.0.11 --port 6379 --protected-mode no --save '' --dir /run/lab
fi
if has sshd && [ "$NOCTULE_LAB" = root ]; then
    ssh-keygen -q -t ed25519 -N '' -f /run/lab/key
    serve "$(command -v sshd)" -D -e -f /dev/null -o HostKey=/run/lab/key -o ListenAddress=198.18.0.11 -o PidFile=none
fi

# 198.18.0.12 hides behind a firewall that only lets the web through.
serve python3 -m http.server --bind 198.18.0.12 --directory /run/lab/www 443

# 198.18.0.13, also 2001:2::13, is there to learn from: small servers on ports 7, 9 and 13, and a firewall that drops what
# comes for port 11 and refuses port 12.
serve python3 "$root/scripts/lab-services.py" "${addresses13[@]}"
if has nft; then
    on_far nft -f - <<'RULES'
table inet lab {
    chain input {
        type filter hook input priority 0
        ip daddr 198.18.0.12 tcp dport 443 accept
        ip daddr 198.18.0.12 tcp dport 1-1023 drop
        ip daddr 198.18.0.12 tcp dport 1024-65535 reject with icmp type admin-prohibited
        ip daddr 198.18.0.13 goto learning
        ip6 daddr 2001:2::13 goto learning
    }
    chain learning {
        meta l4proto { tcp, udp } th dport 11 drop
        meta l4proto { tcp, udp } th dport 12 reject with icmpx type admin-prohibited
    }
}
RULES
fi

ready() {
    [ "$(on_far ss -Hltn | grep -cE ':(80|8080|31337|443) ')" -eq 4 ] &&
        [ "$(on_far ss -Hlun | grep -cE ':[79] ')" -eq $((2 * ${#addresses13[@]})) ]
}
for ((i = 0; i < 100; i++)); do
    ! ready || break
    sleep 0.1
done
if ! ready; then
    echo "The lab's servers did not start:" >&2
    cat /run/lab/servers.log >&2
    exit 1
fi

cd "$root"
if [ $# -gt 0 ]; then
    "$@" # not exec: this script is what holds the lab together
    exit
fi

cat <<'TEXT'
This is the practice network 198.18.0.0/24. It has no way out, so scan as you like:

    noctule 198.18.0.0/24                      who is there, on about 1,000 common ports
    noctule 198.18.0.11 -p-                    every TCP port of one host
    noctule 198.18.0.12 -p80,443,9000 --show all --reason
                                               what a firewall looks like from outside
    noctule 198.18.0.0/24 -p80 --dry-run       the probes, sent nowhere
    Scanner -csfu --explain                    asks, and explains what it sees: try 198.18.0.13, ports 5 to 14

Leave with 'exit' or Ctrl-D, and it is gone.
TEXT
PS1='(lab) \w\$ ' bash --norc -i || true
