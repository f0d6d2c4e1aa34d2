#!/bin/sh
# Prepares a Vault or OpenBao for the platform: the transit engine, a policy for each
# service, and roles to log in with. It can be run again: it updates what exists to
# match these files, and changes no key.
#
#   setup.sh [--credentials DIR]
#
# --credentials DIR   also makes a secret id for each AppRole and writes it to DIR/SERVICE.secret-id
#                     (mode 0600), for local use, and a role for `platform up`, which has the
#                     rights of all of them. Role ids are the roles' names: PREFIX-SERVICE
#
# It uses the first of `bao`, `vault` and `curl` that is installed (VAULT_CLI names
# one), with their own variables: VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT, VAULT_NAMESPACE.
# The token must be allowed to mount engines and write policies.
#
#   PLATFORM_VAULT_TRANSIT_MOUNT  transit          as in the services' configuration
#   PLATFORM_VAULT_KEY_PREFIX     platform         as in the services' configuration; roles and policies are PREFIX-SERVICE
#   APPROLE_MOUNT                 approle          "" for none
#   APPROLE_SECRET_ID_TTL         720h             life of a secret id; make new ones with --credentials before it ends
#   APPROLE_CIDRS                                  networks from which services may log in and use their tokens: 10.1.0.0/16,10.2.0.0/16; "" for any
#   KUBERNETES_HOST                                URL of the Kubernetes API; without it no Kubernetes roles
#   KUBERNETES_MOUNT              kubernetes
#   KUBERNETES_CA_FILE                             CA of the Kubernetes API, if Vault runs outside the cluster
#   KUBERNETES_REVIEWER_FILE                       token that may review others, if Vault runs outside the cluster
#   KUBERNETES_NAMESPACE          platform         where the services run
#   KUBERNETES_SERVICE_ACCOUNTS   platform-oauth-  prefix of their service accounts; the service's name follows
#   KUBERNETES_AUDIENCE           vault            audience that their tokens must have; "" for the API server's own
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
mount=${PLATFORM_VAULT_TRANSIT_MOUNT:-transit}
prefix=${PLATFORM_VAULT_KEY_PREFIX:-platform}
approle=${APPROLE_MOUNT-approle}
secret_ttl=${APPROLE_SECRET_ID_TTL:-720h}
cidrs=${APPROLE_CIDRS-}
kubernetes=${KUBERNETES_MOUNT:-kubernetes}
accounts=${KUBERNETES_SERVICE_ACCOUNTS:-platform-oauth-}
credentials=
# The services that use Vault; authorize and device have no access to it.
services="keys token session"

# Not echo, which interprets backslashes in some shells.
say() { printf '%s\n' "$*"; }

fail() {
    say "setup.sh: $*" >&2
    exit 1
}

case "${1-}" in
'') ;;
--help | -h)
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
    exit 0
    ;;
--credentials) credentials=${2:?--credentials needs a folder} ;;
*) fail "what is $1? Usage: setup.sh [--credentials DIR]" ;;
esac
case "$mount" in
*[!A-Za-z0-9_./-]*) fail "PLATFORM_VAULT_TRANSIT_MOUNT is a path of letters, digits, _, . and -" ;;
esac
case "$prefix" in
*[!A-Za-z0-9_.-]*) fail "PLATFORM_VAULT_KEY_PREFIX may have letters, digits, _, . and -" ;;
esac

case "$secret_ttl" in
*[!0-9smh]* | [!1-9]*) fail "APPROLE_SECRET_ID_TTL is a time such as 720h, and not without end" ;;
esac
case "$cidrs" in
*[!0-9a-fA-F.:/,]*) fail "APPROLE_CIDRS are networks such as 10.1.0.0/16, with commas between them" ;;
esac

cli=${VAULT_CLI-}
for candidate in bao vault curl; do
    [ -n "$cli" ] || ! command -v "$candidate" >/dev/null || cli=$candidate
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
case "$cli" in
*curl)
    : "${VAULT_ADDR:?where is Vault? Set VAULT_ADDR}" "${VAULT_TOKEN:?who are you? Set VAULT_TOKEN}"
    # In a file, because every user of the machine can see arguments.
    {
        printf 'X-Vault-Token: %s\nX-Vault-Request: true\n' "$VAULT_TOKEN"
        [ -z "${VAULT_NAMESPACE-}" ] || printf 'X-Vault-Namespace: %s\n' "$VAULT_NAMESPACE"
    } >"$work/headers"
    ;;
'') fail "there is neither bao nor vault nor curl" ;;
esac

get() { # PATH; fails if it doesn't exist or we may not read it
    case "$cli" in
    *curl) [ "$(call GET "$1")" = 200 ] ;;
    *) "$cli" read -format=json "$1" >"$work/answer" 2>/dev/null ;;
    esac
}

put() { # PATH, JSON on standard input
    case "$cli" in
    *curl)
        status=$(call POST "$1" --data-binary @-)
        case "$status" in
        2??) ;;
        *) fail "$1: status $status: $(cat "$work/answer")" ;;
        esac
        ;;
    *) "$cli" write -format=json "$1" - >"$work/answer" ;;
    esac
}

call() { # METHOD PATH and further arguments for curl; prints the status
    method=$1 path=$2
    shift 2
    : >"$work/answer"
    curl --silent --show-error --max-time 30 ${VAULT_CACERT:+--cacert "$VAULT_CACERT"} --header "@$work/headers" \
        --request "$method" --output "$work/answer" --write-out '%{http_code}' "$@" "$VAULT_ADDR/v1/$path"
}

answered() { # FIELD: prints its value in the last response
    sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$work/answer"
}

json() { # standard input as a JSON string, line by line
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk 'BEGIN { printf "\"" } { printf "%s\\n", $0 } END { printf "\"" }'
}

mounted() { # KIND (mounts or auth) PATH TYPE
    get "sys/$1/$2" || say "{\"type\": \"$3\"}" | put "sys/$1/$2"
}

mounted mounts "$mount" transit
for file in "$here"/policies/*.hcl; do
    service=$(basename "$file" .hcl)
    policy=$(sed -e "s|\"transit/|\"$mount/|" -e "s|/platform-|/$prefix-|" "$file" | json)
    say "{\"policy\": $policy}" | put "sys/policies/acl/$prefix-$service"
done

# The terms of every token: it doesn't have the policy named default, must be renewed
# within an hour, and ends after a day, when its service logs in again.
terms() { # SERVICE
    case "$1" in
    up) policies="\"$prefix-keys\", \"$prefix-token\", \"$prefix-session\"" ;;
    *) policies="\"$prefix-$1\"" ;;
    esac
    say "\"token_policies\": [$policies], \"token_no_default_policy\": true, \"token_type\": \"service\", \"token_ttl\": \"1h\", \"token_max_ttl\": \"24h\""
}

# The networks as the elements of a JSON list, without its brackets.
networks() { say "$cidrs" | sed -e 's/[^,][^,]*/"&"/g'; }

if [ -n "$approle" ]; then
    mounted auth "$approle" approle
    for service in $services ${credentials:+up}; do
        role="auth/$approle/role/$prefix-$service"
        # A leaked secret id is useless after a while, and useless from other networks.
        say "{$(terms "$service"), \"bind_secret_id\": true, \"secret_id_ttl\": \"$secret_ttl\",
            \"secret_id_bound_cidrs\": [$(networks)], \"token_bound_cidrs\": [$(networks)]}" | put "$role"
        # PLATFORM_VAULT_ROLE is the same for every way to log in; only the secret id is secret.
        say "{\"role_id\": \"$prefix-$service\"}" | put "$role/role-id"
        if [ -n "$credentials" ]; then
            mkdir -p "$credentials"
            say '{}' | put "$role/secret-id"
            answered secret_id >"$credentials/$service.secret-id"
            [ -s "$credentials/$service.secret-id" ] || fail "$role/secret-id answered nothing"
        fi
    done
fi

if [ -n "${KUBERNETES_HOST-}" ]; then
    mounted auth "$kubernetes" kubernetes
    config="\"kubernetes_host\": \"$KUBERNETES_HOST\""
    if [ -n "${KUBERNETES_CA_FILE-}" ]; then
        config="$config, \"kubernetes_ca_cert\": $(json <"$KUBERNETES_CA_FILE"), \"disable_local_ca_jwt\": true"
    fi
    if [ -n "${KUBERNETES_REVIEWER_FILE-}" ]; then
        config="$config, \"token_reviewer_jwt\": \"$(tr -d '\n' <"$KUBERNETES_REVIEWER_FILE")\""
    fi
    say "{$config}" | put "auth/$kubernetes/config"
    for service in $services; do
        say "{$(terms "$service"), \"audience\": \"${KUBERNETES_AUDIENCE-vault}\",
            \"bound_service_account_names\": [\"$accounts$service\"], \"bound_service_account_namespaces\": [\"${KUBERNETES_NAMESPACE:-platform}\"]}" |
            put "auth/$kubernetes/role/$prefix-$service"
    done
fi

say "transit at $mount/, policies and roles $prefix-{$(say "$services" | tr ' ' ',')}${KUBERNETES_HOST:+, for AppRole and Kubernetes}"
