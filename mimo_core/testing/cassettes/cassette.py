"""vcrpy's cassette, with MiMo's exchanges cleaned and matched by our rules, and no other ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mimo_core.gateways import serves_mimo
from mimo_core.testing.cassettes.cleaning import MiMoRequest, clean_request, is_clean
from mimo_core.testing.cassettes.matching import Candidate, best_match, mimo_request
from mimo_core.testing.cassettes.persister import MiMoPersister
from mimo_core.testing.cassettes.provenance import EMULATOR_HOST, host_of
from mimo_core.testing.cassettes.vcrpy import DEFAULT_MATCHERS, Cassette, Request

Filter = Callable[[Request], Request | None]


def is_mimo(request: Request) -> bool:
    """Whether a request is MiMo's: of this library, or to an address that is known as MiMo's."""
    if isinstance(request, MiMoRequest):
        return True
    if not isinstance(request, Request):  # a stand-in of somebody's test
        return False
    return host_of(request.uri) == EMULATOR_HOST or serves_mimo(request.uri)


def candidates_of(cassette: Cassette) -> list[Candidate]:
    """The requests of a cassette, and which of them were answered."""
    return [
        Candidate(index, request, cassette.play_counts[index] > 0)
        for index, request in enumerate(cassette.requests)
    ]


class MiMoCassette(Cassette):
    """A cassette in which MiMo's exchanges are kept without keys, whatever its configuration says.

    Everything else in it is vcrpy's own, byte for byte. Where it was opened by `use_cassette`, all
    that is said in it is MiMo's.

    Attributes:
        matches_by_meaning: whether MiMo's requests are compared by our rules; where a project says
            `match_on`, they are compared by that.
        opened: the moment, for `is_led(since=…)`.
        sent: what was asked while it was open, where a rule says how it is compared.
    """

    _persister: MiMoPersister

    def __init__(
        self, path: Any, *, before_record_request: Filter | None = None, **options: Any
    ) -> None:
        super().__init__(path, before_record_request=self._filtered, **options)
        self.opened = 0
        self.sent: list[Request] = []
        self._users_filter = before_record_request or (lambda request: request)
        self.matches_by_meaning = {mimo_request}.intersection(self._match_on) or (
            tuple(self._match_on) == DEFAULT_MATCHERS
        )

    def _filtered(self, request: Request) -> Request | None:
        """A user's filter first, which expects the request as it was sent; then ours."""
        if is_clean(request):
            return request
        ours = self._persister.whole or is_mimo(request)
        kept = self._users_filter(request)
        if kept is None or not ours:
            return kept
        return clean_request(kept, scrub=self._persister.scrub)

    def _responses(self, request: Request) -> Iterator[tuple[int, Mapping[str, Any]]]:
        filtered = self.filter_request(request)
        if filtered is None or not is_clean(filtered) or not self.matches_by_meaning:
            yield from super()._responses(request)
            return
        candidates = candidates_of(self)
        rule, repeats = self._persister.rule, self.allow_playback_repeats
        if rule is not None:
            self.sent.append(filtered)
        found = best_match(filtered, candidates, rule, allow_repeats=repeats)
        if found is not None:
            yield found, self.data[found][1]

    def _rerecorded_interactions(self) -> list[tuple[Request, dict[str, Any]]]:
        """What mode `all` saves: an exchange that was recorded anew takes the old one's place."""
        rule = self._persister.rule
        if rule is None or not self.matches_by_meaning or self.drop_unused_requests:
            return super()._rerecorded_interactions()
        loaded, recorded = self.data[: self._loaded_count], self.data[self._loaded_count :]
        candidates = [Candidate(number, one) for number, (one, _) in enumerate(loaded)]
        replaced = {best_match(request, candidates, rule) for request, _ in recorded}
        return [one for number, one in enumerate(loaded) if number not in replaced] + recorded
