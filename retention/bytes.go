package retention

import "fmt"

// MaxBytes retains the newest checkpoints as long as they fit into n bytes
// together, of which what several share counts once, and the newest in any case; it removes the others. It is meant for
// All, as a limit to other rules. What those remove in this very moment counts
// too; the next time it does not any more.
func MaxBytes(n int64) Policy {
	return each(func() func([]Checkpoint, int) Verdict {
		var sum total
		return func(list []Checkpoint, i int) Verdict {
			sum.add(list[i])
			switch {
			case sum.bytes <= n:
				return retain("fits into " + amount(n) + " with all newer ones")
			case i == len(list)-1:
				return retain("the newest, though larger than " + amount(n))
			}
			return remove("does not fit into " + amount(n) + " with all newer ones")
		}
	})
}

// amount writes a number of bytes as people give it: "1 TiB" or "1500 bytes".
func amount(n int64) string {
	const units = "KMGTPE"
	unit := ""
	for i := 0; i < len(units) && n != 0 && n%1024 == 0; i++ {
		n, unit = n/1024, units[i:i+1]
	}
	if n == 1 && unit == "" {
		return "1 byte"
	}
	if unit == "" {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d %siB", n, unit)
}
