# Sourced by dev/try and dev/test: Debian packages, then a virtual environment in .venv.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
[ -t 2 ] || say() { printf '%s\n' "$*" >&2; }

# need_packages PACKAGE…: install those that are missing, or say which they are and stop.
need_packages() {
    local missing=() package
    if ! command -v dpkg-query >/dev/null; then
        say "This is no Debian: make sure that it has what these packages bring: $*"
        return
    fi
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] \
            || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            say "These packages are missing: ${missing[*]}"
            say "Install them as root, then call this again:"
            say "    apt-get install --no-install-recommends ${missing[*]}"
            exit 2
        fi
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# need_python EXTRAS: virtquorum with its extras, editable, in .venv; again when pyproject.toml changes.
need_python() {
    local wanted stamp=.venv/installed
    wanted="$1 $(sha256sum pyproject.toml)"
    if [ ! -x .venv/bin/python ]; then
        say "Making .venv"
        python3 -m venv .venv
    fi
    grep -qxF "$wanted" "$stamp" 2>/dev/null && return
    say "Installing virtquorum[$1] into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$1]"
    printf '%s\n' "$wanted" >>"$stamp"
}
