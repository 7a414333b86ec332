package trackable

import "fmt"

// visitSlots binds the slots whose owner and variable are both bound, one of
// them by node.
func (p *pass) visitSlots(node int) error {
	for _, i := range p.r.slotsOf[node] {
		if err := p.visitSlot(p.r.slots[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) visitSlot(s slotRef) error {
	variable := p.r.bound[s.Variable]
	owner, ok := p.r.bound[s.owner].(SlotOwner)
	if !ok || variable == nil || p.r.bound[s.Node] != nil || p.tried[s.Node] {
		return nil
	}
	p.tried[s.Node] = true // a slot is met twice: by its owner and by its variable
	id := awaited{variable, s.Name}
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
