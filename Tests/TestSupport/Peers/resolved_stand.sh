#!/bin/bash
# systemd-resolved in front of a DNS server, in namespaces of their own: names of keys come from the server, by the drop-in of
# this repository, whatever else there is on this machine. Needs root.
#
#   resolved_stand.sh PUBKY RESOLVED DROP-IN FOLDER
#
# Prints the key, then what dig got from systemd-resolved for KEY.key and www.KEY.key (UDP and TCP), none.KEY.key, and a name
# below no suffix, each behind the word that names it.
set -euo pipefail
pubky=$1 resolved=$2 drop_in=$3 folder=$4

if [ "${5:-}" != inside ]; then
  # Whatever runs inside ends with it.
  exec unshare --mount --net --pid --kill-child --fork --propagation private \
    bash "$0" "$pubky" "$resolved" "$drop_in" "$folder" inside
fi

# A leak sanitizer finds its threads through /proc, which is that of the processes outside.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

cd "$folder"
ip link set lo up
# With loopback alone it takes the network for down.
ip link add away type veth peer name other
ip address add 192.0.2.77/24 dev away
ip link set away up
ip link set other up
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/resolve etc/resolved.conf.d
# The user that it becomes may be missing where it is not installed.
for file in passwd group; do cp "/etc/$file" "$file"; done
grep -q '^systemd-resolve:' passwd || echo 'systemd-resolve:x:990:990::/:/usr/sbin/nologin' >>passwd
grep -q '^systemd-resolve:' group || echo 'systemd-resolve:x:990:' >>group
for file in passwd group; do mount --bind "$file" "/etc/$file"; done
cp "$drop_in" etc/resolved.conf.d/pubky-dns.conf
mount --bind etc /etc/systemd
chown systemd-resolve:systemd-resolve /run/systemd/resolve

HOME=$folder "$pubky" testnet --nodes 5 >testnet 2>testnet.errors &
until [ -s testnet ]; do sleep 0.05; done
bootstrap=$(head -n 1 testnet)
"$pubky" key new --out key >public
key=$(cat public)
printf '@ 300 A 127.0.0.1\nwww 300 CNAME @\n' >zone
"$pubky" publish zone --key key --bootstrap "$bootstrap" >published
cat >dns.toml <<SETTINGS
[general]
socket = "127.0.0.1:5353"
forward = "127.0.0.1:9"
[dns]
deadline = "1s"
[log]
queries = true
[dht]
network = "isolated"
bootstrap = ["$bootstrap"]
relays = []
SETTINGS
"$pubky" dns --config dns.toml --json >listening 2>dns.errors &
until [ -s listening ]; do sleep 0.05; done
"$resolved" >resolved.output 2>resolved.errors &
until dig @127.0.0.53 +short +timeout=1 +tries=1 localhost >/dev/null 2>&1; do sleep 0.05; done

ask() { dig @127.0.0.53 +timeout=20 +tries=1 "$@"; }
echo "key $key"
echo "udp" $(ask +short "$key.key")
echo "tcp" $(ask +short +tcp "www.$key.key")
echo "upper" $(ask +short "$(echo "$key.key" | tr a-z A-Z)")
echo "none" $(ask "none.$key.key" | grep -o 'status: [A-Z]*')
echo "other" $(ask "www.example" | grep -o 'status: [A-Z]*')
