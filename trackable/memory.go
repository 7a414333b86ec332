package trackable

// lastRestore remembers which Restore gave an object its value, so that an
// older one, which waited for the object, does not undo a newer one.
// (TensorFlow: Trackable._update_uid)
type lastRestore struct{ uid int64 }

func (l *lastRestore) last() *lastRestore { return l }

// memory remembers the same of objects that have no place for it, such as a
// State, for the restores of one root and only while one of them waits,
// which one by names always does.
type memory struct {
	waits int
	uids  map[Object]int64
}

// memoryOf returns the memory of all restores into root.
func memoryOf(root Object) *memory {
	n := nodeOf(root)
	if n == nil {
		return new(memory)
	}
	if n.memory == nil {
		n.memory = new(memory)
	}
	return n.memory
}

// done is called after a restore that had waited.
func (m *memory) done() {
	if m.waits--; m.waits == 0 {
		m.uids = nil
	}
}

// uidOf returns the last restore that o is known to be of.
func (r *restoration) uidOf(o Object) int64 {
	if l, ok := o.(interface{ last() *lastRestore }); ok {
		return l.last().uid
	}
	return r.memory.uids[o]
}

// remember notes that o is of this restore, unless it is of a later one.
func (r *restoration) remember(o Object) {
	if l, ok := o.(interface{ last() *lastRestore }); ok {
		l.last().uid = max(l.last().uid, r.uid)
		return
	}
	m := r.memory
	if m.waits == 0 {
		return
	}
	if m.uids == nil {
		m.uids = make(map[Object]int64)
	}
	m.uids[o] = max(m.uids[o], r.uid)
}
