#!/bin/sh
# GitHub's runner runs this before every job on this machine. Only what main or a tag of a release asks for goes on;
# whatever a pull request brings ends here. It is no safety boundary: the agent believes signatures only.
set -eu

refuse() {
    echo "::error::this machine takes no such job: $1" >&2
    exit 1
}

# From a file that root wrote: a workflow may set variables.
repository='' unprotected=''
while IFS='=' read -r key value; do
    case "$key" in
        repository) repository=$value ;;
        unprotected-tags) unprotected=$value ;;
    esac
done <"${0%/*}/runner.conf"
[ -n "$repository" ] || refuse "runner.conf names no repository"

# Who triggers others (pull_request_target, workflow_run) looks as if main had asked.
case "${GITHUB_EVENT_NAME-}" in
    push | release | workflow_dispatch | schedule) ;;
    *) refuse "started by '${GITHUB_EVENT_NAME-}'" ;;
esac

[ "${GITHUB_REPOSITORY-}" = "$repository" ] || refuse "of '${GITHUB_REPOSITORY-}'"

# The workflow itself has to be the one of that ref.
case "${GITHUB_WORKFLOW_REF-}" in
    "$repository/.github/workflows/"*"@${GITHUB_REF-}") ;;
    *) refuse "of the workflow '${GITHUB_WORKFLOW_REF-}'" ;;
esac

case "${GITHUB_REF-}" in
    refs/heads/main) exit 0 ;;
    refs/tags/*[!A-Za-z0-9_.-]*) refuse "for '$GITHUB_REF'" ;;
    refs/tags/v[0-9]*.[0-9]*.[0-9]* | refs/tags/[A-Za-z_]*-v[0-9]*.[0-9]*.[0-9]*) ;;
    *) refuse "for '${GITHUB_REF-}'" ;;
esac

# A free private repository has no protected tags: whoever set this machine up said so.
[ "${GITHUB_REF_PROTECTED-}" = true ] || [ "$unprotected" = yes ] ||
    refuse "for '$GITHUB_REF', which anybody who may push can move"
