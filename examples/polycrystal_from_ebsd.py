"""From an EBSD scan to a statistically equal 3-D polycrystal, with the calls that `microgen polycrystal` makes.

python examples/polycrystal_from_ebsd.py data/dual_phase.ang rve.tif
"""

from __future__ import annotations

import sys
from dataclasses import replace
from math import degrees, radians

import microgen


def main(scan_path: str, out_path: str) -> None:
    # What was measured. Grains are regions within 5 degrees; specks below 10 points go to their neighbours.
    threshold, min_pixels = radians(5), 10
    scan = microgen.read(scan_path)
    segmented = microgen.segment_grains(scan, threshold=threshold, min_pixels=min_pixels)
    print(f"{len(segmented.grains)} grains above {degrees(threshold):g} degrees on {scan.grid.shape} points")

    # Laws whose sections look like the scan: sizes, shapes, phases, orientations.
    target = microgen.Target.from_scan(segmented, threshold, min_pixels)
    fitted = microgen.fit(microgen.Polycrystal(300), target, seed=0).generator

    # A box for 300 such grains, and one sample in it. Change the laws here: replace(fitted, lloyd=5), for one.
    grid, grains, _ = microgen.resolve_box(300, (64, 64, 64), None, fitted.size.resolved_mean, size_law=fitted.size)
    sample = replace(fitted, grains=grains).sample(grid, seed=0)

    # Fresh sections of the sample, seen as the microscope saw the scan, against the scan.
    for name, s in microgen.compare(sample, target, seed=1).items():
        verdict = "inside" if s.distance <= s.noise_floor_p95 else "outside"
        print(f"{name:24} {s.target:10.4g} {s.achieved:10.4g} {s.unit:6} {verdict} the noise of the scan itself")

    for path in microgen.write(sample, out_path, overwrite=True):
        print(path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
