package trackable

import "fmt"

// slotID names a slot of an owner.
type slotID struct {
	variable Object
	name     string
}

// waitingSlot is a stored slot that its owner could not make yet.
type waitingSlot struct {
	r    *restoration
	slot slotRef
	id   slotID
}

type parkedSlot struct {
	at *Node
	waitingSlot
}

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
	if !ok || variable == nil || p.r.bound[s.Node] != nil {
		return nil
	}
	id := slotID{variable, s.Name}
	value, err := p.slotValue(owner, id)
	if err != nil {
		return fmt.Errorf("%s: %w", p.r.graph.Path(s.Node), err)
	}
	if value != nil {
		p.bind(s.Node, value)
	} else if n := nodeOf(owner); n != nil {
		p.parkedSl = append(p.parkedSl, parkedSlot{n, waitingSlot{p.r, s, id}})
	}
	return nil
}

// slotValue finds a slot or has the owner make it; nil if it cannot yet.
func (p *pass) slotValue(owner SlotOwner, id slotID) (Object, error) {
	slots, ok := p.slots[owner]
	if !ok {
		slots = make(map[slotID]Object)
		for _, s := range owner.Slots() {
			if checkObject(s.Variable) == nil && !isNil(s.Value) {
				slots[slotID{s.Variable, s.Name}] = s.Value
			}
		}
		p.slots[owner] = slots
	}
	if value := slots[id]; value != nil {
		return value, checkObject(value)
	}
	value, err := owner.MakeSlot(id.variable, id.name)
	if err != nil || isNil(value) {
		return nil, err
	}
	slots[id] = value
	return value, checkObject(value)
}

// TrackSlot restores what a checkpoint holds for a slot that MakeSlot could
// not make: a SlotOwner that embeds Node calls it when it made the slot. It
// does not keep the slot; Slots lists it.
// (TensorFlow: _restore_slot_variable)
func (n *Node) TrackSlot(s Slot) {
	if checkObject(s.Variable) != nil || isNil(s.Value) {
		return
	}
	id := slotID{s.Variable, s.Name}
	newer := make(map[Object]bool)
	var rest []waitingSlot
	run := func(w waitingSlot) {
		if err := w.r.newPass(newer).run(w.slot.Node, s.Value); err != nil {
			w.r.errs = append(w.r.errs, fmt.Errorf("deferred restore: %w", err))
		}
	}
	// Later restores stand later in the list.
	for i := len(n.slots) - 1; i >= 0; i-- {
		if n.slots[i].id == id {
			run(n.slots[i])
		} else {
			rest = append(rest, n.slots[i])
		}
	}
	for i, j := 0, len(rest)-1; i < j; i, j = i+1, j-1 {
		rest[i], rest[j] = rest[j], rest[i]
	}
	n.slots = rest
}
