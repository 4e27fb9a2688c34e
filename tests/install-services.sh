#!/usr/bin/env bash
# Installs what tests need from Debian's packages, where it is missing and can be had: on Debian, as root.
set -euo pipefail

packages=(
    chromium          # the status page in a real browser
    fonts-dejavu-core # without a font its pages have no text
    pgbouncer         # in front of PostgreSQL
    postgresql        # with TLS, which the one in the wheel lacks
    prometheus        # promtool, and a scrape
    sqlite3           # a backup
)
if [[ -z ${DELTALAKEDB_TEST_MYSQL_URL:-} ]]; then
    packages+=(mariadb-server-core mariadb-client) # a server that tests start for themselves, and a backup of it
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing+=("$package")
done
if [[ ${#missing[@]} == 0 ]]; then
    exit 0
fi
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "Not installed (Debian: ${missing[*]}): tests that need it will be skipped" >&2
    [[ -z ${CI:-} ]]
    exit
fi
export DEBIAN_FRONTEND=noninteractive
export RUNLEVEL=1 # what is installed is not started
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
