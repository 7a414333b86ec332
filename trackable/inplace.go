package trackable

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// OverwrittenError is of a restore that failed when values had changed already:
// one in place, or, beyond StageLimit, one whose file was not what it was when
// it was verified.
type OverwrittenError struct {
	// Tensors are the keys, in the checkpoint, of the tensors whose objects do
	// not have the value they had. Of the one that Err is about, and of others
	// that were being read just then, the object may have any part.
	Tensors []string
	Err     error
}

// Error returns what failed, and the first of the tensors.
func (e *OverwrittenError) Error() string {
	listed, more := e.Tensors, ""
	if len(listed) > maxListed {
		listed, more = listed[:maxListed], fmt.Sprintf(" and %d more", len(e.Tensors)-maxListed)
	}
	return fmt.Sprintf("%v; overwritten already: %s%s", e.Err, strings.Join(listed, ", "), more)
}

// Unwrap returns e.Err.
func (e *OverwrittenError) Unwrap() error { return e.Err }

// applyPlaced restores the tasks whose objects have memory to read to. Memory
// that two of them share gets what the last of them has, as it does where they
// are restored one by one.
func (p *pass) applyPlaced(tasks, changed []*task) error {
	tasks = p.fileOrder(tasks)
	places := make([][]byte, len(tasks))
	for i, t := range tasks {
		places[i] = p.destination(t) // now: objects that came before may have moved it
	}
	begun := make([]bool, len(tasks))
	do := func(b batch) error {
		for i := b.first; i < b.next; i++ {
			begun[i] = true
		}
		return p.fillAll(tasks[b.first:b.next], places[b.first:b.next])
	}
	var err error
	if disjoint(places) {
		all := batches(tasks, func(i int) bool { return p.joinsInPlace(tasks[i-1], tasks[i]) })
		err = inOrder(len(all), func(i int) error { return do(all[i]) })
	} else {
		err = oneByOne(p.bindingOrder(tasks), func(i int) error { return do(batch{i, i + 1}) })
	}
	if err == nil {
		return nil
	}
	for i, t := range tasks {
		if begun[i] {
			changed = append(changed, t)
		}
	}
	return &OverwrittenError{Tensors: keysOf(changed), Err: err}
}

// bindingOrder returns the indices of tasks in the order of p.tasks.
func (p *pass) bindingOrder(tasks []*task) []int {
	at := make(map[*task]int, len(tasks))
	for i, t := range tasks {
		at[t] = i
	}
	var order []int
	for _, t := range p.tasks {
		if i, ok := at[t]; ok {
			order = append(order, i)
		}
	}
	return order
}

func oneByOne(order []int, do func(i int) error) error {
	for _, i := range order {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// fill gives a task's object its tensor, at dst unless that is nil.
func (p *pass) fill(t *task, dst []byte) error {
	held := t.held
	switch {
	case dst == nil:
		return p.applyTask(t)
	case held == nil:
		return p.r.src.(intoReader).ReadInto(t.stored[0].key, dst)
	}
	data := held[t.stored[0].name].Bytes()
	if len(data) != len(dst) {
		return p.applyTask(t)
	}
	t.held = nil
	copySteps(dst, data)
	return nil
}

// disjoint reports whether all places are there, and no two overlap.
func disjoint(places [][]byte) bool {
	if slices.ContainsFunc(places, func(b []byte) bool { return b == nil }) {
		return false
	}
	sorted := slices.Clone(places)
	slices.SortFunc(sorted, func(a, b []byte) int { return cmp.Compare(addressOfBytes(a), addressOfBytes(b)) })
	for i := 1; i < len(sorted); i++ {
		if before := sorted[i-1]; addressOfBytes(before)+uintptr(len(before)) > addressOfBytes(sorted[i]) {
			return false
		}
	}
	return true
}

func addressOfBytes(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func keysOf(tasks []*task) []string {
	var keys []string
	for _, t := range tasks {
		for _, s := range t.stored {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// copyStep is how many elements are copied at once. Copying is not interrupted:
// the garbage collector, and with it the program, would wait for a large one.
const copyStep = 64 << 10

// copySteps is copy.
func copySteps[E any](dst, src []E) {
	for n := 0; len(src) > 0 && len(dst) > 0; dst, src = dst[n:], src[n:] {
		n = copy(dst, src[:min(len(src), copyStep)])
	}
}
