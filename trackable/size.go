package trackable

// Sized is a Saveable that knows what SerializeToTensors would return, in bytes,
// without making it: one whose values must first be fetched from a device, say.
type Sized interface {
	Saveable
	// SerializedBytes returns the sum of the tensors' bytes.
	SerializedBytes() (int64, error)
}

// SizeOf returns how many bytes the tensors of all objects that root leads to
// have, the object graph's own not counted, and whether it asked all of them:
// objects that are not Sized, and not of this package, are left out rather than
// made to serialize twice.
func SizeOf(root Object, o *SaveOptions) (bytes int64, all bool, err error) {
	if o == nil {
		o = new(SaveOptions)
	}
	v, err := newView(root, o.Attached, true)
	if err != nil {
		return 0, false, err
	}
	all = true
	for _, object := range v.objects {
		n, known, err := sizeOf(object)
		if err != nil {
			return 0, false, err
		}
		bytes += n
		all = all && known
	}
	return bytes, all, nil
}

func sizeOf(o Object) (bytes int64, known bool, err error) {
	switch o := o.(type) {
	case Sized:
		bytes, err = o.SerializedBytes()
		return bytes, true, err
	case state: // its bytes would have to be made
		return 0, false, nil
	case interface {
		Saveable
		only(Object) (Attribute, bool)
	}:
		if _, itself := o.only(o); !itself { // something that embeds a variable, and may do more
			return 0, false, nil
		}
		if d, ok := o.(destined); ok {
			if b := d.destination(o); b != nil { // which makes nothing
				return int64(len(b)), true, nil
			}
		}
		attributes, err := o.SerializeToTensors() // shares the values
		for _, a := range attributes {
			bytes += a.Tensor.NumBytes()
		}
		return bytes, true, err
	case Saveable:
		return 0, false, nil
	}
	return 0, true, nil
}
