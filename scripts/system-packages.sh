#!/usr/bin/env bash
# Installs nginx, a headless Chromium, PgBouncer and pgbench, which tests and benchmarks run and npm does not bring. Works on Debian and its derivatives.
set -euo pipefail
missing=()
command -v nginx >/dev/null || missing+=(nginx-light)
command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || missing+=(chromium-headless-shell)
command -v pgbouncer >/dev/null || missing+=(pgbouncer)
command -v pgbench >/dev/null || missing+=(postgresql)
[ ${#missing[@]} -gt 0 ] || exit 0
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
# Of PostgreSQL only the programs: no server is to run after the installation.
"${root[@]}" mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] ||
  echo "create_main_cluster = false" | "${root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
