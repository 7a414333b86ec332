package tensor

// Runs calls f for each stretch of elements that lie next to each other in
// both of two resolved regions of one tensor: n elements, dst and src elements
// from the start of the one and the other region. The src offsets rise, so
// that a reader can go through src once, forward.
func Runs(dstRegion, srcRegion Slice, f func(dst, src, n int64)) {
	both, ok := dstRegion.Intersect(srcRegion)
	if !ok {
		return
	}
	w := walk{both: both, dst: dstRegion, src: srcRegion, f: f}
	// Trailing dimensions that all three share whole make one longer run.
	w.inner = len(both.Length)
	for w.inner > 1 && w.shared(w.inner-1) {
		w.inner--
	}
	w.dim(0, 0, 0)
}

// CopyRegion copies the elements that two resolved regions of one tensor
// share from src, the value of srcRegion, to dst, that of dstRegion. An
// element has elem bytes.
func CopyRegion(dst []byte, dstRegion Slice, src []byte, srcRegion Slice, elem int) {
	e := int64(elem)
	Runs(dstRegion, srcRegion, func(d, s, n int64) {
		copy(dst[d*e:(d+n)*e], src[s*e:(s+n)*e])
	})
}

type walk struct {
	both, dst, src Slice
	inner          int // dimensions from inner-1 on make up one run
	f              func(dst, src, n int64)
}

// shared reports whether dimension i is the same stretch in all three regions.
func (w *walk) shared(i int) bool {
	same := func(s Slice) bool { return s.Start[i] == w.both.Start[i] && s.Length[i] == w.both.Length[i] }
	return same(w.dst) && same(w.src)
}

// dim goes through dimension i; dst and src are the offsets so far, counted
// in elements of the dimensions before i.
func (w *walk) dim(i int, dst, src int64) {
	if i == len(w.both.Length) {
		w.f(dst, src, 1) // a scalar
		return
	}
	dst = dst*w.dst.Length[i] + w.both.Start[i] - w.dst.Start[i]
	src = src*w.src.Length[i] + w.both.Start[i] - w.src.Start[i]
	if i == w.inner-1 {
		n := w.both.Length[i]
		for _, l := range w.both.Length[i+1:] {
			dst, src, n = dst*l, src*l, n*l
		}
		w.f(dst, src, n)
		return
	}
	for k := range w.both.Length[i] {
		w.dim(i+1, dst+k, src+k)
	}
}
