#!/bin/sh
# Starts Redis with redis.conf and users.acl, in Compose and Kubernetes. Arguments are further options
# of redis-server.
#
# The passwords come from the environment and go to Redis' standard input: they are in no file and no
# argument.
set -eu

for password in "$REDISCLI_AUTH" "$REDIS_API_PASSWORD" "$REDIS_WORKER_PASSWORD" \
    "$REDIS_WEBHOOKS_PASSWORD" "$REDIS_FLOWER_PASSWORD" "${REDIS_KEDA_PASSWORD:-none}"; do
    case $password in
    '' | *[!A-Za-z0-9]*)
        echo 'a password of Redis is empty, or not of letters and digits only' >&2
        exit 64
        ;;
    esac
done

# As a here-document, so that the shell inserts the passwords, and joins lines that end with a
# backslash. Without the comments, whose backquotes and dollar signs it would interpret.
folder=${0%/*}
eval "exec redis-server - \"\$@\" <<END
$(grep -hv '^#' "$folder/redis.conf" "$folder/users.acl")
END"
