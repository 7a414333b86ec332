package peer

import (
	"sync"
	"sync/atomic"
	"time"
)

// calibration is how long Lost looks at the loops alone, before and after.
const calibration = 300 * time.Millisecond

// Lost runs save while loops compute, and returns by how many seconds that put
// them back. It is negative where others made the loops slower before and after.
func Lost(loops int, save func() error) (seconds float64, err error) {
	alone := func() error { <-time.After(calibration); return nil }
	var turns, took [3]float64
	for i, beside := range []func() error{alone, save, alone} {
		if turns[i], took[i], err = compute(loops, beside); err != nil {
			return 0, err
		}
	}
	rate := (turns[0] + turns[2]) / (took[0] + took[2])
	return took[1] - turns[1]/rate, nil
}

// compute counts the turns of loops that run as long as what is beside them.
func compute(loops int, beside func() error) (turns, seconds float64, err error) {
	var stop atomic.Bool
	var total atomic.Int64
	var wait sync.WaitGroup
	start := time.Now()
	for i := range loops {
		wait.Go(func() {
			n, x := int64(0), uint64(i)
			for ; !stop.Load(); n++ {
				for range 1 << 12 {
					x = x*6364136223846793005 + 1442695040888963407
				}
			}
			total.Add(n + int64(x>>63)) // x is used, so that it is computed
		})
	}
	err = beside()
	stop.Store(true)
	wait.Wait()
	return float64(total.Load()), time.Since(start).Seconds(), err
}
