"""What both clients are made of: their arguments, checked, and the calls and requests from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mimo_core._addresses import without_user
from mimo_core._http.clients import OURS, Timeout, own_request, timeout_for
from mimo_core._http.destination import destination, is_led
from mimo_core._http.exchange import ChatCall, Exchange, ModelListCall
from mimo_core._http.logs import keep_out_of_logs
from mimo_core._http.options import RequestOptions, request_options
from mimo_core._http.own_client import PoolSettings
from mimo_core._redact import HoldsSecret, sealed_key, sealed_values
from mimo_core._request.body import LargeBody
from mimo_core._version import __version__
from mimo_core.errors import InvalidRequestError, MiMoError
from mimo_core.gateways import Endpoint
from mimo_core.limits import Limits, limits_from
from mimo_core.values import quoted

USER_AGENT = f"mimo-core/{__version__}"
_DEFAULT_RETRIES = 2


class ClientSettings:
    """The arguments of both clients. Building one does no I/O and imports no HTTP library."""

    _closes_by: str

    def __init__(
        self,
        api_key: str | HoldsSecret | None = None,
        *,
        base_url: str | None = None,
        protocol: str | None = None,
        auth: str | None = None,
        timeout: Timeout | None = None,
        max_retries: int = _DEFAULT_RETRIES,
        default_headers: Mapping[str, Any] | None = None,
        default_query: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        limits: Limits | Mapping[str, Any] | None = None,
        http_client: Any = None,
    ) -> None:
        """
        Args:
            api_key: a text or a `SecretStr`, else `MIMO_API_KEY`.
            base_url: a URL, a name of `mimo_core.gateways.GATEWAYS` (`xiaomi`, `token-plan-cn`,
                `cloudsway`, `openrouter`, `vllm`, `ollama`, …), or both
                (`vllm+http://gpu7:8000/v1`); else `MIMO_BASE_URL`, else `xiaomi`
                (`token-plan-cn` for a `tp-` or `ttp-` key).
            protocol: `"chat_completions"` or `"messages"`; default `"messages"` for a `base_url` of
                that protocol (`…/anthropic`, `…/v1/messages`), else `"chat_completions"`.
            auth: `"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`.
            timeout: seconds, one number or `(connect, read)`, or an httpx `Timeout`. Default 10 s
                to connect and 600 s of silence; a comment line in a stream ends a silence.
            max_retries: further attempts after a failed connection or a 429, 500, 502, 503 or 504,
                as long as no answer has begun; 0 means one attempt.
            default_headers: sent with every request, over the library's own. A value can be a
                `SecretStr`.
            default_query: parameters of the URL of every request.
            deadline: seconds that a call may take in all, its further attempts included; None for
                any. It is looked at whenever something arrives, and no silence outlasts it by more
                than its own length.
            limits: the most that is read of a server that sends without end; a dict names the ones
                that differ from `Limits()`.
            http_client: a client of `httpx2` or `httpx`; it stays yours to close. Without
                `timeout`, its own timeout holds.

        Raises:
            AuthenticationError: no key, and the gateway needs one.
            InvalidRequestError: an argument is not what it should be.
        """
        # A traceback with variables, of whatever fails from here on, shows masks.
        api_key, base_url = sealed_key(api_key), without_user(base_url)
        default_headers = sealed_values(default_headers)
        default_query = sealed_values(default_query)
        self.endpoint = Endpoint.resolve(api_key, base_url, protocol, auth)
        given = request_options(default_headers, default_query, "default")
        if not given.authenticates:  # else the user's choice alone
            self.endpoint.require_key()
        own = {"user-agent": USER_AGENT, **self.endpoint.headers()}
        secrets = frozenset([self.endpoint.api_key] if self.endpoint.api_key else [])
        self._options = given.over(RequestOptions(own, secrets=secrets))
        keep_out_of_logs(self._options.secrets)
        self.endpoint.check_credentials(given.secrets)
        if not isinstance(max_retries, int) or max_retries < 0:
            raise InvalidRequestError(
                f"max_retries is {quoted(max_retries)}; it must be 0 or more.", param="max_retries"
            )
        self._max_retries = max_retries
        self._limits = limits_from(limits)
        self._deadline = _checked_deadline(deadline)
        needed = ("build_request", "send", self._closes_by)
        if http_client is not None and not all(hasattr(http_client, name) for name in needed):
            raise InvalidRequestError(
                f"http_client is a {type(http_client).__name__}; {type(self).__name__} needs "
                f"a client of httpx2 or httpx with {self._closes_by}().",
                param="http_client",
            )
        self._http_client = http_client
        use_clients_own_timeout = http_client is not None and timeout is None
        self._timeout: Any = None if use_clients_own_timeout else timeout_for(timeout)
        direct = self.endpoint.is_loopback
        is_plain = direct and self.endpoint.base_url.startswith("http:")
        self._clients = self._new_clients(
            PoolSettings(direct, tls=not is_plain, credentials=self._options.secrets)
        )
        self._led_clients: Any = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        keep_out_of_logs(self._options.secrets)  # in the process that it was sent to

    @staticmethod
    def _new_clients(settings: PoolSettings) -> Any:
        raise NotImplementedError

    def _call(
        self,
        request: Mapping[str, Any],
        extra_headers: Mapping[str, Any] | None,
        extra_query: Mapping[str, Any] | None,
        timeout: Timeout | None,
        *,
        stream: bool,
    ) -> ChatCall:
        options = self._options
        try:
            if extra_headers is not None or extra_query is not None:
                options = request_options(extra_headers, extra_query, "extra").over(options)
                keep_out_of_logs(options.secrets)
            call = ChatCall(
                self.endpoint,
                request,
                stream=stream,
                max_retries=self._max_retries,
                options=options,
                limits=self._limits,
                deadline=self._deadline,
            )
        except MiMoError as error:
            error.without(options.secrets)  # it may quote a value that holds one
            raise
        if timeout is not None:
            call.timeout = timeout_for(timeout)
        return call

    def _model_list(self) -> ModelListCall:
        return ModelListCall(
            self.endpoint,
            max_retries=self._max_retries,
            options=self._options,
            limits=self._limits,
            deadline=self._deadline,
        )

    def _request(self, http: Any, call: Exchange[Any]) -> Any:
        content: Any = call.content
        if isinstance(content, LargeBody) and not hasattr(http, "__enter__"):
            content = content.asynchronous()
        timeout = call.limited(call.timeout or self._timeout)
        url = destination(call.url, self._http_client)
        if self._http_client is None:
            timeout = timeout or self._timeout  # which a client of ours always has
            return own_request(http, call.method, url, call.headers, content, timeout)
        options = {} if timeout is None else {"timeout": timeout}
        request = http.build_request(
            call.method, url, headers=call.headers, content=content, **options
        )
        if hasattr(request, "extensions"):
            request.extensions[OURS] = True
        return request

    def _all_clients(self) -> list[Any]:
        return [clients for clients in (self._clients, self._led_clients) if clients is not None]

    def _own_clients(self) -> Any:
        """The clients of ours: while a test leads requests to its server, ones without proxies."""
        if not is_led() or self.endpoint.is_loopback:
            return self._clients
        if self._led_clients is None:
            self._led_clients = self._new_clients(
                PoolSettings(direct=True, credentials=self._options.secrets)
            )
        return self._led_clients


_FOREVER = 1e15  # seconds: a whole number may be larger than a float can be


def _checked_deadline(deadline: Any) -> float | None:
    if deadline is None:
        return None
    if isinstance(deadline, bool) or not isinstance(deadline, int | float) or not deadline > 0:
        raise InvalidRequestError(
            f"deadline is {quoted(deadline)}; it must be a number of seconds above 0.",
            param="deadline",
        )
    return float(min(deadline, _FOREVER))
