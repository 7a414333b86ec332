package trackable

import "fmt"

// visitSlots binds a node's slots when TensorFlow does (checkpoint/restore.py,
// _queue_slot_variables): where several stored slots are one slot here, the
// first gives it its value. A slot is bound when its variable is visited, in the
// order of the stored owners, or with its owner if that had no object then.
func (p *pass) visitSlots(node int) error {
	r := p.r
	for _, i := range r.lateSlots[node] {
		if err := p.visitSlot(r.slots[i]); err != nil {
			return err
		}
	}
	for _, i := range r.slotsOf[node] {
		owner := r.slots[i].owner
		if r.bound[owner] == nil {
			r.lateSlots[owner] = append(r.lateSlots[owner], i)
		} else if err := p.visitSlot(r.slots[i]); err != nil {
			return err
		}
	}
	return nil
}

// visitSlot binds a slot whose owner and variable are both bound.
func (p *pass) visitSlot(s slotRef) error {
	owner, ok := p.r.bound[s.owner].(SlotOwner)
	if !ok || p.r.bound[s.Node] != nil {
		return nil
	}
	id := awaited{p.r.bound[s.Variable], s.Name}
	value, err := p.slotValue(owner, id)
	if err != nil {
		return fmt.Errorf("%s: %w", p.r.graph.Path(s.Node), err)
	}
	if value != nil {
		p.bind(s.Node, value)
	} else if n := nodeOf(owner); n != nil {
		p.parked = append(p.parked, parked{n, id, waiting{p.r, s.Node}})
	}
	return nil
}

// slotValue finds a slot or has the owner make it; nil if it cannot yet. An
// owner is asked for each slot once, however often a graph from a file names it.
func (p *pass) slotValue(owner SlotOwner, id awaited) (Object, error) {
	slots, ok := p.slots[owner]
	if !ok {
		slots = make(map[awaited]Object)
		for _, s := range owner.Slots() {
			if checkObject(s.Variable) == nil && !isNil(s.Value) {
				slots[awaited{s.Variable, s.Name}] = s.Value
			}
		}
		p.slots[owner] = slots
	}
	value, asked := slots[id]
	if !asked {
		var err error
		if value, err = owner.MakeSlot(id.variable, id.name); err != nil {
			return nil, err
		}
		if isNil(value) {
			value = nil
		}
		slots[id] = value
	}
	if value == nil {
		return nil, nil
	}
	return value, checkObject(value)
}

// TrackSlot restores what a checkpoint holds for a slot that MakeSlot could
// not make: a SlotOwner that embeds Node calls it when it made the slot. It
// does not keep the slot; Slots lists it.
// (TensorFlow: _restore_slot_variable)
func (n *Node) TrackSlot(s Slot) {
	if checkObject(s.Variable) == nil {
		n.runWaiting(awaited{s.Variable, s.Name}, s.Value)
	}
}
