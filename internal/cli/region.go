package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/tensor"
)

// region is a part of a tensor as a user writes it, "0:10,5": one item for
// each dimension, as in numpy and, but for the negative numbers, Go.
type region []span

// span is one item: "5" (index: the dimension goes away), "2:10", "2:", ":10",
// ":" or any of these with numbers below zero, which count from the end.
type span struct {
	index       bool
	start, stop *int64 // nil: left out
}

// parseRegion reads the notation; "" is the whole tensor.
func parseRegion(text string) (region, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var r region
	for item := range strings.SplitSeq(text, ",") {
		s, err := parseSpan(strings.TrimSpace(item))
		if err != nil {
			return nil, regionError(text, err.Error())
		}
		r = append(r, s)
	}
	return r, nil
}

func regionError(text, reason string) error {
	return &usageError{fmt.Sprintf("region %q: %s", text, reason), "write regions as in numpy: 0:10,5 or -3:"}
}

func parseSpan(item string) (span, error) {
	from, to, ranged := strings.Cut(item, ":")
	if strings.Contains(to, ":") {
		return span{}, fmt.Errorf("%q has a step, which is not supported", item)
	}
	start, err := parseBound(from)
	if err != nil {
		return span{}, err
	}
	if !ranged {
		if start == nil {
			return span{}, fmt.Errorf("an item is empty")
		}
		return span{index: true, start: start}, nil
	}
	stop, err := parseBound(to)
	return span{start: start, stop: stop}, err
}

func parseBound(text string) (*int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a whole number", text)
	}
	return &n, nil
}

// String returns the region in the form parseRegion reads.
func (r region) String() string {
	items := make([]string, len(r))
	for i, s := range r {
		items[i] = s.String()
	}
	return strings.Join(items, ",")
}

func (s span) String() string {
	text := ""
	if s.start != nil {
		text = strconv.FormatInt(*s.start, 10)
	}
	if s.index {
		return text
	}
	text += ":"
	if s.stop != nil {
		text += strconv.FormatInt(*s.stop, 10)
	}
	return text
}

// resolve returns which part of a tensor of this shape r means, and the shape
// to show it in: dimensions that were indexed are gone. Ranges are cut at the
// ends as in numpy; an index outside is an error.
func (r region) resolve(full tensor.Shape) (tensor.Slice, tensor.Shape, error) {
	part := tensor.Whole(full)
	if len(r) > len(full) {
		return part, nil, regionError(r.String(), fmt.Sprintf("has %s, but the tensor %v has %s", count(len(r), "item"), full, count(len(full), "dimension")))
	}
	shape := tensor.Shape{}
	for i, dim := range full {
		if i >= len(r) {
			shape = append(shape, dim)
			continue
		}
		start, length, ok := r[i].resolve(dim)
		if !ok {
			return part, nil, regionError(r.String(), fmt.Sprintf("index %d is outside of dimension %d, which has %d", *r[i].start, i, dim))
		}
		part.Start[i], part.Length[i] = start, length
		if !r[i].index {
			shape = append(shape, length)
		}
	}
	return part, shape, nil
}

func (s span) resolve(dim int64) (start, length int64, ok bool) {
	if s.index {
		i := *s.start
		if i < 0 {
			i += dim
		}
		return i, 1, i >= 0 && i < dim
	}
	stop := dim
	if s.start != nil {
		start = clip(*s.start, dim)
	}
	if s.stop != nil {
		stop = clip(*s.stop, dim)
	}
	return start, max(0, stop-start), true
}

// clip counts n from the end if it is below zero and keeps it in the dimension.
func clip(n, dim int64) int64 {
	if n < 0 {
		n += dim
	}
	return min(max(n, 0), dim)
}
