#!/usr/bin/env bash
# Installs the server that tests start for themselves, where it is missing and can be had: on Debian, as root.
set -euo pipefail

if [[ -n ${DELTALAKEDB_TEST_MYSQL_URL:-} ]] || PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then
    exit 0
fi
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "MariaDB is not installed (Debian: mariadb-server-core): tests that need it will be skipped" >&2
    [[ -z ${CI:-} ]]
    exit
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends mariadb-server-core mariadb-client-core >/dev/null
