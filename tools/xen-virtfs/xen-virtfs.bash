# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for xen-virtfs                           -*- shell-script -*-

# The names of the domains that run.
_xen_virtfs_domains() {
    local id
    for id in $(xenstore-list /local/domain 2>/dev/null); do
        [ "$id" = 0 ] || xenstore-read "/local/domain/$id/name" 2>/dev/null
    done
}

# The tags of a domain's shares: the fourth column of its list.
_xen_virtfs_tags() {
    xen-virtfs list "$1" 2>/dev/null | awk 'NR > 1 { print $4 }'
}

# _xen_virtfs_key WORD CURRENT: the last KEY=VALUE of an attach, which is
# WORD; for bash the word ends at '=', so CURRENT is what it replaces.
_xen_virtfs_key() {
    local word=$1 before=${2%"$1"} value=${1#*=}
    case $word in
    path=*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$value") ;;
    security_model=*)
        mapfile -t COMPREPLY < <(compgen -W "none passthrough mapped-xattr
            mapped-file" -- "$value") ;;
    protocol=*)
        mapfile -t COMPREPLY < <(compgen -W "9pfs virtfs" -- "$value") ;;
    *=*) ;;
    *)
        mapfile -t COMPREPLY < <(compgen -P "$before" -W "tag= path=
            security_model= protocol= devid= readonly= multidevs= fmode=
            dmode= locks= writeout= max_xattr= dispatch=" -- "$word") ;;
    esac
    compopt -o nospace 2>/dev/null
}

_xen_virtfs() {
    local line=${COMP_LINE:0:COMP_POINT} current=${COMP_WORDS[COMP_CWORD]}
    local words given=() last i
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=("")
    last=${words[-1]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
        -q | -Q | -t | -u | -n | -d | --qmp | --qemu | --timeout | --user | --rounds | --delay) i=$((i + 1)) ;;
        -*) ;;
        *) given+=("${words[i]}") ;;
        esac
    done
    COMPREPLY=()
    if [[ $last == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--json --batch --rounds --delay
            --qmp --qemu --user --timeout --help --version" -- "$last")
        return
    fi
    case ${#given[@]}${given[0]:-} in
    0)
        mapfile -t COMPREPLY < <(compgen -W "apply attach detach list status
            top watch" -- "$last") ;;
    1top | 1watch) ;;
    1*)
        mapfile -t COMPREPLY < <(compgen -W "$(_xen_virtfs_domains)" \
            -- "$last") ;;
    2attach) _xen_virtfs_key "${last##*,}" "${current#=}" ;;
    2detach | 2status)
        mapfile -t COMPREPLY < <(compgen -W "$(_xen_virtfs_tags \
            "${given[1]}")" -- "$last") ;;
    esac
}
complete -F _xen_virtfs xen-virtfs
