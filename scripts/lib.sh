# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shared by the scripts of this folder: where things are, and how a step
# reports itself. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
# Roots and QEMU's source are large and slow to make: they may live elsewhere.
CACHE=${XEN_9PFS_CACHE:-$BUILD/cache}
LOGS=$BUILD/log

# Inside a root these folders always have these names, wherever they are
# outside, so that nothing built there depends on where the clone is.
IN_TOP=/src
IN_CACHE=/cache

say() { printf '%s\n' "$*"; }
die() { printf 'xen-9pfs: %s\n' "$*" >&2; exit 1; }

need_root() {
    [ "$(id -u)" = 0 ] ||
        die "making and entering a Debian root needs root: run this as root"
}

# What apt says then.
NO_NETWORK='Temporary failure resolving|Could not (resolve|connect)|Unable to '
NO_NETWORK+='connect|Network is unreachable|Cannot initiate the connection'

# step NAME TEXT COMMAND...: say TEXT, run COMMAND with its output in
# build/log/NAME.log, say how long it took. A failure shows the log's end.
step() {
    local name=$1 text=$2 start=$SECONDS failed=0
    shift 2
    mkdir -p "$LOGS"
    say "==> $text"
    # In the background, since 'set -e' means nothing inside a condition.
    "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
    wait $! || failed=1
    if [ $failed = 1 ]; then
        tail -n 40 "$LOGS/$name.log" >&2
        ! grep -qE "$NO_NETWORK" "$LOGS/$name.log" ||
            die "$text: the package sources of this system's apt cannot be" \
                "reached, is there a network? See build/log/$name.log"
        die "$text: failed after $((SECONDS - start)) s, see build/log/$name.log"
    fi
    say "    done in $((SECONDS - start)) s"
}

# fingerprint TEXT...: a short key of the arguments, to tell if a result is
# still current.
fingerprint() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# is_current RESULT KEY: RESULT exists and was made with KEY.
is_current() { [ -e "$1" ] && [ "$(cat "$1.key" 2>/dev/null)" = "$2" ]; }

# The host's Debian package sources for another release, as one-line entries.
# $1: the name of the release wanted.
host_sources() {
    apt-get indextargets 'Created-By: Packages' \
        --format '$(ORIGIN) $(LABEL) $(CODENAME) $(REPO_URI)' 2>/dev/null |
    awk -v suite="$1" '
        $1 == "Debian" && ($2 == "Debian" || $2 == "Debian-Security") {
            rest = $3
            sub(/^[a-z]+/, suite, rest)
            line = $4 " " rest " main"
            if (!seen[line]++) {
                print "deb " line
                print "deb-src " line
            }
        }'
}

# The host's settings of how to fetch, which the roots need as well.
host_apt_options() {
    apt-config dump | grep -E '^Acquire::(http|https|Retries|Check)' || true
}

# apt_suite SUITE: prepare apt_for for what the host's apt knows of SUITE, with
# all of its state in the folder $work.
apt_suite() {
    mkdir -p "$work"/{state/lists,cache/archives}/partial
    touch "$work/state/status"
    # Backports are one folder of the archive, a release is several.
    host_sources "$1" |
        awk -v suite="$1" 'suite !~ /-backports$|^sid$/ || $3 == suite' \
            >"$work/sources.list"
    apt_for apt-get update -q
}

apt_for() {
    local tool=$1 options=() line
    shift
    while IFS= read -r line; do
        options+=(-o "${line%;}")
    done < <(host_apt_options | sed 's/ "\(.*\)";$/=\1/')
    "$tool" "${options[@]}" -o Dir::State="$work/state" \
        -o Dir::State::status="$work/state/status" -o Dir::Cache="$work/cache" \
        -o Dir::Etc::sourcelist="$work/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Acquire::Languages=none \
        -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any "$@"
}
