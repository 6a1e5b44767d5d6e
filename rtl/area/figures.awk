# SPDX-License-Identifier: Apache-2.0
# figures.awk LIBERTY MEMORIES STAT TIMING -v name= -v buffers=:
# "name cells um2 flops memory_bits ns". The buffers are counted with the cells; memories and parts,
# which are no cells of the library, are not.
# a unit without memories has an empty list of them
FNR == 1 {
    while (FILENAME != ARGV[file + 0])
        file++
}
file == 1 && /^ *cell *\(/ {
    cell = $0
    gsub(/^.*\(|\).*$/, "", cell)
    known[cell]
}
file == 1 && $1 == "area" && cell == "BUFX4" { buffer_area = $3 + 0 }
file == 2 && /parameter \\SIZE / { size = $3 }
file == 2 && /parameter \\WIDTH / { bits += size * $3 }
file == 3 && /Number of cells:/ { cells += $NF }
file == 3 && /^ *DFF/ { flops += $2 }
file == 3 && counting && NF == 2 && !($1 in known) { cells -= $2 }
file == 3 && /Number of cells:/ { counting = 1 }
file == 3 && !NF { counting = 0 }
file == 3 && /Chip area/ { area = $NF }
file == 4 && /data arrival time/ && $1 + 0 > 0 && !ns { ns = $1 }
END {
    printf "%s %d %d %d %d %.2f\n", name, cells + buffers, area + buffers * buffer_area, flops,
        bits, ns
}
