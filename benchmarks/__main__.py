"""The command ``python -m benchmarks``."""

import argparse
import compileall
import time
from pathlib import Path

from benchmarks.networks import WORKS
from benchmarks.peers import PEER, PeerMissing, python_of
from benchmarks.report import document
from benchmarks.sections import SECTIONS

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
CROTON = RESULTS.parent.parent / "src" / "croton"


def main() -> int:
    """Measure, print and write; return 1 if a contender of croton's own could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="croton's speed against its peers")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; none: all of them")
    parser.add_argument(
        "--repeats", type=int, default=15, help="rounds of turns (default 15; c, d, f, h, k: at most 5, i: 3)"
    )
    parser.add_argument("--output", type=Path, help="where to write (default: RESULTS.md beside this, if all are run)")
    parser.add_argument(
        "--only", action="append", choices=WORKS, metavar="NETWORK", help="of h: this network alone; may be repeated"
    )
    parser.add_argument("--against", action="append", metavar="NAME", help="of h: the peers with this in their names")
    options = parser.parse_args()
    chosen = sorted(set(options.sections)) or list(SECTIONS)
    if unknown := [name for name in chosen if name not in SECTIONS]:
        parser.error(f"no section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: at least 1 is needed")
    for name in PEER:
        try:
            python_of(name)
        except PeerMissing as missing:
            print(f"{name} is missing: {missing}", flush=True)
    # As pip leaves its peers: else each process could have to compile it anew.
    compileall.compile_dir(CROTON, quiet=1)
    start = time.perf_counter()
    sections = []
    for name in chosen:
        part = {"only": options.only, "against": options.against} if name == "h" else {}
        sections.append(SECTIONS[name](options.repeats, **part))
        print(sections[-1].markdown(), end="\n\n", flush=True)
    whole = chosen == list(SECTIONS) and not options.only and not options.against
    output = options.output or (RESULTS if whole else None)
    if output:
        output.write_text(document(sections, time.perf_counter() - start))
        print(f"written to {output}")
    ours = [one for section in sections for one in section.measured if one.contender.ours]
    return 1 if any(one.error for one in ours) else 0


if __name__ == "__main__":
    raise SystemExit(main())
