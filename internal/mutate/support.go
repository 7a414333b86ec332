package main

// Which mutant is on, and where the reached ones are noted.
const (
	envMutant = "CKPT_MUTANT"
	envReach  = "CKPT_MUTANT_REACH"
)

// support goes into every package with mutants. It imports little, since the
// package may not import everything.
const support = `
import (
	mutantOS "os"
	mutantNum "strconv"
	mutantSync "sync"
)

var (
	mutantNow, _  = mutantNum.Atoi(mutantOS.Getenv("` + envMutant + `"))
	mutantReached mutantSync.Map
	mutantFile    = mutantOS.Getenv("` + envReach + `")
)

// mutantOn reports whether a mutant is on, and notes that it was reached.
func mutantOn(id int) bool {
	if mutantFile != "" {
		mutantNote(id)
	}
	return id == mutantNow
}

func mutantNote(id int) {
	if _, before := mutantReached.LoadOrStore(id, true); before {
		return
	}
	f, err := mutantOS.OpenFile(mutantFile, mutantOS.O_APPEND|mutantOS.O_CREATE|mutantOS.O_WRONLY, 0o666)
	if err != nil {
		panic(err)
	}
	if _, err := f.WriteString(mutantNum.Itoa(id) + "\n"); err != nil {
		panic(err)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}

func mutantErr(id int, do func() error) error {
	if mutantOn(id) {
		return nil
	}
	return do()
}

func mutantElse(id int, instead, do func() error) error {
	if mutantOn(id) {
		return instead()
	}
	return do()
}

func mutantPick[T any](on bool, instead, is T) T {
	if on {
		return instead
	}
	return is
}

func mutantSwap[T any](on bool, first, then T) (T, T) {
	if on {
		return then, first
	}
	return first, then
}

func mutantBackward[T any](on bool, list []T) []T {
	if !on {
		return list
	}
	var turned []T
	for i := range list {
		turned = append(turned, list[len(list)-1-i])
	}
	return turned
}

// mutantOne makes one wave of all.
func mutantOne[T any](on bool, waves [][]T) [][]T {
	if !on {
		return waves
	}
	var one []T
	for _, w := range waves {
		one = append(one, w...)
	}
	return [][]T{one}
}

// mutantWaves merges waves from the mutant id on, and then swaps them.
func mutantWaves[T any](id int, waves ...[]T) [][]T {
	for i := range len(waves) - 1 {
		if mutantOn(id + i) {
			one := append(append([]T(nil), waves[i]...), waves[i+1]...)
			return append(append(append([][]T(nil), waves[:i]...), one), waves[i+2:]...)
		}
	}
	for i := range len(waves) - 1 {
		if mutantOn(id + len(waves) - 1 + i) {
			waves = append([][]T(nil), waves...)
			waves[i], waves[i+1] = waves[i+1], waves[i]
			return waves
		}
	}
	return waves
}

func mutantInTurn[C, L any](_ C, _ L, do func() error) error            { return do() }
func mutantExclusive[C, D any](_ C, dir D, do func(D) error) error       { return do(dir) }
func mutantBetweenSweeps[C, D, P any](_ C, dir D, _ P, do func(D) error) error { return do(dir) }
func mutantGuarded[L, D any](_ L, dir D) D                               { return dir }
`
