package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
)

// How trackable checkpoints name the tensors of an object: its path, then one
// of its attributes, of which a variable has only one.
const (
	attributes    = "/.ATTRIBUTES/"
	variableValue = attributes + "VARIABLE_VALUE"
)

// shortName returns the object path of a tensor's name, without the attribute.
func shortName(name string) string {
	if i := strings.LastIndex(name, attributes); i >= 0 {
		return name[:i]
	}
	return name
}

// findTensor returns the name in names that want means: want itself, the
// value of the object with that path, or the only name that ends in it.
func findTensor(want string, names []string) (string, error) {
	for _, exact := range []string{want, want + variableValue} {
		if slices.Contains(names, exact) {
			return exact, nil
		}
	}
	found := matching(names, func(short string) bool { return short == want })
	if len(found) == 0 {
		found = matching(names, func(short string) bool { return strings.HasSuffix(short, "/"+want) })
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", unknownTensor(want, names)
	}
	err := fmt.Errorf("%q: %w: %d names end in it", want, format.ErrNoTensor, len(found))
	return "", hintf(err, "give one of them in full: %s", someOf(found, 5))
}

func matching(names []string, match func(short string) bool) []string {
	var found []string
	for _, name := range names {
		if match(shortName(name)) {
			found = append(found, name)
		}
	}
	return found
}

func unknownTensor(want string, names []string) error {
	err := fmt.Errorf("%q: %w", want, format.ErrNoTensor)
	if near := nearest(want, names, 5); len(near) > 0 {
		return hintf(err, "did you mean %s?", strings.Join(near, ", "))
	}
	return hintf(err, "'ckpt show' lists the %d tensors there are", len(names))
}

// someOf joins the first n of a list and says how many were left out.
func someOf(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}
