#!/bin/sh
# Makes the workspace known at the first start, a token for workers, and serves.
set -eu
digest=$(sha256sum < /opt/orch/packages/SHA256SUMS | cut -d' ' -f1)
orch-host init . --starter --yes "$digest" --packages /opt/orch/packages --sandbox best-effort
token=/run/tokens/worker
if [ -d /run/tokens ] && [ ! -s "$token" ]; then
  umask 077
  orch-host token add workers --scope run > "$token.new"
  mv "$token.new" "$token"
fi
# A file stands for its folder: the store is called `store.db` there.
case "$DB_PATH" in
  *.db) state=$(dirname "$DB_PATH") ;;
  *) state=$DB_PATH ;;
esac
exec orch-host serve . --memory "$state" --listen 0.0.0.0:8000 --operators 0.0.0.0:9101 --host "$(hostname)"
