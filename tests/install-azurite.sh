#!/usr/bin/env bash
# Installs Azurite, Microsoft's emulator of Azure's storage, into .node/, and as root on Debian npm before it. The tests
# that need it are skipped where that is not possible, so this never fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=3.35.0  # the last one that runs with Debian's own Node.js
if [[ -x .node/node_modules/.bin/azurite-blob ]]; then
    exit 0
fi
if ! command -v npm >/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs npm; } >&2
fi
if ! command -v npm >/dev/null; then
    echo "npm is not installed: the tests against Azurite will be skipped" >&2
    exit 0
fi
npm install --prefix .node --no-save --no-audit --no-fund --loglevel error "azurite@$version" >&2 ||
    { rm -rf .node; echo "Azurite could not be installed: the tests against it will be skipped" >&2; }
