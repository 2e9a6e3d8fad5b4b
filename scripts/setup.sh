#!/bin/bash
# Installs what is missing from Debian's packages; says nothing when nothing is. Safe to run again at any time.
#
#   scripts/setup.sh SET...            install the missing packages of these sets: build, lab, test, bench
#   scripts/setup.sh --check SET...    only say what is missing, and fail if something is
set -eu

packages_of() {
    case $1 in
    build)
        echo gcc libc6-dev make meson ninja-build pkg-config python3
        echo libnl-route-3-dev libnl-genl-3-dev libpcap-dev libroaring-dev
        # The XDP programs.
        echo clang bpftool libbpf-dev libxdp-dev linux-libc-dev
        ;;
    lab) echo iproute2 python3 ;;
    test)
        # clang is also the second compiler. Then what the lab's networks, servers and independent readers are made of.
        echo clang libcmocka-dev libbpf-dev libjansson-dev linux-libc-dev bpftool
        echo iproute2 ethtool nftables procps util-linux nginx-light openssh-server redis-server tshark nmap
        echo dnsmasq-base chrony snmpd tftpd-hpa
        # What else answers UDP payloads (tests/lab/payloads/servers.py).
        echo avahi-daemon coturn freeradius kamailio krb5-kdc libcoap3-bin memcached miniupnpd miredo-server
        echo mumble-server ngtcp2-server openipmi openssl openvpn osmo-ggsn rpcbind strongswan-charon
        echo transmission-daemon xdm xinetd xl2tpd
        echo groff-base python3 python3-pytest python3-pytest-timeout python3-scapy python3-numpy
        ;;
    bench) echo masscan zmap nmap ;;
    esac
}

# How to see the same things on a system that is not Debian's: commands, and headers that must be found.
commands_of() {
    case $1 in
    build) echo gcc clang bpftool meson ninja pkg-config python3 ;;
    lab) echo ip python3 ;;
    test)
        echo clang bpftool ip ethtool nft nginx sshd redis-server tshark pytest-3
        echo nmap dnsmasq chronyd snmpd in.tftpd
        echo avahi-daemon turnserver freeradius kamailio krb5kdc coap-server-notls memcached miniupnpd miredo-server
        echo murmurd gtlsserver ipmi_sim openssl openvpn osmo-ggsn rpcbind transmission-daemon xdm xinetd xl2tpd
        ;;
    esac
}

headers_of() {
    case $1 in
    build)
        echo libnl3/netlink/route/route.h libnl3/netlink/genl/genl.h pcap/pcap.h roaring/roaring.h
        echo bpf/libbpf.h xdp/xsk.h
        ;;
    test) echo cmocka.h bpf/libbpf.h jansson.h ;;
    esac
}

# Prints those of the given packages that are not installed, each once.
packages_missing() {
    local package status seen=' '
    for package in "$@"; do
        case $seen in *" $package "*) continue ;; esac
        seen="$seen$package "
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

# Prints what the given sets lack, where no package manager of ours can say.
things_missing() {
    local set thing
    for set in "$@"; do
        for thing in $(commands_of "$set"); do
            PATH="$PATH:/usr/sbin:/sbin" command -v "$thing" >/dev/null || printf '%s ' "$thing"
        done
        for thing in $(headers_of "$set"); do
            [ -e "/usr/include/$thing" ] || printf '%s ' "$thing"
        done
    done
}

check_only=no
if [ "${1-}" = --check ]; then
    check_only=yes
    shift
fi

wanted=()
for set in "$@"; do
    read -r -d '' -a packages < <(packages_of "$set") || true
    if [ "${#packages[@]}" -eq 0 ]; then
        echo "setup.sh: no such set: '$set' (build, lab, test, bench)" >&2
        exit 2
    fi
    wanted+=("${packages[@]}")
done

if ! command -v apt-get >/dev/null; then
    missing=$(things_missing "$@")
    [ -n "$missing" ] || exit 0
    echo "noctule needs, and this system lacks: $missing" >&2
    echo "There is no apt-get here, so please install them by hand. Debian's packages are: ${wanted[*]}" >&2
    exit 1
fi

read -r -a missing < <(packages_missing "${wanted[@]}"; echo)
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$check_only" = yes ]; then
    echo "noctule needs these packages: ${missing[*]}" >&2
    echo "Run 'make setup', or: apt-get install ${missing[*]}" >&2
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Packages are missing, and there is no sudo here. As root, run:" >&2
        echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# A server that the tests need must not start to serve on this machine because of that. Exit status 101 is how a
# policy forbids it (invoke-rc.d's contract); a policy that stands here already is left alone.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
log=$(mktemp)

cleanup() {
    rm -f "$log"
    if [ "$policy_is_ours" = yes ]; then
        "${as_root[@]}" rm -f "$policy"
    fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

apt() {
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        echo "setup.sh: apt-get $1 failed" >&2
        exit 1
    fi
}

echo "Installing from Debian's packages: ${missing[*]}"
apt update
apt install --no-install-recommends "${missing[@]}"
