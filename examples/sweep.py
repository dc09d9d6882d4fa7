"""How many sifted bits come of 200 photons, over the length of the fibre: a table, and a plot over theory."""

from pathlib import Path

import qnetem

LENGTH, SIFTED = "links.alice-bob.quantum.length", "bob.sifted"

if __name__ == "__main__":
    values = {LENGTH: [f"{km} km" for km in (5, 25, 50, 75, 100)], "seed": range(4)}
    table = qnetem.sweep(Path(__file__).with_suffix(".yaml"), values, csv="sweep.csv")
    table.plot(LENGTH, SIFTED, "sweep.svg", theory="100 * transmittance('alice-bob')")
    for point in table.means(SIFTED):
        print(f"{point.parameters[LENGTH]:>7}: {point.mean:5.1f} +- {point.error:.1f} sifted bits")
