"""What the variants of one product must be among themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infrastructure.errors import FieldError

OPTION_NAMES_DIFFER = "option_names_differ"
OPTIONS_REPEATED = "options_repeated"


def option_faults(
    variants: Sequence[tuple[str, Mapping[str, str]]],
) -> list[FieldError]:
    """What is wrong with the options of variants, each with the pointer to it in the input.

    All variants have the options of the first one, and no two of them the same combination.
    Variants without options are told apart by their names.
    """
    faults: list[FieldError] = []
    names = set(variants[0][1]) if variants else set()
    seen: set[tuple[tuple[str, str], ...]] = set()
    for pointer, options in variants:
        at = f"{pointer}/options"
        if set(options) != names:
            listed = ", ".join(sorted(names)) or "none"
            detail = f"The variants of a product have the same options; here: {listed}."
            faults.append(FieldError(at, OPTION_NAMES_DIFFER, detail))
            continue
        combination = tuple(sorted(options.items()))
        if combination and combination in seen:
            detail = "Another variant has the same combination of options."
            faults.append(FieldError(at, OPTIONS_REPEATED, detail))
        seen.add(combination)
    return faults
