"""Files published under a release on GitHub."""

from pathlib import Path
from typing import Any

import httpx

from pipelines.errors import CannotTell, Refused

_SECONDS = 60.0
_HINT = "the job needs 'contents: write', and GITHUB_TOKEN"


def publish(api: str, repository: str, token: str, tag: str, files: tuple[Path, ...]) -> str:
    """Put files under the release of a tag, which is made unless it is there; its page.

    A file that is there already stays as it is: what is named by its digest is the same.

    :raises Refused: when GitHub says no.
    :raises CannotTell: when it does not answer, or says what nobody expects.
    """
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    try:
        with httpx.Client(headers=headers, timeout=_SECONDS) as client:
            releases = f"{api.rstrip('/')}/repos/{repository}/releases"
            answer = client.get(f"{releases}/tags/{tag}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                # A pre-release: whatever follows from a release follows from others.
                made = {"tag_name": tag, "name": tag, "prerelease": True, "make_latest": "false"}
                answer = client.post(releases, json=made)
            told = _said(answer)
            there = {asset["name"] for asset in told["assets"]}
            place = told["upload_url"].partition("{")[0]
            for file in files:
                if file.name not in there:
                    _upload(client, place, file)
            return str(told["html_url"])
    except httpx.HTTPError as error:
        raise CannotTell(f"{api}: does not answer: {error}", "try again") from None
    except (KeyError, TypeError, ValueError):
        raise CannotTell(f"{api}: says what nobody expects", "is that GitHub's API?") from None


def _upload(client: httpx.Client, place: str, file: Path) -> None:
    with file.open("rb") as content:
        size = str(file.stat().st_size)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": size}
        _said(client.post(place, params={"name": file.name}, content=content, headers=headers))


def _said(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    said = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
    if answer.is_client_error:
        raise Refused(f"GitHub refused {said}", _HINT)
    raise CannotTell(f"GitHub failed {said}", "try again")
