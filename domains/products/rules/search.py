"""What somebody typed, as words to look for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

MAX_WORDS = 8
# Shorter words have too many neighbours to guess which one was meant.
SHORTEST_CORRECTED = 4
# From this length on a word may have two slips, below it one.
TWO_SLIPS_FROM = 6
# More than a word that people use has neighbours a slip away.
MAX_CORRECTIONS = 12
# A last word of one letter is looked for as it is: half of the catalogue begins with it.
SHORTEST_PREFIX = 2

# Postgres' text search configurations by language; "simple", without stems, for any other.
_CONFIGURATIONS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}

_APOSTROPHE = re.compile("['’`]")
_WORD = re.compile(r"[^\W_]+")


def configuration_of(locale: str) -> str:
    """The text search configuration of a locale: `german` for `de` and `de-AT`."""
    return _CONFIGURATIONS.get(locale.split("-")[0].lower(), "simple")


def words_of(text: str) -> list[str]:
    """The words of a search, at most MAX_WORDS. An apostrophe is no end of a word: women's."""
    text = _APOSTROPHE.sub("", unicodedata.normalize("NFKC", text))
    return [word.lower() for word in _WORD.findall(text)[:MAX_WORDS]]


@dataclass(frozen=True, slots=True)
class KnownWord:
    """What the catalogue makes of a word.

    lexemes: its stems, none for a word that says nothing, such as "the".
    known: whether any product has it, or for the last word something that begins with it.
    similar: for one that is not known, lexemes of the catalogue that look like it, those that most
    products have first.
    """

    word: str
    lexemes: tuple[str, ...]
    known: bool
    similar: tuple[str, ...] = ()


def tsquery_of(words: Sequence[KnownWord], joined: Sequence[KnownWord] = ()) -> str | None:
    """The words as a tsquery: all must occur, the last one maybe as a beginning.

    A word that nothing in the catalogue has is replaced by those that it may be a slip of. None
    where nothing can be found.
    joined: what every two neighbours are in one word; "door mat" finds a doormat, too.
    """
    telling = [place for place, word in enumerate(words) if word.lexemes] or [len(words) - 1]
    parts = {place: _part(words[place], last=place == len(words) - 1) for place in telling if words}
    for place, word in enumerate(joined):
        if not word.known or not {place, place + 1} <= parts.keys():
            continue
        # A stem that is no longer than the first of the two words has lost the second one.
        longer = [lexeme for lexeme in word.lexemes if len(lexeme) > len(words[place].word)]
        both = " & ".join(filter(None, (parts[place], parts[place + 1])))
        apart = both if parts[place] and parts[place + 1] else ""
        parts[place] = (
            "("
            + " | ".join(
                filter(None, (apart, _part(replace(word, lexemes=(*longer,)), last=False)))
            )
            + ")"
        )
        del parts[place + 1]
    return " & ".join(parts.values()) if parts and all(parts.values()) else None


def _part(word: KnownWord, *, last: bool) -> str:
    prefix = ""
    if word.known:
        prefix = ":*" if last and len(word.word) >= SHORTEST_PREFIX else ""
        found = list(dict.fromkeys((*word.lexemes, word.word)))
    else:
        found = corrections(word.word, word.similar)
    if not found:
        return ""
    return "(" + " | ".join(f"'{lexeme}'{prefix}" for lexeme in found) + ")"


def corrections(word: str, similar: Iterable[str]) -> list[str]:
    """Those of these lexemes that the word is a slip or two away from, the nearest ones only.

    Of these first what has the same letters, since fingers swap two more often than they hit a
    wrong one; then as they came. Two that are swapped across a third are one slip in a short word,
    but a farther one. A word with a digit in it is a SKU or a measure: its neighbour is another
    thing.
    """
    if len(word) < SHORTEST_CORRECTED or any(letter.isdigit() for letter in word):
        return []
    allowed = 2 if len(word) >= TWO_SLIPS_FROM else 1
    letters = sorted(word)
    near: dict[int, tuple[list[str], list[str]]] = {}
    for lexeme in similar:
        replaced = sorted(lexeme) != letters
        most = allowed if replaced else 2
        distance = slips(word, lexeme, most)
        if distance <= most:
            near.setdefault(distance, ([], []))[replaced].append(lexeme)
    if not near:
        return []
    swapped, others = near[min(near)]
    return [*swapped, *others][:MAX_CORRECTIONS]


def slips(typed: str, meant: str, most: int) -> int:
    """How many letters were left out, added, replaced, or swapped with their neighbour.

    Optimal string alignment distance (Damerau 1964, without edits inside a swapped pair); where it
    is more than `most`, any number above that.
    """
    if abs(len(typed) - len(meant)) > most:
        return most + 1
    while typed and meant and typed[0] == meant[0]:
        typed, meant = typed[1:], meant[1:]
    while typed and meant and typed[-1] == meant[-1]:
        typed, meant = typed[:-1], meant[:-1]
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(typed, 1):
        above, before_above, row = row, before, [i]
        for j, other in enumerate(meant, 1):
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and typed[i - 2] == other:
                best = min(best, before_above[j - 2] + 1)
            row.append(best)
        if min(row) > most and min(above) >= most:
            return most + 1
        before = above
    return row[-1]
