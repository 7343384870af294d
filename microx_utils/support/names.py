"""The one form in which names and labels are compared, so that two spellings never become two people."""

import re
import unicodedata


def folded(name: object) -> str:
    """Return a name without what never tells two names apart.

    That is: Unicode's two ways to write a letter, case, the number of blanks, and the Turkish dotted and dotless i.

    >>> folded("  ECE  Nur"), folded("HAPPİNESS"), folded("Happıness"), folded("S001")
    ('ece nur', 'happiness', 'happiness', 's001')
    """
    text = " ".join(unicodedata.normalize("NFC", str(name)).split()).casefold()
    return unicodedata.normalize("NFC", text.replace("i\u0307", "i").replace("ı", "i"))  # İ and Turkish I, case folded


def person_key(name: object) -> str:
    """Return the form in which people are compared: folded, and a number without leading zeros or decimals.

    >>> {person_key(1), person_key("01"), person_key("1.0"), person_key(" 001 ")}, person_key("S01")
    ({'1'}, 's01')
    """
    text = folded(name)
    number = re.fullmatch(r"0*(\d+)(\.0*)?", text)
    return number[1] if number else text
