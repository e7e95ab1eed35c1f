#!/usr/bin/env bash
# Installs the programs the tests run that npm does not bring, unless they are there: nginx, of Debian and its kin.
set -euo pipefail
command -v nginx >/dev/null && exit 0
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends nginx-light
