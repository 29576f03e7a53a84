"""Members of a quorum: they come, go, take each other's place, change their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.patch.edit import Change, Edited
from virtquorum.host.patch.plan import planned
from virtquorum.host.patch.words import place_of, said_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.edit import Edit
    from virtquorum.host.patch.patch import Options, Patch
    from virtquorum.host.patch.words import Place
    from virtquorum.model.image import Image
    from virtquorum.xml.domain import Domain

__all__ = ["add_member", "remove_member", "reorder_members", "replace_member"]


def add_member(
    domain: HostDomain,
    quorum: str,
    members: Sequence[Image],
    *,
    at: int | None = None,
    threshold: int | None = None,
    **options: Unpack[Options],
) -> Patch:
    """Plan to give a quorum members more, before the member of a number or behind all.

    They are copied to before they vote.  With ``threshold`` the quorum gets
    that, too, in the same change; see ``Options`` for the rest.  Raises
    HostError, InvalidPatchError, ImagesError, ImageError and TranslationError.
    """

    def edit(document: Domain) -> Edited:
        place = place_of(document, quorum, domain.name)
        count = len(place.quorum.members)
        if at is not None and not 0 <= at <= count:
            raise HostError(
                f"{place.where} has {count} members, so there is no place {at}; places are 0 to "
                f"{count}"
            )
        for number, member in enumerate(members):
            now = place_of(document, quorum, domain.name)
            before = None if at is None else at + number
            document = document.add_member(now.quorum, member, before=before)
        after = place_of(_with(document, quorum, threshold, domain), quorum, domain.name)
        first = count if at is None else at
        paths = after.paths()[first : first + len(members)]
        named = () if at is None else (place.listed(),)
        return Edited(after.domain, tuple(members), named, paths)

    said = ", ".join(said_of(one) or "a member" for one in members)
    title = f"add {said} to '{quorum}' in '{domain.name}'{_also(threshold)}"
    return _planned(domain, title, quorum, edit, options)


def _with(document: Domain, quorum: str, threshold: int | None, domain: HostDomain) -> Domain:
    """A document in which a quorum has another threshold, if one is given."""
    if threshold is None:
        return document
    return document.set_threshold(place_of(document, quorum, domain.name).quorum, threshold)


def _also(threshold: int | None) -> str:
    return f" with a threshold of {threshold}" if threshold is not None else ""


def remove_member(
    domain: HostDomain,
    quorum: str,
    member: str,
    *,
    threshold: int | None = None,
    **options: Unpack[Options],
) -> Patch:
    """Plan to take a member out of a quorum; its image stays.

    With ``threshold`` the quorum gets that, too, in the same change; see
    ``Options`` for the rest.  Raises HostError where too few would be left, or
    too few that are not known to be bad, and InvalidPatchError.
    """
    bad = options.get("bad", ())

    def edit(document: Domain) -> Edited:
        place = place_of(_with(document, quorum, threshold, domain), quorum, domain.name)
        number = place.member(member)
        old = place.quorum.members[number]
        _check_left(place, domain.name)
        numbers = {place.member(word) for word in bad}
        _check_good(place, number, numbers)
        known = [place.said(place.quorum.members[one]) for one in sorted(numbers)]
        return Edited(place.domain.remove(old), named=(place.said(old), *known))

    title = f"remove the member '{member}' from '{quorum}' in '{domain.name}'{_also(threshold)}"
    return _planned(domain, title, quorum, edit, options)


def _check_left(place: Place, domain: str) -> None:
    """Refuse a removal that leaves fewer members than the threshold; raises HostError."""
    threshold, left = place.quorum.vote_threshold, len(place.quorum.members) - 1
    if not isinstance(threshold, int) or left >= threshold:
        return
    if left == 0:
        raise HostError(
            f"{place.where} of the domain '{domain}' has no other member; replace it, or make a "
            f"stock disk of the quorum: virtquorum convert {domain} {place.target} --back"
        )
    members = "member" if left == 1 else "members"
    raise HostError(
        f"{place.where} would have {left} {members}, and its threshold is {threshold}; replace "
        f"the member instead, or lower the threshold as well: --threshold {left}"
    )


def _check_good(place: Place, removed: int, bad: set[int]) -> None:
    """Refuse a removal after which too few good members are left."""
    good = set(range(len(place.quorum.members))) - bad
    left, threshold = len(good - {removed}), place.quorum.vote_threshold
    if removed in good and isinstance(threshold, int) and left < threshold and bad:
        raise HostError(
            f"{place.where}: of its members only {left} would be left that "
            f"{'is' if left == 1 else 'are'} not known to be bad, and its threshold is "
            f"{threshold}; replace or repair a bad one first"
        )


def replace_member(
    domain: HostDomain, quorum: str, old: str, new: Image, **options: Unpack[Options]
) -> Patch:
    """Plan to put an image into the place of a member; the old image stays.

    The new one is copied to before it votes.  See ``Options`` for the rest.
    Raises HostError, InvalidPatchError, ImagesError and TranslationError.
    """

    def edit(document: Domain) -> Edited:
        place = place_of(document, quorum, domain.name)
        number = place.member(old)
        member = place.quorum.members[number]
        edited = document.replace(member, new)
        paths = place_of(edited, quorum, domain.name).paths()
        return Edited(edited, (new,), (place.said(member),), paths[number : number + 1])

    said = said_of(new) or "another one"
    title = f"replace the member '{old}' of '{quorum}' in '{domain.name}' by {said}"
    return _planned(domain, title, quorum, edit, options)


def reorder_members(
    domain: HostDomain, quorum: str, order: Sequence[str], **options: Unpack[Options]
) -> Patch:
    """Plan to bring members into another order; those that are not named follow in theirs.

    See ``Options`` for the rest.  Raises HostError.
    """

    def edit(document: Domain) -> Edited:
        place = place_of(document, quorum, domain.name)
        first = [place.member(one) for one in order]
        if len(set(first)) < len(first):
            raise HostError(f"{place.where}: a member is named twice; name each once")
        rest = [one for one in range(len(place.quorum.members)) if one not in first]
        named = tuple(place.said(place.quorum.members[one]) for one in first)
        orders.add(", ".join(place.said(place.quorum.members[one]) for one in [*first, *rest]))
        return Edited(document.reorder_members(place.quorum, [*first, *rest]), named=named)

    orders: set[str] = set()
    title = f"reorder the members of '{quorum}' in '{domain.name}'"
    patch = _planned(domain, title, quorum, edit, options)
    if len(orders) > 1:  # the running domain and its definition have others
        return patch
    return replace(patch, title=f"{title}: {', '.join(orders)}")


def _planned(domain: HostDomain, title: str, quorum: str, edit: Edit, options: Options) -> Patch:
    target = quorum.partition("/")[0]
    return planned(domain, Change("change", title, target, quorum, edit), options)
