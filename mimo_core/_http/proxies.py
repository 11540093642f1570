"""What can be said of the environment's proxies without their addresses, which hold passwords."""

from __future__ import annotations

PROXIED = frozenset({"http", "https", "all"})
"""The names under which httpx2 looks for proxies."""


def refused_proxies(*, is_socks_missing: bool) -> str:
    """The variables of proxies that httpx2 cannot use, in words: `HTTPS_PROXY or ALL_PROXY`.

    Args:
        is_socks_missing: whether the package for SOCKS proxies is not installed.
    """
    from urllib.request import getproxies

    import httpx2

    refused = []
    for name, address in getproxies().items():
        if name not in PROXIED:
            continue
        try:
            proxy = httpx2.Proxy(address if "://" in address else f"http://{address}")
            is_refused = is_socks_missing and proxy.url.scheme.startswith("socks")
        except (ValueError, httpx2.InvalidURL):
            is_refused = True
        if is_refused:
            refused.append(f"{name.upper()}_PROXY")
    return " or ".join(refused) or "NO_PROXY"
